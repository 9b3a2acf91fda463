//! The shape of a token: what its header and its claims may say. No keys here.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use holdfast_domain::actor::Role;
use jsonwebtoken::Algorithm;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use super::{Caller, TokenError};

/// The longest token that is looked at.
pub const TOKEN_BYTES_MAX: usize = 16 * 1024;

/// The end of the year 9999: an `exp` beyond it is a mistake, not a promise.
const EXP_MAX: u64 = 253_402_300_799;

/// What the header says that matters. The fields that would let a token bring its own key, or ask
/// for a treatment that we do not know, are named in order to be refused.
#[derive(Deserialize)]
struct Head {
    alg: String,
    kid: Option<String>,
    typ: Option<String>,
    crit: Option<IgnoredAny>,
    jwk: Option<IgnoredAny>,
    jku: Option<IgnoredAny>,
    x5u: Option<IgnoredAny>,
    x5c: Option<IgnoredAny>,
    zip: Option<IgnoredAny>,
    b64: Option<IgnoredAny>,
}

/// Which key a token names, and how it claims to be signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// The key.
    pub key_id: String,
    /// One of the two algorithms that are accepted at all.
    pub algorithm: Algorithm,
}

/// Reads a token's header, before any key is looked up.
pub fn read_head(token: &str) -> Result<Named, TokenError> {
    if token.len() > TOKEN_BYTES_MAX {
        return Err(TokenError::Malformed);
    }
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    let segments: Vec<&str> = token.split('.').collect();
    let [head, _, _] = segments.as_slice() else { return Err(TokenError::Malformed) };
    if segments.iter().any(|part| part.is_empty() || !part.bytes().all(plain)) {
        return Err(TokenError::Malformed);
    }
    let head = URL_SAFE_NO_PAD.decode(head).map_err(|_not_base64| TokenError::Malformed)?;
    let head: Head = serde_json::from_slice(&head).map_err(|_not_a_head| TokenError::Malformed)?;
    let refused = [&head.crit, &head.jwk, &head.jku, &head.x5u, &head.x5c, &head.zip, &head.b64];
    if refused.iter().any(|field| field.is_some()) {
        return Err(TokenError::Malformed);
    }
    let typ = head.typ.as_deref().unwrap_or("JWT");
    if !typ.eq_ignore_ascii_case("JWT") && !typ.eq_ignore_ascii_case("at+jwt") {
        // A refresh token or a ticket is signed by the same key, but it is not an access token.
        return Err(TokenError::Malformed);
    }
    let algorithm = match head.alg.as_str() {
        "RS256" => Algorithm::RS256,
        "ES256" => Algorithm::ES256,
        _ => return Err(TokenError::Algorithm),
    };
    Ok(Named { key_id: head.kid.ok_or(TokenError::KeyUnknown)?, algorithm })
}

/// What a token says. `aud` is one name: a token for several services could be replayed by any of
/// them. Numbers are whole numbers, never texts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// Who issued it.
    pub iss: String,
    /// For whom.
    pub aud: String,
    /// About whom.
    pub sub: String,
    /// Until when, in seconds since 1970.
    pub exp: u64,
    /// From when on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nbf: Option<u64>,
    /// When it was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iat: Option<u64>,
    /// In which roles.
    #[serde(default)]
    pub roles: Vec<String>,
}

impl Claims {
    /// The caller they describe; roles that this engine does not know are left out.
    pub fn caller(&self) -> Result<Caller, TokenError> {
        if self.exp > EXP_MAX {
            return Err(TokenError::Claims);
        }
        let principal = self.sub.parse().map_err(|_not_an_id| TokenError::Claims)?;
        let known = |name: &String| Role::ALL.into_iter().find(|role| role.name() == name);
        let roles: BTreeSet<Role> = self.roles.iter().filter_map(known).collect();
        Ok(Caller { principal, roles, expires_at: self.exp })
    }
}
