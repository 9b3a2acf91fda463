//! Tokens: who the caller is and in which roles. A token is a signed JWT; the algorithm belongs to
//! the key, never to the token. How a token arrives over HTTP is `http::auth`.

pub mod checking_key;
pub mod foreign;
pub mod mint;
pub mod token;
pub mod verified;
pub mod verifier;

use std::collections::BTreeSet;

use holdfast_domain::actor::{Actor, Role};
use holdfast_domain::ids::PrincipalId;

pub use verifier::Verifier;

/// Seconds by which the clocks of issuer and node may differ.
pub const LEEWAY_SECONDS: u64 = 30;

/// Who calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The token's subject.
    pub principal: PrincipalId,
    /// Its roles that this engine knows; none means no rights.
    pub roles: BTreeSet<Role>,
    /// When the token ends, in seconds since 1970. A socket is closed then.
    pub expires_at: u64,
}

impl Caller {
    /// Whether the token carries a role.
    pub fn has(&self, role: Role) -> bool {
        self.roles.contains(&role)
    }

    /// The caller as the author of a fact, in the first of the `allowed` roles that she has.
    pub fn acting_as(&self, allowed: &[Role]) -> Option<Actor> {
        let role = allowed.iter().copied().find(|role| self.has(*role))?;
        Some(Actor::User { id: self.principal, role })
    }
}

/// Whether the caller sees everybody's things by office.
pub fn is_office(caller: &Caller) -> bool {
    caller.has(Role::Admin) || caller.has(Role::Auditor)
}

/// Why a token was not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// There is none.
    #[error("no token")]
    Missing,
    /// It cannot be read.
    #[error("malformed token")]
    Malformed,
    /// Another algorithm than the key's.
    #[error("algorithm not accepted")]
    Algorithm,
    /// No key of that name.
    #[error("unknown key")]
    KeyUnknown,
    /// The signature is wrong.
    #[error("wrong signature")]
    Signature,
    /// It is over.
    #[error("expired")]
    Expired,
    /// It has not begun.
    #[error("not yet valid")]
    NotYetValid,
    /// A claim is missing, of another kind, or for somebody else.
    #[error("claims not accepted")]
    Claims,
    /// The issuer's keys cannot be fetched.
    #[error("the issuer's keys are unavailable")]
    KeysUnavailable,
}
