//! Making tokens with the node's own key: for development, and for tests of the real check.

use std::time::Duration;

use holdfast_domain::actor::Role;
use holdfast_domain::ids::PrincipalId;
use jsonwebtoken::{Algorithm, Header, encode};

use super::token::Claims;
use crate::config::Tokens;
use crate::keys::SigningKey;

/// What a new token shall say.
#[derive(Debug, Clone)]
pub struct Grant<'a> {
    /// Issuer and audience.
    pub tokens: &'a Tokens,
    /// About whom.
    pub principal: PrincipalId,
    /// In which roles.
    pub roles: &'a [Role],
    /// From when on, in seconds since 1970.
    pub from: u64,
    /// For how long.
    pub lifetime: Duration,
}

/// Signs a token.
pub fn mint(key: &SigningKey, grant: &Grant<'_>) -> Result<String, jsonwebtoken::errors::Error> {
    let claims = Claims {
        iss: grant.tokens.issuer.clone(),
        aud: grant.tokens.audience.clone(),
        sub: grant.principal.to_string(),
        exp: grant.from.saturating_add(grant.lifetime.as_secs()),
        nbf: Some(grant.from),
        iat: Some(grant.from),
        roles: grant.roles.iter().map(|role| role.name().to_owned()).collect(),
    };
    let mut header = Header::new(Algorithm::RS256);
    header.kid = Some(key.key_id().to_owned());
    encode(&header, &claims, key.encoding())
}
