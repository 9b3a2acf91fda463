//! The paper of a reservation that exists: where it stands, and what is true only there. How it
//! comes to be, and how it follows from its events, is told in [`super`]; what can be decided about
//! it, in [`super::command`].

use serde::{Deserialize, Serialize};

use super::{Booking, CancellationReason, CancelledBy, ReservationRefusal};
use crate::ids::{CancellationQuoteId, HoldId};
use crate::money::Money;
use crate::policy::RefundTerms;
use crate::time::Timestamp;

/// Where a reservation stands, in the words of the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// A seat is held until a deadline.
    Held,
    /// A payment is with the provider of payments; the seat is pinned.
    PaymentInFlight,
    /// Sold.
    Confirmed,
    /// The hold ran out.
    Expired,
    /// The hold was given back, by the customer or for her, before anything was paid.
    Abandoned,
    /// Called off after it was confirmed.
    Cancelled,
}

impl Status {
    /// Every status, in the order of a booking's life.
    pub const ALL: [Self; 6] = [
        Self::Held,
        Self::PaymentInFlight,
        Self::Confirmed,
        Self::Expired,
        Self::Abandoned,
        Self::Cancelled,
    ];

    /// Its name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::PaymentInFlight => "payment_in_flight",
            Self::Confirmed => "confirmed",
            Self::Expired => "expired",
            Self::Abandoned => "abandoned",
            Self::Cancelled => "cancelled",
        }
    }
}

impl std::fmt::Display for Status {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// An offer of refund terms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CancellationQuote {
    /// Its id.
    pub id: CancellationQuoteId,
    /// Who was told, and alone can accept it.
    pub by: CancelledBy,
    /// What it returns.
    pub refund: RefundTerms,
    /// The last instant at which it can be accepted.
    pub valid_until: Timestamp,
}

/// A reservation that exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paper {
    /// Everything that was agreed.
    pub booking: Box<Booking>,
    /// The claim that counts now: the first one, or the one it was reinstated with.
    pub hold: HoldId,
    /// When the first hold is over.
    pub hold_expires_at: Timestamp,
    /// Where it stands.
    pub stage: Stage,
}

/// Where a reservation stands, with what is true only there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stage {
    /// A seat is held.
    Held,
    /// A payment is under way.
    PaymentInFlight,
    /// Sold.
    Confirmed {
        /// What was paid.
        paid: Money,
        /// When.
        confirmed_at: Timestamp,
        /// The refund terms that were last offered, at most one to each party.
        quoted: Vec<CancellationQuote>,
    },
    /// The hold ran out.
    Expired,
    /// The hold was given back before anything was paid.
    Abandoned {
        /// By whom.
        by: CancelledBy,
        /// Why.
        reason: Option<CancellationReason>,
    },
    /// Called off.
    Cancelled {
        /// By whom.
        by: CancelledBy,
        /// Why.
        reason: Option<CancellationReason>,
        /// What is returned.
        refund: RefundTerms,
    },
}

impl Paper {
    /// Where it stands, as a word.
    pub const fn status(&self) -> Status {
        match self.stage {
            Stage::Held => Status::Held,
            Stage::PaymentInFlight => Status::PaymentInFlight,
            Stage::Confirmed { .. } => Status::Confirmed,
            Stage::Expired => Status::Expired,
            Stage::Abandoned { .. } => Status::Abandoned,
            Stage::Cancelled { .. } => Status::Cancelled,
        }
    }

    pub(super) const fn invalid(&self) -> ReservationRefusal {
        ReservationRefusal::InvalidState { status: self.status() }
    }
}
