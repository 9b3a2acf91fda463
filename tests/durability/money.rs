//! Money: per payment at every prefix of the log, and our payments beside the simulator's ledger.

use std::collections::{BTreeMap, BTreeSet};

use holdfast_domain::event::Event;
use holdfast_domain::ids::{PaymentId, RefundId};
use holdfast_domain::log::Recorded;
use holdfast_domain::payment::PaymentEvent;
use holdfast_gateways::simulator::{Movements, Order};

/// What the log says about one payment, in minor units.
#[derive(Debug, Clone, Default)]
pub(crate) struct Purse {
    due: u64,
    /// Taken, or observed by a review: with the provider's name for the movement.
    pub(crate) taken: Option<(String, u64)>,
    asked: BTreeMap<RefundId, u64>,
    pub(crate) returned: BTreeMap<RefundId, (String, u64)>,
    refused: BTreeSet<RefundId>,
    /// The provider was asked, and what it did is not written yet.
    open: bool,
}

impl Purse {
    /// Whether nothing is under way.
    pub(crate) fn is_settled(&self) -> bool {
        let answered = self.returned.len().saturating_add(self.refused.len());
        !self.open && answered == self.asked.len()
    }

    fn tell(&mut self, event: &PaymentEvent) -> Result<(), String> {
        match event {
            PaymentEvent::Initiated { amount, .. } => self.due = amount.minor(),
            PaymentEvent::ConfirmStarted { .. } => {
                if self.open {
                    return Err("two attempts are in flight".to_owned());
                }
                self.open = true;
            }
            PaymentEvent::Captured { transaction, amount, .. } => {
                if amount.minor() != self.due {
                    return Err(format!("captured {amount} instead of {}", self.due));
                }
                self.take(transaction, amount.minor())?;
            }
            PaymentEvent::ReviewRequired { transaction, observed, .. } => {
                self.take(transaction, observed.minor())?;
            }
            PaymentEvent::ReviewResolved { amount, .. } => {
                let taken = self.taken.as_ref().map(|(_, taken)| *taken);
                if taken != Some(amount.minor()) {
                    return Err(format!("a review let {amount} count where {taken:?} came"));
                }
            }
            PaymentEvent::Declined { .. } => self.open = false,
            PaymentEvent::OutcomeUnknown { .. } | PaymentEvent::RefundOutcomeUnknown { .. } => {}
            PaymentEvent::RefundRequested { refund, amount, .. } => {
                if self.asked.insert(*refund, amount.minor()).is_some() {
                    return Err(format!("refund {refund} is asked for twice"));
                }
            }
            PaymentEvent::RefundSucceeded { refund, amount, transaction, .. } => {
                if self.asked.get(refund) != Some(&amount.minor()) {
                    return Err(format!("refund {refund} was never asked for"));
                }
                let returned = (transaction.clone(), amount.minor());
                if self.returned.insert(*refund, returned).is_some() {
                    return Err(format!("refund {refund} is returned twice"));
                }
            }
            PaymentEvent::RefundRefused { refund, .. } => drop(self.refused.insert(*refund)),
        }
        let leaving = self.asked.iter().filter(|(refund, _)| !self.refused.contains(refund));
        let leaving: u64 = leaving.map(|(_, amount)| amount).sum();
        let taken = self.taken.as_ref().map_or(0, |(_, amount)| *amount);
        if leaving > taken { Err(format!("{leaving} leave, {taken} came")) } else { Ok(()) }
    }

    fn take(&mut self, transaction: &str, amount: u64) -> Result<(), String> {
        self.open = false;
        match self.taken.replace((transaction.to_owned(), amount)) {
            None => Ok(()),
            Some(_) => Err("money was taken twice".to_owned()),
        }
    }
}

/// Folds all payments, looking at each step.
pub(crate) fn purses(events: &[Recorded], found: &mut Vec<String>) -> BTreeMap<PaymentId, Purse> {
    let mut purses: BTreeMap<PaymentId, Purse> = BTreeMap::new();
    for recorded in events {
        if let Event::Payment(event) = &recorded.event {
            let order = PaymentId::from_uuid(recorded.stream.id());
            if let Err(why) = purses.entry(order).or_default().tell(event) {
                found.push(format!("payment {order} at {}: {why}", recorded.position));
            }
        }
    }
    purses
}

/// Our payments beside the ledger. What the log says happened did happen, at any time; once
/// everything has `settled`, what happened is also what the log says.
pub(crate) fn reconcile(events: &[Recorded], ledger: &Movements, settled: bool) -> Vec<String> {
    let mut found = Vec::new();
    let purses = purses(events, &mut found);
    for (key, effects) in &ledger.effects {
        if *effects != 1 {
            found.push(format!("money moved {effects} times under the key {key}"));
        }
    }
    for (order, moved) in &ledger.orders {
        if !purses.contains_key(order) {
            found.push(format!("money moved for {order}, of which the log knows nothing"));
        }
        if moved.captures.len() > 1 {
            found.push(format!("{order} was captured {} times", moved.captures.len()));
        }
    }
    let nothing = Order::default();
    for (order, purse) in &purses {
        let moved = ledger.orders.get(order).unwrap_or(&nothing);
        let capture =
            moved.captures.first().map(|one| (one.transaction.clone(), one.amount.minor()));
        if purse.taken != capture && (settled || purse.taken.is_some()) {
            found.push(format!("{order}: the log has {:?}, the ledger {capture:?}", purse.taken));
        }
        let returns: BTreeMap<_, _> = moved
            .returns
            .iter()
            .filter_map(|one| Some((one.refund?, (one.transaction.clone(), one.amount.minor()))))
            .collect();
        let missing = purse.returned.iter().any(|(refund, one)| returns.get(refund) != Some(one));
        if missing || (settled && returns != purse.returned) {
            found.push(format!(
                "{order}: the log returned {:?}, the ledger {returns:?}",
                purse.returned
            ));
        }
        if settled && !purse.is_settled() {
            found.push(format!("{order} is stranded: {purse:?}"));
        }
    }
    found
}
