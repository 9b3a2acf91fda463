//! The microsecond at which something ends. The engine stands on its real parts here, but for a
//! clock that stands still where it is put, and no runner: so the test alone says who comes first.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use holdfast_api::http::present::Shown;
use holdfast_commands::catalog::{AboutResource, DraftOffering, OpenOffering, ScheduleSession};
use holdfast_commands::handle::{Confirm, Confirmed, Engine, Ports};
use holdfast_commands::ports::Clock;
use holdfast_commands::refusal::Refusal;
use holdfast_commands::request::{Answer, CommandError, Request};
use holdfast_commands::reserve::{Reserve, Seat};
use holdfast_commands::tasks::Tasks;
use holdfast_commands::use_case::UseCase;
use holdfast_domain::actor::{Actor, Role};
use holdfast_domain::booking::offering::{Buffers, OfferingKind, Terms};
use holdfast_domain::ids::{
    CommandId, Epoch, OfferingId, PaymentId, PrincipalId, ReservationId, ResourceId, SessionId,
};
use holdfast_domain::log::{Hash, Pending};
use holdfast_domain::policy::CancellationPolicy;
use holdfast_domain::time::Timestamp;
use holdfast_eventlog::MemoryLog;
use holdfast_gateways::simulator::Simulator;
use holdfast_gateways::system::SystemIds;
use holdfast_tests::caller::krw;
use holdfast_tests::fixtures::hours;
use holdfast_tests::history::History;
use holdfast_tests::invariants;
use holdfast_tests::world::{instant, monday};
use serde_json::{Value, from_value, json};
use tempfile::TempDir;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

const MICROSECOND: Duration = Duration::from_micros(1);

/// A clock that stands still.
#[derive(Debug)]
struct Still(Mutex<Timestamp>);

impl Clock for Still {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }

    fn sleep_until(&self, _instant: Timestamp) -> Pending<'_, ()> {
        Box::pin(std::future::pending())
    }
}

/// An engine without a runner.
struct Bench {
    engine: Engine,
    clock: Arc<Still>,
    log: Arc<MemoryLog>,
    data: TempDir,
    resource: ResourceId,
    offering: OfferingId,
}

fn principal(role: Role, number: u32) -> PrincipalId {
    let kind = if role == Role::Provider { "8001" } else { "8000" };
    format!("018f2a10-7c5e-7000-{kind}-{number:012x}").parse().unwrap()
}

impl Bench {
    async fn new(kind: OfferingKind) -> Self {
        let data = tempfile::tempdir().unwrap();
        let clock = Arc::new(Still(Mutex::new(instant(&monday("12:00")))));
        let log = Arc::new(MemoryLog::new(Epoch::from_uuid(uuid::Uuid::from_u128(7))));
        let ports = Ports {
            log: Arc::<MemoryLog>::clone(&log),
            clock: Arc::<Still>::clone(&clock),
            ids: Arc::new(SystemIds),
            gateway: Arc::new(Simulator::open(data.path()).unwrap()),
            presenter: Arc::new(Shown),
        };
        let tasks = Tasks::new(Handle::current(), TaskTracker::new(), CancellationToken::new());
        let engine = Engine::new(ports, tasks);
        let resource = ResourceId::from_uuid(engine.fresh_id());
        let offering = OfferingId::from_uuid(engine.fresh_id());
        let bench = Self { engine, clock, log, data, resource, offering };
        bench.furnish(kind).await;
        bench
    }

    async fn furnish(&self, kind: OfferingKind) {
        let by = principal(Role::Provider, 1);
        let zone = "Asia/Seoul".parse().unwrap();
        let register = AboutResource::register(self.resource, by, "M1".to_owned(), zone, 1);
        self.carry_out(by, register).await.unwrap();
        let week = json!({"weekly": [hours("mon", "10:00", "18:00")]});
        let schedule = from_value(week).unwrap();
        let publish = AboutResource::publish_schedule(self.resource, by, schedule);
        self.carry_out(by, publish).await.unwrap();
        let terms = Terms {
            duration_minutes: 60,
            price: from_value(krw(50_000)).unwrap(),
            buffers: Buffers::default(),
            min_notice_minutes: 0,
            booking_window_days: 90,
            booking_deadline_minutes: if kind == OfferingKind::Class { 24 * 60 } else { 0 },
            hold_minutes: 10,
            capacity: None,
            cancellation_policy: CancellationPolicy::standard(),
        };
        let (offering, resource, title) = (self.offering, self.resource, "O60".to_owned());
        let draft = DraftOffering { offering, provider: by, resource, title, kind, terms };
        self.carry_out(by, draft).await.unwrap();
        self.carry_out(by, OpenOffering { offering, by, open: true }).await.unwrap();
    }

    fn request(&self, by: PrincipalId) -> Request {
        Request {
            command_id: CommandId::from_uuid(self.engine.fresh_id()),
            remembered_as: None,
            fingerprint: Hash::ZERO,
            actor: Actor::User { id: by, role: Role::Customer },
            correlation: None,
            causation: None,
            traceparent: None,
            path: String::new(),
            request_id: String::new(),
            if_match: None,
            dry_run: false,
        }
    }

    async fn carry_out(
        &self,
        by: PrincipalId,
        use_case: impl UseCase + 'static,
    ) -> Result<Answer, CommandError> {
        self.engine.execute(use_case, self.request(by)).await
    }

    async fn reserve(&self, number: u32, seat: Seat) -> (u16, Value) {
        let customer = principal(Role::Customer, number);
        let reserve = Reserve {
            reservation: ReservationId::from_uuid(self.engine.fresh_id()),
            payment: PaymentId::from_uuid(self.engine.fresh_id()),
            customer,
            offering: self.offering,
            resource: self.resource,
            seat,
            party_size: 1,
            ends_at: None,
            expected_total: None,
        };
        let answer = self.carry_out(customer, reserve).await.unwrap();
        (answer.status, serde_json::from_slice(&answer.body).unwrap())
    }

    async fn confirm(&self, number: u32, booking: &Value) -> Result<u16, CommandError> {
        let customer = principal(Role::Customer, number);
        let confirm = Confirm {
            order: booking["payment"]["order_id"].as_str().unwrap().parse().unwrap(),
            payment_key: format!("sim_approve_{number}"),
            amount: from_value(krw(50_000)).unwrap(),
        };
        match self.engine.confirm(confirm, self.request(customer)).await? {
            Confirmed::Answered(answer) => Ok(answer.status),
            Confirmed::Checking { .. } => Ok(202),
        }
    }

    fn set(&self, now: Timestamp) {
        *self.clock.0.lock().unwrap() = now;
    }

    async fn history(&self) -> History {
        History::read(&*self.log).await
    }

    async fn close(self) {
        let simulator = Simulator::open(self.data.path()).unwrap();
        invariants::hold(&self.history().await, &simulator.movements().unwrap());
    }
}

fn two_o_clock() -> Seat {
    Seat::At(instant(&monday("14:00")))
}

/// Hard one 3: the last microsecond of a hold pays.
#[tokio::test(flavor = "multi_thread")]
async fn a_payment_starts_a_microsecond_before_the_holds_end() {
    let bench = Bench::new(OfferingKind::Slot).await;
    let (_, booking) = bench.reserve(1, two_o_clock()).await;
    let ends = instant(booking["hold_expires_at"].as_str().unwrap());
    bench.set(ends.minus(MICROSECOND));
    assert_eq!(bench.reserve(2, two_o_clock()).await.1["code"], "slot_taken");
    assert_eq!(bench.confirm(1, &booking).await.unwrap(), 200);
    bench.close().await;
}

/// Hard one 3: at its end it does not, another has the time, and a timer that comes later changes
/// nothing.
#[tokio::test(flavor = "multi_thread")]
async fn at_the_holds_end_another_has_the_time_and_one_append_says_so() {
    let bench = Bench::new(OfferingKind::Slot).await;
    let (_, booking) = bench.reserve(1, two_o_clock()).await;
    bench.set(instant(booking["hold_expires_at"].as_str().unwrap()));
    match bench.confirm(1, &booking).await {
        Ok(status) => assert_eq!(status, 409),
        Err(CommandError::Refused(refusal)) => {
            assert!(matches!(*refusal, Refusal::Reservation(_)), "{refusal}");
        }
        Err(other) => panic!("{other}"),
    }
    let (status, second) = bench.reserve(2, two_o_clock()).await;
    assert_eq!((status, &second["status"]), (201, &json!("held")));
    let history = bench.history().await;
    let of = |name: &str| history.0.iter().find(|event| event.event.name() == name).unwrap();
    let (expired, requested) = (of("calendar.hold_expired"), history.0.last().unwrap());
    assert_eq!(expired.append_end, requested.append_end, "one append");
    let placed = history.0.iter().rfind(|event| event.event.name() == "calendar.hold_placed");
    assert_eq!(placed.unwrap().append_end, expired.append_end);
    // The timer of the first hold: its paper expires, its seat did already.
    let first = booking["id"].as_str().unwrap().parse().unwrap();
    let about = bench.engine.routes().reservation(first).await.unwrap().unwrap();
    bench.engine.driver().advance(about).await.unwrap();
    bench.engine.driver().advance(about).await.unwrap();
    let history = bench.history().await;
    assert_eq!(history.count("calendar.hold_expired"), 1);
    assert_eq!(history.count("reservation.expired"), 1);
    bench.close().await;
}

/// A16, to the microsecond.
#[tokio::test(flavor = "multi_thread")]
async fn a_class_is_booked_at_its_deadline_itself_and_not_a_millisecond_after() {
    let bench = Bench::new(OfferingKind::Class).await;
    let (by, starts_at) = (principal(Role::Provider, 1), instant("2026-03-14T19:00:00+09:00"));
    let session = SessionId::from_uuid(bench.engine.fresh_id());
    let schedule = ScheduleSession {
        session,
        offering: bench.offering,
        resource: bench.resource,
        by,
        starts_at,
        zone: "Asia/Seoul".parse().unwrap(),
        capacity: Some(10),
        min_capacity: None,
    };
    bench.carry_out(by, schedule).await.unwrap();
    bench.set(instant("2026-03-13T19:00:00+09:00"));
    assert_eq!(bench.reserve(1, Seat::In(session)).await.0, 201);
    bench.set(instant("2026-03-13T19:00:00.001+09:00"));
    let (status, problem) = bench.reserve(2, Seat::In(session)).await;
    assert_eq!((status, &problem["code"]), (409, &json!("booking_closed")));
    bench.close().await;
}
