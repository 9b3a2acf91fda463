//! The simulator's own account of the money it moved, in a form that can be laid beside our log.

use std::collections::BTreeMap;

use holdfast_domain::ids::{PaymentId, RefundId};
use holdfast_domain::money::Money;

/// One movement of money.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Movement {
    /// The simulator's name for it.
    pub transaction: String,
    /// How much.
    pub amount: Money,
    /// Under which key it was asked for.
    pub idempotency_key: String,
    /// Which refund it was; `None` for a capture.
    pub refund: Option<RefundId>,
}

/// The movements of one order, in the order in which they happened.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Order {
    /// Money taken; at most one.
    pub captures: Vec<Movement>,
    /// Money returned.
    pub returns: Vec<Movement>,
}

impl Order {
    /// Taken and not returned; `None` when nothing was ever taken.
    pub fn balance(&self) -> Option<Money> {
        let (first, others) = self.captures.split_first()?;
        let taken = others.iter().try_fold(first.amount, |sum, one| sum.plus(one.amount)).ok()?;
        self.returns.iter().try_fold(taken, |left, one| left.minus(one.amount)).ok()
    }
}

/// All money the simulator ever moved.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Movements {
    /// Per order.
    pub orders: BTreeMap<PaymentId, Order>,
    /// How often money moved per idempotency key; an intent that moved it twice shows here, or
    /// under two keys.
    pub effects: BTreeMap<String, u32>,
}

impl Movements {
    /// How often money moved.
    pub fn count(&self) -> usize {
        self.orders
            .values()
            .map(|order| order.captures.len().saturating_add(order.returns.len()))
            .fold(0, usize::saturating_add)
    }

    pub(super) fn add(&mut self, order: PaymentId, movement: Movement) {
        let effects = self.effects.entry(movement.idempotency_key.clone()).or_default();
        *effects = effects.saturating_add(1);
        let order = self.orders.entry(order).or_default();
        match movement.refund {
            None => order.captures.push(movement),
            Some(_) => order.returns.push(movement),
        }
    }
}
