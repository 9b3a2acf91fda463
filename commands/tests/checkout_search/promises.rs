//! What must never be, and what must not be when nothing more will happen.

use holdfast_commands::state::State;
use holdfast_domain::booking::Authority;
use holdfast_domain::booking::hold::Phase;
use holdfast_domain::booking::reservation::{Paper, Stage as Paperwork};
use holdfast_domain::payment::{RefundStage, Stage};

use super::model::*;

/// What must never be.
pub(crate) fn bad(node: &Node) -> Option<String> {
    let mut confirmed = 0;
    for customer in 0..2 {
        let entry = &node.customers[customer];
        if entry.ledger.returned_sum > entry.ledger.captured {
            return Some(format!("{customer} was refunded twice"));
        }
        let Some(paper) = node.paper(customer) else { continue };
        if let Paperwork::Confirmed { .. } = paper.stage {
            confirmed += 1;
            if !has_firm_seat(node, paper) {
                return Some(format!("{customer} is confirmed without the seat"));
            }
            if entry.ledger.captured == 0 {
                return Some(format!("{customer} is confirmed without money"));
            }
            if node.account(customer).is_some_and(|account| !account.refunds.is_empty()) {
                return Some(format!("{customer} is confirmed and refunded"));
            }
        }
    }
    (confirmed > 1).then(|| "two are confirmed".to_owned())
}

pub(crate) fn has_firm_seat(node: &Node, paper: &Paper) -> bool {
    match node.states.get(&Authority::Calendar(resource()).stream()).map(|known| &known.state) {
        Some(State::Calendar(calendar)) => {
            calendar.claim(paper.hold).is_some_and(|claim| claim.phase == Phase::Firm)
        }
        _ => false,
    }
}

/// What must not be when nothing more will happen.
pub(crate) fn bad_at_rest(node: &Node) -> Option<String> {
    for customer in 0..2 {
        let entry = &node.customers[customer];
        let kept = entry.ledger.captured - entry.ledger.returned_sum;
        let stage = node.paper(customer).map(|paper| &paper.stage);
        let entitled = match stage {
            Some(Paperwork::Confirmed { .. }) => true,
            // What a late cancellation does not return is rightly kept.
            Some(Paperwork::Cancelled { refund, .. }) => refund.kept.minor() == kept,
            _ => false,
        };
        if kept > 0 && !entitled {
            return Some(format!("the provider keeps {kept} of {customer}'s money for nothing"));
        }
        let Some(account) = node.account(customer) else { continue };
        if matches!(account.stage, Stage::Confirming(_) | Stage::Unknown(_)) {
            return Some(format!("{customer}'s payment stays unknown"));
        }
        let pending = |stage: &RefundStage| matches!(stage, RefundStage::Pending { .. });
        if account.refunds.values().any(|refund| pending(&refund.stage)) {
            return Some(format!("{customer}'s refund stays pending"));
        }
    }
    None
}
