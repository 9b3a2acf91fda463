//! Identities. Entity ids are made outside (UUIDv7, by the id port); ids that must come out the
//! same on every retry are derived here (UUIDv5), never drawn.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The text is not a UUID in its canonical form (36 characters, lower case, hyphens).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a UUID in canonical form")]
pub struct InvalidId;

/// Reads the one accepted spelling of a UUID, so that an id has exactly one name.
fn parse_canonical(text: &str) -> Result<Uuid, InvalidId> {
    let id = Uuid::try_parse(text).map_err(|_not_a_uuid| InvalidId)?;
    let mut buffer = Uuid::encode_buffer();
    if *id.hyphenated().encode_lower(&mut buffer) == *text && !id.is_nil() {
        Ok(id)
    } else {
        Err(InvalidId)
    }
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Uuid);

        impl $name {
            /// Takes a UUID made by the id port, or read back from a store.
            pub const fn from_uuid(id: Uuid) -> Self {
                Self(id)
            }

            /// The UUID itself.
            pub const fn as_uuid(&self) -> &Uuid {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.hyphenated().fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;
            fn from_str(text: &str) -> Result<Self, InvalidId> {
                parse_canonical(text).map(Self)
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;
            fn try_from(text: String) -> Result<Self, InvalidId> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.to_string()
            }
        }
    )*};
}

ids! {
    /// A bookable person or room.
    ResourceId;
    /// What can be booked: a title, a price, a duration, its rules.
    OfferingId;
    /// A dated class.
    SessionId;
    /// A customer's booking, from the hold to its end.
    ReservationId;
    /// A payment; it is also the `order_id` that the payment provider sees.
    PaymentId;
    /// One claim on a scarce thing. Used once, for ever.
    HoldId;
    /// One refund of a payment. Used once, for ever.
    RefundId;
    /// An offer of refund terms that a customer can accept.
    CancellationQuoteId;
    /// Who acts: the `sub` of a token.
    PrincipalId;
    /// One command; the same for each retry of it.
    CommandId;
    /// One event; derived from its command, so that a repeated append is recognised.
    EventId;
    /// What belongs together across streams: everything around one reservation shares it.
    CorrelationId;
    /// One life of a log: it changes when a log is restored from a backup.
    Epoch;
}

/// Name space of the ids derived here (a UUIDv5 of the product's name in the DNS space).
const HOLDFAST: Uuid = Uuid::from_u128(0x6f1d_9d8c_6a1b_5d5e_9c7e_48d1_3f0a_7c21);

fn derive(parts: &[&[u8]]) -> Uuid {
    // Length prefixes keep ("ab", "c") and ("a", "bc") apart.
    let mut name = Vec::with_capacity(160);
    for part in parts {
        name.extend_from_slice(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        name.extend_from_slice(part);
    }
    Uuid::new_v5(&HOLDFAST, &name)
}

impl EventId {
    /// The id of the event number `ordinal` (from 0) that `command` writes to `stream`.
    pub fn derive(command: CommandId, stream: &impl fmt::Display, ordinal: u32) -> Self {
        let stream = stream.to_string();
        Self(derive(&[
            b"event",
            command.as_uuid().as_bytes(),
            stream.as_bytes(),
            &ordinal.to_be_bytes(),
        ]))
    }
}

impl CommandId {
    /// The id of a command that a client named by an idempotency key. The scope is the principal,
    /// the method and the path: the same key elsewhere is another command.
    pub fn of_request(principal: PrincipalId, method: &str, path: &str, key: &str) -> Self {
        Self(derive(&[
            b"request",
            principal.as_uuid().as_bytes(),
            method.as_bytes(),
            path.as_bytes(),
            key.as_bytes(),
        ]))
    }

    /// The id of a step that a process takes about `subject`; `step` names it and its occasion.
    pub fn of_step(process: &str, subject: &Uuid, step: &str) -> Self {
        Self(derive(&[b"step", process.as_bytes(), subject.as_bytes(), step.as_bytes()]))
    }
}

impl HoldId {
    /// The hold number `ordinal` (from 0) of a reservation.
    pub fn derive(reservation: ReservationId, ordinal: u32) -> Self {
        Self(derive(&[b"hold", reservation.as_uuid().as_bytes(), &ordinal.to_be_bytes()]))
    }

    /// The claim by which a class blocks its resource's calendar.
    pub fn of_session(session: SessionId) -> Self {
        Self(derive(&[b"session", session.as_uuid().as_bytes()]))
    }
}

impl RefundId {
    /// The refund number `ordinal` (from 0) of a payment.
    pub fn derive(payment: PaymentId, ordinal: u32) -> Self {
        Self(derive(&[b"refund", payment.as_uuid().as_bytes(), &ordinal.to_be_bytes()]))
    }
}

impl From<ReservationId> for CorrelationId {
    fn from(id: ReservationId) -> Self {
        Self(id.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_canonical_spelling_is_read() {
        let id = "018f2a10-7c5e-7000-8000-000000000001";
        assert_eq!(id.parse::<ReservationId>().unwrap().to_string(), id);
        for wrong in [
            "018F2A10-7C5E-7000-8000-000000000001",
            "{018f2a10-7c5e-7000-8000-000000000001}",
            "018f2a107c5e70008000000000000001",
            "00000000-0000-0000-0000-000000000000",
            "",
            "x",
        ] {
            assert_eq!(wrong.parse::<ReservationId>(), Err(InvalidId), "{wrong}");
        }
    }

    #[test]
    fn derived_names_do_not_run_into_each_other() {
        let who: PrincipalId = "018f2a10-7c5e-7000-8000-000000000001".parse().unwrap();
        let one = CommandId::of_request(who, "POST", "/v1/a", "bc");
        let other = CommandId::of_request(who, "POST", "/v1/ab", "c");
        assert_ne!(one, other);
        assert_eq!(one, CommandId::of_request(who, "POST", "/v1/a", "bc"));
    }
}
