//! A key that checks signatures, read from where an issuer publishes it.

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};

/// A key that checks signatures, with the one algorithm that it is for.
#[derive(Debug, Clone)]
pub struct CheckingKey {
    /// Its name.
    pub key_id: String,
    pub(super) algorithm: Algorithm,
    pub(super) decoding: DecodingKey,
}

impl CheckingKey {
    /// A published key, when it is one that we accept: RSA for RS256, P-256 for ES256, for
    /// signatures, with a name.
    #[expect(clippy::wildcard_enum_match_arm, reason = "every other kind of key is refused")]
    pub fn from_jwk(jwk: &Jwk) -> Option<Self> {
        let algorithm = match &jwk.algorithm {
            AlgorithmParameters::RSA(_) => Algorithm::RS256,
            AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P256 => {
                Algorithm::ES256
            }
            _ => return None,
        };
        let meant = jwk.common.key_algorithm.unwrap_or(KeyAlgorithm::from(algorithm));
        let signs = matches!(jwk.common.public_key_use, None | Some(PublicKeyUse::Signature));
        if meant != KeyAlgorithm::from(algorithm) || !signs {
            return None;
        }
        let decoding = DecodingKey::from_jwk(jwk).ok()?;
        Some(Self { key_id: jwk.common.key_id.clone()?, algorithm, decoding })
    }
}
