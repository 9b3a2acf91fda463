//! `payments`: a payment with its attempts and its refunds. What the provider of payments uses to
//! recognise the customer's authorisation stays in the log.

use std::collections::BTreeMap;

use holdfast_domain::event::Event;
use holdfast_domain::ids::{PaymentId, PrincipalId, RefundId, ReservationId};
use holdfast_domain::log::{Recorded, Revision};
use holdfast_domain::money::Money;
use holdfast_domain::payment::{PaymentEvent, RefundReason, ReviewDecision};
use holdfast_domain::time::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::schema::MoneyShape;
use crate::document::{FoldError, Indexes, Key};
use crate::topic::Topic;
use crate::typed::View;

/// How many attempts a document shows: the newest ones. The log has them all.
const ATTEMPTS_MAX: usize = 20;

/// A payment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PaymentDocument {
    /// Its id.
    #[schema(value_type = String, format = Uuid)]
    pub order_id: PaymentId,
    /// What is paid for.
    #[schema(value_type = String, format = Uuid)]
    pub reservation_id: ReservationId,
    /// Who pays.
    #[schema(value_type = String, format = Uuid)]
    pub customer: PrincipalId,
    /// How much is due.
    #[schema(value_type = MoneyShape)]
    pub amount: Money,
    /// Where it stands.
    pub status: PaymentStatus,
    /// What was taken.
    #[schema(value_type = MoneyShape)]
    pub captured: Money,
    /// What was returned.
    #[schema(value_type = MoneyShape)]
    pub refunded: Money,
    /// What is being returned.
    #[schema(value_type = MoneyShape)]
    pub refund_pending: Money,
    /// What the provider of payments would not return, and is owed.
    #[schema(value_type = MoneyShape)]
    pub refund_owed: Money,
    /// What was found when another amount was taken than was asked for, and what was decided.
    pub review: Option<ReviewEntry>,
    /// The newest tries to take the money, oldest first.
    pub attempts: Vec<AttemptEntry>,
    /// Every return of money, by its id.
    #[schema(value_type = BTreeMap<String, RefundEntry>)]
    pub refunds: BTreeMap<RefundId, RefundEntry>,
    /// The revision of the payment's stream.
    #[schema(value_type = u64)]
    pub revision: Revision,
}

/// Another amount was taken than was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReviewEntry {
    /// How much was taken.
    #[schema(value_type = MoneyShape)]
    pub observed: Money,
    /// The provider's name for the movement of money.
    pub transaction: String,
    /// What a person decided: `return` or `accept`; none yet.
    #[schema(value_type = Option<String>, example = "return")]
    pub decision: Option<ReviewDecision>,
}

/// One try to take the money.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AttemptEntry {
    /// Counts up from 1.
    pub number: u32,
    /// Where it stands.
    pub status: PaymentStatus,
    /// The provider's code, when it declined.
    pub code: Option<String>,
    /// When it is asked again, while nobody knows what it did.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub next_try_at: Option<Timestamp>,
}

/// One return of money.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RefundEntry {
    /// How much.
    #[schema(value_type = MoneyShape)]
    pub amount: Money,
    /// Why.
    #[schema(value_type = String, example = "cancellation")]
    pub reason: RefundReason,
    /// Where it stands.
    pub status: RefundStatus,
    /// The provider's code, when it refused.
    pub code: Option<String>,
}

/// Where a return of money stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RefundStatus {
    /// It is asked for.
    Pending,
    /// Returned.
    Succeeded,
    /// The provider of payments will not: it is owed.
    Refused,
}

/// Where a payment stands, in the words of the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PaymentStatus {
    /// Nothing was tried.
    Pending,
    /// The provider of payments is being asked.
    Confirming,
    /// Nobody knows yet what it did.
    Checking,
    /// The money was taken.
    Captured,
    /// It was not; another try may be made.
    Declined,
    /// Another amount was reported: a person has to look.
    Review,
}

/// The view.
#[derive(Debug, Clone, Copy)]
pub struct Payments;

/// The reservation that a payment's event is about: each of them names it.
pub(super) const fn reservation_of(fact: &PaymentEvent) -> ReservationId {
    match fact {
        PaymentEvent::Initiated { reservation, .. }
        | PaymentEvent::ConfirmStarted { reservation, .. }
        | PaymentEvent::Captured { reservation, .. }
        | PaymentEvent::Declined { reservation, .. }
        | PaymentEvent::OutcomeUnknown { reservation, .. }
        | PaymentEvent::ReviewRequired { reservation, .. }
        | PaymentEvent::ReviewResolved { reservation, .. }
        | PaymentEvent::RefundRequested { reservation, .. }
        | PaymentEvent::RefundSucceeded { reservation, .. }
        | PaymentEvent::RefundRefused { reservation, .. }
        | PaymentEvent::RefundOutcomeUnknown { reservation, .. } => *reservation,
    }
}

impl View for Payments {
    type Document = PaymentDocument;
    const NAME: &'static str = "payments";
    const VERSION: u32 = 2;
    const LANE: u16 = 2;

    fn key(&self, event: &Recorded) -> Option<Key> {
        matches!(event.event, Event::Payment(_)).then(|| Key::new(event.stream.id()))
    }

    fn fold(
        &self,
        key: &Key,
        document: Option<PaymentDocument>,
        event: &Recorded,
    ) -> Result<Option<PaymentDocument>, FoldError> {
        let Event::Payment(fact) = &event.event else { return Ok(document) };
        if let PaymentEvent::Initiated { reservation, customer, amount, .. } = fact {
            let zero = Money::zero(amount.currency());
            return Ok(Some(PaymentDocument {
                order_id: PaymentId::from_uuid(event.stream.id()),
                reservation_id: *reservation,
                customer: *customer,
                amount: *amount,
                status: PaymentStatus::Pending,
                captured: zero,
                refunded: zero,
                refund_pending: zero,
                refund_owed: zero,
                review: None,
                attempts: vec![],
                refunds: BTreeMap::new(),
                revision: event.revision,
            }));
        }
        let mut document = document.ok_or_else(|| FoldError::Missing(key.clone()))?;
        document.revision = event.revision;
        document.apply(fact)?;
        Ok(Some(document))
    }

    fn indexes(&self, _document: &PaymentDocument) -> Indexes {
        // Read by its id, or through its reservation; there is no list of payments.
        Indexes::default()
    }

    fn topics(&self, document: &PaymentDocument) -> Vec<Topic> {
        vec![Topic::Reservation(document.reservation_id), Topic::Me(document.customer)]
    }
}

impl PaymentDocument {
    fn apply(&mut self, fact: &PaymentEvent) -> Result<(), FoldError> {
        match fact {
            PaymentEvent::Initiated { .. } | PaymentEvent::RefundOutcomeUnknown { .. } => {}
            PaymentEvent::ConfirmStarted { attempt, .. } => {
                self.attempt(*attempt, PaymentStatus::Confirming, None, None);
            }
            PaymentEvent::OutcomeUnknown { attempt, next_try_at, .. } => {
                self.attempt(*attempt, PaymentStatus::Checking, None, Some(*next_try_at));
            }
            PaymentEvent::Declined { attempt, code, .. } => {
                self.attempt(*attempt, PaymentStatus::Declined, Some(code.clone()), None);
            }
            PaymentEvent::ReviewRequired { attempt, observed, transaction, .. } => {
                self.attempt(*attempt, PaymentStatus::Review, None, None);
                let (observed, transaction) = (*observed, transaction.clone());
                self.review = Some(ReviewEntry { observed, transaction, decision: None });
            }
            PaymentEvent::ReviewResolved { decision, amount, .. } => {
                self.accepted(*decision, *amount);
            }
            PaymentEvent::Captured { attempt, amount, .. } => {
                self.attempt(*attempt, PaymentStatus::Captured, None, None);
                self.captured = *amount;
            }
            PaymentEvent::RefundRequested { refund, amount, reason, .. } => {
                self.refund_pending = self.refund_pending.plus(*amount)?;
                let (amount, reason) = (*amount, *reason);
                let entry =
                    RefundEntry { amount, reason, status: RefundStatus::Pending, code: None };
                drop(self.refunds.insert(*refund, entry));
            }
            PaymentEvent::RefundSucceeded { refund, amount, .. } => {
                self.refund_pending = self.refund_pending.minus(*amount)?;
                self.refunded = self.refunded.plus(*amount)?;
                self.resolve(*refund, RefundStatus::Succeeded, None)?;
            }
            PaymentEvent::RefundRefused { refund, amount, code, .. } => {
                self.refund_pending = self.refund_pending.minus(*amount)?;
                self.refund_owed = self.refund_owed.plus(*amount)?;
                self.resolve(*refund, RefundStatus::Refused, Some(code.clone()))?;
            }
        }
        Ok(())
    }

    /// What was observed is what was taken, in whatever currency.
    fn accepted(&mut self, decision: ReviewDecision, amount: Money) {
        let zero = Money::zero(amount.currency());
        self.status = PaymentStatus::Captured;
        self.captured = amount;
        (self.refunded, self.refund_pending, self.refund_owed) = (zero, zero, zero);
        if let Some(attempt) = self.attempts.last_mut() {
            attempt.status = PaymentStatus::Captured;
        }
        if let Some(review) = &mut self.review {
            review.decision = Some(decision);
        }
    }

    fn attempt(
        &mut self,
        number: u32,
        status: PaymentStatus,
        code: Option<String>,
        next_try_at: Option<Timestamp>,
    ) {
        self.status = status;
        self.attempts.retain(|attempt| attempt.number != number);
        if self.attempts.len() >= ATTEMPTS_MAX {
            drop(self.attempts.remove(0));
        }
        self.attempts.push(AttemptEntry { number, status, code, next_try_at });
    }

    fn resolve(
        &mut self,
        refund: RefundId,
        status: RefundStatus,
        code: Option<String>,
    ) -> Result<(), FoldError> {
        let entry = self.refunds.get_mut(&refund);
        let entry = entry.ok_or_else(|| FoldError::Missing(Key::new(refund)))?;
        (entry.status, entry.code) = (status, code);
        Ok(())
    }
}
