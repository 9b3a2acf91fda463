//! Checks tokens against the node's own key, or against a foreign issuer's.

use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Validation, decode};

use super::checking_key::CheckingKey;
use super::foreign::ForeignKeys;
use super::token::{Claims, read_head};
use super::verified::{Verified, digest};
use super::{Caller, LEEWAY_SECONDS, TokenError};
use crate::config::Tokens;
use crate::keys::SigningKey;
use crate::wall_clock::unix_seconds;

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
