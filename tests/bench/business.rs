//! An engine in this process, on a log, with a class to book: what the edge would call, without the
//! edge.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use holdfast_api::http::present::Shown;
use holdfast_commands::cancel::Cancel;
use holdfast_commands::catalog::{AboutResource, DraftOffering, OpenOffering, ScheduleSession};
use holdfast_commands::handle::{Engine, Ports};
use holdfast_commands::ports::{Clock as _, Ids as _};
use holdfast_commands::request::{Answer, CommandError, Request};
use holdfast_commands::reserve::{Reserve, Seat};
use holdfast_commands::tasks::Tasks;
use holdfast_commands::use_case::UseCase;
use holdfast_domain::actor::{Actor, Role};
use holdfast_domain::booking::offering::{Buffers, OfferingKind, Terms};
use holdfast_domain::booking::reservation::CancelledBy;
use holdfast_domain::ids::{
    CommandId, OfferingId, PaymentId, PrincipalId, ReservationId, ResourceId, SessionId,
};
use holdfast_domain::log::{EventLog, Hash};
use holdfast_domain::money::{Currency, Money};
use holdfast_domain::policy::CancellationPolicy;
use holdfast_domain::time::minutes;
use holdfast_gateways::simulator::Simulator;
use holdfast_gateways::system::{SystemClock, SystemIds};
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// An engine and who offers.
#[derive(Debug)]
pub(crate) struct Business {
    engine: Engine,
    pub(crate) provider: PrincipalId,
    /// How often a command was said again, because the log could not be read in time.
    said_again: AtomicU64,
    stop: CancellationToken,
    resource: ResourceId,
    class: OfferingId,
}

/// A class on the calendar.
pub(crate) type Class = SessionId;

impl Business {
    /// On this log; the books of the provider of payments are kept in `folder`.
    pub(crate) async fn open(log: Arc<dyn EventLog>, folder: &Path) -> Self {
        let ports = Ports {
            log,
            clock: Arc::new(SystemClock),
            ids: Arc::new(SystemIds),
            gateway: Arc::new(Simulator::open(folder).unwrap()),
            presenter: Arc::new(Shown),
        };
        let stop = CancellationToken::new();
        let tasks = Tasks::new(Handle::current(), TaskTracker::new(), stop.clone());
        let engine = Engine::new(ports, tasks);
        let provider = PrincipalId::from_uuid(SystemIds.fresh());
        let resource = ResourceId::from_uuid(SystemIds.fresh());
        let class = OfferingId::from_uuid(SystemIds.fresh());
        let said_again = AtomicU64::new(0);
        let business = Self { engine, provider, said_again, stop, resource, class };
        business.begin().await;
        business
    }

    /// Has a command decided. What is unavailable for a moment is said again, as a client does it.
    pub(crate) async fn execute(
        &self,
        use_case: impl UseCase + Clone + 'static,
        request: Request,
    ) -> Result<Answer, CommandError> {
        loop {
            match self.engine.execute(use_case.clone(), request.clone()).await {
                Err(CommandError::Unavailable(_in_time)) => {
                    self.said_again.fetch_add(1, Ordering::Relaxed);
                }
                ended => return ended,
            }
        }
    }

    /// How often a command was said again until now.
    pub(crate) fn said_again(&self) -> u64 {
        self.said_again.load(Ordering::Relaxed)
    }

    async fn begin(&self) {
        let (resource, provider, offering) = (self.resource, self.provider, self.class);
        let zone = "UTC".parse().unwrap();
        let hall = AboutResource::register(resource, provider, "Hall".to_owned(), zone, 1);
        self.execute(hall, request(provider, Role::Provider)).await.unwrap();
        let draft = DraftOffering {
            offering,
            provider,
            resource,
            title: "A class that everybody wants".to_owned(),
            kind: OfferingKind::Class,
            terms: terms(1),
        };
        self.execute(draft, request(provider, Role::Provider)).await.unwrap();
        let open = OpenOffering { offering, by: provider, open: true };
        self.execute(open, request(provider, Role::Provider)).await.unwrap();
    }

    /// Puts a class of so many seats on the calendar, so many hours from now.
    pub(crate) async fn class(&self, hours: u32, capacity: u32) -> Class {
        let session = SessionId::from_uuid(SystemIds.fresh());
        let schedule = ScheduleSession {
            session,
            offering: self.class,
            resource: self.resource,
            by: self.provider,
            starts_at: SystemClock.now().plus(minutes(hours.saturating_mul(60))),
            zone: "UTC".parse().unwrap(),
            capacity: Some(capacity),
            min_capacity: None,
        };
        self.execute(schedule, request(self.provider, Role::Provider)).await.unwrap();
        session
    }

    /// Holds a seat; answers the reservation's id with the answer.
    pub(crate) async fn hold(
        &self,
        customer: PrincipalId,
        session: Class,
    ) -> (ReservationId, Result<Answer, CommandError>) {
        let reservation = ReservationId::from_uuid(SystemIds.fresh());
        let reserve = Reserve {
            reservation,
            payment: PaymentId::from_uuid(SystemIds.fresh()),
            customer,
            offering: self.class,
            resource: self.resource,
            seat: Seat::In(session),
            party_size: 1,
            ends_at: None,
            expected_total: None,
        };
        let answer = self.execute(reserve, request(customer, Role::Customer)).await;
        (reservation, answer)
    }

    /// Gives a held seat back.
    pub(crate) async fn release(
        &self,
        customer: PrincipalId,
        reservation: ReservationId,
    ) -> Result<Answer, CommandError> {
        let about = self.engine.routes().reservation(reservation).await?.unwrap();
        let cancel = Cancel { about, by: CancelledBy::Customer, quote: None, reason: None };
        self.execute(cancel, request(customer, Role::Customer)).await
    }
}

/// The owners end with the measurement, and not twenty seconds later beside the next one.
impl Drop for Business {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// Terms of what takes so many minutes.
pub(crate) fn terms(duration_minutes: u32) -> Terms {
    Terms {
        duration_minutes,
        price: Money::try_new(10_000, Currency::Krw).unwrap(),
        buffers: Buffers::default(),
        min_notice_minutes: 0,
        booking_window_days: 90,
        booking_deadline_minutes: 0,
        hold_minutes: 60,
        capacity: None,
        cancellation_policy: CancellationPolicy::standard(),
    }
}

/// A command of this person that was never given before.
pub(crate) fn request(principal: PrincipalId, role: Role) -> Request {
    Request {
        command_id: CommandId::of_step("bench", &SystemIds.fresh(), ""),
        remembered_as: None,
        fingerprint: Hash::ZERO,
        actor: Actor::User { id: principal, role },
        correlation: None,
        causation: None,
        traceparent: None,
        path: "/v1/reservations".to_owned(),
        request_id: String::new(),
        if_match: None,
        dry_run: false,
    }
}
