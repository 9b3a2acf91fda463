//! What the search moves through: the aggregates, the provider's own books, a clock; and the faults
//! that can be planted.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash as _, Hasher};
use std::sync::Arc;

use holdfast_commands::about::About;
use holdfast_commands::ports::Presenter;
use holdfast_commands::refusal::Refusal;
use holdfast_commands::request::Request;
use holdfast_commands::state::{Known, State, States};
use holdfast_commands::use_case::{Outcome, UseCase};
use holdfast_commands::world::World;
use holdfast_domain::actor::Actor;
use holdfast_domain::booking::calendar::CalendarEvent;
use holdfast_domain::booking::offering::{Buffers, Drafted, OfferingEvent, OfferingKind, Terms};
use holdfast_domain::booking::reservation::{CancellationQuote, Paper, Reservation};
use holdfast_domain::booking::resource::{Registered, ResourceEvent, Schedule, WeeklyHours};
use holdfast_domain::booking::session::Seats;
use holdfast_domain::booking::{
    Authority, offering_stream, payment_stream, reservation_stream, resource_stream,
};
use holdfast_domain::event::Event;
use holdfast_domain::ids::{
    CommandId, OfferingId, PaymentId, PrincipalId, RefundId, ReservationId, ResourceId, SessionId,
};
use holdfast_domain::log::{Hash, Revision, StreamId};
use holdfast_domain::money::{Currency, Money};
use holdfast_domain::payment::{Account, Payment, Refund};
use holdfast_domain::policy::CancellationPolicy;
use holdfast_domain::process::{Call, Step};
use holdfast_domain::time::Timestamp;
use holdfast_domain::time::zone::{Weekday, Zone};
use uuid::Uuid;

/// What is broken on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    None,
    /// The seat is not pinned while the money is in flight.
    NoPin,
    /// The seat is not pinned, and captured money confirms whatever became of the seat.
    ConfirmAnyway,
    /// A lost answer counts as a decline.
    LostIsDeclined,
    /// Money that comes after the hold is gone is not looked at.
    LateIgnored,
    /// Each try of a refund has a key of its own.
    RefundWithoutKey,
}

/// The provider's own books about one order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Ledger {
    pub(crate) captures: BTreeMap<String, bool>,
    pub(crate) captured: u64,
    pub(crate) returned: BTreeSet<String>,
    pub(crate) returned_sum: u64,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Customer {
    pub(crate) ledger: Ledger,
    pub(crate) in_flight: Option<(Call, bool)>,
    pub(crate) losses: u8,
    pub(crate) declines: u8,
    pub(crate) cancelled: bool,
}

#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) states: States,
    pub(crate) customers: [Customer; 2],
    pub(crate) now: Timestamp,
    pub(crate) fault: Fault,
}

#[derive(Debug)]
pub(crate) struct Blind;

impl Presenter for Blind {
    fn resource(&self, _: ResourceId, _: &Registered, _: Revision) -> Vec<u8> {
        vec![]
    }
    fn offering(&self, _: OfferingId, _: &Drafted, _: Revision) -> Vec<u8> {
        vec![]
    }
    fn session(&self, _: SessionId, _: &Seats, _: Revision) -> Vec<u8> {
        vec![]
    }
    fn reservation(
        &self,
        _: ReservationId,
        _: &Paper,
        _: Option<(PaymentId, &Account)>,
        _: Revision,
    ) -> Vec<u8> {
        vec![]
    }
    fn refund(&self, _: PaymentId, _: RefundId, _: &Refund) -> Vec<u8> {
        vec![]
    }
    fn cancellation_quote(&self, _: ReservationId, _: &CancellationQuote) -> Vec<u8> {
        vec![]
    }
    fn refusal(&self, _: &Refusal, _: &Request) -> (u16, Vec<u8>) {
        (409, vec![])
    }
}

pub(crate) fn id(n: u128) -> Uuid {
    Uuid::from_u128(0x018f_2a10_7c5e_7000_8000_0000_0000_0000 | n)
}

pub(crate) fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub(crate) fn price() -> Money {
    Money::try_new(50_000, Currency::Krw).unwrap()
}

pub(crate) fn resource() -> ResourceId {
    ResourceId::from_uuid(id(1))
}

pub(crate) fn offering() -> OfferingId {
    OfferingId::from_uuid(id(2))
}

pub(crate) fn provider() -> PrincipalId {
    PrincipalId::from_uuid(id(3))
}

pub(crate) fn about(customer: usize) -> About {
    let n = u128::try_from(customer).unwrap() * 10;
    About {
        reservation: ReservationId::from_uuid(id(100 + n)),
        payment: Some(PaymentId::from_uuid(id(200 + n))),
        authority: Authority::Calendar(resource()),
        resource: resource(),
        offering: offering(),
        customer: PrincipalId::from_uuid(id(300 + n)),
        provider: provider(),
    }
}

pub(crate) fn request(dedupe: &str) -> Request {
    Request {
        command_id: CommandId::of_step("search", &id(9), dedupe),
        remembered_as: None,
        fingerprint: Hash::ZERO,
        actor: Actor::Process { name: "search".into() },
        correlation: None,
        causation: None,
        traceparent: None,
        path: String::new(),
        request_id: String::new(),
        if_match: None,
        dry_run: false,
    }
}

pub(crate) fn start(fault: Fault) -> Node {
    let terms = Terms {
        duration_minutes: 60,
        price: price(),
        buffers: Buffers::default(),
        min_notice_minutes: 0,
        booking_window_days: 30,
        booking_deadline_minutes: 0,
        hold_minutes: 10,
        capacity: None,
        cancellation_policy: CancellationPolicy::standard(),
    };
    let open = WeeklyHours {
        day: Weekday::Mon,
        from: "10:00".parse().unwrap(),
        to: "18:00".parse().unwrap(),
    };
    let zone: Zone = "Asia/Seoul".parse().unwrap();
    let history: [(StreamId, Event); 4] = [
        (
            resource_stream(resource()),
            ResourceEvent::Registered {
                owner: provider(),
                display_name: "M1".into(),
                zone,
                capacity: 1,
            }
            .into(),
        ),
        (
            resource_stream(resource()),
            ResourceEvent::SchedulePublished {
                version: 1,
                schedule: Schedule { weekly: vec![open], ..Schedule::default() },
            }
            .into(),
        ),
        (
            offering_stream(offering()),
            OfferingEvent::Drafted {
                provider: provider(),
                resource: resource(),
                title: "O60".into(),
                kind: OfferingKind::Slot,
                terms,
            }
            .into(),
        ),
        (
            offering_stream(offering()),
            OfferingEvent::Published { version: 1, resource: resource() }.into(),
        ),
    ];
    let mut states = States::new();
    for (stream, event) in history {
        let known = states.entry(stream).or_insert_with(|| Known::absent(stream));
        known.state = known.state.clone().evolve(&event);
    }
    Node { states, customers: Default::default(), now: at("2026-03-09T00:00:00Z"), fault }
}

impl Node {
    pub(crate) fn decide(&mut self, use_case: &dyn UseCase) -> Result<Outcome, Refusal> {
        let presenter: Arc<dyn Presenter> = Arc::new(Blind);
        let mut states = self.states.clone();
        let mut world = World::new(&mut states, self.now, &presenter);
        let outcome = use_case.decide(&mut world, &request("x"))?;
        let journal = world.into_journal();
        // Facts are applied here, so that a fault can leave one out.
        for (stream, event) in journal {
            if leaves_out(self.fault, &event) {
                continue;
            }
            let known = self.states.entry(stream).or_insert_with(|| Known::absent(stream));
            known.state = known.state.clone().evolve(&event);
        }
        Ok(outcome)
    }

    pub(crate) fn paper(&self, customer: usize) -> Option<&Paper> {
        match self.states.get(&reservation_stream(about(customer).reservation)).map(|k| &k.state) {
            Some(State::Reservation(Reservation::Requested(paper))) => Some(paper),
            _ => None,
        }
    }

    pub(crate) fn claim_end(&self, customer: usize) -> Option<Timestamp> {
        let hold = self.paper(customer)?.hold;
        let calendar = Authority::Calendar(resource()).stream();
        match self.states.get(&calendar).map(|known| &known.state) {
            Some(State::Calendar(calendar)) => calendar.claim(hold)?.ends_at(),
            _ => None,
        }
    }

    pub(crate) fn account(&self, customer: usize) -> Option<&Account> {
        let stream = payment_stream(about(customer).payment.unwrap());
        match self.states.get(&stream).map(|k| &k.state) {
            Some(State::Payment(Payment::Initiated(account))) => Some(account),
            _ => None,
        }
    }

    pub(crate) fn step(&self, customer: usize) -> Step {
        if self.paper(customer).is_none() {
            return Step::Rest;
        }
        let mut states = self.states.clone();
        let presenter: Arc<dyn Presenter> = Arc::new(Blind);
        let world = World::new(&mut states, self.now, &presenter);
        about(customer).next(&world, false).unwrap()
    }

    pub(crate) fn key(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        format!("{:?}{:?}{}", self.states, self.customers, self.now).hash(&mut hasher);
        hasher.finish()
    }
}

pub(crate) fn leaves_out(fault: Fault, event: &Event) -> bool {
    let pinned = matches!(event, Event::Calendar(CalendarEvent::HoldPinned { .. }));
    matches!(fault, Fault::NoPin | Fault::ConfirmAnyway) && pinned
}
