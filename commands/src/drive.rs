//! Carries the steps of processes out: calls the provider of payments and reports what it said.
//! Entered from the customer's call and from the runner; every call carries the key of its intent.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use holdfast_domain::actor::Actor;
use holdfast_domain::ids::{CommandId, PaymentId};
use holdfast_domain::log::Hash;
use holdfast_domain::payment::{ConfirmOutcome, RefundOutcome};
use holdfast_domain::process::retry::{self, Ask};
use holdfast_domain::process::{Call, Step};
use tokio::sync::Semaphore;

use crate::about::About;
use crate::checkout::{Advance, Report, Said};
use crate::failpoint;
use crate::owner::Done;
use crate::owners::Owners;
use crate::patience::Waits;
use crate::ports::{
    Capture, CaptureRequest, Clock, NoAnswer, PaymentGateway, RefundRequest, Return,
};
use crate::request::{CommandError, Request};
use crate::use_case::UseCase;

/// How long a call to the provider may take before its outcome counts as unknown.
const CALL_MAX: Duration = Duration::from_secs(10);
/// How many calls one drive makes in a row: a bound, not a limit that is met.
const CALLS_MAX: usize = 8;
/// The code of a decline that no provider gave: the request never arrived.
const NEVER_ARRIVED: &str = "NEVER_ARRIVED";

/// How many steps of processes are decided at once.
const DECIDED_AT_ONCE: usize = 32;
/// How many calls of processes to the provider are under way at once. Apart from the others: a
/// provider that hangs must not hold up what needs none.
const CALLED_AT_ONCE: usize = 32;

/// Takes steps.
#[derive(Debug, Clone)]
pub struct Driver {
    owners: Owners,
    gateway: Arc<dyn PaymentGateway>,
    clock: Arc<dyn Clock>,
    calls: Arc<AtomicUsize>,
    deciding: Arc<Semaphore>,
    calling: Arc<Semaphore>,
}

impl Driver {
    /// Over these owners and this provider.
    pub fn new(owners: Owners, gateway: Arc<dyn PaymentGateway>, clock: Arc<dyn Clock>) -> Self {
        Self {
            owners,
            gateway,
            clock,
            calls: Arc::default(),
            deciding: Arc::new(Semaphore::new(DECIDED_AT_ONCE)),
            calling: Arc::new(Semaphore::new(CALLED_AT_ONCE)),
        }
    }

    /// How many calls to the provider are under way.
    pub fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }

    /// Takes the step that a customer waits for; says so while it is the provider who is waited for.
    pub async fn for_caller(
        &self,
        about: About,
        call: Call,
        request: Request,
        waits: &Waits,
    ) -> Result<Done, CommandError> {
        waits.elsewhere(true);
        let (order, said) = self.call(call).await;
        waits.elsewhere(false);
        let request = Request {
            remembered_as: Some(request.command_id),
            command_id: step_id(order, &said),
            if_match: None,
            ..request
        };
        let report = Report { about, order, said, for_caller: true };
        let done = self.owners.decide(Arc::new(report), request).await?;
        failpoint::hit("saga.recorded");
        Ok(done)
    }

    /// Takes every step about a reservation that can be taken now; says what comes after. Waits for
    /// its turn when many are under way.
    pub async fn advance(&self, about: About) -> Result<Step, CommandError> {
        let mut step = self.look(about).await?;
        for _ in 0..CALLS_MAX {
            let turn = match (&step, self.calling.try_acquire()) {
                (Step::Call(_), Ok(turn)) => turn,
                (Step::Call(_), Err(_all_taken)) => {
                    let Ok(turn) = self.calling.acquire().await else { break };
                    // It may have been answered meanwhile.
                    step = self.look(about).await?;
                    turn
                }
                (Step::Record(_) | Step::Wait(_) | Step::Rest, _) => break,
            };
            let Step::Call(call) = step else { break };
            let (order, said) = self.call(call).await;
            drop(turn);
            let request = process(step_id(order, &said));
            let report = Report { about, order, said, for_caller: false };
            step = self.decide(Arc::new(report), request).await?;
            failpoint::hit("saga.recorded");
        }
        Ok(step)
    }

    /// Records every step that only records; says what comes next.
    async fn look(&self, about: About) -> Result<Step, CommandError> {
        let occasion = self.clock.now().to_string();
        let id = CommandId::of_step("checkout", about.reservation.as_uuid(), &occasion);
        self.decide(Arc::new(Advance { about }), process(id)).await
    }

    async fn decide(
        &self,
        use_case: Arc<dyn UseCase>,
        request: Request,
    ) -> Result<Step, CommandError> {
        let _turn = self.deciding.acquire().await;
        Ok(self.owners.decide(use_case, request).await?.outcome.step)
    }

    async fn call(&self, call: Call) -> (PaymentId, Said) {
        let _under_way = UnderWay::begin(&self.calls);
        failpoint::hit("saga.before_call");
        let said = match call {
            Call::Capture { order, attempt, payment_key, amount, idempotency_key, tries, ask } => {
                let request = CaptureRequest { order, payment_key, amount, idempotency_key };
                let outcome = self.confirm_outcome(request, tries, ask).await;
                (order, Said::OfCapture { attempt, outcome })
            }
            Call::Refund { order, refund, amount, idempotency_key, tries, ask } => {
                let request = RefundRequest { order, refund, amount, idempotency_key };
                let outcome = self.refund_outcome(request, tries, ask).await;
                (order, Said::OfRefund { refund, outcome })
            }
        };
        failpoint::hit("saga.after_call");
        said
    }

    async fn confirm_outcome(
        &self,
        request: CaptureRequest,
        tries: u32,
        ask: Ask,
    ) -> ConfirmOutcome {
        let (order, due) = (request.order, request.amount);
        let answer = bounded(async {
            let known = match ask {
                Ask::Again => None,
                Ask::Read | Ask::ReadFinally => {
                    let key = request.idempotency_key.clone();
                    self.gateway.read_capture(order, key).await?
                }
            };
            match (known, ask) {
                (Some(known), _) => Ok(known),
                (None, Ask::ReadFinally) => {
                    Ok(Capture::Declined { code: NEVER_ARRIVED.to_owned() })
                }
                (None, Ask::Again | Ask::Read) => self.gateway.capture(request).await,
            }
        });
        match answer.await {
            Ok(Capture::Captured { transaction, amount }) => {
                if amount != due {
                    tracing::warn!(%order, %amount, %due, "another amount was taken: review it");
                }
                ConfirmOutcome::Captured { transaction, amount }
            }
            Ok(Capture::Declined { code }) => ConfirmOutcome::Declined { code },
            Err(why) => {
                let tries = tries.saturating_add(1);
                complain(&format!("capture of {order}"), tries, &why);
                ConfirmOutcome::Unknown { next_try_at: retry::next_try_at(tries, self.clock.now()) }
            }
        }
    }

    async fn refund_outcome(&self, request: RefundRequest, tries: u32, ask: Ask) -> RefundOutcome {
        let (order, refund) = (request.order, request.refund);
        let answer = bounded(async {
            let known = match ask {
                Ask::Again => None,
                Ask::Read | Ask::ReadFinally => self.gateway.read_refund(order, refund).await?,
            };
            match known {
                Some(known) => Ok(known),
                None => self.gateway.refund(request).await,
            }
        });
        match answer.await {
            Ok(Return::Returned { transaction }) => RefundOutcome::Succeeded { transaction },
            Ok(Return::Refused { code }) => {
                tracing::warn!(%order, %refund, code, "a refund was refused: the money is owed");
                RefundOutcome::Refused { code }
            }
            Err(why) => {
                let tries = tries.saturating_add(1);
                complain(&format!("refund {refund} of {order}"), tries, &why);
                RefundOutcome::Unknown { next_try_at: retry::next_try_at(tries, self.clock.now()) }
            }
        }
    }
}

/// A call under way; it ends however the call ends.
#[derive(Debug)]
struct UnderWay<'a>(&'a AtomicUsize);

impl<'a> UnderWay<'a> {
    fn begin(calls: &'a AtomicUsize) -> Self {
        calls.fetch_add(1, Ordering::SeqCst);
        Self(calls)
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

async fn bounded<T>(call: impl Future<Output = Result<T, NoAnswer>> + Send) -> Result<T, NoAnswer> {
    tokio::time::timeout(CALL_MAX, call).await.unwrap_or_else(|_too_long| {
        Err(NoAnswer(format!("no answer within {} s", CALL_MAX.as_secs())))
    })
}

/// Says that an outcome is unknown; loudly once a person should look.
fn complain(what: &str, tries: u32, why: &NoAnswer) {
    if tries >= retry::ALARM_AFTER_TRIES {
        alarm(what, tries);
    }
    tracing::warn!(what, tries, %why, "the outcome is unknown; the provider is asked again");
}

fn alarm(what: &str, tries: u32) {
    tracing::error!(what, tries, "still unknown after a quarter of an hour: look at it");
}

/// The id of the step that reports what was said: the same for two runners that heard the same.
fn step_id(order: PaymentId, said: &Said) -> CommandId {
    CommandId::of_step("report", order.as_uuid(), &format!("{said:?}"))
}

/// The circumstances of a step that a process takes on its own.
fn process(command_id: CommandId) -> Request {
    Request {
        command_id,
        remembered_as: None,
        fingerprint: Hash::ZERO,
        actor: Actor::Process { name: "checkout".to_owned() },
        correlation: None,
        causation: None,
        traceparent: None,
        path: String::new(),
        request_id: String::new(),
        if_match: None,
        dry_run: false,
    }
}
