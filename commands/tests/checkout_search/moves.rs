//! Everything that can happen next.

use std::collections::BTreeSet;

use holdfast_commands::cancel::Cancel;
use holdfast_commands::checkout::{Advance, Report, Said, StartConfirm};
use holdfast_commands::reserve::{Reserve, Seat};
use holdfast_domain::booking::reservation::{CancelledBy, ReservationEvent, Stage as Paperwork};
use holdfast_domain::booking::reservation_stream;
use holdfast_domain::event::Event;
use holdfast_domain::ids::RefundId;
use holdfast_domain::payment::{ConfirmOutcome, RefundOutcome};
use holdfast_domain::process::retry::{self, Ask};
use holdfast_domain::process::{Call, Step};

use super::model::*;

/// Answers lost, or crashes, on the way of each customer's calls; after these the provider answers.
/// The second customer is there to want the same seat: her own calls fail no more than they must.
pub(crate) const LOSSES_MAX: [u8; 2] = [1, 0];
/// Declines that the provider may give.
pub(crate) const DECLINES_MAX: [u8; 2] = [1, 0];
/// Captures that a customer tries.
pub(crate) const ATTEMPTS_MAX: [u32; 2] = [2, 1];

/// Everything that can happen next.
pub(crate) fn moves(node: &Node) -> Vec<(String, Node)> {
    let mut next = Vec::new();
    for customer in 0..2 {
        customer_moves(node, customer, &mut next);
        match node.customers[customer].in_flight.clone() {
            Some((call, for_caller)) => {
                provider_moves(node, customer, &call, for_caller, &mut next);
            }
            None => runner_moves(node, customer, &mut next),
        }
    }
    time_moves(node, &mut next);
    next
}

pub(crate) fn customer_moves(node: &Node, customer: usize, next: &mut Vec<(String, Node)>) {
    let about = about(customer);
    if node.paper(customer).is_none() {
        let mut after = node.clone();
        let reserve = Reserve {
            reservation: about.reservation,
            payment: about.payment.unwrap(),
            customer: about.customer,
            offering: offering(),
            resource: resource(),
            seat: Seat::At(at("2026-03-09T05:00:00Z")),
            party_size: 1,
            ends_at: None,
            expected_total: None,
        };
        if after.decide(&reserve).is_ok() {
            next.push((format!("{customer} holds"), after));
        }
        return;
    }
    let idle = node.customers[customer].in_flight.is_none();
    let attempts = node.account(customer).map_or(0, |account| account.attempts);
    if idle && attempts < ATTEMPTS_MAX[customer] {
        let mut after = node.clone();
        let confirm = StartConfirm {
            about,
            order: about.payment.unwrap(),
            payment_key: format!("key-{attempts}"),
            amount: price(),
            started_before: false,
        };
        if let Ok(outcome) = after.decide(&confirm)
            && let Step::Call(call) = outcome.step
        {
            after.customers[customer].in_flight = Some((call, true));
            next.push((format!("{customer} pays"), after));
        }
    }
    if customer == 0 && !node.customers[customer].cancelled {
        let mut after = node.clone();
        let cancel = Cancel { about, by: CancelledBy::Customer, quote: None, reason: None };
        if after.decide(&cancel).is_ok() {
            after.customers[customer].cancelled = true;
            next.push((format!("{customer} cancels"), after));
        }
    }
}

pub(crate) fn runner_moves(node: &Node, customer: usize, next: &mut Vec<(String, Node)>) {
    if node.paper(customer).is_none() || ignores(node, customer) {
        return;
    }
    let mut after = node.clone();
    let Ok(outcome) = after.decide(&Advance { about: about(customer) }) else { return };
    if let Step::Call(call) = outcome.step {
        after.customers[customer].in_flight = Some((call, false));
    }
    if after.key() != node.key() {
        next.push((format!("the runner looks at {customer}"), after));
    }
}

pub(crate) fn ignores(node: &Node, customer: usize) -> bool {
    let gone = node.paper(customer).is_some_and(|paper| {
        matches!(paper.stage, Paperwork::Expired | Paperwork::Abandoned { .. })
    });
    node.fault == Fault::LateIgnored && gone
}

/// The provider acts on a call, or it is lost before or after.
pub(crate) fn provider_moves(
    node: &Node,
    customer: usize,
    call: &Call,
    for_caller: bool,
    next: &mut Vec<(String, Node)>,
) {
    let lossy = node.customers[customer].losses < LOSSES_MAX[customer];
    for declines in [false, true] {
        if declines && node.customers[customer].declines >= DECLINES_MAX[customer] {
            continue;
        }
        let mut acted = node.clone();
        let Some(said) = act(&mut acted, customer, call, declines) else { continue };
        let mut heard = acted.clone();
        heard.customers[customer].in_flight = None;
        report(&mut heard, customer, said, for_caller);
        next.push((format!("the provider answers {customer} {call:?}"), heard));
        if lossy {
            acted.customers[customer].losses += 1;
            lose(acted, customer, call, for_caller, next);
        }
    }
    if lossy {
        let mut lost = node.clone();
        lost.customers[customer].losses += 1;
        lose(lost, customer, call, for_caller, next);
    }
}

/// No answer comes back: the caller writes that down, or dies before it can.
pub(crate) fn lose(
    node: Node,
    customer: usize,
    call: &Call,
    for_caller: bool,
    next: &mut Vec<(String, Node)>,
) {
    let mut died = node.clone();
    died.customers[customer].in_flight = None;
    next.push((format!("the process dies during {customer}'s call"), died));
    let mut unknown = node;
    unknown.customers[customer].in_flight = None;
    let (Call::Capture { tries, .. } | Call::Refund { tries, .. }) = call;
    let next_try_at = retry::next_try_at(tries + 1, unknown.now);
    let said = match call {
        Call::Capture { attempt, .. } => Said::OfCapture {
            attempt: *attempt,
            outcome: if unknown.fault == Fault::LostIsDeclined {
                ConfirmOutcome::Declined { code: "TIMEOUT".into() }
            } else {
                ConfirmOutcome::Unknown { next_try_at }
            },
        },
        Call::Refund { refund, .. } => {
            Said::OfRefund { refund: *refund, outcome: RefundOutcome::Unknown { next_try_at } }
        }
    };
    report(&mut unknown, customer, said, for_caller);
    next.push((format!("{customer}'s answer is lost"), unknown));
}

/// What the provider does and says. `None` when this outcome cannot be.
pub(crate) fn act(node: &mut Node, customer: usize, call: &Call, declines: bool) -> Option<Said> {
    let fault = node.fault;
    let entry = &mut node.customers[customer];
    match call {
        Call::Capture { attempt, idempotency_key, amount, ask, .. } => {
            let known = entry.ledger.captures.get(idempotency_key).copied();
            let took = match (known, ask) {
                (Some(took), _) => {
                    if declines {
                        return None;
                    }
                    took
                }
                (None, Ask::ReadFinally) => false,
                (None, Ask::Again | Ask::Read) => {
                    entry.ledger.captures.insert(idempotency_key.clone(), !declines);
                    if declines {
                        entry.declines += 1;
                    } else {
                        entry.ledger.captured += amount.minor();
                    }
                    !declines
                }
            };
            let outcome = if took {
                ConfirmOutcome::Captured { transaction: idempotency_key.clone(), amount: *amount }
            } else {
                ConfirmOutcome::Declined { code: "NO".into() }
            };
            Some(Said::OfCapture { attempt: *attempt, outcome })
        }
        Call::Refund { refund, amount, idempotency_key, tries, .. } => {
            if declines {
                return None;
            }
            let key = if fault == Fault::RefundWithoutKey {
                format!("{idempotency_key}-{tries}-{}", entry.losses)
            } else {
                idempotency_key.clone()
            };
            if entry.ledger.returned.insert(key) {
                entry.ledger.returned_sum += amount.minor();
            }
            let outcome = RefundOutcome::Succeeded { transaction: refund_name(*refund) };
            Some(Said::OfRefund { refund: *refund, outcome })
        }
    }
}

pub(crate) fn refund_name(refund: RefundId) -> String {
    refund.to_string()
}

pub(crate) fn report(node: &mut Node, customer: usize, said: Said, for_caller: bool) {
    let about = about(customer);
    let captured = matches!(said, Said::OfCapture { outcome: ConfirmOutcome::Captured { .. }, .. });
    if node.fault == Fault::ConfirmAnyway && captured {
        let stream = reservation_stream(about.reservation);
        let event =
            Event::from(ReservationEvent::Confirmed { paid: price(), confirmed_at: node.now });
        let known = node.states.get_mut(&stream).unwrap();
        known.state = known.state.clone().evolve(&event);
    }
    let report = Report { about, order: about.payment.unwrap(), said, for_caller };
    if ignores(node, customer) {
        return;
    }
    node.decide(&report).unwrap();
}

/// The clock jumps to the next instant at which anything changes.
pub(crate) fn time_moves(node: &Node, next: &mut Vec<(String, Node)>) {
    let waits = (0..2).filter_map(|customer| match node.step(customer) {
        Step::Wait(until) => Some(until),
        Step::Rest | Step::Record(_) | Step::Call(_) => None,
    });
    let holds =
        (0..2).filter_map(|customer| node.paper(customer)).map(|paper| paper.hold_expires_at);
    // Nobody looked for so long that a pin lapsed.
    let pins = (0..2).filter_map(|customer| node.claim_end(customer));
    let later = waits.chain(holds).chain(pins).filter(|instant| *instant > node.now);
    for instant in later.collect::<BTreeSet<_>>() {
        let mut after = node.clone();
        after.now = instant;
        next.push((format!("the clock shows {instant}"), after));
    }
}
