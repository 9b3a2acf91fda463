//! The way to the cluster: one client, looked after. The client does not come back by itself when a
//! connection could not be made, nor when a leader died; so it is replaced, one at a time, after a
//! pause that grows while nothing works. What is under way at once is bounded.

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use eventstore::{Client, Error};
use tokio::runtime::Handle;
use tokio::sync::{Mutex, Semaphore, SemaphorePermit};
use tokio::time::{Instant, sleep_until, timeout_at};
use tonic::Code;

use super::address::Address;

/// How long a request may take, with everything that is tried for it.
const PATIENCE: Duration = Duration::from_millis(1_900);
/// How many requests are under way at once.
const IN_FLIGHT_MAX: usize = 64;
/// The first and the longest pause before the client is replaced, before some chance is mixed in.
const PAUSE: Duration = Duration::from_millis(20);
const PAUSE_MAX: Duration = Duration::from_millis(640);
/// How often in a row a client may be sent to another leader before it is replaced.
const SENT_ON_MAX: u32 = 2;

/// How a request failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Failure {
    /// The stream is not at the revision that was expected.
    WrongRevision,
    /// The stream is not there.
    Missing,
    /// The server will never do it.
    Refused(String),
    /// It was not carried out.
    NotDone(String),
    /// It may have been carried out.
    Unclear(String),
}

impl Failure {
    /// The same after an earlier attempt that may have been carried out: what this one was told says
    /// nothing about that one. Where the stream stands is an answer, and is looked at.
    fn in_doubt(self) -> Self {
        match self {
            Self::Refused(why) | Self::NotDone(why) | Self::Unclear(why) => Self::Unclear(why),
            found @ (Self::WrongRevision | Self::Missing) => found,
        }
    }

    /// The words for it.
    pub(super) fn why(self) -> String {
        match self {
            Self::WrongRevision => "the stream has moved on".to_owned(),
            Self::Missing => "the stream is not there".to_owned(),
            Self::Refused(why) | Self::NotDone(why) | Self::Unclear(why) => why,
        }
    }
}

#[derive(Default)]
struct Held {
    generation: u64,
    client: Option<Client>,
    /// How often in a row it had to be replaced.
    failed: u32,
    /// How often in a row it was sent to another leader.
    sent_on: u32,
    not_before: Option<Instant>,
}

/// The client and what is known of it.
pub(super) struct Link {
    address: Address,
    /// What every stream's name begins with here; nothing, unless several logs share a cluster.
    pub(super) prefix: String,
    runtime: Handle,
    held: Mutex<Held>,
    permits: Semaphore,
    replaced: AtomicU64,
    chance: RandomState,
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Link({})", self.address)
    }
}

/// What a failed attempt says about the client and about what was asked.
struct Judged {
    failure: Failure,
    again: bool,
    client: Verdict,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Keep,
    SentOn,
    Replace,
}

impl Link {
    pub(super) fn new(address: Address, prefix: &str, runtime: Handle) -> Self {
        Self {
            address,
            prefix: prefix.to_owned(),
            runtime,
            held: Mutex::default(),
            permits: Semaphore::new(IN_FLIGHT_MAX),
            replaced: AtomicU64::new(0),
            chance: RandomState::new(),
        }
    }

    /// How often the client was replaced.
    pub(super) fn replaced(&self) -> u64 {
        self.replaced.load(Ordering::Relaxed)
    }

    /// Asks until there is a definite answer, or no patience left. What is asked must be harmless
    /// when it is asked twice.
    pub(super) async fn ask<T, A>(&self, request: impl Fn(Client) -> A + Send) -> Result<T, Failure>
    where
        A: Future<Output = Result<T, Error>> + Send,
        T: Send,
    {
        let end = soon();
        let _permit = self.permit(end).await?;
        let mut last = Failure::NotDone("the log's cluster gave no answer in time".to_owned());
        let mut unclear = false;
        loop {
            let Ok((generation, client)) = timeout_at(end, self.client()).await else { break };
            let answer = match client {
                Ok(client) => timeout_at(end, request(client)).await,
                Err(why) => Ok(Err(Error::InitializationError(why))),
            };
            let error = match answer {
                Ok(Ok(answer)) => {
                    self.works(generation).await;
                    return Ok(answer);
                }
                Ok(Err(error)) => error,
                Err(_too_late) => Error::DeadlineExceeded,
            };
            let judged = judge(&error);
            self.take_note(generation, judged.client).await;
            if !judged.again {
                return Err(if unclear { judged.failure.in_doubt() } else { judged.failure });
            }
            unclear |= matches!(judged.failure, Failure::Unclear(_));
            last = judged.failure;
            if Instant::now() >= end {
                break;
            }
        }
        // An attempt that may have been carried out is not forgotten because a later one was not.
        Err(if unclear { last.in_doubt() } else { last })
    }

    async fn permit(&self, end: Instant) -> Result<SemaphorePermit<'_>, Failure> {
        let busy = || Failure::NotDone("too many requests to the log are under way".to_owned());
        match timeout_at(end, self.permits.acquire()).await {
            Ok(Ok(permit)) => Ok(permit),
            Ok(Err(_)) | Err(_) => Err(busy()),
        }
    }

    /// The client as it is now; a new one, after a pause, when the last one was of no use.
    pub(super) async fn client(&self) -> (u64, Result<Client, String>) {
        let mut held = self.held.lock().await;
        if let Some(client) = &held.client {
            return (held.generation, Ok(client.clone()));
        }
        if let Some(then) = held.not_before {
            sleep_until(then).await;
        }
        held.generation = held.generation.saturating_add(1);
        if held.generation > 1 {
            self.replaced.fetch_add(1, Ordering::Relaxed);
        }
        let made = Client::with_runtime_handle(self.runtime.clone(), self.address.settings.clone());
        let made = made.map_err(|why| why.to_string());
        held.client = made.as_ref().ok().cloned();
        (held.generation, made)
    }

    async fn works(&self, generation: u64) {
        let mut held = self.held.lock().await;
        if held.generation == generation {
            (held.failed, held.sent_on) = (0, 0);
        }
    }

    async fn take_note(&self, generation: u64, verdict: Verdict) {
        let mut held = self.held.lock().await;
        if held.generation != generation {
            return;
        }
        match verdict {
            Verdict::Keep => {}
            Verdict::SentOn if held.sent_on < SENT_ON_MAX => {
                held.sent_on = held.sent_on.saturating_add(1);
            }
            Verdict::SentOn | Verdict::Replace => self.let_go(&mut held),
        }
    }

    /// Learns from an error that came outside of a request.
    pub(super) async fn failed(&self, generation: u64, error: &Error) {
        self.take_note(generation, judge(error).client).await;
    }

    fn let_go(&self, held: &mut Held) {
        held.client = None;
        held.sent_on = 0;
        let pause = PAUSE.saturating_mul(2_u32.saturating_pow(held.failed)).min(PAUSE_MAX);
        held.failed = held.failed.saturating_add(1);
        // Nodes that lost the same server must not all come back at the same instant.
        let chance = u32::try_from(self.chance.hash_one(held.generation) % 100).unwrap_or(0);
        let pause = pause.saturating_mul(chance.saturating_add(50)).checked_div(100);
        held.not_before = Instant::now().checked_add(pause.unwrap_or(PAUSE));
    }
}

/// When patience ends.
fn soon() -> Instant {
    let now = Instant::now();
    now.checked_add(PATIENCE).unwrap_or(now)
}

/// What an error means. A request counts as not carried out only where the error itself says that
/// it was turned away: it never left, or the server refused it before it wrote. Everything else may
/// come from a write that stands. `Aborted` above all: with it the server says that a write has
/// waited too long for its commit, which may still come.
fn judge(error: &Error) -> Judged {
    let why = error.to_string();
    let (failure, again, client) = match error {
        Error::WrongExpectedVersion { .. } => (Failure::WrongRevision, false, Verdict::Keep),
        Error::ResourceNotFound => (Failure::Missing, false, Verdict::Keep),
        Error::NotLeaderException(_) => (Failure::NotDone(why), true, Verdict::SentOn),
        Error::ConnectionClosed | Error::GrpcConnectionError(_) | Error::InitializationError(_) => {
            (Failure::NotDone(why), true, Verdict::Replace)
        }
        Error::AccessDenied
        | Error::ResourceDeleted
        | Error::UnsupportedFeature
        | Error::Grpc { code: Code::InvalidArgument | Code::FailedPrecondition, .. } => {
            (Failure::Refused(why), false, Verdict::Keep)
        }
        // A new client comes after a pause, so that nobody is asked again without one.
        Error::ServerError(_)
        | Error::DeadlineExceeded
        | Error::InternalClientError
        | Error::Grpc { .. }
        | Error::InternalParsingError(_)
        | Error::ResourceAlreadyExists
        | Error::IllegalStateError(_) => (Failure::Unclear(why), true, Verdict::Replace),
    };
    Judged { failure, again, client }
}
