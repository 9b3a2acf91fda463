//! Breadth-first searches over the real use cases: a provider of payments that loses answers,
//! declines, takes another amount and refuses refunds; a clock that jumps; a runner that dies
//! between its steps. Every reachable state of each small world is checked, and in each of them
//! faults are planted that the search must find.
#![expect(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test may fail, and says how far it looked"
)]

mod explore;
mod fault;
mod marks;
mod model;
mod moves;
mod promises;
mod provider;
mod setting;
mod start;

use explore::search;
use fault::Fault;
use setting::{
    Setting, free_class, one_seat, overtaken_class, overtaken_refunds, overtaken_seat, paid_class,
    quotes, refunds,
};

/// Searches a world in which nothing is broken, and says what was seen.
fn keeps_its_promises(world: fn() -> Setting, fault: Fault, interesting: &[&str]) {
    let found = search(world(), fault);
    println!(
        "{} states, {} transitions, {} states at rest; {:#?}",
        found.states, found.transitions, found.at_rest, found.marks
    );
    assert_eq!(found.violation, None);
    assert!(found.at_rest > 0, "no run came to rest");
    for mark in interesting {
        assert!(found.marks.contains_key(mark), "the search is too small: {mark} was not reached");
    }
}

/// Plants faults in a world, each of which must break the promise that it is named with.
fn finds(world: fn() -> Setting, faults: &[(Fault, &str)]) {
    for (fault, expected) in faults {
        let violation = search(world(), *fault).violation;
        let (what, steps) = violation.unwrap_or_else(|| panic!("{fault:?} was not found"));
        assert!(what.contains(expected), "{fault:?}: {what} after {steps:#?}");
    }
}

#[test]
fn one_seat_is_sold_once_and_paid_once() {
    keeps_its_promises(
        one_seat,
        Fault::None,
        &[
            "late money returned",
            "late money returned, the seat sold to another",
            "late money found a seat",
            "under review, the seat free again",
            "under review, the seat sold to another",
            "given up",
        ],
    );
}

#[test]
fn without_the_pin_nothing_breaks_but_the_service() {
    keeps_its_promises(one_seat, Fault::NoPin, &["late money returned, the seat sold to another"]);
}

#[test]
fn faults_about_one_seat_are_found() {
    finds(
        one_seat,
        &[
            (Fault::ConfirmAnyway, "without the seat"),
            (Fault::LostIsDeclined, "for nothing"),
            (Fault::LateIgnored, "for nothing"),
            (Fault::RefundWithoutKey, "refunded more than was taken"),
            (Fault::OddIsPaid, "without the money"),
            (Fault::SeatKept, "nobody"),
        ],
    );
}

#[test]
fn a_class_is_never_fuller_than_it_may_be() {
    keeps_its_promises(
        paid_class,
        Fault::None,
        &[
            "full",
            "late money returned, the seat sold to another",
            "late money returned after the start",
            "late money found a seat after booking closed",
            "called off by the provider",
        ],
    );
}

#[test]
fn faults_about_a_class_are_found() {
    finds(
        paid_class,
        &[
            (Fault::PartyTakesOne, "people were let in"),
            (Fault::LateSqueezedIn, "people were let in"),
            (Fault::LateIgnored, "for nothing"),
            (Fault::SeatKept, "nobody"),
        ],
    );
}

#[test]
fn a_class_that_costs_nothing_is_never_fuller_than_it_may_be() {
    keeps_its_promises(
        free_class,
        Fault::None,
        &["full", "called off by the provider", "called off after the start"],
    );
    finds(free_class, &[(Fault::PartyTakesOne, "people were let in"), (Fault::SeatKept, "nobody")]);
}

const REFUNDS: [&str; 7] = [
    "two refunds wait",
    "a gift before the cancellation",
    "a gift after the cancellation",
    "a refund refused and owed",
    "nothing left to return",
    "a part kept",
    "called off after the start",
];

#[test]
fn money_goes_back_as_it_was_promised() {
    keeps_its_promises(refunds, Fault::None, &REFUNDS);
}

#[test]
fn the_process_makes_good_what_a_cancellation_left_undone() {
    keeps_its_promises(refunds, Fault::IntentLost, &REFUNDS);
}

#[test]
fn faults_about_refunds_are_found() {
    finds(
        refunds,
        &[
            (Fault::RefundWithoutKey, "refunded more than was taken"),
            (Fault::PendingDoesNotCount, "promised more than was taken"),
            (Fault::PromiseForgotten, "for nothing"),
            (Fault::CallWithoutIntent, "refunded more than was taken"),
            (Fault::RefusedIsReturned, "for nothing"),
            (Fault::SeatKept, "nobody"),
        ],
    );
}

#[test]
fn who_takes_an_offer_up_gets_what_was_quoted() {
    keeps_its_promises(
        quotes,
        Fault::None,
        &[
            "a quote taken up after a gift",
            "a quote of nothing taken up",
            "called off by the provider",
        ],
    );
    finds(
        quotes,
        &[
            (Fault::QuoteForgotten, "less than was quoted"),
            (Fault::QuoteNeverLapses, "does not stand"),
        ],
    );
}

const LEFT: &str = "a seat left behind";

#[test]
fn a_seat_that_a_broken_off_decision_left_is_let_go() {
    keeps_its_promises(overtaken_seat, Fault::None, &[LEFT, "late money found a seat", "given up"]);
    keeps_its_promises(overtaken_class, Fault::None, &[LEFT, "full", "called off by the provider"]);
    keeps_its_promises(overtaken_refunds, Fault::None, &[LEFT, "a gift after the cancellation"]);
}

#[test]
fn faults_on_a_log_that_writes_one_stream_after_another_are_found() {
    let left = [(Fault::SeatLeft, "nobody")];
    finds(overtaken_seat, &[(Fault::AsDecided, "without the seat")]);
    finds(overtaken_seat, &left);
    finds(overtaken_class, &left);
    finds(overtaken_refunds, &left);
}
