//! What is known of a payment that exists: its attempts and its refunds, and the sums that follow.

use std::collections::BTreeMap;

use super::{
    ConfirmOutcome, PaymentEvent, PaymentRefusal, RefundOutcome, RefundReason, ReviewDecision,
};
use crate::booking::Authority;
use crate::ids::{PrincipalId, RefundId, ReservationId};
use crate::money::Money;
use crate::time::Timestamp;

/// In how many parts a payment is returned out of goodwill, at most: everything that shows a payment
/// shows all of them.
pub const GOODWILL_MAX: usize = 100;

/// One try to take the money.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// Counts up from 1.
    pub number: u32,
    /// The provider's name for the customer's authorisation.
    pub payment_key: String,
    /// The provider acts once per key.
    pub idempotency_key: String,
    /// How often the provider was asked in vain.
    pub tries: u32,
    /// When the runner may take the next step: the caller's own time is over, or the provider is
    /// to be asked again.
    pub next_step_at: Timestamp,
}

/// Where the capture stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stage {
    /// Nothing was tried, or the last try was declined.
    Open {
        /// The provider's code for the last decline.
        declined: Option<String>,
    },
    /// The provider is being asked, and has not answered in vain yet.
    Confirming(Attempt),
    /// The provider was asked, and nobody knows what it did.
    Unknown(Attempt),
    /// The money was taken.
    Captured {
        /// With which authorisation.
        payment_key: String,
        /// The provider's name for the movement.
        transaction: String,
        /// What a person decided, when the amount was not the one asked for.
        reviewed: Option<ReviewDecision>,
    },
    /// The provider took another amount.
    Review {
        /// How much.
        observed: Money,
        /// The provider's name for the movement.
        transaction: String,
    },
}

/// Where a refund stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RefundStage {
    /// To be sent, or sent in vain so often, next at an instant.
    Pending {
        /// How often the provider was asked in vain.
        tries: u32,
        /// When the runner may take the next step.
        next_step_at: Timestamp,
    },
    /// Returned.
    Succeeded {
        /// The provider's name for the movement.
        transaction: String,
    },
    /// The provider will not.
    Refused {
        /// Its code.
        code: String,
    },
}

/// One return of money.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refund {
    /// Which one of the payment, counted from 0.
    pub number: u32,
    /// How much.
    pub amount: Money,
    /// Why.
    pub reason: RefundReason,
    /// The provider acts once per key.
    pub idempotency_key: String,
    /// Where it stands.
    pub stage: RefundStage,
}

/// A payment that exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// What is paid for.
    pub reservation: ReservationId,
    /// Who pays.
    pub customer: PrincipalId,
    /// Who decides about the seat.
    pub authority: Authority,
    /// How much is due.
    pub amount: Money,
    /// How often a capture was tried.
    pub attempts: u32,
    /// Where the capture stands.
    pub stage: Stage,
    /// How much was taken.
    pub captured: Money,
    /// The provider's code for the last decline, kept when another attempt follows.
    pub last_decline: Option<String>,
    /// Every return of money.
    pub refunds: BTreeMap<RefundId, Refund>,
    /// The authorisation of the last attempt.
    pub(super) last_key: Option<String>,
}

impl Account {
    pub(super) fn new(
        reservation: ReservationId,
        customer: PrincipalId,
        authority: Authority,
        amount: Money,
    ) -> Self {
        Self {
            reservation,
            customer,
            authority,
            amount,
            attempts: 0,
            stage: Stage::Open { declined: None },
            captured: Money::zero(amount.currency()),
            last_decline: None,
            refunds: BTreeMap::new(),
            last_key: None,
        }
    }

    /// What is being returned: it counts as gone.
    pub fn refund_pending(&self) -> Money {
        self.sum(|stage| matches!(stage, RefundStage::Pending { .. }))
    }

    /// What was returned.
    pub fn refunded(&self) -> Money {
        self.sum(|stage| matches!(stage, RefundStage::Succeeded { .. }))
    }

    /// What could not be returned through the provider of payments and is owed.
    pub fn refund_owed(&self) -> Money {
        self.sum(|stage| matches!(stage, RefundStage::Refused { .. }))
    }

    /// What can still be returned: captured, less what was, is being, or is owed to be returned.
    pub fn refundable(&self) -> Money {
        let gone = self.sum(|_any| true);
        self.captured.minus(gone).unwrap_or(Money::zero(self.captured.currency()))
    }

    /// The authorisation of the last attempt.
    pub fn last_key(&self) -> Option<&str> {
        self.last_key.as_deref()
    }

    /// The number of the next refund.
    pub fn next_refund(&self) -> u32 {
        u32::try_from(self.refunds.len()).unwrap_or(u32::MAX)
    }

    fn sum(&self, counts: impl Fn(&RefundStage) -> bool) -> Money {
        self.refunds
            .values()
            .filter(|refund| counts(&refund.stage))
            .try_fold(Money::zero(self.captured.currency()), |sum, refund| sum.plus(refund.amount))
            .unwrap_or(self.captured)
    }

    pub(super) fn may_start(&self, payment_key: &str, amount: Money) -> Result<(), PaymentRefusal> {
        if amount != self.amount {
            return Err(PaymentRefusal::AmountMismatch { due: self.amount });
        }
        match &self.stage {
            Stage::Open { .. } => {
                let reused = self.last_key.as_deref() == Some(payment_key);
                if reused { Err(PaymentRefusal::PaymentInFlight) } else { Ok(()) }
            }
            Stage::Confirming(_) | Stage::Unknown(_) => Err(PaymentRefusal::PaymentInFlight),
            Stage::Captured { .. } => Err(PaymentRefusal::AlreadyConfirmed),
            Stage::Review { .. } => Err(PaymentRefusal::UnderReview),
        }
    }

    pub(super) fn may_refund(
        &self,
        amount: Money,
        reason: RefundReason,
    ) -> Result<(), PaymentRefusal> {
        // What is owed for another reason is returned in any case.
        if reason == RefundReason::Goodwill && self.refunds.len() >= GOODWILL_MAX {
            return Err(PaymentRefusal::TooManyRefunds { max: GOODWILL_MAX });
        }
        let refundable = match self.stage {
            Stage::Captured { .. } => self.refundable(),
            Stage::Open { .. }
            | Stage::Confirming(_)
            | Stage::Unknown(_)
            | Stage::Review { .. } => Money::zero(self.captured.currency()),
        };
        let fits = !amount.is_zero() && amount.exceeds(refundable) == Ok(false);
        if fits { Ok(()) } else { Err(PaymentRefusal::InvalidRefundAmount { refundable }) }
    }

    /// What follows from the provider's word about an attempt; nothing when it is known already or
    /// weaker than what is known.
    pub(super) fn record_confirm(
        &self,
        attempt: u32,
        outcome: &ConfirmOutcome,
    ) -> Option<PaymentEvent> {
        let reservation = self.reservation;
        match outcome {
            ConfirmOutcome::Captured { transaction, amount } => match &self.stage {
                Stage::Captured { .. } | Stage::Review { .. } => None,
                Stage::Open { .. } | Stage::Confirming(_) | Stage::Unknown(_)
                    if *amount == self.amount =>
                {
                    let (transaction, amount) = (transaction.clone(), *amount);
                    Some(PaymentEvent::Captured { reservation, attempt, transaction, amount })
                }
                Stage::Open { .. } | Stage::Confirming(_) | Stage::Unknown(_) => {
                    let (transaction, observed) = (transaction.clone(), *amount);
                    Some(PaymentEvent::ReviewRequired {
                        reservation,
                        attempt,
                        observed,
                        transaction,
                    })
                }
            },
            ConfirmOutcome::Declined { code } => {
                let code = code.clone();
                self.in_flight(attempt).map(|_| PaymentEvent::Declined {
                    reservation,
                    attempt,
                    code,
                })
            }
            ConfirmOutcome::Unknown { next_try_at } => {
                self.in_flight(attempt).map(|known| PaymentEvent::OutcomeUnknown {
                    reservation,
                    attempt,
                    tries: known.tries.saturating_add(1),
                    next_try_at: *next_try_at,
                })
            }
        }
    }

    pub(super) fn record_refund(
        &self,
        refund: RefundId,
        outcome: &RefundOutcome,
    ) -> Option<PaymentEvent> {
        let (reservation, known) = (self.reservation, self.refunds.get(&refund)?);
        let RefundStage::Pending { tries, .. } = known.stage else { return None };
        let amount = known.amount;
        Some(match outcome {
            RefundOutcome::Succeeded { transaction } => {
                let transaction = transaction.clone();
                PaymentEvent::RefundSucceeded { reservation, refund, amount, transaction }
            }
            RefundOutcome::Refused { code } => {
                let code = code.clone();
                PaymentEvent::RefundRefused { reservation, refund, amount, code }
            }
            RefundOutcome::Unknown { next_try_at } => PaymentEvent::RefundOutcomeUnknown {
                reservation,
                refund,
                tries: tries.saturating_add(1),
                next_try_at: *next_try_at,
            },
        })
    }

    /// The attempt of this number, when its outcome is open.
    pub fn in_flight(&self, number: u32) -> Option<&Attempt> {
        self.open_attempt().filter(|attempt| attempt.number == number)
    }

    /// The attempt whose outcome is open.
    pub fn open_attempt(&self) -> Option<&Attempt> {
        match &self.stage {
            Stage::Confirming(attempt) | Stage::Unknown(attempt) => Some(attempt),
            Stage::Open { .. } | Stage::Captured { .. } | Stage::Review { .. } => None,
        }
    }

    pub(super) fn apply(&mut self, event: &PaymentEvent) {
        match event {
            PaymentEvent::Initiated { .. } => {}
            PaymentEvent::ConfirmStarted {
                attempt,
                payment_key,
                idempotency_key,
                inline_until,
                ..
            } => {
                self.attempts = *attempt;
                self.last_key = Some(payment_key.clone());
                self.stage = Stage::Confirming(Attempt {
                    number: *attempt,
                    payment_key: payment_key.clone(),
                    idempotency_key: idempotency_key.clone(),
                    tries: 0,
                    next_step_at: *inline_until,
                });
            }
            PaymentEvent::Captured { transaction, amount, .. } => {
                self.captured = *amount;
                self.stage = Stage::Captured {
                    payment_key: self.last_key.clone().unwrap_or_default(),
                    transaction: transaction.clone(),
                    reviewed: None,
                };
            }
            PaymentEvent::Declined { code, .. } => {
                self.last_decline = Some(code.clone());
                self.stage = Stage::Open { declined: Some(code.clone()) };
            }
            PaymentEvent::OutcomeUnknown { tries, next_try_at, .. } => {
                if let Some(attempt) = self.open_attempt() {
                    let attempt =
                        Attempt { tries: *tries, next_step_at: *next_try_at, ..attempt.clone() };
                    self.stage = Stage::Unknown(attempt);
                }
            }
            PaymentEvent::ReviewRequired { observed, transaction, .. } => {
                let (observed, transaction) = (*observed, transaction.clone());
                self.stage = Stage::Review { observed, transaction };
            }
            PaymentEvent::ReviewResolved { decision, amount, .. } => {
                self.take_as_reviewed(*decision, *amount);
            }
            PaymentEvent::RefundRequested {
                refund,
                amount,
                reason,
                idempotency_key,
                inline_until,
                ..
            } => {
                let stage = RefundStage::Pending { tries: 0, next_step_at: *inline_until };
                let idempotency_key = idempotency_key.clone();
                let (number, amount, reason) = (self.next_refund(), *amount, *reason);
                let entry = Refund { number, amount, reason, idempotency_key, stage };
                drop(self.refunds.insert(*refund, entry));
            }
            PaymentEvent::RefundSucceeded { refund, transaction, .. } => {
                self.to(refund, RefundStage::Succeeded { transaction: transaction.clone() });
            }
            PaymentEvent::RefundRefused { refund, code, .. } => {
                self.to(refund, RefundStage::Refused { code: code.clone() });
            }
            PaymentEvent::RefundOutcomeUnknown { refund, tries, next_try_at, .. } => {
                let (tries, next_step_at) = (*tries, *next_try_at);
                self.to(refund, RefundStage::Pending { tries, next_step_at });
            }
        }
    }

    fn to(&mut self, refund: &RefundId, stage: RefundStage) {
        if let Some(entry) = self.refunds.get_mut(refund) {
            entry.stage = stage;
        }
    }
}
