//! What must never be, and what must not be when nothing more will happen of itself.

use holdfast_domain::booking::hold::Phase;
use holdfast_domain::booking::reservation::{CancelledBy, Paper, Stage as Paperwork};
use holdfast_domain::payment::{Account, RefundReason, Stage};

use crate::model::Node;

/// What must never be.
pub(crate) fn bad(node: &Node) -> Option<String> {
    let wrong = (0..node.customers.len())
        .find_map(|customer| money_moved(node, customer).or_else(|| seat_sold(node, customer)));
    let whole = node.setting.overtaken == 0;
    let kept = || whole.then(|| sold_to_nobody(node)).flatten();
    node.complaint.clone().or(wrong).or_else(|| overbooked(node)).or_else(kept)
}

fn money_moved(node: &Node, customer: usize) -> Option<String> {
    let entry = &node.customers[customer];
    if entry.ledger.returned > entry.ledger.captured {
        return Some(format!("{customer} was refunded more than was taken"));
    }
    let promised = |it: &Account| it.refunds.values().map(|refund| refund.amount.minor()).sum();
    let promised: u64 = node.account(customer).map_or(0, promised);
    if promised > node.account(customer).map_or(0, |account| account.captured.minor()) {
        return Some(format!("{customer} was promised more than was taken"));
    }
    let Paperwork::Cancelled { by, refund, .. } = &node.paper(customer)?.stage else { return None };
    let [before, _] = entry.gifts;
    if entry.told.is_some_and(|told| refund.amount.minor() + before < told) {
        return Some(format!("{customer} gets less than was quoted"));
    }
    if *by != CancelledBy::Customer && !refund.kept.is_zero() {
        return Some(format!("{customer} pays for what others called off"));
    }
    let whole = node.account(customer).map_or(0, |account| account.captured.minor());
    (refund.amount.minor() + refund.kept.minor() + before != whole)
        .then(|| format!("what {customer} gets back and what is kept do not make the whole"))
}

fn seat_sold(node: &Node, customer: usize) -> Option<String> {
    let paper = node.paper(customer)?;
    let Paperwork::Confirmed { confirmed_at, .. } = paper.stage else { return None };
    if paper.hold != paper.booking.hold && confirmed_at >= node.setting.starts {
        return Some(format!("{customer}'s late money bought what had begun"));
    }
    if !node.claim(customer).is_some_and(|claim| claim.phase == Phase::Firm) {
        return Some(format!("{customer} is confirmed without the seat"));
    }
    if node.customers[customer].ledger.captured < node.setting.total(customer).minor() {
        return Some(format!("{customer} is confirmed without the money"));
    }
    let mut refunds = node.account(customer).into_iter().flat_map(|it| it.refunds.values());
    refunds
        .any(|refund| refund.reason != RefundReason::Goodwill)
        .then(|| format!("{customer} is confirmed and refunded"))
}

fn overbooked(node: &Node) -> Option<String> {
    let confirmed = |customer: &usize| {
        node.paper(*customer).is_some_and(|it| matches!(it.stage, Paperwork::Confirmed { .. }))
    };
    let people: u32 = (0..node.customers.len())
        .filter(confirmed)
        .map(|customer| node.setting.customers[customer].party)
        .sum();
    (people > node.setting.capacity()).then(|| format!("{people} people were let in"))
}

/// A seat that is sold stands on the paper of somebody who has a right to it: always, where a
/// decision is written whole, and otherwise once its process has looked.
fn sold_to_nobody(node: &Node) -> Option<String> {
    let mut firm = node.claims().into_iter().filter(|(_, claim)| claim.phase == Phase::Firm);
    let owned = |hold| {
        let mut papers = (0..node.customers.len()).filter_map(|customer| node.paper(customer));
        papers.any(|it| it.hold == hold && matches!(it.stage, Paperwork::Confirmed { .. }))
    };
    firm.find(|(hold, _)| !owned(*hold)).map(|(hold, _)| format!("{hold} is sold to nobody"))
}

/// What must not be when nothing more will happen of itself.
pub(crate) fn bad_at_rest(node: &Node) -> Option<String> {
    sold_to_nobody(node).or_else(|| held_for_nobody(node)).or_else(|| of_a_customer_at_rest(node))
}

/// A seat that is kept from others stands on a paper that still wants it.
fn held_for_nobody(node: &Node) -> Option<String> {
    let wanted = |hold| {
        let mut papers = (0..node.customers.len()).filter_map(|customer| node.paper(customer));
        papers.any(|it| it.hold == hold && !is_over(it))
    };
    let left = node.claims().into_iter().find(|(hold, _)| !wanted(*hold));
    left.map(|(hold, _)| format!("{hold} is held for nobody"))
}

const fn is_over(paper: &Paper) -> bool {
    matches!(
        paper.stage,
        Paperwork::Expired | Paperwork::Abandoned { .. } | Paperwork::Cancelled { .. }
    )
}

fn of_a_customer_at_rest(node: &Node) -> Option<String> {
    (0..node.customers.len()).find_map(|customer| {
        kept_for_nothing(node, customer)
            .or_else(|| unfinished(node, customer))
            .or_else(|| books_differ(node, customer))
    })
}

/// What the provider of payments has, and what of it is due to the one who provides the service,
/// owed to the customer in the open, or before somebody's eyes.
fn kept_for_nothing(node: &Node, customer: usize) -> Option<String> {
    let entry = &node.customers[customer];
    let account = node.account(customer)?;
    if matches!(account.stage, Stage::Review { .. }) {
        return None;
    }
    let [before, after] = entry.gifts;
    let earned = match &node.paper(customer)?.stage {
        Paperwork::Confirmed { .. } => node.setting.total(customer).minor() - before,
        // What a late cancellation does not return is rightly kept, as far as it is not given away.
        Paperwork::Cancelled { refund, .. } => refund.kept.minor().saturating_sub(after),
        Paperwork::Held
        | Paperwork::PaymentInFlight
        | Paperwork::Expired
        | Paperwork::Abandoned { .. } => 0,
    };
    let kept = entry.ledger.captured - entry.ledger.returned;
    let due = earned + account.refund_owed().minor();
    if kept > due {
        Some(format!("the provider keeps {} of {customer}'s money for nothing", kept - due))
    } else {
        (kept < due).then(|| format!("{customer} got {} too much", due - kept))
    }
}

fn unfinished(node: &Node, customer: usize) -> Option<String> {
    if matches!(node.paper(customer)?.stage, Paperwork::Held | Paperwork::PaymentInFlight) {
        return Some(format!("{customer}'s booking stays open"));
    }
    let account = node.account(customer)?;
    if account.open_attempt().is_some() {
        return Some(format!("{customer}'s payment stays unknown"));
    }
    (!account.refund_pending().is_zero()).then(|| format!("{customer}'s refund stays pending"))
}

/// Our books and those of the provider of payments say the same, but where we know that they do
/// not.
fn books_differ(node: &Node, customer: usize) -> Option<String> {
    let ledger = &node.customers[customer].ledger;
    let account = node.account(customer)?;
    let ours = |account: &Account| match account.stage {
        Stage::Review { observed, .. } => observed.minor(),
        Stage::Open { .. } | Stage::Confirming(_) | Stage::Unknown(_) | Stage::Captured { .. } => {
            account.captured.minor()
        }
    };
    (ours(account) != ledger.captured || account.refunded().minor() != ledger.returned)
        .then(|| format!("{customer}'s account is not what the provider has"))
}
