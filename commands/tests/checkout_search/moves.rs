//! Everything that can happen next, but for what the provider of payments does.

use std::collections::BTreeSet;

use holdfast_commands::cancel::{Cancel, QuoteCancellation, RefundPart};
use holdfast_commands::checkout::{Advance, StartConfirm};
use holdfast_commands::refusal::Refusal;
use holdfast_commands::reserve::{Reserve, Seat};
use holdfast_domain::booking::reservation::{CancelledBy, Paper, Stage as Paperwork};
use holdfast_domain::ids::CancellationQuoteId;
use holdfast_domain::process::{Call, Step};

use crate::fault::Fault;
use crate::model::{Node, Offer, order};
use crate::provider::{answer, provider_moves};
use crate::setting::*;

/// Something that can happen.
pub(crate) struct Move {
    pub(crate) label: String,
    pub(crate) after: Node,
    /// Whether it happens of itself, whatever people do. A state without such moves is at rest.
    pub(crate) of_itself: bool,
}

/// Everything that can happen next.
pub(crate) fn moves(node: &Node) -> Vec<Move> {
    let mut next = undisturbed(node);
    if node.overtaken < node.setting.overtaken {
        next.extend(overtaken(node));
    }
    next
}

/// The same, each broken off where the seat's stream has moved on. What writes to it first, or not
/// at all, is not disturbed by that.
fn overtaken(node: &Node) -> impl Iterator<Item = Move> {
    let disturbed = Node { overtaking: true, ..node.clone() };
    let broken_off = |it: &Move| !it.after.overtaking;
    undisturbed(&disturbed).into_iter().filter(broken_off).map(|it| Move {
        label: format!("{}, and the seat's stream moves on in between", it.label),
        ..it
    })
}

fn undisturbed(node: &Node) -> Vec<Move> {
    let mut next = Vec::new();
    for customer in 0..node.customers.len() {
        match node.paper(customer) {
            None => {
                let mut after = node.clone();
                if reserve(&mut after, customer).is_ok() {
                    if node.setting.customers[customer].at_once {
                        buy(&mut after, customer);
                    }
                    push(&mut next, format!("{customer} comes"), after);
                }
            }
            Some(_) => booked_moves(node, customer, &mut next),
        }
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

fn push(next: &mut Vec<Move>, label: String, after: Node) {
    next.push(Move { label, after, of_itself: false });
}

/// A customer takes a seat.
pub(crate) fn reserve(node: &mut Node, customer: usize) -> Result<(), Refusal> {
    let about = node.about(customer);
    let reserve = Reserve {
        reservation: about.reservation,
        payment: order(customer),
        customer: about.customer,
        offering: offering(),
        resource: resource(),
        seat: match node.setting.place {
            Place::Slot => Seat::At(node.setting.starts),
            Place::Class { .. } => Seat::In(session()),
        },
        party_size: node.setting.customers[customer].party,
        ends_at: None,
        expected_total: None,
    };
    node.decide(&reserve)?;
    if !node.claim(customer).is_some_and(|claim| claim.is_live(node.now)) {
        node.complaint = Some(format!("{customer} was given a seat that nothing holds"));
    }
    if node.now >= node.setting.starts {
        node.complaint = Some(format!("{customer} was given a seat in what has begun"));
    }
    Ok(())
}

/// A customer sends an authorisation.
pub(crate) fn pay(node: &mut Node, customer: usize) -> Option<Call> {
    let attempts = node.account(customer)?.attempts;
    let confirm = StartConfirm {
        about: node.about(customer),
        order: order(customer),
        payment_key: format!("key-{attempts}"),
        amount: node.setting.total(customer),
        started_before: false,
    };
    match node.decide(&confirm).ok()?.step {
        Step::Call(call) => Some(call),
        Step::Rest | Step::Wait(_) | Step::Record(_) => None,
    }
}

/// A customer pays for what was just held, and the answer is good.
pub(crate) fn buy(node: &mut Node, customer: usize) {
    let call = pay(node, customer).unwrap();
    answer(node, customer, &call);
}

fn booked_moves(node: &Node, customer: usize, next: &mut Vec<Move>) {
    let habits = node.setting.customers[customer];
    let attempts = node.account(customer).map_or(0, |account| account.attempts);
    if node.customers[customer].in_flight.is_none() && attempts < habits.attempts {
        let mut after = node.clone();
        if let Some(call) = pay(&mut after, customer) {
            after.customers[customer].in_flight = Some((call, true));
            push(next, format!("{customer} pays"), after);
        }
    }
    for by in habits.cancelled_by {
        let offers = 0..node.customers[customer].offers.len();
        for offer in [None].into_iter().chain(offers.map(Some)) {
            cancel(node, customer, (*by, offer), next);
        }
    }
    if node.customers[customer].offers.len() < habits.quotes {
        habits.quoted_to.iter().for_each(|by| ask_for_terms(node, customer, *by, next));
    }
    if node.account(customer).is_some_and(|account| account.refunds.len() < habits.gifts) {
        habits.goodwill.iter().for_each(|amount| give(node, customer, *amount, next));
    }
}

fn quote_id(offer: usize) -> CancellationQuoteId {
    CancellationQuoteId::from_uuid(id(400 + u128::try_from(offer).unwrap()))
}

/// The booking is called off, on the terms of the moment or on those of an offer.
fn cancel(
    node: &Node,
    customer: usize,
    (by, offer): (CancelledBy, Option<usize>),
    next: &mut Vec<Move>,
) {
    let mut after = node.clone();
    let told = offer.map(|offer| node.customers[customer].offers[offer]);
    let stands = told.is_some_and(|told| told.by == by && node.now <= told.valid_until);
    let named = offer.filter(|_| !(stands && node.fault == Fault::QuoteForgotten)).map(quote_id);
    let cancel = Cancel { about: node.about(customer), by, quote: named, reason: None };
    if after.decide(&cancel).is_err() {
        return;
    }
    let sold = node
        .paper(customer)
        .is_some_and(|paper| matches!(paper.stage, Paperwork::Confirmed { .. }));
    if let Some(told) = told.filter(|_| sold) {
        if !stands {
            after.complaint = Some(format!("an offer to {customer} that does not stand was taken"));
        }
        after.customers[customer].told = Some(told.amount);
    }
    push(next, format!("{by:?} cancels for {customer}, by offer {offer:?}"), after);
}

/// Somebody asks what a cancellation returns.
fn ask_for_terms(node: &Node, customer: usize, by: CancelledBy, next: &mut Vec<Move>) {
    let mut after = node.clone();
    let quote = quote_id(node.customers[customer].offers.len());
    let ask = QuoteCancellation { about: node.about(customer), quote, by };
    if after.decide(&ask).is_err() {
        return;
    }
    let told = match &after.paper(customer).unwrap().stage {
        Paperwork::Confirmed { quoted, .. } => {
            *quoted.iter().find(|offer| offer.id == quote).unwrap()
        }
        other @ (Paperwork::Held
        | Paperwork::PaymentInFlight
        | Paperwork::Expired
        | Paperwork::Abandoned { .. }
        | Paperwork::Cancelled { .. }) => panic!("terms were offered for {other:?}"),
    };
    let (amount, valid_until) = (told.refund.amount.minor(), told.valid_until);
    after.customers[customer].offers.push(Offer { by, amount, valid_until });
    push(next, format!("{by:?} asks for {customer}'s terms"), after);
}

/// The one who provides the service returns a part.
fn give(node: &Node, customer: usize, amount: u64, next: &mut Vec<Move>) {
    let mut after = node.clone();
    let about = node.about(customer);
    if after.decide(&RefundPart { about, order: order(customer), amount: money(amount) }).is_err() {
        return;
    }
    let off = node.paper(customer).is_some_and(is_off);
    after.customers[customer].gifts[usize::from(off)] += amount;
    push(next, format!("{amount} is returned to {customer} out of goodwill"), after);
}

fn runner_moves(node: &Node, customer: usize, next: &mut Vec<Move>) {
    if node.paper(customer).is_none() || ignores(node, customer) {
        return;
    }
    let mut after = node.clone();
    let Ok(outcome) = after.decide(&Advance { about: node.about(customer) }) else { return };
    if let Step::Call(call) = outcome.step {
        after.customers[customer].in_flight = Some((call, false));
    }
    next.push(Move { label: format!("the runner looks at {customer}"), after, of_itself: true });
}

/// Whether the fault keeps the processes from looking at a booking.
pub(crate) fn ignores(node: &Node, customer: usize) -> bool {
    let Some(paper) = node.paper(customer) else { return false };
    match paper.stage {
        Paperwork::Expired | Paperwork::Abandoned { .. } => node.fault == Fault::LateIgnored,
        Paperwork::Cancelled { .. } => node.fault == Fault::PromiseForgotten,
        Paperwork::Held | Paperwork::PaymentInFlight | Paperwork::Confirmed { .. } => false,
    }
}

/// The clock jumps to the next instant at which anything changes, or to any after it: nobody may
/// have looked for so long.
fn time_moves(node: &Node, next: &mut Vec<Move>) {
    let customers = || 0..node.customers.len();
    let mut looked_at = node.clone();
    let waits: BTreeSet<_> = customers()
        .filter(|customer| !ignores(node, *customer))
        .filter_map(|customer| match looked_at.step(customer) {
            Step::Wait(until) => Some(until),
            Step::Rest | Step::Record(_) | Step::Call(_) => None,
        })
        .collect();
    let papers = || customers().filter_map(|customer| node.paper(customer));
    let holds = papers().filter(|paper| is_open(paper)).map(|paper| paper.hold_expires_at);
    let pins = customers().filter_map(|customer| node.claim(customer)?.ends_at());
    let offers = node.customers.iter().flat_map(|customer| &customer.offers);
    let lapses = offers.map(|offer| after(offer.valid_until));
    let set = node.setting.instants.iter().copied();
    // Nothing depends on these any more once every booking was called off.
    let all_off = customers().all(|customer| node.paper(customer).is_some_and(is_off));
    let rules = lapses.chain(set).filter(|_| !all_off);
    let later = waits.iter().copied().chain(holds).chain(pins).chain(rules);
    for instant in later.filter(|instant| *instant > node.now).collect::<BTreeSet<_>>() {
        let after = Node { now: instant, ..node.clone() };
        let label = format!("the clock shows {instant}");
        next.push(Move { label, after, of_itself: waits.contains(&instant) });
    }
}

const fn is_open(paper: &Paper) -> bool {
    matches!(paper.stage, Paperwork::Held | Paperwork::PaymentInFlight)
}

const fn is_off(paper: &Paper) -> bool {
    matches!(paper.stage, Paperwork::Cancelled { .. })
}
