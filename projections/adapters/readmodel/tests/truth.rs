//! What the views show is what the aggregates say: every document against the state that the same
//! events fold to, at several places of a history.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/stage.rs"]
mod stage;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use holdfast_domain::booking::calendar::{Calendar, CalendarEvent, Holder};
use holdfast_domain::booking::hold::Phase;
use holdfast_domain::booking::offering::{OfferingEvent, OfferingKind};
use holdfast_domain::booking::reservation::{
    CancellationReason, CancelledBy, Paper, Reservation, ReservationEvent, Stage as Paperwork,
    Status,
};
use holdfast_domain::booking::session::{Session, SessionEvent};
use holdfast_domain::decider::Decider;
use holdfast_domain::event::Event;
use holdfast_domain::ids::ReservationId;
use holdfast_domain::log::{Category, Recorded};
use holdfast_domain::payment::{Account, Payment, PaymentEvent, RefundStage, Stage};
use holdfast_domain::time::Timestamp;
use holdfast_projections::ports::{Query, ReadStore};
use holdfast_projections::topic::{Cursor, Topic};
use holdfast_projections::views::calendar::AllocationDocument;
use holdfast_projections::views::due::DueDocument;
use holdfast_projections::views::payments::PaymentDocument;
use holdfast_projections::views::reservations::ReservationDocument;
use holdfast_projections::views::sessions::SessionDocument;
use holdfast_projections::{Projections, Reader};
use holdfast_readmodel::MemoryReadStore;
use holdfast_readmodel::conformance::{MemoryFeed, history};
use serde::de::DeserializeOwned;
use uuid::Uuid;

use stage::run_to_head;

/// Everything that the aggregates say.
#[derive(Debug, Default)]
struct Truth {
    calendars: BTreeMap<Uuid, Calendar>,
    sessions: BTreeMap<Uuid, Session>,
    reservations: BTreeMap<Uuid, Reservation>,
    payments: BTreeMap<Uuid, Payment>,
}

fn evolve<D: Decider>(all: &mut BTreeMap<Uuid, D>, id: Uuid, fact: &D::Event) {
    let state = all.entry(id).or_default();
    *state = std::mem::take(state).evolve(fact);
}

impl Truth {
    fn of(events: &[Recorded]) -> Self {
        let mut truth = Self::default();
        for event in events {
            let id = event.stream.id();
            match &event.event {
                Event::Calendar(fact) => evolve(&mut truth.calendars, id, fact),
                Event::Session(fact) => evolve(&mut truth.sessions, id, fact),
                Event::Reservation(fact) => evolve(&mut truth.reservations, id, fact),
                Event::Payment(fact) => evolve(&mut truth.payments, id, fact),
                Event::Resource(_) | Event::Offering(_) => {}
            }
        }
        truth
    }

    fn papers(&self) -> impl Iterator<Item = (Uuid, &Paper)> {
        self.reservations.iter().map(|(id, reservation)| (*id, reservation.paper().unwrap()))
    }

    fn account(&self, paper: &Paper) -> &Account {
        let payment = paper.booking.payment.unwrap();
        self.payments.get(payment.as_uuid()).unwrap().account().unwrap()
    }
}

async fn all<T: DeserializeOwned>(reader: &Reader, view: &'static str) -> BTreeMap<String, T> {
    let query = Query { limit: 1_000_000, ..Query::default() };
    let list = reader.list(view, query).await.unwrap().value;
    let read = list
        .into_iter()
        .map(|entry| (entry.key.to_string(), entry.document.unwrap().read().unwrap()));
    read.collect()
}

/// Checks at several places of one history, against `check`.
async fn at_several_places(seed: u64, check: impl AsyncFn(&Truth, &Reader)) {
    let events = history(seed, 1_200);
    for part in 1..=8 {
        let end = stage::ends(&events).len().saturating_mul(part).div_euclid(8).saturating_sub(1);
        let last = stage::ends(&events).get(end).copied().unwrap();
        let until: Vec<_> = events.iter().filter(|event| event.position <= last).cloned().collect();
        let store: Arc<dyn ReadStore> = Arc::new(MemoryReadStore::new());
        let feed = MemoryFeed::new(until.clone());
        let reader = run_to_head(&feed, &store, Projections::all(), 100).await;
        check(&Truth::of(&until), &reader).await;
    }
}

/// Who called a booking off, and why.
fn called_off(paper: &Paper) -> Option<(CancelledBy, Option<CancellationReason>)> {
    match paper.stage {
        Paperwork::Abandoned { by, reason } | Paperwork::Cancelled { by, reason, .. } => {
            Some((by, reason))
        }
        Paperwork::Held
        | Paperwork::PaymentInFlight
        | Paperwork::Confirmed { .. }
        | Paperwork::Expired => None,
    }
}

#[tokio::test]
async fn reservations_and_payments_say_what_their_aggregates_say() {
    at_several_places(21, async |truth, reader| {
        let shown = all::<ReservationDocument>(reader, "reservations").await;
        assert_eq!(shown.len(), truth.reservations.len());
        for (id, paper) in truth.papers() {
            let (document, account) = (shown.get(&id.to_string()).unwrap(), truth.account(paper));
            assert_eq!(document.status, paper.status());
            assert_eq!(document.quote, paper.booking.quote);
            let told = document.cancellation.as_ref().map(|told| (told.by, told.reason));
            assert_eq!(told, called_off(paper));
            let summary = document.payment.as_ref().unwrap();
            assert_eq!(
                (summary.captured, summary.refunded, summary.refund_pending, summary.refund_owed),
                (
                    account.captured,
                    account.refunded(),
                    account.refund_pending(),
                    account.refund_owed()
                )
            );
            let key = holdfast_projections::document::Key::new(summary.order_id);
            let payment = reader.value::<PaymentDocument>("payments", key).await.unwrap();
            let payment = payment.value.unwrap();
            assert_eq!(payment.status, summary.status);
            assert_eq!(payment.refund_owed, account.refund_owed());
            assert_eq!(payment.captured, account.captured);
            let decided = payment.review.as_ref().and_then(|review| review.decision);
            assert_eq!(decided, account.reviewed());
            let observed = payment.review.as_ref().map(|review| review.observed);
            assert_eq!(observed.filter(|_| decided.is_none()), account.observed());
            assert_eq!(payment.refunds.len(), account.refunds.len());
        }
    })
    .await;
}

#[tokio::test]
async fn calendars_and_seats_say_what_their_authorities_say() {
    at_several_places(22, async |truth, reader| {
        let shown = all::<AllocationDocument>(reader, "calendar").await;
        let allocations = truth.calendars.iter().flat_map(|(resource, calendar)| {
            calendar.allocations().map(move |(hold, allocation)| (resource, hold, allocation))
        });
        let mut count = 0_usize;
        for (resource, hold, allocation) in allocations {
            count = count.saturating_add(1);
            let document = shown.get(&format!("{resource}/{hold}")).unwrap();
            assert_eq!(document.blocked_from, allocation.blocks.start());
            assert_eq!(document.ends_at, allocation.booked.end());
            let pinned = match allocation.holder {
                Holder::Reservation(claim) => matches!(claim.phase, Phase::Pinned { .. }),
                Holder::Session(_) => false,
            };
            assert_eq!(document.pinned_until.is_some(), pinned);
            for hours in 0..40 {
                let now = allocation.blocks.start().minus(std::time::Duration::from_hours(hours));
                assert_eq!(document.is_live(now), allocation.is_live(now));
            }
        }
        assert_eq!(shown.len(), count, "nothing is shown that was given back");
        for (id, document) in all::<SessionDocument>(reader, "sessions").await {
            let session = truth.sessions.get(&id.parse::<Uuid>().unwrap()).unwrap();
            let seats = session.seats().unwrap();
            // At the beginning of time no deadline has passed.
            let gone = document.seats_taken.saturating_add(document.seats_held);
            assert_eq!(gone, seats.taken(Timestamp::MIN));
            assert_eq!(document.seats_left, seats.left(Timestamp::MIN));
        }
    })
    .await;
}

/// When a process has to look, from what the aggregates recorded.
fn paper_due(paper: &Paper, account: &Account) -> BTreeSet<Timestamp> {
    let mut due = BTreeSet::new();
    let step = account.open_attempt().map(|attempt| attempt.next_step_at);
    due.extend(step);
    match paper.status() {
        Status::Held if step.is_none() => {
            due.insert(paper.hold_expires_at);
        }
        Status::PaymentInFlight if matches!(account.stage, Stage::Review { .. }) => {
            due.insert(paper.hold_expires_at);
        }
        Status::Held
        | Status::PaymentInFlight
        | Status::Confirmed
        | Status::Expired
        | Status::Abandoned
        | Status::Cancelled => {}
    }
    due.extend(account.refunds.values().filter_map(|refund| match refund.stage {
        RefundStage::Pending { next_step_at, .. } => Some(next_step_at),
        RefundStage::Succeeded { .. } | RefundStage::Refused { .. } => None,
    }));
    due
}

/// Whether the money is there, and the paper has not said what becomes of it.
fn unsettled(paper: &Paper, account: &Account) -> bool {
    let captured = matches!(account.stage, Stage::Captured { .. }) && account.refunds.is_empty();
    captured && !matches!(paper.status(), Status::Confirmed | Status::Cancelled)
}

#[tokio::test]
async fn what_is_due_is_what_the_aggregates_wait_for() {
    let unsettled_seen = std::sync::atomic::AtomicBool::new(false);
    at_several_places(23, async |truth, reader| {
        let shown = all::<DueDocument>(reader, "due").await;
        let mut expected = 0_usize;
        for (id, paper) in truth.papers() {
            let account = truth.account(paper);
            let document = shown.get(&format!("reservation/{id}"));
            let first = paper_due(paper, account).first().copied();
            if unsettled(paper, account) {
                unsettled_seen.store(true, std::sync::atomic::Ordering::SeqCst);
                assert!(document.is_some(), "money without a word about it: {paper:?}");
            } else {
                assert_eq!(document.map(|due| due.due_at), first, "{paper:?} {account:?}");
            }
            expected = expected.saturating_add(usize::from(document.is_some()));
        }
        let calendars = truth.calendars.values().flat_map(Calendar::allocations);
        let holds = calendars.filter_map(|(hold, allocation)| match allocation.holder {
            Holder::Reservation(claim) => Some((hold, claim)),
            Holder::Session(_) => None,
        });
        let seats = truth.sessions.values().flat_map(|session| session.seats().unwrap().claims());
        for (hold, claim) in holds.chain(seats.map(|(hold, (claim, _))| (hold, *claim))) {
            let first = match claim.phase {
                Phase::Held => Some(claim.expires_at),
                Phase::Pinned { until } => Some(until),
                Phase::Firm => None,
            };
            let document = shown.get(&format!("hold/{hold}"));
            assert_eq!(document.map(|due| due.due_at), first);
            assert!(document.is_none_or(|due| due.reservation_id == claim.reservation));
            expected = expected.saturating_add(usize::from(document.is_some()));
        }
        assert_eq!(shown.len(), expected, "nothing is due that nobody waits for");
    })
    .await;
    assert!(unsettled_seen.load(std::sync::atomic::Ordering::SeqCst), "a weak history");
}

/// The claim that a reservation placed last.
fn claim_of(events: &[Recorded], of: ReservationId) -> &Recorded {
    let placed = |event: &&Recorded| match &event.event {
        Event::Calendar(CalendarEvent::HoldPlaced { reservation, .. })
        | Event::Session(SessionEvent::SeatsHeld { reservation, .. }) => *reservation == of,
        Event::Calendar(_)
        | Event::Session(_)
        | Event::Resource(_)
        | Event::Offering(_)
        | Event::Reservation(_)
        | Event::Payment(_) => false,
    };
    events.iter().rfind(placed).unwrap()
}

#[tokio::test]
async fn a_paper_under_review_stays_due_when_another_placement_lets_go_of_its_seat() {
    let mut seen = BTreeSet::new();
    for seed in 0..40 {
        let events = history(seed, 1_200);
        let under_review = events.iter().find_map(|event| match &event.event {
            Event::Payment(PaymentEvent::ReviewRequired { reservation, .. }) => {
                Some((event, *reservation))
            }
            Event::Payment(_)
            | Event::Calendar(_)
            | Event::Session(_)
            | Event::Resource(_)
            | Event::Offering(_)
            | Event::Reservation(_) => None,
        });
        let Some((review, reservation)) = under_review else { continue };
        let mut until: Vec<_> =
            events.iter().filter(|event| event.position <= review.append_end).cloned().collect();
        let placed = claim_of(&until, reservation).clone();
        let expired = match placed.event {
            Event::Calendar(CalendarEvent::HoldPlaced { hold, .. }) => {
                CalendarEvent::HoldExpired { hold }.into()
            }
            Event::Session(SessionEvent::SeatsHeld { hold, .. }) => {
                SessionEvent::SeatsExpired { hold }.into()
            }
            Event::Calendar(_)
            | Event::Session(_)
            | Event::Resource(_)
            | Event::Offering(_)
            | Event::Reservation(_)
            | Event::Payment(_) => panic!("it places nothing"),
        };
        let next = holdfast_domain::log::Position(review.append_end.0 + 1);
        until.push(Recorded { event: expired, position: next, append_end: next, ..placed });
        let store: Arc<dyn ReadStore> = Arc::new(MemoryReadStore::new());
        let feed = MemoryFeed::new(until);
        let reader = run_to_head(&feed, &store, Projections::all(), 100).await;
        let shown = all::<DueDocument>(&reader, "due").await;
        assert!(shown.contains_key(&format!("reservation/{reservation}")), "nobody looks again");
        seen.insert(placed.stream.category());
    }
    assert_eq!(seen, BTreeSet::from([Category::Calendar, Category::Session]), "weak histories");
}

/// The document of the claim that this event places.
fn document_of(placed: &Recorded) -> Option<String> {
    match &placed.event {
        Event::Calendar(CalendarEvent::HoldPlaced { hold, .. })
        | Event::Session(SessionEvent::SeatsHeld { hold, .. }) => Some(format!("hold/{hold}")),
        Event::Calendar(_)
        | Event::Session(_)
        | Event::Resource(_)
        | Event::Offering(_)
        | Event::Reservation(_)
        | Event::Payment(_) => None,
    }
}

/// Which papers end here, and how: the claim that they stand on has to end as well.
fn ended(events: &[Recorded], last: &Recorded) -> Option<(&'static str, Category)> {
    let Event::Reservation(fact) = &last.event else { return None };
    let of = ReservationId::from_uuid(last.stream.id());
    let again = |event: &&Recorded| {
        let reinstated =
            matches!(event.event, Event::Reservation(ReservationEvent::Reinstated { .. }));
        reinstated && event.stream == last.stream && event.position < last.position
    };
    let reinstated = events.iter().find(again).is_some();
    let authority = claim_of(events, of).stream.category();
    match fact {
        ReservationEvent::Abandoned { .. } => Some(("given up", authority)),
        ReservationEvent::Cancelled { .. } if reinstated => Some(("reinstated", authority)),
        ReservationEvent::Cancelled { .. } => Some(("called off", authority)),
        ReservationEvent::Requested { .. }
        | ReservationEvent::PaymentStarted { .. }
        | ReservationEvent::PaymentFailed { .. }
        | ReservationEvent::Confirmed { .. }
        | ReservationEvent::Expired {}
        | ReservationEvent::CancellationQuoted { .. }
        | ReservationEvent::Reinstated { .. } => None,
    }
}

/// The history up to an event, as a log holds it that writes one stream after the other.
fn broken_off(events: &[Recorded], last: &Recorded) -> Vec<Recorded> {
    let kept = events.iter().filter(|event| event.position <= last.position);
    let ends = |event: &Recorded| Recorded {
        append_end: event.append_end.min(last.position),
        ..event.clone()
    };
    kept.map(ends).collect()
}

#[tokio::test]
async fn a_claim_that_outlives_its_paper_is_due_until_it_ends() {
    let mut seen = BTreeSet::new();
    for seed in 0..40 {
        let events = history(seed, 1_200);
        for last in &events {
            if !ended(&events, last).is_some_and(|kind| seen.insert(kind)) {
                continue;
            }
            let until = broken_off(&events, last);
            let of = ReservationId::from_uuid(last.stream.id());
            let hold = document_of(claim_of(&until, of)).unwrap();
            let store: Arc<dyn ReadStore> = Arc::new(MemoryReadStore::new());
            let feed = MemoryFeed::new(until);
            let reader = run_to_head(&feed, &store, Projections::all(), 100).await;
            let shown = all::<DueDocument>(&reader, "due").await;
            let due = shown.get(&hold).expect("nobody looks at the claim that is left");
            assert_eq!(due.due_at, last.metadata.accepted_at);
            assert_eq!(due.reservation_id, of);
            // With the rest of the append nothing is left.
            let whole: Vec<_> =
                events.iter().filter(|event| event.position <= last.append_end).cloned().collect();
            let store: Arc<dyn ReadStore> = Arc::new(MemoryReadStore::new());
            let feed = MemoryFeed::new(whole);
            let reader = run_to_head(&feed, &store, Projections::all(), 100).await;
            assert!(!all::<DueDocument>(&reader, "due").await.contains_key(&hold));
        }
        if seen.len() == 6 {
            break;
        }
    }
    assert_eq!(seen.len(), 6, "weak histories: {seen:?}");
}

#[tokio::test]
async fn every_claim_that_comes_or_goes_is_news_for_the_dates_it_touches() {
    let events = history(24, 600);
    let store: Arc<dyn ReadStore> = Arc::new(MemoryReadStore::new());
    run_to_head(&MemoryFeed::new(events.clone()), &store, Projections::all(), 100).await;
    let changes = store.changes(None, Cursor::START, 1_000_000).await.unwrap().changes;
    let news: BTreeSet<_> = changes
        .iter()
        .filter(|change| change.topics.iter().any(|topic| matches!(topic, Topic::Slots(_))))
        .map(|change| change.cursor.position)
        .collect();
    // Whose free times nobody can book is nobody's news.
    let mut shown = BrowsedResources::default();
    let mut silent = 0_usize;
    for event in &events {
        shown.take_in(event);
        let name = event.event.name();
        let moves_seats = [
            "session.scheduled",
            "session.seats_held",
            "session.seats_released",
            "session.seats_expired",
            "offering.published",
            "offering.paused",
        ];
        let moves_time = [
            "calendar.hold_placed",
            "calendar.hold_released",
            "calendar.hold_expired",
            "calendar.time_blocked",
            "resource.schedule_published",
        ];
        let open = shown.open.get(&event.stream.id()).is_some_and(|slots| !slots.is_empty());
        let moves = moves_time.contains(&name.as_str());
        silent = silent.saturating_add(usize::from(moves && !open));
        let expected = (moves && open) || moves_seats.contains(&name.as_str());
        assert_eq!(news.contains(&event.position), expected, "{name} at {}", event.position);
    }
    assert!(silent > 0, "a weak history: nothing was paused");
}

/// The published offerings of free times, by their resource.
#[derive(Default)]
struct BrowsedResources {
    slots: BTreeSet<Uuid>,
    open: BTreeMap<Uuid, BTreeSet<Uuid>>,
}

impl BrowsedResources {
    fn take_in(&mut self, event: &Recorded) {
        let (id, Event::Offering(fact)) = (event.stream.id(), &event.event) else { return };
        match fact {
            OfferingEvent::Drafted { kind: OfferingKind::Slot, .. } => {
                self.slots.insert(id);
            }
            OfferingEvent::Published { resource, .. } if self.slots.contains(&id) => {
                self.open.entry(*resource.as_uuid()).or_default().insert(id);
            }
            OfferingEvent::Paused { resource } => {
                self.open.entry(*resource.as_uuid()).or_default().remove(&id);
            }
            OfferingEvent::Drafted { .. } | OfferingEvent::Published { .. } => {}
        }
    }
}
