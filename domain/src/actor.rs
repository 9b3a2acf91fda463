//! Who caused a fact: a person with a role, or a process of the engine itself.

use serde::{Deserialize, Serialize};

use crate::ids::PrincipalId;

/// What a principal may do; the `roles` claim of a token names these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Books.
    Customer,
    /// Owns resources and what is offered on them.
    Provider,
    /// Reads facts as they were stored, changes nothing.
    Auditor,
    /// Operates the engine.
    Admin,
}

impl Role {
    /// Every role, in the order of the contract.
    pub const ALL: [Self; 4] = [Self::Customer, Self::Provider, Self::Auditor, Self::Admin];

    /// The name of the role in a token.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Customer => "customer",
            Self::Provider => "provider",
            Self::Auditor => "auditor",
            Self::Admin => "admin",
        }
    }
}

/// The author of a fact, as it is stored beside it. It names no one: ids only, no personal data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Actor {
    /// A principal, in the role under which the command was allowed.
    User {
        /// The `sub` of the token.
        id: PrincipalId,
        /// The role that allowed it.
        role: Role,
    },
    /// A process of the engine, by its stable name.
    Process {
        /// For example `checkout`.
        name: String,
    },
}

impl Actor {
    /// The principal, when a person acted.
    pub fn principal(&self) -> Option<PrincipalId> {
        match self {
            Self::User { id, .. } => Some(*id),
            Self::Process { .. } => None,
        }
    }
}
