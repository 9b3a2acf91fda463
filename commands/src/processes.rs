//! The runner of processes: looks at what is due, and has the driver take the steps. It decides
//! nothing and remembers nothing that matters; two of them do no harm. An entry that comes to
//! nothing, again and again, is looked at ever more rarely and keeps no other from its turn.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::FutureExt as _;
use holdfast_domain::ids::ReservationId;
use holdfast_domain::process::Step;
use holdfast_domain::time::Timestamp;
use tokio::sync::{Notify, Semaphore};

use crate::about::About;
use crate::handle::Engine;
use crate::ports::{Due, DueIndex, DuePage, DueUnavailable};
use crate::request::CommandError;
use crate::shares::Shares;
use crate::tasks::Tasks;

/// How many due entries are read in one go.
const PAGE: usize = 256;
/// How many such pages are looked at before the first is looked at again.
const PAGES_MAX: usize = 64;
/// How many reservations are looked up in the log at once.
const FOUND_AT_ONCE: usize = 32;
/// How long an entry rests after a step that changed nothing, or failed; twice as long each time.
const REST: Duration = Duration::from_secs(5);
/// The same after a step that met a concurrent change.
const REST_CONTENDED: Duration = Duration::from_millis(100);
/// The longest rest.
const REST_MAX: Duration = Duration::from_mins(5);
/// How long the runner sleeps at most without looking.
const LOOK_AT_LEAST: Duration = Duration::from_secs(30);

/// What was done about an entry of the index, until the index shows it.
#[derive(Debug, Clone, Copy)]
struct Seen {
    /// The entry as it was.
    due: Timestamp,
    /// When to look at the same entry again; none while it is being advanced.
    again_at: Option<Timestamp>,
    /// How often in a row it came to nothing.
    vain: u32,
}

/// When to look at an entry again.
#[derive(Debug, Clone, Copy)]
enum Again {
    /// At this instant, which the process named.
    At(Timestamp),
    /// After a rest: this one at first, longer each time.
    After(Duration),
}

/// What became of steps since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ProcessStats {
    /// Steps that failed, whatever the reason.
    pub failed: u64,
    /// Those of them that panicked: faults of ours.
    pub panicked: u64,
}

#[derive(Debug, Default)]
struct Counters {
    failed: AtomicU64,
    panicked: AtomicU64,
}

/// Advances what is due.
#[derive(Debug, Clone)]
pub struct Processes {
    engine: Engine,
    index: Arc<dyn DueIndex>,
    tasks: Tasks,
    shares: Shares,
    seen: Arc<Mutex<BTreeMap<ReservationId, Seen>>>,
    finding: Arc<Semaphore>,
    finished: Arc<Notify>,
    counters: Arc<Counters>,
}

impl Processes {
    /// Over this engine and this index.
    pub fn new(engine: Engine, index: Arc<dyn DueIndex>, tasks: Tasks) -> Self {
        Self {
            engine,
            index,
            tasks,
            shares: Shares::everything(),
            seen: Arc::default(),
            finding: Arc::new(Semaphore::new(FOUND_AT_ONCE)),
            finished: Arc::default(),
            counters: Arc::default(),
        }
    }

    /// The same for one of several workers: it advances what falls into its shares, and judges
    /// only by that what is overdue.
    #[must_use]
    pub fn sharing(self, shares: Shares) -> Self {
        Self { shares, ..self }
    }

    /// Figures for metrics.
    pub fn stats(&self) -> ProcessStats {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        ProcessStats {
            failed: read(&self.counters.failed),
            panicked: read(&self.counters.panicked),
        }
    }

    /// Runs until the engine stops.
    pub async fn run(self) {
        let stopping = self.tasks.stopping().clone();
        let mut shares = self.shares.clone();
        while !stopping.is_cancelled() {
            let next = self.look().await;
            let finished = self.finished.notified();
            tokio::select! {
                biased;
                () = stopping.cancelled() => {}
                () = finished => {}
                () = self.index.changed() => {}
                () = shares.changed() => {}
                () = self.engine.clock().sleep_until(next) => {}
            }
        }
    }

    /// Whether nothing is due and no effect is under way. What falls into the shares of another
    /// worker, or of nobody yet, is due as well: a worker that has just started has none.
    pub async fn is_idle(&self) -> bool {
        let now = self.engine.clock().now();
        let Ok(DuePage { due, .. }) = self.all_due(now).await else { return false };
        let busy = self.is_at_work() || self.engine.driver().calls() > 0;
        !busy && !due.iter().any(|entry| self.is_open(entry, now))
    }

    /// Something that was due longer than `by` ago and that nobody has taken up: the runner does
    /// not run, or cannot keep up.
    pub async fn overdue(&self, by: Duration) -> Result<Option<Due>, DueUnavailable> {
        let now = self.engine.clock().now();
        let due = self.all_due(now).await?.due;
        let late = |entry: &Due| {
            self.is_ours(entry) && now.since(entry.at) > by && self.is_open(entry, now)
        };
        Ok(due.into_iter().find(late))
    }

    /// Everything that is due, within a bound: entries that rest must not hide those behind them.
    async fn all_due(&self, now: Timestamp) -> Result<DuePage, DueUnavailable> {
        let mut all = DuePage::default();
        for _ in 0..PAGES_MAX {
            let page = self.index.due(now, all.after.take(), PAGE).await?;
            all.due.extend(page.due);
            all.next = page.next;
            all.after = page.after;
            if all.after.is_none() {
                break;
            }
        }
        // A reservation can stand there for its seat and for its money: it is one thing to look at.
        let mut met = BTreeSet::new();
        all.due.retain(|entry| met.insert(entry.reservation));
        Ok(all)
    }

    /// Starts what is due; says when to look again.
    async fn look(&self) -> Timestamp {
        let now = self.engine.clock().now();
        let latest = now.plus(LOOK_AT_LEAST);
        let DuePage { mut due, next, .. } = match self.all_due(now).await {
            Ok(found) => found,
            Err(error) => {
                tracing::warn!(%error, "deadlines cannot be looked up; trying again");
                return now.plus(Duration::from_secs(1));
            }
        };
        due.retain(|entry| self.is_ours(entry));
        self.forget_all_but(&due);
        for entry in due {
            if self.is_open(&entry, now) {
                self.start(entry);
            }
        }
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let again = seen.values().filter_map(|seen| seen.again_at);
        again.chain(next).fold(latest, Timestamp::min)
    }

    fn is_ours(&self, entry: &Due) -> bool {
        self.shares.has(entry.reservation)
    }

    fn is_open(&self, entry: &Due, now: Timestamp) -> bool {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.get(&entry.reservation).is_none_or(|seen| match seen.again_at {
            None => false,
            Some(again_at) => seen.due != entry.at || again_at <= now,
        })
    }

    /// What the index does not show any more, or what another worker looks at, needs no memory.
    fn forget_all_but(&self, due: &[Due]) {
        let shown: BTreeSet<_> = due.iter().map(|entry| entry.reservation).collect();
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.retain(|reservation, seen| seen.again_at.is_none() || shown.contains(reservation));
    }

    /// Whether anything is being advanced.
    fn is_at_work(&self) -> bool {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.values().any(|seen| seen.again_at.is_none())
    }

    fn start(&self, entry: Due) {
        let vain = self.take_up(entry);
        let this = self.clone();
        self.tasks.spawn(async move {
            // A fault in one step must not leave its entry taken up for ever.
            let advanced = AssertUnwindSafe(this.advance(entry)).catch_unwind().await;
            let again = advanced.unwrap_or_else(|_panic| this.panicked(entry));
            this.rest(entry, vain, again);
            this.finished.notify_one();
        });
    }

    /// Notes that an entry is being advanced; says how often in a row that came to nothing.
    fn take_up(&self, entry: Due) -> u32 {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let before = seen.get(&entry.reservation).filter(|before| before.due == entry.at);
        let vain = before.map_or(0, |before| before.vain);
        seen.insert(entry.reservation, Seen { due: entry.at, again_at: None, vain });
        vain
    }

    /// Notes when to look at an entry again, should the index still show it.
    fn rest(&self, entry: Due, vain: u32, again: Again) {
        let (again_at, vain) = match again {
            Again::At(instant) => (instant, 0),
            Again::After(first) => {
                let rest = first.saturating_mul(2_u32.saturating_pow(vain)).min(REST_MAX);
                (self.engine.clock().now().plus(rest), vain.saturating_add(1))
            }
        };
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let again_at = Some(again_at);
        seen.insert(entry.reservation, Seen { due: entry.at, again_at, vain });
    }

    /// Advances one reservation.
    async fn advance(&self, entry: Due) -> Again {
        let reservation = entry.reservation;
        let step = match self.about(reservation).await {
            Ok(Some(about)) => self.engine.driver().advance(about).await,
            Ok(None) => Ok(Step::Rest),
            Err(error) => Err(error),
        };
        match step {
            Ok(Step::Wait(at)) => Again::At(at),
            Ok(Step::Rest | Step::Record(_) | Step::Call(_)) => Again::After(REST),
            Err(CommandError::Contended | CommandError::ClockBehind) => {
                Again::After(REST_CONTENDED)
            }
            Err(error) => {
                self.counters.failed.fetch_add(1, Ordering::Relaxed);
                tracing::warn!(%reservation, %error, "a step failed; trying again");
                Again::After(REST)
            }
        }
    }

    async fn about(&self, reservation: ReservationId) -> Result<Option<About>, CommandError> {
        let _turn = self.finding.acquire().await;
        self.engine.routes().reservation(reservation).await
    }

    fn panicked(&self, entry: Due) -> Again {
        self.counters.failed.fetch_add(1, Ordering::Relaxed);
        self.counters.panicked.fetch_add(1, Ordering::Relaxed);
        let reservation = entry.reservation;
        tracing::error!(%reservation, "a step panicked, which is a fault of ours; trying again");
        Again::After(REST)
    }
}
