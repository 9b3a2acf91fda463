//! A breadth-first search over the real use cases: one seat, two customers, a provider of payments
//! that loses answers and declines, a clock that jumps, a runner that dies between its steps. Every
//! reachable state is checked. Then the same search over planted faults, each of which it must find.
#![expect(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test may fail, and says how far it looked"
)]

mod model;
mod moves;
mod promises;

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, VecDeque};

use holdfast_domain::booking::reservation::Stage as Paperwork;

use model::*;
use moves::moves;
use promises::{bad, bad_at_rest};

struct Found {
    states: usize,
    at_rest: usize,
    refunded_late: usize,
    reinstated: usize,
    violation: Option<(String, Vec<String>)>,
}

fn search(fault: Fault, states_max: usize) -> Found {
    let first = start(fault);
    let mut found =
        Found { states: 0, at_rest: 0, refunded_late: 0, reinstated: 0, violation: None };
    let mut seen: BTreeMap<u64, Option<(u64, String)>> = BTreeMap::from([(first.key(), None)]);
    let mut queue = VecDeque::from([first]);
    while let Some(node) = queue.pop_front() {
        found.states += 1;
        let next = moves(&node);
        let complaint =
            bad(&node).or_else(|| next.is_empty().then(|| bad_at_rest(&node)).flatten());
        if let Some(what) = complaint {
            found.violation = Some((what, path(&seen, node.key())));
            return found;
        }
        found.at_rest += usize::from(next.is_empty());
        for customer in 0..2 {
            let late = node.paper(customer).is_some_and(|paper| paper.stage == Paperwork::Expired);
            let back = node.account(customer).is_some_and(|account| !account.refunded().is_zero());
            found.refunded_late += usize::from(late && back);
            found.reinstated += usize::from(
                node.paper(customer).is_some_and(|paper| paper.hold != paper.booking.hold),
            );
        }
        assert!(found.states < states_max, "the search does not end");
        for (label, after) in next {
            let key = after.key();
            if let Entry::Vacant(unseen) = seen.entry(key) {
                unseen.insert(Some((node.key(), label)));
                queue.push_back(after);
            }
        }
    }
    found
}

fn path(seen: &BTreeMap<u64, Option<(u64, String)>>, last: u64) -> Vec<String> {
    let mut steps = Vec::new();
    let mut key = last;
    while let Some(Some((before, label))) = seen.get(&key) {
        steps.push(label.clone());
        key = *before;
    }
    steps.reverse();
    steps
}

#[test]
fn no_order_of_losses_crashes_and_deadlines_breaks_a_promise() {
    let found = search(Fault::None, 400_000);
    assert_eq!(found.violation, None);
    assert!(found.at_rest > 0, "no run came to rest");
    assert!(found.refunded_late > 0, "late money was never returned: the search is too small");
    assert!(found.reinstated > 0, "late money never found a seat: the search is too small");
    println!("{} states, {} at rest", found.states, found.at_rest);
}

#[test]
fn without_the_pin_nothing_breaks_but_the_service() {
    assert_eq!(search(Fault::NoPin, 800_000).violation, None);
}

#[test]
fn each_planted_fault_is_found() {
    let faults = [
        (Fault::ConfirmAnyway, "without the seat"),
        (Fault::LostIsDeclined, "for nothing"),
        (Fault::LateIgnored, "for nothing"),
        (Fault::RefundWithoutKey, "refunded twice"),
    ];
    for (fault, expected) in faults {
        let found = search(fault, 800_000);
        let (what, steps) = found.violation.unwrap_or_else(|| panic!("{fault:?} was not found"));
        assert!(what.contains(expected), "{fault:?}: {what} after {steps:#?}");
    }
}
