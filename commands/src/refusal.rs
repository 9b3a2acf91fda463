//! Why a command is refused. A value: the edge gives each variant its stable code, its status and
//! its words.

use holdfast_domain::booking::calendar::CalendarRefusal;
use holdfast_domain::booking::hold::ClaimRefusal;
use holdfast_domain::booking::inventory::InventoryRefusal;
use holdfast_domain::booking::offering::OfferingRefusal;
use holdfast_domain::booking::reservation::ReservationRefusal;
use holdfast_domain::booking::resource::ResourceRefusal;
use holdfast_domain::booking::session::SessionRefusal;
use holdfast_domain::log::Revision;
use holdfast_domain::money::Money;
use holdfast_domain::payment::PaymentRefusal;
use holdfast_domain::time::{Interval, Timestamp};

/// A rule said no.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// A resource's rule.
    #[error(transparent)]
    Resource(#[from] ResourceRefusal),
    /// An offering's rule.
    #[error(transparent)]
    Offering(#[from] OfferingRefusal),
    /// A session's rule.
    #[error(transparent)]
    Session(SessionRefusal),
    /// A reservation's rule.
    #[error(transparent)]
    Reservation(#[from] ReservationRefusal),
    /// A payment's rule.
    #[error(transparent)]
    Payment(#[from] PaymentRefusal),
    /// A claim's rule.
    #[error(transparent)]
    Claim(#[from] ClaimRefusal),
    /// Another has the time; these are free.
    #[error("the time is taken")]
    SlotTaken {
        /// Free times near the one that was asked for.
        alternatives: Vec<Interval>,
    },
    /// More people than the resource takes at once.
    #[error("at most {capacity} people fit")]
    CapacityExceeded {
        /// How many fit.
        capacity: u32,
    },
    /// No person, or more than anyone may bring.
    #[error("a party has 1 to 100000 people")]
    InvalidPartySize,
    /// Not within the opening hours, or not on a whole minute.
    #[error("the time lies outside the opening hours")]
    OutsideSchedule,
    /// It has begun.
    #[error("the time lies in the past")]
    InThePast,
    /// It begins sooner than the notice that is asked for.
    #[error("it must be booked by {latest}")]
    BookingClosed {
        /// The last instant at which it could be booked.
        latest: Timestamp,
    },
    /// It begins later than can be booked yet.
    #[error("it can be booked from {from} on")]
    TooEarly {
        /// When it can be booked.
        from: Timestamp,
    },
    /// The end that the client named is not where the offering ends.
    #[error("the offering takes {minutes} minutes")]
    DurationMismatch {
        /// How long it takes.
        minutes: u32,
    },
    /// The provider books herself.
    #[error("a provider cannot book her own offering")]
    SelfBooking,
    /// The session belongs to another offering.
    #[error("the session is not one of this offering")]
    SessionNotInOffer,
    /// The price is not what the client expected.
    #[error("the total is {total}")]
    AmountMismatch {
        /// What it is.
        total: Money,
    },
    /// The provider of payments declined.
    #[error("the payment was declined: {code}")]
    PaymentDeclined {
        /// The provider's code.
        code: String,
    },
    /// Money under review cannot pay for a seat that is not held any more.
    #[error("the seat is not held any more")]
    SeatNotHeld,
    /// The money was taken, but there is no seat for it, and it goes back.
    #[error("there is no seat for the money; it is returned")]
    PaymentReturned {
        /// What is being returned.
        pending: Money,
        /// What was returned.
        returned: Money,
        /// What the provider of payments would not return, and is owed.
        owed: Money,
    },
    /// The sum is beyond what can be represented.
    #[error("the amount is out of range")]
    AmountOutOfRange,
    /// The caller may see it, but not do this.
    #[error("this is not allowed to the caller")]
    Forbidden,
    /// The client's copy is not the current one.
    #[error("the current revision is {actual:?}")]
    RevisionMismatch {
        /// The current one; none when there is nothing.
        actual: Option<Revision>,
    },
}

impl From<SessionRefusal> for Refusal {
    fn from(refusal: SessionRefusal) -> Self {
        match refusal {
            SessionRefusal::Claim(claim) => Self::Claim(claim),
            SessionRefusal::InvalidPartySize => Self::InvalidPartySize,
            SessionRefusal::NotFound
            | SessionRefusal::AlreadyScheduled
            | SessionRefusal::CapacityExceeded { .. }
            | SessionRefusal::BookingClosed { .. } => Self::Session(refusal),
        }
    }
}

impl From<CalendarRefusal> for Refusal {
    fn from(refusal: CalendarRefusal) -> Self {
        match refusal {
            CalendarRefusal::SlotTaken => Self::SlotTaken { alternatives: vec![] },
            CalendarRefusal::Claim(claim) => Self::Claim(claim),
        }
    }
}

impl From<InventoryRefusal> for Refusal {
    fn from(refusal: InventoryRefusal) -> Self {
        match refusal {
            InventoryRefusal::Calendar(refusal) => refusal.into(),
            InventoryRefusal::Session(refusal) => refusal.into(),
        }
    }
}

impl Refusal {
    /// Whether the answer is remembered under the command's id: what depends on who asks or on a
    /// header is not.
    pub const fn is_remembered(&self) -> bool {
        !matches!(self, Self::Forbidden | Self::RevisionMismatch { .. })
    }
}
