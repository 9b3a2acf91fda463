//! The paper of a reservation that exists: where it stands, what is true only there, and what can
//! be decided about it. How it comes to be, and how it follows from its events, is told in
//! [`super`].

use serde::{Deserialize, Serialize};

use super::{
    Booking, CancellationReason, CancelledBy, ReservationCommand, ReservationEvent,
    ReservationRefusal,
};
use crate::ids::{CancellationQuoteId, HoldId};
use crate::money::Money;
use crate::policy::{Occasion, RefundRule, RefundTerms};
use crate::time::{Timestamp, minutes};

/// How long an offer of refund terms can be accepted.
const CANCELLATION_QUOTE_MINUTES: u32 = 15;

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

    const fn invalid(&self) -> ReservationRefusal {
        ReservationRefusal::InvalidState { status: self.status() }
    }

    /// What a cancellation by `by` returns at `now`.
    fn refund(
        &self,
        paid: Money,
        confirmed_at: Timestamp,
        by: CancelledBy,
        now: Timestamp,
    ) -> RefundTerms {
        if paid.is_zero() {
            return RefundTerms::all(paid, RefundRule::NothingPaid);
        }
        match by {
            CancelledBy::Provider => RefundTerms::all(paid, RefundRule::ProviderCancelled),
            CancelledBy::System => RefundTerms::all(paid, RefundRule::SystemCancelled),
            CancelledBy::Customer => self.booking.quote.cancellation_policy.refund(
                paid,
                &Occasion {
                    start: self.booking.booked.start(),
                    zone: &self.booking.starts.zone,
                    confirmed_at,
                    cancelled_at: now,
                },
            ),
        }
    }

    /// Whether it is too late for `by` to call it off: what took place cannot be cancelled by the
    /// one who had it.
    fn is_over(&self, by: CancelledBy, now: Timestamp) -> bool {
        by == CancelledBy::Customer && now >= self.booking.booked.end()
    }

    fn cancel(
        &self,
        by: CancelledBy,
        quote: Option<CancellationQuoteId>,
        refundable: Money,
        now: Timestamp,
    ) -> Result<Cancelled, ReservationRefusal> {
        match &self.stage {
            Stage::Held => Ok(Cancelled::Abandoned),
            Stage::Confirmed { .. } if self.is_over(by, now) => Err(self.invalid()),
            Stage::Confirmed { paid, confirmed_at, quoted } => {
                let terms = match quote {
                    None => self.refund(
                        paid.at_most(refundable).unwrap_or(*paid),
                        *confirmed_at,
                        by,
                        now,
                    ),
                    Some(id) => quoted
                        .iter()
                        .find(|offer| offer.id == id && offer.by == by && now <= offer.valid_until)
                        .map(|offer| offer.refund)
                        .ok_or(ReservationRefusal::QuoteNotValid)?,
                };
                Ok(Cancelled::With(terms.within(refundable)))
            }
            Stage::Abandoned { .. } | Stage::Cancelled { .. } => Ok(Cancelled::Before),
            Stage::PaymentInFlight | Stage::Expired => Err(self.invalid()),
        }
    }
}

impl Paper {
    /// The terms on which `by` could call it off now.
    fn offer(
        &self,
        quote: CancellationQuoteId,
        by: CancelledBy,
        refundable: Money,
        now: Timestamp,
    ) -> Result<ReservationEvent, ReservationRefusal> {
        let Stage::Confirmed { paid, confirmed_at, .. } = self.stage else {
            return Err(self.invalid());
        };
        let left = paid.at_most(refundable).unwrap_or(paid);
        Ok(ReservationEvent::CancellationQuoted {
            quote,
            by,
            refund: self.refund(left, confirmed_at, by, now),
            valid_until: now.plus(minutes(CANCELLATION_QUOTE_MINUTES)),
        })
    }
}

/// What calling a reservation off amounts to.
enum Cancelled {
    /// It is off already.
    Before,
    /// A hold is given back.
    Abandoned,
    /// A sold seat is given back, on these terms.
    With(RefundTerms),
}

/// Decisions about a reservation that exists.
pub(super) fn decide_about(
    paper: &Paper,
    command: &ReservationCommand,
) -> Result<Vec<ReservationEvent>, ReservationRefusal> {
    match command {
        ReservationCommand::Request { .. } => Err(ReservationRefusal::AlreadyRequested),
        ReservationCommand::StartPayment { now } => match (&paper.stage, paper.booking.payment) {
            (Stage::Held, Some(payment)) if *now < paper.hold_expires_at => {
                Ok(vec![ReservationEvent::PaymentStarted { payment }])
            }
            (Stage::Held | Stage::Expired, Some(_)) => {
                Err(ReservationRefusal::HoldExpired { expired_at: paper.hold_expires_at })
            }
            (_, _) => Err(paper.invalid()),
        },
        ReservationCommand::FailPayment { code } => match (&paper.stage, paper.booking.payment) {
            (Stage::PaymentInFlight, Some(payment)) => {
                Ok(vec![ReservationEvent::PaymentFailed { payment, code: code.clone() }])
            }
            (_, _) => Err(paper.invalid()),
        },
        ReservationCommand::Confirm { paid, now } => match paper.stage {
            Stage::Held | Stage::PaymentInFlight => {
                Ok(vec![ReservationEvent::Confirmed { paid: *paid, confirmed_at: *now }])
            }
            Stage::Confirmed { .. } => Ok(vec![]),
            Stage::Expired | Stage::Abandoned { .. } | Stage::Cancelled { .. } => {
                Err(paper.invalid())
            }
        },
        ReservationCommand::Expire => match paper.stage {
            Stage::Held | Stage::PaymentInFlight => Ok(vec![ReservationEvent::Expired {}]),
            Stage::Expired => Ok(vec![]),
            Stage::Confirmed { .. } | Stage::Abandoned { .. } | Stage::Cancelled { .. } => {
                Err(paper.invalid())
            }
        },
        ReservationCommand::Reinstate { hold, paid, now } => match paper.stage {
            Stage::Expired | Stage::Abandoned { .. } => Ok(vec![
                ReservationEvent::Reinstated { hold: *hold },
                ReservationEvent::Confirmed { paid: *paid, confirmed_at: *now },
            ]),
            Stage::Held
            | Stage::PaymentInFlight
            | Stage::Confirmed { .. }
            | Stage::Cancelled { .. } => Err(paper.invalid()),
        },
        ReservationCommand::QuoteCancellation { quote, by, refundable, now } => {
            paper.offer(*quote, *by, *refundable, *now).map(|offered| vec![offered])
        }
        ReservationCommand::Cancel { by, quote, reason, refundable, now } => {
            Ok(match paper.cancel(*by, *quote, *refundable, *now)? {
                Cancelled::Before => vec![],
                Cancelled::Abandoned => {
                    vec![ReservationEvent::Abandoned { by: *by, reason: *reason }]
                }
                Cancelled::With(refund) => {
                    vec![ReservationEvent::Cancelled { by: *by, reason: *reason, refund }]
                }
            })
        }
    }
}
