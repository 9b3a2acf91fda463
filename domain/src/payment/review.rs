//! A review: the provider of payments took another amount than was asked for, and a person says
//! what becomes of it. Either everything goes back, by the same refunds as any other money, or the
//! money is taken as it is. What was observed counts as captured from then on.

use serde::{Deserialize, Serialize};

use super::{Account, PaymentEvent, PaymentRefusal, RefundReason, Stage};
use crate::ids::{PrincipalId, RefundId};
use crate::money::Money;
use crate::time::Timestamp;

/// What becomes of money that was reviewed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReviewDecision {
    /// All of it goes back, and the seat is let go.
    Return,
    /// It counts as the price, and the seat is sold.
    Accept,
}

/// A person's word about a review.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resolution {
    /// What becomes of the money.
    pub decision: ReviewDecision,
    /// Who says so.
    pub by: PrincipalId,
    /// A fresh id, used when there is something to return.
    pub refund: RefundId,
    /// From when on the runner may return it.
    pub now: Timestamp,
}

impl Account {
    /// What the provider reported when it was put under review; none when it is not.
    pub const fn observed(&self) -> Option<Money> {
        match self.stage {
            Stage::Review { observed, .. } => Some(observed),
            Stage::Open { .. }
            | Stage::Confirming(_)
            | Stage::Unknown(_)
            | Stage::Captured { .. } => None,
        }
    }

    /// What a person decided about it, when it was reviewed.
    pub const fn reviewed(&self) -> Option<ReviewDecision> {
        match self.stage {
            Stage::Captured { reviewed, .. } => reviewed,
            Stage::Open { .. }
            | Stage::Confirming(_)
            | Stage::Unknown(_)
            | Stage::Review { .. } => None,
        }
    }

    /// Whether its money went, or goes, back instead of paying for the seat.
    pub fn goes_back(&self) -> bool {
        !self.refunds.is_empty() || self.reviewed() == Some(ReviewDecision::Return)
    }

    /// The facts of a resolution; none when the same was decided before.
    pub(super) fn resolve(&self, word: &Resolution) -> Result<Vec<PaymentEvent>, PaymentRefusal> {
        let Resolution { decision, by, refund, now } = *word;
        let Some(amount) = self.observed() else {
            let same = self.reviewed() == Some(decision);
            return if same { Ok(vec![]) } else { Err(PaymentRefusal::NotUnderReview) };
        };
        // Nothing, or money of another kind, pays for no seat.
        let pays = !amount.is_zero() && amount.currency() == self.amount.currency();
        if decision == ReviewDecision::Accept && !pays {
            return Err(PaymentRefusal::AmountMismatch { due: self.amount });
        }
        let reservation = self.reservation;
        let mut facts = vec![PaymentEvent::ReviewResolved { reservation, decision, by, amount }];
        if decision == ReviewDecision::Return && !amount.is_zero() {
            facts.push(PaymentEvent::RefundRequested {
                reservation,
                refund,
                amount,
                reason: RefundReason::Review,
                idempotency_key: refund.to_string(),
                inline_until: now,
            });
        }
        Ok(facts)
    }

    /// What was observed counts from now on.
    pub(super) fn take_as_reviewed(&mut self, decision: ReviewDecision, amount: Money) {
        if let Stage::Review { transaction, .. } = &self.stage {
            self.captured = amount;
            self.stage = Stage::Captured {
                payment_key: self.last_key.clone().unwrap_or_default(),
                transaction: transaction.clone(),
                reviewed: Some(decision),
            };
        }
    }
}
