//! The stage of each test: an engine and its runner on a log with a door, a clock set by hand, a
//! watched provider of payments, and an offering that is open at any hour.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use holdfast_api::http::present::Shown;
use holdfast_commands::cancel::RefundPart;
use holdfast_commands::catalog::{AboutResource, DraftOffering, OpenOffering};
use holdfast_commands::handle::{Confirm, Confirmed, Engine, Ports};
use holdfast_commands::ports::{Clock as _, Due};
use holdfast_commands::processes::Processes;
use holdfast_commands::request::{Answer, CommandError, Request};
use holdfast_commands::reserve::{Reserve, Seat};
use holdfast_commands::shares::Shares;
use holdfast_commands::tasks::Tasks;
use holdfast_commands::use_case::UseCase;
use holdfast_domain::actor::{Actor, Role};
use holdfast_domain::booking::offering::{Buffers, OfferingKind, Terms};
use holdfast_domain::booking::resource::{Schedule, WeeklyHours};
use holdfast_domain::ids::{
    CommandId, OfferingId, PaymentId, PrincipalId, ReservationId, ResourceId,
};
use holdfast_domain::log::{Capabilities, Hash, Position};
use holdfast_domain::money::{Currency, Money};
use holdfast_domain::policy::CancellationPolicy;
use holdfast_domain::time::Timestamp;
use holdfast_domain::time::zone::{Weekday, Zone};
use holdfast_gateways::{Simulator, SystemIds};
use holdfast_tests::history::History;
use tempfile::TempDir;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use crate::hands::HandClock;
use crate::index::Listed;
use crate::logs::DoorLog;
use crate::providers::Watched;

/// A Monday at midnight.
pub(crate) const START: &str = "2026-11-02T00:00:00Z";
/// How long a seat is held.
pub(crate) const HOLD: Duration = Duration::from_mins(10);
/// Longer than anything that ends takes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct Stage {
    pub(crate) engine: Engine,
    pub(crate) processes: Processes,
    pub(crate) clock: Arc<HandClock>,
    pub(crate) log: Arc<DoorLog>,
    pub(crate) index: Arc<Listed>,
    pub(crate) provider: Arc<Watched>,
    pub(crate) offering: OfferingId,
    pub(crate) resource: ResourceId,
    tasks: Tasks,
    tracker: TaskTracker,
    folder: Arc<TempDir>,
}

/// A reservation that was asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Booked {
    pub(crate) id: ReservationId,
    pub(crate) order: PaymentId,
}

/// A person by a number, always the same.
pub(crate) fn person(number: u128) -> PrincipalId {
    PrincipalId::from_uuid(Uuid::from_u128(number))
}

fn actor(number: u128) -> Actor {
    Actor::User { id: person(number), role: Role::Customer }
}

/// The price of the offering.
pub(crate) fn won(amount: u64) -> Money {
    Money::try_new(amount, Currency::Krw).unwrap()
}

impl Stage {
    /// With nobody running what is due.
    pub(crate) async fn open() -> Self {
        Self::furnished(DoorLog::open()).await
    }

    /// The same on a log that several nodes have, where the log can check what was only read or
    /// cannot.
    pub(crate) async fn shared(guards: bool) -> Self {
        let inner = DoorLog::open().inner;
        let can = Capabilities { atomic_batch: true, guards, shared: true };
        Self::furnished(DoorLog::before(inner, can)).await
    }

    /// The same, on this log.
    pub(crate) async fn furnished(log: DoorLog) -> Self {
        let clock = Arc::new(HandClock::at(START.parse().unwrap()));
        let stage = Self::on(log, clock, Arc::new(tempfile::tempdir().unwrap()));
        stage.furnish().await;
        stage
    }

    fn on(log: DoorLog, clock: Arc<HandClock>, folder: Arc<TempDir>) -> Self {
        let (log, index) = (Arc::new(log), Arc::new(Listed::default()));
        let provider = Arc::new(Watched::over(Simulator::open(folder.path()).unwrap()));
        let tracker = TaskTracker::new();
        let tasks = Tasks::new(Handle::current(), tracker.clone(), CancellationToken::new());
        let ports = Ports {
            log: Arc::<DoorLog>::clone(&log),
            clock: Arc::<HandClock>::clone(&clock),
            ids: Arc::new(SystemIds),
            gateway: Arc::<Watched>::clone(&provider),
            presenter: Arc::new(Shown),
        };
        let engine = Engine::new(ports, tasks.clone());
        let due = Arc::<Listed>::clone(&index);
        let processes = Processes::new(engine.clone(), due, tasks.clone());
        let (resource, offering) =
            (ResourceId::from_uuid(engine.fresh_id()), OfferingId::from_uuid(engine.fresh_id()));
        Self {
            engine,
            processes,
            clock,
            log,
            index,
            provider,
            offering,
            resource,
            tasks,
            tracker,
            folder,
        }
    }

    /// Another node on the same log, with the same provider of payments and the same clock.
    pub(crate) fn beside(&self) -> Self {
        let (clock, folder) = (Arc::clone(&self.clock), Arc::clone(&self.folder));
        let other = Self::on(self.log.beside(), clock, folder);
        Self { resource: self.resource, offering: self.offering, ..other }
    }

    async fn furnish(&self) {
        let (provider, resource, offering) = (person(1), self.resource, self.offering);
        let name = "R".to_owned();
        self.act(AboutResource::register(resource, provider, name, Zone::utc(), 1)).await;
        let days = [
            Weekday::Mon,
            Weekday::Tue,
            Weekday::Wed,
            Weekday::Thu,
            Weekday::Fri,
            Weekday::Sat,
            Weekday::Sun,
        ];
        let weekly = days.map(|day| WeeklyHours {
            day,
            from: "00:00".parse().unwrap(),
            to: "24:00".parse().unwrap(),
        });
        let schedule = Schedule { weekly: weekly.into(), ..Schedule::default() };
        self.act(AboutResource::publish_schedule(resource, provider, schedule)).await;
        let terms = Terms {
            duration_minutes: 15,
            price: won(10_000),
            buffers: Buffers::default(),
            min_notice_minutes: 0,
            booking_window_days: 300,
            booking_deadline_minutes: 0,
            hold_minutes: 10,
            capacity: None,
            cancellation_policy: CancellationPolicy::standard(),
        };
        let (title, kind) = ("O".to_owned(), OfferingKind::Slot);
        self.act(DraftOffering { offering, provider, resource, title, kind, terms }).await;
        self.act(self.opening()).await;
    }

    /// Opens the offering: a command that can be given any number of times.
    pub(crate) fn opening(&self) -> OpenOffering {
        OpenOffering { offering: self.offering, by: person(1), open: true }
    }

    /// Starts the runner of those processes that fall into these shares.
    pub(crate) fn run_shares(&self, held: watch::Receiver<BTreeMap<String, u64>>) -> Processes {
        let processes = self.processes.clone().sharing(Shares::held(held));
        self.tasks.spawn(processes.clone().run());
        processes
    }

    /// Starts the runner of processes.
    pub(crate) fn run(&self) {
        self.tasks.spawn(self.processes.clone().run());
    }

    /// Ends everything that was started.
    pub(crate) async fn close(self) {
        self.tasks.stopping().cancel();
        self.tracker.close();
        tokio::time::timeout(PATIENCE, self.tracker.wait()).await.expect("a task does not end");
    }

    /// The circumstances of a command that nobody gave before.
    pub(crate) fn fresh(&self) -> Request {
        request(CommandId::from_uuid(self.engine.fresh_id()))
    }

    /// Has something done, which must succeed.
    pub(crate) async fn act(&self, use_case: impl UseCase + 'static) -> Answer {
        let answer = self.engine.execute(use_case, self.fresh()).await.unwrap();
        let body = String::from_utf8_lossy(&answer.body).into_owned();
        assert!((200..300).contains(&answer.status), "{body}");
        answer
    }

    /// The wish for the quarter of an hour number so and so, counted from noon.
    pub(crate) fn wish(&self, quarter: u64) -> (Booked, Reserve) {
        let noon: Timestamp = "2026-11-02T12:00:00Z".parse().unwrap();
        let id = ReservationId::from_uuid(self.engine.fresh_id());
        let order = PaymentId::from_uuid(self.engine.fresh_id());
        let wish = Reserve {
            reservation: id,
            payment: order,
            customer: person(2),
            offering: self.offering,
            resource: self.resource,
            seat: Seat::At(noon.plus(Duration::from_mins(quarter.saturating_mul(15)))),
            party_size: 1,
            ends_at: None,
            expected_total: None,
        };
        (Booked { id, order }, wish)
    }

    /// Holds a quarter of an hour.
    pub(crate) async fn hold(&self, quarter: u64) -> Booked {
        let (booked, wish) = self.wish(quarter);
        self.act(wish).await;
        booked
    }

    /// Pays for it.
    pub(crate) async fn pay(
        &self,
        booked: Booked,
        payment_key: &str,
    ) -> Result<Confirmed, CommandError> {
        self.pay_as(self.fresh(), booked, payment_key).await
    }

    async fn pay_as(
        &self,
        request: Request,
        booked: Booked,
        payment_key: &str,
    ) -> Result<Confirmed, CommandError> {
        let confirm = Confirm {
            order: booked.order,
            payment_key: payment_key.to_owned(),
            amount: won(10_000),
        };
        self.engine.confirm(confirm, request).await
    }

    /// Holds and pays for it, which must succeed; asks again, as a caller does, who is told that it
    /// takes too long.
    pub(crate) async fn buy(&self, quarter: u64, payment_key: &str) -> Booked {
        let (booked, request) = (self.hold(quarter).await, self.fresh());
        let began = tokio::time::Instant::now();
        let mut paid = self.pay_as(request.clone(), booked, payment_key).await;
        while matches!(paid, Err(CommandError::Unavailable(_))) && began.elapsed() < PATIENCE {
            paid = self.pay_as(request.clone(), booked, payment_key).await;
        }
        match paid.unwrap() {
            Confirmed::Answered(answer) if answer.status == 200 => booked,
            other @ (Confirmed::Answered(_) | Confirmed::Checking { .. }) => panic!("{other:?}"),
        }
    }

    /// The wish to return a part of what was paid.
    pub(crate) async fn part(&self, booked: Booked, amount: u64) -> RefundPart {
        let about = self.engine.routes().reservation(booked.id).await.unwrap().unwrap();
        RefundPart { about, order: booked.order, amount: won(amount) }
    }

    /// Shows it as due from this instant on, for as long as the test does not say otherwise.
    pub(crate) fn show(&self, booked: &[Booked], at: Timestamp) {
        let entries = booked.iter().map(|booked| Due { reservation: booked.id, at });
        self.index.show(entries.collect());
    }

    /// Everything that was written.
    pub(crate) async fn history(&self) -> History {
        History::read(&*self.log.inner).await
    }

    /// Returns when the event of this name was written so many times.
    pub(crate) async fn written(&self, name: &str, times: usize) {
        let seen = async {
            let mut position = Position::START;
            loop {
                if self.history().await.count(name) >= times {
                    return;
                }
                self.log.inner.changed(position).await;
                position = self.log.inner.head().await.unwrap().position;
            }
        };
        let seen = tokio::time::timeout(PATIENCE, seen).await;
        assert!(seen.is_ok(), "{name} was not written {times} times");
    }

    /// What the clock shows.
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }
}

/// The circumstances of a command with this id.
pub(crate) fn request(command_id: CommandId) -> Request {
    Request {
        command_id,
        remembered_as: None,
        fingerprint: Hash([7; 32]),
        actor: actor(2),
        correlation: None,
        causation: None,
        traceparent: None,
        path: "/test".to_owned(),
        request_id: "test".to_owned(),
        if_match: None,
        dry_run: false,
    }
}

/// Lets every task of this one-threaded runtime go on until all of them wait for something else.
pub(crate) async fn calm() {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}
