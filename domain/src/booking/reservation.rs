//! A customer's booking: the paper about what a calendar or a session granted.
//!
//! - R1 Confirmed only beside a claim that is firm for it (the handler writes both in one append).
//! - R2 Price and policy are frozen when the seat is held.
//! - R3 A cancellation names a quote the customer saw, or its terms are judged when it is accepted.
//! - R4 Ended stays ended; only a booking that expired or was given up can be reinstated, and only
//!   with a fresh seat.
//!
//! ```text
//! Held --start payment--> PaymentInFlight --confirm--> Confirmed --cancel--> Cancelled
//!   |  <--payment failed--     |                          ^
//!   +--expire/abandon--> Expired/Abandoned --reinstate----+   (late money, fresh seat)
//! ```

mod command;
mod paper;

use serde::{Deserialize, Serialize};

pub use self::command::ReservationCommand;
pub use self::paper::{CancellationQuote, Paper, Stage, Status};

use self::command::decide_about;
use crate::booking::Authority;
use crate::booking::offering::SoldVersion;
use crate::decider::Decider;
use crate::event::define::events;
use crate::ids::{CancellationQuoteId, HoldId, PaymentId, PrincipalId, ResourceId};
use crate::money::Money;
use crate::policy::{CancellationPolicy, RefundTerms};
use crate::time::zone::TimeIntent;
use crate::time::{Interval, Timestamp};

events! {
    /// What happens to a reservation.
    pub enum ReservationEvent {
        /// A seat is held for a customer, at a price.
        "requested" v 1 => Requested {
            /// Everything that was agreed.
            booking: Box<Booking>,
            /// First instant at which the hold is over.
            hold_expires_at: Timestamp,
        },
        /// The customer's payment was sent to the provider of payments.
        "payment_started" v 1 => PaymentStarted {
            /// Which payment.
            payment: PaymentId,
        },
        /// The payment was declined; another can be tried while the hold lasts.
        "payment_failed" v 1 => PaymentFailed {
            /// Which payment.
            payment: PaymentId,
            /// The provider's code.
            code: String,
        },
        /// The seat is sold to the customer.
        "confirmed" v 1 => Confirmed {
            /// What was paid.
            paid: Money,
            /// When; the regret period runs from here.
            confirmed_at: Timestamp,
        },
        /// The hold ran out before the money came.
        "expired" v 1 => Expired {},
        /// The hold was given back before anything was paid.
        "abandoned" v 1 => Abandoned {
            /// Who gave it back.
            by: CancelledBy,
            /// Why, as a code.
            reason: Option<CancellationReason>,
        },
        /// The customer was told what a cancellation returns.
        "cancellation_quoted" v 1 => CancellationQuoted {
            /// The offer's id.
            quote: CancellationQuoteId,
            /// Who was told, and alone can accept it.
            by: CancelledBy,
            /// What it returns.
            refund: RefundTerms,
            /// The last instant at which it can be accepted.
            valid_until: Timestamp,
        },
        /// The booking is off.
        "cancelled" v 1 => Cancelled {
            /// Who called it off.
            by: CancelledBy,
            /// Why, as a code.
            reason: Option<CancellationReason>,
            /// What is returned.
            refund: RefundTerms,
        },
        /// Money came late, and a seat was still there.
        "reinstated" v 1 => Reinstated {
            /// The fresh claim.
            hold: HoldId,
        },
    }
}

/// Everything that was agreed when the seat was held. It never changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Booking {
    /// Who booked.
    pub customer: PrincipalId,
    /// Who provides the service.
    pub provider: PrincipalId,
    /// What was booked.
    pub sold: SoldVersion,
    /// Where.
    pub resource: ResourceId,
    /// Who decides about the seat.
    pub authority: Authority,
    /// The claim there.
    pub hold: HoldId,
    /// For how many people.
    pub party_size: u32,
    /// When it starts, as it was meant.
    pub starts: TimeIntent,
    /// When it takes place, half-open.
    pub booked: Interval,
    /// What is kept free of others meanwhile: the booked time with its buffers.
    pub blocks: Interval,
    /// The price and the policy, frozen.
    pub quote: Quote,
    /// The payment; none when there is nothing to pay.
    pub payment: Option<PaymentId>,
}

/// A price with its lines, and what a cancellation will return.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quote {
    /// What it is made of.
    pub lines: Vec<QuoteLine>,
    /// What is to be paid.
    pub total: Money,
    /// What is returned on a cancellation.
    pub cancellation_policy: CancellationPolicy,
}

/// One line of a price.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QuoteLine {
    /// Public catalogue text: the offering's title.
    pub title: String,
    /// How many.
    pub quantity: u32,
    /// What one costs.
    pub unit_price: Money,
    /// What they cost together.
    pub amount: Money,
}

/// Who called a booking off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CancelledBy {
    /// The one who booked.
    Customer,
    /// The one who provides the service.
    Provider,
    /// An operator, or the engine.
    System,
}

/// Why a booking was called off. Codes, because free text can hold personal data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CancellationReason {
    /// Somebody is ill.
    Illness,
    /// Something else is at that time.
    ScheduleConflict,
    /// It is not wanted any more.
    NoLongerNeeded,
    /// The provider cannot.
    ProviderUnavailable,
    /// None of these.
    Other,
}

/// Why a reservation says no.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ReservationRefusal {
    /// There is none of this id that the caller may see.
    #[error("there is no such reservation")]
    NotFound,
    /// The id is taken.
    #[error("the reservation already exists")]
    AlreadyRequested,
    /// It is in no state in which this can be done.
    #[error("this cannot be done to a reservation that is {status}")]
    InvalidState {
        /// Where it stands.
        status: Status,
    },
    /// The hold's deadline has passed.
    #[error("the hold expired at {expired_at}")]
    HoldExpired {
        /// Since when.
        expired_at: Timestamp,
    },
    /// The quote named is not the last one, or its time is over.
    #[error("the cancellation quote is not valid any more")]
    QuoteNotValid,
}

/// The state of a reservation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Reservation {
    /// Nothing was requested under this id.
    #[default]
    Absent,
    /// It is there.
    Requested(Paper),
}

impl Reservation {
    /// The reservation, when there is one.
    pub fn paper(&self) -> Result<&Paper, ReservationRefusal> {
        match self {
            Self::Absent => Err(ReservationRefusal::NotFound),
            Self::Requested(paper) => Ok(paper),
        }
    }

    fn to(self, stage: Stage) -> Self {
        match self {
            Self::Absent => Self::Absent,
            Self::Requested(paper) => Self::Requested(Paper { stage, ..paper }),
        }
    }
}

impl Decider for Reservation {
    type Command = ReservationCommand;
    type Event = ReservationEvent;
    type Refusal = ReservationRefusal;

    fn decide(
        &self,
        command: &ReservationCommand,
    ) -> Result<Vec<ReservationEvent>, ReservationRefusal> {
        if let ReservationCommand::Request { booking, hold_expires_at } = command {
            return match self {
                Self::Absent => Ok(vec![ReservationEvent::Requested {
                    booking: booking.clone(),
                    hold_expires_at: *hold_expires_at,
                }]),
                Self::Requested(_) => Err(ReservationRefusal::AlreadyRequested),
            };
        }
        decide_about(self.paper()?, command)
    }

    fn evolve(self, event: &ReservationEvent) -> Self {
        match event {
            ReservationEvent::Requested { booking, hold_expires_at } => Self::Requested(Paper {
                hold: booking.hold,
                booking: booking.clone(),
                hold_expires_at: *hold_expires_at,
                stage: Stage::Held,
            }),
            ReservationEvent::PaymentStarted { .. } => self.to(Stage::PaymentInFlight),
            ReservationEvent::PaymentFailed { .. } => self.to(Stage::Held),
            ReservationEvent::Confirmed { paid, confirmed_at } => self.to(Stage::Confirmed {
                paid: *paid,
                confirmed_at: *confirmed_at,
                quoted: vec![],
            }),
            ReservationEvent::Expired {} => self.to(Stage::Expired),
            ReservationEvent::Abandoned { by, reason } => {
                self.to(Stage::Abandoned { by: *by, reason: *reason })
            }
            ReservationEvent::CancellationQuoted { quote, by, refund, valid_until } => {
                self.quoted(CancellationQuote {
                    id: *quote,
                    by: *by,
                    refund: *refund,
                    valid_until: *valid_until,
                })
            }
            ReservationEvent::Cancelled { by, reason, refund } => {
                self.to(Stage::Cancelled { by: *by, reason: *reason, refund: *refund })
            }
            ReservationEvent::Reinstated { hold } => match self {
                Self::Absent => Self::Absent,
                Self::Requested(paper) => {
                    Self::Requested(Paper { hold: *hold, stage: Stage::Held, ..paper })
                }
            },
        }
    }
}

impl Reservation {
    fn quoted(self, quote: CancellationQuote) -> Self {
        match self {
            Self::Absent => Self::Absent,
            Self::Requested(mut paper) => {
                if let Stage::Confirmed { quoted, .. } = &mut paper.stage {
                    quoted.retain(|earlier| earlier.by != quote.by);
                    quoted.push(quote);
                }
                Self::Requested(paper)
            }
        }
    }
}
