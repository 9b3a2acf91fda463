//! Checks tokens against the node's own key, or against a foreign issuer's.

use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode};

use super::foreign::ForeignKeys;
use super::token::{Claims, read_head};
use super::verified::{Verified, digest};
use super::{Caller, LEEWAY_SECONDS, TokenError};
use crate::config::Tokens;
use crate::keys::SigningKey;
use crate::wall_clock::unix_seconds;

/// A key that checks signatures, with the one algorithm that it is for.
#[derive(Debug, Clone)]
pub struct CheckingKey {
    /// Its name.
    pub key_id: String,
    algorithm: Algorithm,
    decoding: DecodingKey,
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

/// Where keys come from.
#[derive(Debug)]
enum Source {
    Own(CheckingKey),
    Foreign(ForeignKeys),
}

/// Checks tokens.
#[derive(Debug)]
pub struct Verifier {
    source: Source,
    tokens: Tokens,
    verified: Verified,
}

impl Verifier {
    /// Accepts what the node's own key signed.
    pub fn own(key: &SigningKey, tokens: Tokens) -> Result<Self, TokenError> {
        let set = key.public_set();
        let key = set.keys.iter().find_map(CheckingKey::from_jwk).ok_or(TokenError::KeyUnknown)?;
        Ok(Self { source: Source::Own(key), tokens, verified: Verified::default() })
    }

    /// Accepts what a foreign issuer signed, and nothing else.
    pub fn foreign(keys: ForeignKeys, tokens: Tokens) -> Self {
        Self { source: Source::Foreign(keys), tokens, verified: Verified::default() }
    }

    /// Who a token speaks of, if it is to be believed.
    pub async fn verify(&self, token: &str) -> Result<Caller, TokenError> {
        let named = read_head(token)?;
        let digest = digest(token);
        if let Some(caller) = self.verified.find(&digest, unix_seconds()) {
            return Ok(caller);
        }
        let key = match &self.source {
            Source::Own(key) if key.key_id == named.key_id => key.clone(),
            Source::Own(_) => return Err(TokenError::KeyUnknown),
            Source::Foreign(keys) => keys.find(&named.key_id).await?,
        };
        if key.algorithm != named.algorithm {
            return Err(TokenError::Algorithm);
        }
        let caller = self.check(token, &key)?;
        self.verified.remember(digest, caller.clone());
        Ok(caller)
    }

    fn check(&self, token: &str, key: &CheckingKey) -> Result<Caller, TokenError> {
        let mut validation = Validation::new(key.algorithm);
        validation.leeway = LEEWAY_SECONDS;
        validation.validate_nbf = true;
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        validation.set_issuer(&[&self.tokens.issuer]);
        validation.set_audience(&[&self.tokens.audience]);
        let checked = decode::<Claims>(token, &key.decoding, &validation);
        checked.map_err(|why| refusal(why.kind()))?.claims.caller()
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the crate may add kinds; all of them refuse")]
const fn refusal(why: &ErrorKind) -> TokenError {
    match why {
        ErrorKind::InvalidSignature => TokenError::Signature,
        ErrorKind::ExpiredSignature => TokenError::Expired,
        ErrorKind::ImmatureSignature => TokenError::NotYetValid,
        ErrorKind::InvalidAlgorithm => TokenError::Algorithm,
        ErrorKind::MissingRequiredClaim(_)
        | ErrorKind::InvalidClaimFormat(_)
        | ErrorKind::InvalidIssuer
        | ErrorKind::InvalidAudience
        | ErrorKind::InvalidSubject
        | ErrorKind::Json(_) => TokenError::Claims,
        _ => TokenError::Malformed,
    }
}

#[cfg(test)]
#[path = "verifier_tests.rs"]
mod tests;
