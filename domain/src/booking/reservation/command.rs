//! What can be asked of a reservation, and what is decided about one that exists.

use super::{
    Booking, CancellationReason, CancelledBy, Paper, ReservationEvent, ReservationRefusal, Stage,
};
use crate::ids::{CancellationQuoteId, HoldId};
use crate::money::Money;
use crate::policy::{Occasion, RefundRule, RefundTerms};
use crate::time::{Timestamp, minutes};

/// How long an offer of refund terms can be accepted.
const CANCELLATION_QUOTE_MINUTES: u32 = 15;

/// What can be asked of a reservation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReservationCommand {
    /// Write the paper for a seat that is held in the same append.
    Request {
        /// Everything that was agreed.
        booking: Box<Booking>,
        /// First instant at which the hold is over.
        hold_expires_at: Timestamp,
    },
    /// A payment is about to be sent.
    StartPayment {
        /// The instant of judgement.
        now: Timestamp,
    },
    /// The payment was declined.
    FailPayment {
        /// The provider's code.
        code: String,
    },
    /// The money is there, or none was due, and the seat is firm in the same append.
    Confirm {
        /// What was paid.
        paid: Money,
        /// The instant of judgement.
        now: Timestamp,
    },
    /// The hold's deadline has passed.
    Expire,
    /// Money came late; a fresh seat is firm in the same append.
    Reinstate {
        /// The fresh claim.
        hold: HoldId,
        /// What was paid.
        paid: Money,
        /// The instant of judgement.
        now: Timestamp,
    },
    /// Say what a cancellation would return.
    QuoteCancellation {
        /// The offer's id.
        quote: CancellationQuoteId,
        /// Who would call it off.
        by: CancelledBy,
        /// What can still be returned of what was paid.
        refundable: Money,
        /// The instant of judgement.
        now: Timestamp,
    },
    /// Call it off.
    Cancel {
        /// Who calls it off.
        by: CancelledBy,
        /// The terms that were accepted.
        quote: Option<CancellationQuoteId>,
        /// Why.
        reason: Option<CancellationReason>,
        /// What can still be returned of what was paid.
        refundable: Money,
        /// The instant of judgement.
        now: Timestamp,
    },
}

impl Paper {
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
