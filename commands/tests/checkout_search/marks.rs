//! Interesting states. A search that does not come by them is too small to mean anything.

use holdfast_domain::booking::reservation::{CancelledBy, Paper, Stage as Paperwork};
use holdfast_domain::payment::{Account, RefundReason, RefundStage, Stage};

use crate::model::{Customer, Node};

/// What is interesting about a state.
pub(crate) fn marks(node: &Node) -> Vec<&'static str> {
    let mut marks = Vec::new();
    let mut people = 0;
    for customer in 0..node.customers.len() {
        let Some(paper) = node.paper(customer) else { continue };
        if matches!(paper.stage, Paperwork::Confirmed { .. }) {
            people += node.setting.customers[customer].party;
        }
        marks.extend(of_the_paper(node, paper));
        if let Some(account) = node.account(customer) {
            marks.extend(of_the_money(node, paper, account));
            marks.extend(of_refunds(paper, account, &node.customers[customer]));
        }
    }
    if people == node.setting.capacity() {
        marks.push("full");
    }
    if left_behind(node) {
        marks.push("a seat left behind");
    }
    marks
}

/// Whether a claim stands whose paper is over.
fn left_behind(node: &Node) -> bool {
    (0..node.customers.len()).any(|customer| {
        let over = node.paper(customer).is_some_and(|paper| {
            matches!(paper.stage, Paperwork::Abandoned { .. } | Paperwork::Cancelled { .. })
        });
        over && node.claim(customer).is_some()
    })
}

/// Names of what is so.
fn those<const N: usize>(marks: [(bool, &'static str); N]) -> impl Iterator<Item = &'static str> {
    marks.into_iter().filter_map(|(is_so, name)| is_so.then_some(name))
}

fn of_the_paper(node: &Node, paper: &Paper) -> impl Iterator<Item = &'static str> {
    let begun = node.now >= node.setting.starts;
    let (by_provider, after_the_start) = match &paper.stage {
        Paperwork::Cancelled { by, .. } => (*by == CancelledBy::Provider, begun),
        Paperwork::Held
        | Paperwork::PaymentInFlight
        | Paperwork::Confirmed { .. }
        | Paperwork::Expired
        | Paperwork::Abandoned { .. } => (false, false),
    };
    those([
        (by_provider, "called off by the provider"),
        (after_the_start, "called off after the start"),
        (matches!(paper.stage, Paperwork::Abandoned { .. }), "given up"),
    ])
}

fn of_the_money(
    node: &Node,
    paper: &Paper,
    account: &Account,
) -> impl Iterator<Item = &'static str> {
    let reinstated = paper.hold != paper.booking.hold;
    let expired = matches!(paper.stage, Paperwork::Expired);
    let review = matches!(account.stage, Stage::Review { .. });
    let closed = node.setting.instants.first().is_some_and(|closed| node.now >= *closed);
    let late = expired && !account.refunded().is_zero();
    let others = (0..node.customers.len()).filter_map(|customer| node.paper(customer));
    let sold = others.filter(|it| matches!(it.stage, Paperwork::Confirmed { .. })).count() > 0;
    those([
        (late, "late money returned"),
        (late && sold, "late money returned, the seat sold to another"),
        (late && !sold && node.now >= node.setting.starts, "late money returned after the start"),
        (reinstated, "late money found a seat"),
        (reinstated && closed, "late money found a seat after booking closed"),
        (review && expired, "under review, the seat free again"),
        (review && expired && sold, "under review, the seat sold to another"),
    ])
}

fn of_refunds(
    paper: &Paper,
    account: &Account,
    customer: &Customer,
) -> impl Iterator<Item = &'static str> {
    let pending = account.refunds.values().filter(|refund| is_pending(&refund.stage));
    let promised =
        account.refunds.values().any(|refund| refund.reason == RefundReason::Cancellation);
    let off = matches!(paper.stage, Paperwork::Cancelled { .. });
    let [before, after] = customer.gifts;
    those([
        (pending.count() > 1, "two refunds wait"),
        (before > 0 && promised, "a gift before the cancellation"),
        (after > 0, "a gift after the cancellation"),
        (customer.told.is_some() && before > 0, "a quote taken up after a gift"),
        (customer.told.is_some_and(|told| told == 0), "a quote of nothing taken up"),
        (off && !account.refund_owed().is_zero(), "a refund refused and owed"),
        (off && account.refundable().is_zero(), "nothing left to return"),
        (off && !account.refundable().is_zero(), "a part kept"),
    ])
}

const fn is_pending(stage: &RefundStage) -> bool {
    matches!(stage, RefundStage::Pending { .. })
}
