//! What holds after every scenario, whatever it was about: no seat sold twice at any moment, no
//! money made or lost, no stream with a gap, nobody paid for nothing.

use std::collections::BTreeMap;

use holdfast_commands::state::State;
use holdfast_domain::booking::calendar::CalendarEvent;
use holdfast_domain::booking::reservation::{Reservation, Stage as Paperwork};
use holdfast_domain::booking::reservation_stream;
use holdfast_domain::booking::resource::ResourceEvent;
use holdfast_domain::booking::session::SessionEvent;
use holdfast_domain::event::Event;
use holdfast_domain::ids::{HoldId, PaymentId};
use holdfast_domain::log::{Category, Recorded, Revision, StreamId};
use holdfast_domain::payment::{Account, Payment, Stage};
use holdfast_domain::time::Interval;
use holdfast_gateways::simulator::{Movement, Movements, Order};
use uuid::Uuid;

use crate::history::History;

/// Fails when one of them does not hold.
#[track_caller]
pub fn hold(history: &History, movements: &Movements) {
    streams_have_no_gaps(history);
    no_seat_is_sold_twice(history);
    money_is_conserved(history, movements);
}

/// Each stream counts up from 0, and the log as a whole is in order.
#[track_caller]
pub fn streams_have_no_gaps(history: &History) {
    let mut next: BTreeMap<StreamId, Revision> = BTreeMap::new();
    for event in &history.0 {
        let expected = next.entry(event.stream).or_default();
        assert_eq!(event.revision, *expected, "{} has a gap", event.stream);
        *expected = event.revision.next();
    }
    assert!(history.0.is_sorted_by_key(|event| event.position));
}

/// What is taken of one resource or class, at one moment of the log.
#[derive(Debug, Default)]
struct Taken {
    intervals: BTreeMap<HoldId, (Interval, u32)>,
    seats: BTreeMap<HoldId, u32>,
    capacity: Option<u32>,
}

/// At every position of the log, no time and no class is taken beyond its capacity. A claim counts
/// from the event that places it to the event that ends it, overdue or not: one that is replaced
/// is ended in the same append, before.
#[track_caller]
pub fn no_seat_is_sold_twice(history: &History) {
    let mut rooms: BTreeMap<Uuid, u32> = BTreeMap::new();
    let mut taken: BTreeMap<StreamId, Taken> = BTreeMap::new();
    for Recorded { event, stream, position, .. } in &history.0 {
        let here = taken.entry(*stream).or_default();
        match event {
            Event::Resource(ResourceEvent::Registered { capacity, .. }) => {
                rooms.insert(stream.id(), *capacity);
            }
            Event::Calendar(fact) => {
                let capacity = rooms[&stream.id()];
                on_calendar(here, fact);
                let most = busiest(here);
                assert!(most <= capacity, "{stream} is taken {most} times at {position}");
            }
            Event::Session(fact) => {
                in_class(here, fact);
                let sum = here.seats.values().copied().fold(0, u32::saturating_add);
                let full = here.capacity.is_none_or(|capacity| sum <= capacity);
                assert!(full, "{stream} has {sum} seats gone at {position}");
            }
            Event::Resource(ResourceEvent::SchedulePublished { .. })
            | Event::Offering(_)
            | Event::Reservation(_)
            | Event::Payment(_) => {}
        }
    }
}

fn on_calendar(here: &mut Taken, fact: &CalendarEvent) {
    match fact {
        CalendarEvent::HoldPlaced { hold, blocks, weight, .. }
        | CalendarEvent::TimeBlocked { hold, blocks, weight, .. } => {
            let before = here.intervals.insert(*hold, (*blocks, *weight));
            assert_eq!(before, None, "the id of a claim was used twice");
        }
        CalendarEvent::HoldReleased { hold } | CalendarEvent::HoldExpired { hold } => {
            here.intervals.remove(hold).expect("a claim ends once");
        }
        CalendarEvent::HoldPinned { hold, .. }
        | CalendarEvent::HoldUnpinned { hold }
        | CalendarEvent::HoldConverted { hold } => {
            assert!(here.intervals.contains_key(hold), "a claim that ended changes no more");
        }
    }
}

/// The most that is taken at one instant: where some claim starts.
fn busiest(here: &Taken) -> u32 {
    let claims = || here.intervals.values();
    let at = |start| {
        let there = claims().filter(|(span, _)| span.start() <= start && start < span.end());
        there.fold(0_u32, |sum, (_, weight)| sum.saturating_add(*weight))
    };
    claims().map(|(span, _)| at(span.start())).max().unwrap_or(0)
}

fn in_class(here: &mut Taken, fact: &SessionEvent) {
    match fact {
        SessionEvent::Scheduled { capacity, .. } => here.capacity = *capacity,
        SessionEvent::SeatsHeld { hold, seats, .. } => {
            let before = here.seats.insert(*hold, *seats);
            assert_eq!(before, None, "the id of a claim was used twice");
        }
        SessionEvent::SeatsReleased { hold } | SessionEvent::SeatsExpired { hold } => {
            here.seats.remove(hold).expect("a claim ends once");
        }
        SessionEvent::SeatsPinned { hold, .. }
        | SessionEvent::SeatsUnpinned { hold }
        | SessionEvent::SeatsConfirmed { hold } => {
            assert!(here.seats.contains_key(hold), "a claim that ended changes no more");
        }
    }
}

/// The simulator moved what our log says it moved, each intent at most once, and money that was
/// taken belongs to a booking or is on its way back.
#[track_caller]
pub fn money_is_conserved(history: &History, movements: &Movements) {
    for (key, times) in &movements.effects {
        assert_eq!(*times, 1, "the intent {key} moved money {times} times");
    }
    let streams = history.streams(Category::Payment);
    for order in movements.orders.keys() {
        assert!(streams.iter().any(|stream| stream.id() == *order.as_uuid()), "{order} is unknown");
    }
    for stream in streams {
        let State::Payment(Payment::Initiated(account)) = history.fold(stream).state else {
            panic!("{stream} has no payment")
        };
        let none = Order::default();
        let order = movements.orders.get(&PaymentId::from_uuid(stream.id())).unwrap_or(&none);
        agree(stream, &account, order);
        somebody_has_something_for_it(history, stream, &account);
    }
}

fn agree(stream: StreamId, account: &Account, order: &Order) {
    let sum = |movements: &[Movement]| {
        movements.iter().map(|one| one.amount.minor()).fold(0, u64::saturating_add)
    };
    let (taken, returned) = (sum(&order.captures), sum(&order.returns));
    assert!(order.captures.len() <= 1, "{stream} was captured twice");
    assert!(returned <= taken, "{stream} returned more than it took");
    match &account.stage {
        Stage::Captured { .. } => assert_eq!(taken, account.captured.minor(), "{stream}"),
        Stage::Review { observed, .. } => assert_eq!(taken, observed.minor(), "{stream}"),
        Stage::Open { .. } => assert_eq!(taken, 0, "{stream} took money that nobody knows of"),
        Stage::Confirming(_) | Stage::Unknown(_) => {}
    }
    // What is pending may have been returned already, with the answer lost.
    let least = account.refunded().minor();
    let most = least.saturating_add(account.refund_pending().minor());
    assert!((least..=most).contains(&returned), "{stream} returned {returned} of {least}..{most}");
}

fn somebody_has_something_for_it(history: &History, stream: StreamId, account: &Account) {
    if account.captured.is_zero() {
        return;
    }
    let State::Reservation(Reservation::Requested(paper)) =
        history.fold(reservation_stream(account.reservation)).state
    else {
        panic!("{stream} paid for no reservation")
    };
    let returned = account.refundable().is_zero();
    let booked = match paper.stage {
        Paperwork::Confirmed { .. } | Paperwork::Cancelled { .. } => true,
        Paperwork::Held
        | Paperwork::PaymentInFlight
        | Paperwork::Expired
        | Paperwork::Abandoned { .. } => false,
    };
    assert!(booked || returned, "{stream} took money for a reservation that is {}", paper.status());
}

#[cfg(test)]
mod tests {
    use holdfast_domain::actor::Actor;
    use holdfast_domain::ids::{CommandId, CorrelationId, EventId, ReservationId};
    use holdfast_domain::log::{Hash, Metadata, Position};
    use holdfast_domain::time::Timestamp;

    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn calendar(facts: &[CalendarEvent]) -> Taken {
        let mut here = Taken::default();
        for fact in facts {
            on_calendar(&mut here, fact);
        }
        here
    }

    fn placed(number: u128, start: &str, end: &str) -> CalendarEvent {
        let span = Interval::try_new(at(start), at(end)).unwrap();
        let id = Uuid::from_u128(number);
        CalendarEvent::HoldPlaced {
            hold: HoldId::from_uuid(id),
            reservation: ReservationId::from_uuid(id),
            booked: span,
            blocks: span,
            weight: 1,
            expires_at: span.start(),
        }
    }

    #[test]
    fn an_overlap_is_seen_and_a_neighbour_is_none() {
        let ten = placed(1, "2026-03-09T10:00:00Z", "2026-03-09T11:00:00Z");
        let half_past = placed(2, "2026-03-09T10:30:00Z", "2026-03-09T11:30:00Z");
        let eleven = placed(3, "2026-03-09T11:00:00Z", "2026-03-09T12:00:00Z");
        assert_eq!(busiest(&calendar(&[ten.clone(), eleven])), 1);
        assert_eq!(busiest(&calendar(&[ten.clone(), half_past.clone()])), 2);
        let gone = CalendarEvent::HoldExpired { hold: HoldId::from_uuid(Uuid::from_u128(1)) };
        assert_eq!(busiest(&calendar(&[ten, gone, half_past])), 1);
    }

    #[test]
    #[should_panic(expected = "has a gap")]
    fn a_gap_in_a_stream_is_seen() {
        let stream = StreamId::new(Category::Calendar, Uuid::from_u128(9));
        let id = CommandId::from_uuid(Uuid::from_u128(1));
        let event = |position: u64, revision: u64| Recorded {
            stream,
            revision: Revision(revision),
            position: Position(position),
            append_end: Position(position),
            event: placed(1, "2026-03-09T10:00:00Z", "2026-03-09T11:00:00Z").into(),
            metadata: Metadata {
                event_id: EventId::derive(id, &stream, 0),
                command_id: id,
                causation_id: None,
                correlation_id: CorrelationId::from_uuid(Uuid::from_u128(1)),
                actor: Actor::Process { name: "test".to_owned() },
                accepted_at: at("2026-03-09T09:00:00Z"),
                traceparent: None,
            },
            hash: Hash::ZERO,
        };
        streams_have_no_gaps(&History(vec![event(1, 0), event(2, 2)]));
    }
}
