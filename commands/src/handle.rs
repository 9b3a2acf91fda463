//! The engine: takes commands from the edge and sees each through to its answer, whatever becomes
//! of the connection it came by.

use std::sync::Arc;
use std::time::Duration;

use holdfast_domain::ids::PaymentId;
use holdfast_domain::log::{EventLog, Position};
use holdfast_domain::money::Money;
use holdfast_domain::payment::PaymentRefusal;
use holdfast_domain::process::Step;
use tokio::sync::watch;
use uuid::Uuid;

use crate::checkout::{StartConfirm, started};
use crate::drive::Driver;
use crate::in_flight::InFlight;
use crate::owner::Ground;
use crate::owners::Owners;
use crate::patience::{STORES_MAX, Waits, within};
use crate::ports::{Clock, Ids, PaymentGateway, Presenter};
use crate::refusal::Refusal;
use crate::remembered::remembered;
use crate::request::{Answer, CommandError, Request};
use crate::routes::Routes;
use crate::tasks::Tasks;
use crate::use_case::UseCase;

/// How long a copy of a command waits for the first one: shorter than the edge waits for either.
const IN_FLIGHT_MAX: Duration = Duration::from_secs(12);

/// What the engine stands on.
#[derive(Debug, Clone)]
pub struct Ports {
    /// The log.
    pub log: Arc<dyn EventLog>,
    /// The node's clock.
    pub clock: Arc<dyn Clock>,
    /// Fresh ids.
    pub ids: Arc<dyn Ids>,
    /// The provider of payments.
    pub gateway: Arc<dyn PaymentGateway>,
    /// How outcomes are shown to callers.
    pub presenter: Arc<dyn Presenter>,
}

/// Commands in, answers out.
#[derive(Debug, Clone)]
pub struct Engine {
    ports: Ports,
    owners: Owners,
    routes: Routes,
    in_flight: InFlight,
    driver: Driver,
    tasks: Tasks,
}

/// What became of a payment that a customer authorised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Confirmed {
    /// It has an answer.
    Answered(Answer),
    /// The provider gave no definite answer yet; the engine keeps asking.
    Checking {
        /// Where the last append about it ended.
        position: Position,
        /// Whether an earlier copy of the command had started it.
        replayed: bool,
    },
}

/// The customer authorised a payment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Confirm {
    /// Which payment.
    pub order: PaymentId,
    /// The provider's name for the authorisation.
    pub payment_key: String,
    /// What the customer believes to pay.
    pub amount: Money,
}

impl Engine {
    /// On these ports, with its tasks on this runtime.
    pub fn new(ports: Ports, tasks: Tasks) -> Self {
        let ground = Ground {
            log: Arc::clone(&ports.log),
            clock: Arc::clone(&ports.clock),
            presenter: Arc::clone(&ports.presenter),
        };
        let owners = Owners::new(ground, tasks.clone());
        let driver =
            Driver::new(owners.clone(), Arc::clone(&ports.gateway), Arc::clone(&ports.clock));
        let routes = Routes::new(Arc::clone(&ports.log));
        Self { ports, owners, routes, in_flight: InFlight::default(), driver, tasks }
    }

    /// Finds streams by id.
    pub const fn routes(&self) -> &Routes {
        &self.routes
    }

    /// Takes the steps of processes.
    pub const fn driver(&self) -> &Driver {
        &self.driver
    }

    /// The node's clock.
    pub fn clock(&self) -> &dyn Clock {
        &*self.ports.clock
    }

    /// A fresh id for an entity.
    pub fn fresh_id(&self) -> Uuid {
        self.ports.ids.fresh()
    }

    /// How many streams have an owner at work or warm.
    pub fn owners(&self) -> usize {
        self.owners.count()
    }

    /// Decides one use case and appends it. Goes on to its end when the caller goes away.
    pub async fn execute(
        &self,
        use_case: impl UseCase + 'static,
        request: Request,
    ) -> Result<Answer, CommandError> {
        let (engine, use_case) = (self.clone(), Arc::new(use_case));
        // It never waits for anybody but the stores, unless it is a copy of one that does.
        let (waits, shown) = Waits::new();
        let command = async move {
            let _turn = engine.in_flight.enter(request.command_id, &waits, IN_FLIGHT_MAX).await?;
            match engine.owners.decide(use_case, request.clone()).await {
                Ok(done) => done.answer.ok_or_else(|| {
                    CommandError::Unavailable("the use case gave no answer".to_owned())
                }),
                // What is not remembered must not hide what is: the first copy may have succeeded.
                Err(CommandError::Refused(refusal)) => {
                    let first = engine.answered(&request).await?;
                    first.ok_or(CommandError::Refused(refusal))
                }
                Err(other) => Err(other),
            }
        };
        self.to_its_end(shown, command).await
    }

    /// Captures a payment and confirms its reservation.
    pub async fn confirm(
        &self,
        confirm: Confirm,
        request: Request,
    ) -> Result<Confirmed, CommandError> {
        let (engine, (waits, shown)) = (self.clone(), Waits::new());
        let command = async move {
            let _turn = engine.in_flight.enter(request.command_id, &waits, IN_FLIGHT_MAX).await?;
            if let Some(answer) = engine.answered(&request).await? {
                return Ok(Confirmed::Answered(answer));
            }
            let mut before = engine.started(&request).await?;
            let not_found = || CommandError::from(Refusal::from(PaymentRefusal::NotFound));
            let about = engine.routes.payment(confirm.order).await?.ok_or_else(not_found)?;
            if request.actor.principal() != Some(about.customer) {
                return Err(not_found());
            }
            let start = StartConfirm {
                about,
                order: confirm.order,
                payment_key: confirm.payment_key,
                amount: confirm.amount,
                started_before: before.is_some(),
            };
            let mut asked = request.clone();
            if before.is_some() {
                // It was judged when the command was accepted, and the payment has moved since.
                asked.if_match = None;
            }
            let mut done = engine.owners.decide(Arc::new(start), asked).await?;
            // A trial, like a refusal, is answered at once: nobody is asked to pay.
            if let (None, Step::Call(call)) = (&done.answer, done.outcome.step.clone()) {
                done = engine.driver.for_caller(about, call, request, &waits).await?;
            } else if before.is_none() && done.answer.is_none() {
                // A copy on another node may have begun in the same moment.
                before = engine.started(&request).await?;
            }
            Ok(match done.answer {
                Some(answer) => Confirmed::Answered(answer),
                None => Confirmed::Checking {
                    position: done.position.max(before.unwrap_or_default()),
                    replayed: before.is_some(),
                },
            })
        };
        self.to_its_end(shown, command).await
    }

    /// Where an earlier copy of the command had started, when it had.
    async fn started(&self, request: &Request) -> Result<Option<Position>, CommandError> {
        let known = self.ports.log.answered(started(request.command_id)).await;
        let known = known.map_err(|error| CommandError::Unavailable(error.to_string()))?;
        known.map(|noted| remembered(request, noted).map(|done| done.position)).transpose()
    }

    async fn answered(&self, request: &Request) -> Result<Option<Answer>, CommandError> {
        let known = self.ports.log.answered(request.command_id).await;
        let known = known.map_err(|error| CommandError::Unavailable(error.to_string()))?;
        match known {
            Some(answered) => remembered(request, answered).map(|done| done.answer),
            None => Ok(None),
        }
    }

    /// Runs a command on the engine's own runtime: a connection that is reset cancels nothing, and a
    /// caller who is told that it takes too long does not either.
    async fn to_its_end<T: Send + 'static>(
        &self,
        elsewhere: watch::Receiver<bool>,
        command: impl Future<Output = Result<T, CommandError>> + Send + 'static,
    ) -> Result<T, CommandError> {
        let running = self.tasks.spawn(command);
        // A log of this process's own is never away, and a long queue is no reason to give up.
        let answered = if self.ports.log.capabilities().shared {
            within(STORES_MAX, elsewhere, running).await
        } else {
            Some(running.await)
        };
        let unavailable = |why: &str| Err(CommandError::Unavailable(why.to_owned()));
        match answered {
            Some(Ok(answer)) => answer,
            Some(Err(_stopped)) => unavailable("the engine is stopping"),
            None => unavailable("no answer in time; it is still under way"),
        }
    }
}
