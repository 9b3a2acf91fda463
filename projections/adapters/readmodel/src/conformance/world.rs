//! The stage of a generated history: resources, offerings and classes, a clock that moves on by
//! chance, and the recording of what the aggregates decide.

use std::collections::BTreeMap;
use std::time::Duration;

use holdfast_domain::actor::{Actor, Role};
use holdfast_domain::booking::calendar::{Calendar, CalendarCommand};
use holdfast_domain::booking::offering::{Buffers, Offering, OfferingCommand, OfferingKind, Terms};
use holdfast_domain::booking::resource::{Resource, ResourceCommand, Schedule};
use holdfast_domain::booking::session::{self, Session, SessionCommand};
use holdfast_domain::booking::{Authority, offering_stream, resource_stream};
use holdfast_domain::decider::Decider;
use holdfast_domain::event::Event;
use holdfast_domain::ids::{
    CommandId, EventId, HoldId, OfferingId, PrincipalId, ReservationId, ResourceId, SessionId,
};
use holdfast_domain::log::{Hash, Metadata, Position, Recorded, Revision, StreamId};
use holdfast_domain::money::{Currency, Money};
use holdfast_domain::policy::CancellationPolicy;
use holdfast_domain::time::zone::{LocalDate, Zone};
use holdfast_domain::time::{Interval, Timestamp};
use uuid::Uuid;

use super::booked::Booked;

/// The events of one append, per stream.
pub(super) type Writes = Vec<(StreamId, Vec<Event>)>;

/// A resource with an offering for any free time.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) owner: PrincipalId,
    pub(super) resource: ResourceId,
    pub(super) zone: Zone,
    pub(super) slot: OfferingId,
    pub(super) classes: Vec<(OfferingId, SessionId, Interval)>,
    schedule_version: u32,
}

/// Everything that there is.
#[derive(Debug)]
pub(super) struct World {
    pub(super) log: Vec<Recorded>,
    pub(super) now: Timestamp,
    pub(super) calendars: BTreeMap<ResourceId, Calendar>,
    pub(super) sessions: BTreeMap<SessionId, Session>,
    pub(super) places: Vec<Place>,
    pub(super) bookings: Vec<Booked>,
    random: u64,
    ids: u128,
    revisions: BTreeMap<StreamId, u64>,
}

/// Decides, evolves, and answers the facts; none when it is refused.
pub(super) fn act<D: Decider>(state: &mut D, command: &D::Command) -> Vec<D::Event> {
    let facts = state.decide(command).unwrap_or_default();
    *state = facts.iter().fold(std::mem::take(state), D::evolve);
    facts
}

/// The same, as events of the log.
pub(super) fn record<D>(state: &mut D, command: &D::Command) -> Vec<Event>
where
    D: Decider,
    Event: From<D::Event>,
{
    act(state, command).into_iter().map(Event::from).collect()
}

impl World {
    pub(super) fn new(seed: u64) -> Self {
        let mut world = Self {
            log: vec![],
            now: "2026-03-01T00:00:00Z".parse().unwrap(),
            calendars: BTreeMap::new(),
            sessions: BTreeMap::new(),
            places: vec![],
            bookings: vec![],
            random: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1,
            ids: u128::from(seed) << 64,
            revisions: BTreeMap::new(),
        };
        for zone in ["Asia/Seoul", "America/New_York", "UTC"] {
            world.open(zone.parse().unwrap());
        }
        world
    }

    /// A number below `limit`.
    pub(super) fn draw(&mut self, limit: u64) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random % limit
    }

    /// An id that was not given out before.
    pub(super) fn fresh(&mut self) -> Uuid {
        self.ids += 1;
        Uuid::from_u128(self.ids)
    }

    /// Records one append, as the log would have.
    pub(super) fn append(&mut self, writes: Writes) {
        let count: usize = writes.iter().map(|(_, events)| events.len()).sum();
        if count == 0 {
            return;
        }
        let command_id = CommandId::from_uuid(self.fresh());
        // Positions are ordered, not dense.
        let gap = if self.draw(10) == 0 { 3 } else { 1 };
        let first = self.log.last().map_or(0, |last| last.position.0) + gap;
        let append_end = Position(first + u64::try_from(count).unwrap() - 1);
        let mut position = first;
        for (stream, events) in writes {
            for event in events {
                let revision = self.revisions.entry(stream).or_default();
                let mut hash = [7; 32];
                hash[..8].copy_from_slice(&position.to_be_bytes());
                self.log.push(Recorded {
                    stream,
                    revision: Revision(*revision),
                    position: Position(position),
                    append_end,
                    event,
                    metadata: Metadata {
                        event_id: EventId::derive(
                            command_id,
                            &stream,
                            u32::try_from(*revision).unwrap(),
                        ),
                        command_id,
                        causation_id: None,
                        correlation_id: ReservationId::from_uuid(stream.id()).into(),
                        actor: Actor::User {
                            id: PrincipalId::from_uuid(Uuid::from_u128(9)),
                            role: Role::Customer,
                        },
                        accepted_at: self.now,
                        traceparent: None,
                    },
                    hash: Hash(hash),
                });
                *revision += 1;
                position += 1;
            }
        }
    }

    pub(super) fn terms() -> Terms {
        Terms {
            duration_minutes: 60,
            price: Money::try_new(50_000, Currency::Krw).unwrap(),
            buffers: Buffers { before_minutes: 0, after_minutes: 15 },
            min_notice_minutes: 0,
            booking_window_days: 60,
            booking_deadline_minutes: 0,
            hold_minutes: 10,
            capacity: Some(6),
            cancellation_policy: CancellationPolicy::standard(),
        }
    }

    fn open(&mut self, zone: Zone) {
        let owner = PrincipalId::from_uuid(self.fresh());
        let resource = ResourceId::from_uuid(self.fresh());
        let register = ResourceCommand::Register {
            owner,
            display_name: format!("Room in {zone}"),
            zone: zone.clone(),
            capacity: 1,
        };
        let events = record(&mut Resource::default(), &register);
        self.append(vec![(resource_stream(resource), events)]);
        let slot = self.draft(owner, resource, OfferingKind::Slot);
        let (classes, schedule_version) = (vec![], 0);
        self.places.push(Place { owner, resource, zone, slot, classes, schedule_version });
        self.schedule_class();
    }

    fn draft(
        &mut self,
        provider: PrincipalId,
        resource: ResourceId,
        kind: OfferingKind,
    ) -> OfferingId {
        let id = OfferingId::from_uuid(self.fresh());
        let mut offering = Offering::default();
        let capacity = Self::terms().capacity.filter(|_| kind == OfferingKind::Class);
        let (title, terms) = ("A lesson".to_owned(), Terms { capacity, ..Self::terms() });
        let draft = OfferingCommand::Draft { provider, resource, title, kind, terms };
        let mut events = record(&mut offering, &draft);
        events.extend(record(&mut offering, &OfferingCommand::Publish { by: provider }));
        self.append(vec![(offering_stream(id), events)]);
        id
    }

    pub(super) fn place(&mut self) -> usize {
        usize::try_from(self.draw(u64::try_from(self.places.len()).unwrap())).unwrap()
    }

    pub(super) fn publish_schedule(&mut self) {
        let index = self.place();
        let place = &mut self.places[index];
        place.schedule_version += 1;
        let (version, schedule) = (place.schedule_version, Schedule::default());
        let stream = resource_stream(place.resource);
        let published = holdfast_domain::booking::resource::ResourceEvent::SchedulePublished {
            version,
            schedule,
        };
        self.append(vec![(stream, vec![published.into()])]);
    }

    pub(super) fn pause_or_publish(&mut self) {
        use holdfast_domain::booking::offering::OfferingEvent::{Paused, Published};
        let index = self.place();
        let Place { slot, resource, .. } = self.places[index];
        let stream = offering_stream(slot);
        let (paused, published) = (Paused { resource }, Published { version: 2, resource });
        let event = if self.draw(2) == 0 { paused } else { published };
        self.append(vec![(stream, vec![event.into()])]);
    }

    /// A class takes its resource's time, and opens its seats, in one append.
    pub(super) fn schedule_class(&mut self) {
        let index = self.place();
        let Place { owner, resource, zone, .. } = self.places[index].clone();
        let held = self.hour();
        let id = SessionId::from_uuid(self.fresh());
        let (now, block) = (self.now, HoldId::of_session(id));
        let (session, blocks) = (id, Self::terms().blocks(held));
        let take = CalendarCommand::Block { hold: block, session, blocks, capacity: 1, now };
        let taken = record(self.calendars.entry(resource).or_default(), &take);
        if taken.is_empty() {
            return;
        }
        let offering = self.draft(owner, resource, OfferingKind::Class);
        let plan = session::Schedule {
            offering,
            resource,
            block,
            starts: zone.intent(held.start()),
            held,
            capacity: Some(6),
            min_capacity: None,
            booking_closes_at: held.start(),
        };
        let mut session = Session::default();
        let opened = record(&mut session, &SessionCommand::Schedule(plan));
        self.sessions.insert(id, session);
        self.places[index].classes.push((offering, id, held));
        let calendar = Authority::Calendar(resource).stream();
        self.append(vec![(calendar, taken), (Authority::Session(id).stream(), opened)]);
    }

    /// An hour in the next three weeks; the nights are not spared, so dates and zones matter.
    pub(super) fn hour(&mut self) -> Interval {
        let first = 24 + self.draw(500);
        let zone = Zone::utc();
        let today: LocalDate = zone.date(self.now);
        let (midnight, _) = zone.instant(
            today,
            "00:00".parse().unwrap(),
            holdfast_domain::time::zone::Fold::Earlier,
        );
        let start = midnight.plus(Duration::from_secs(3_600 * first));
        Interval::try_new(start, start.plus(Duration::from_hours(1))).unwrap()
    }
}
