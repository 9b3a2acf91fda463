//! Planted violations: each checker finds the one it is there for. A checker that finds nothing has
//! to be one that can.

use std::time::Instant;

use holdfast_domain::booking::calendar::CalendarEvent;
use holdfast_domain::booking::session::SessionEvent;
use holdfast_domain::event::Event;
use holdfast_domain::ids::{HoldId, PaymentId, ReservationId};
use holdfast_domain::log::{Position, Recorded};
use holdfast_domain::payment::PaymentEvent;
use holdfast_eventlog::verify::Broken;

use crate::evidence::Evidence;
use crate::history::Known;
use crate::lives::Lives;
use crate::load;
use crate::node::Node;
use crate::verdict::violations;
use crate::{checker, memory, money};

#[test]
fn each_checker_finds_what_is_planted() {
    let lives = Lives::begin("controls");
    let node = Node::start(lives.world.data(), &[], &[]).unwrap();
    let run = load::run(&lives.world, &lives.catalogue, node.address, lives.seed, 40);
    lives.runtime.block_on(run);
    drop(node);
    let evidence = lives.settle();
    an_acknowledged_event_that_is_gone(&lives, &evidence);
    an_effect_that_comes_twice(&lives, &evidence);
    a_refusal_with_an_effect(&lives, &evidence);
    a_seat_sold_twice(&evidence);
    a_payment_taken_twice(&evidence);
    a_ghost_in_the_ledger(&evidence);
    an_order_that_is_not_kept(&lives, &evidence);
    a_changed_byte(&lives);
}

/// The first event that satisfies `wanted`, and its index.
fn first(events: &[Recorded], wanted: impl Fn(&Event) -> bool) -> usize {
    events.iter().position(|recorded| wanted(&recorded.event)).unwrap()
}

#[track_caller]
fn assert_found(found: &[String], word: &str) {
    assert!(found.iter().any(|one| one.contains(word)), "{word}: {found:?}");
}

/// The last event of the log, written again as something new.
fn once_more(events: &mut Vec<Recorded>, index: usize) {
    let mut copy = events[index].clone();
    let last = events.iter().filter(|it| it.stream == copy.stream).map(|it| it.revision).max();
    copy.revision = last.unwrap().next();
    copy.position = Position(events.last().unwrap().position.0.saturating_add(1));
    copy.append_end = copy.position;
    events.push(copy);
}

fn an_acknowledged_event_that_is_gone(lives: &Lives, evidence: &Evidence) {
    let mut evidence = evidence.clone();
    let index = first(&evidence.events, |event| event.name() == "reservation.requested");
    let end = evidence.events[index].append_end;
    evidence.events.retain(|recorded| recorded.append_end != end);
    let found = violations(&lives.world, &evidence, true);
    assert_found(&found, "there is no event at its position");
}

fn an_effect_that_comes_twice(lives: &Lives, evidence: &Evidence) {
    let mut evidence = evidence.clone();
    let index = first(&evidence.events, |event| event.name() == "reservation.requested");
    once_more(&mut evidence.events, index);
    let found = memory::violations(&lives.world.history(), &evidence);
    assert_found(&found, "it had 2 effects");
}

fn a_refusal_with_an_effect(lives: &Lives, evidence: &Evidence) {
    let mut history = lives.world.history();
    let refused = history
        .iter()
        .position(|entry| {
            let refused = matches!(entry.known, Known::Refused { .. });
            refused && entry.asked.path == "/v1/reservations"
        })
        .unwrap();
    let mut evidence = evidence.clone();
    let index = first(&evidence.events, |event| event.name() == "reservation.requested");
    once_more(&mut evidence.events, index);
    evidence.events.last_mut().unwrap().metadata.command_id = history[refused].command();
    let found = memory::violations(&history, &evidence);
    assert_found(&found, "it was refused, and had an effect");
    history[refused].known = Known::Unknown(String::new());
    let found = memory::violations(&history, &evidence);
    assert!(!found.iter().any(|one| one.contains("was refused")), "{found:?}");
}

fn a_seat_sold_twice(evidence: &Evidence) {
    let again = |placed: fn(&Event) -> bool| {
        let mut events = evidence.events.clone();
        let index = first(&events, placed);
        // The same seat for another hold, at once: right behind the first.
        let mut copy = events[index].clone();
        copy.revision = copy.revision.next();
        let fresh = HoldId::derive(ReservationId::from_uuid(copy.stream.id()), 9);
        copy.event = same_seat(&copy.event, fresh);
        let placed = index.saturating_add(1);
        events.insert(placed, copy);
        assert_found(&checker::violations(&events), "taken of Some");
    };
    again(|event| matches!(event, Event::Calendar(CalendarEvent::HoldPlaced { .. })));
    again(|event| matches!(event, Event::Session(SessionEvent::SeatsHeld { .. })));
}

/// The fact that another hold takes the same seat.
fn same_seat(placed: &Event, hold: HoldId) -> Event {
    if let Event::Calendar(CalendarEvent::HoldPlaced {
        reservation,
        booked,
        blocks,
        weight,
        expires_at,
        ..
    }) = *placed
    {
        CalendarEvent::HoldPlaced { hold, reservation, booked, blocks, weight, expires_at }.into()
    } else if let Event::Session(SessionEvent::SeatsHeld { reservation, expires_at, .. }) = *placed
    {
        SessionEvent::SeatsHeld { hold, reservation, seats: 5, expires_at }.into()
    } else {
        panic!("no seat is placed by {placed:?}")
    }
}

fn a_payment_taken_twice(evidence: &Evidence) {
    let mut events = evidence.events.clone();
    let captured = |event: &Event| matches!(event, Event::Payment(PaymentEvent::Captured { .. }));
    let index = first(&events, captured);
    once_more(&mut events, index);
    assert_found(&checker::violations(&events), "money was taken twice");
    let mut without = evidence.events.clone();
    without.remove(index);
    let found = money::reconcile(&without, &evidence.movements, true);
    assert_found(&found, "the log has None");
    assert_found(&checker::violations(&without), "goes on at");
}

fn a_ghost_in_the_ledger(evidence: &Evidence) {
    let mut ledger = evidence.movements.clone();
    let (_, order) = ledger.orders.first_key_value().unwrap();
    let order = order.clone();
    let ghost = PaymentId::from_uuid(evidence.events[0].stream.id());
    ledger.orders.insert(ghost, order);
    let found = money::reconcile(&evidence.events, &ledger, false);
    assert_found(&found, "of which the log knows nothing");
}

fn an_order_that_is_not_kept(lives: &Lives, evidence: &Evidence) {
    let mut history = lives.world.history();
    let late = history.iter_mut().find(|entry| matches!(entry.known, Known::Acknowledged(_)));
    // The first command is said to have begun after all the others were acknowledged.
    late.unwrap().began = Instant::now();
    assert_found(&memory::violations(&history, evidence), "was acknowledged");
}

/// The chains are checked by the same verifier that operators use, on the bytes of the file.
fn a_changed_byte(lives: &Lives) {
    let path = lives.world.file("log.db");
    let mut bytes = std::fs::read(&path).unwrap();
    let needle = b"\"display_name\":\"Room\"";
    let places = bytes.windows(needle.len()).enumerate();
    let places: Vec<_> =
        places.filter(|(_, window)| window == needle).map(|(place, _)| place).collect();
    // The answer to the command shows the name too; the chains speak of the event.
    for place in places {
        bytes[place.saturating_add(needle.len()).saturating_sub(2)] = b'f';
    }
    std::fs::write(&path, bytes).unwrap();
    let failure = lives.evidence().chains.failure.unwrap();
    assert_eq!(failure.what, Broken::EventHash);
}
