//! Keeps this worker's shares of the work: takes those that are free, renews what it has, gives back
//! what is more than its part, and says what it holds. A share that could not be renewed in time is
//! given up by this node's own clock before another can take it.
//!
//! All of this only avoids double work. Nothing may rely on it for anything else.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::leases::{Lease, Leases, LeasesUnavailable, Taken};
use crate::monotonic::Monotonic;

/// The share of the live views: one runner keeps all of them.
pub const VIEWS: &str = "views";

/// What the lease is called by which a worker shows that it lives.
const WORKER: &str = "worker/";

/// How long after its last sign of life a worker's lease is kept. Workers are named anew at each start,
/// so these would only become more; the leases of shares stay for their numbers.
const REMEMBERED: Duration = Duration::from_hours(1);

/// How long leases stand, and how they are kept. The same on all nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// How long a lease stands without being renewed: so long nobody does the work of a worker
    /// that died.
    pub term: Duration,
    /// How often it is renewed.
    pub renew: Duration,
    /// How long before its end it is not believed any more.
    pub margin: Duration,
    /// How long the store may take for an answer.
    pub answer: Duration,
}

impl Default for Terms {
    fn default() -> Self {
        Self {
            term: Duration::from_secs(6),
            renew: Duration::from_secs(2),
            margin: Duration::from_secs(1),
            answer: Duration::from_secs(1),
        }
    }
}

/// The shares that a worker has, each with the number of its tenure.
pub type Held = BTreeMap<String, u64>;

/// A share that this worker has.
#[derive(Debug, Clone, Copy)]
struct Tenure {
    fence: u64,
    /// By this node's clock; nobody else can have it before.
    good_until: Duration,
}

/// Keeps the shares of one worker.
#[derive(Debug)]
pub struct Keeper {
    leases: Arc<dyn Leases>,
    clock: Arc<dyn Monotonic>,
    holder: String,
    groups: Vec<Vec<String>>,
    terms: Terms,
    tenures: Mutex<BTreeMap<String, Tenure>>,
    held: watch::Sender<Held>,
}

/// The workers among leases that stand.
pub fn workers(standing: &[Lease]) -> impl Iterator<Item = &str> {
    standing.iter().filter_map(|lease| lease.name.strip_prefix(WORKER))
}

impl Keeper {
    /// For the worker of this name, which no other may have. Of each group of shares a worker takes
    /// no more than its part while other workers live.
    pub fn new(
        leases: Arc<dyn Leases>,
        clock: Arc<dyn Monotonic>,
        holder: String,
        groups: Vec<Vec<String>>,
        terms: Terms,
    ) -> Self {
        let (tenures, held) = (Mutex::default(), watch::Sender::default());
        Self { leases, clock, holder, groups, terms, tenures, held }
    }

    /// What this worker has, as it changes.
    pub fn held(&self) -> watch::Receiver<Held> {
        self.held.subscribe()
    }

    /// Keeps the shares until it is told to stop, then gives them back.
    pub async fn run(&self, stop: CancellationToken) {
        let both = async { tokio::join!(self.keep(), self.give_up_in_time()) };
        stop.run_until_cancelled(both).await.unwrap_or_default();
        if let Err(why) = self.give_all_back().await {
            tracing::info!(%why, "shares are not given back; they run out by themselves");
        }
    }

    async fn keep(&self) {
        let mut forgets = self.clock.now();
        loop {
            let asked = self.clock.now();
            if asked >= forgets {
                forgets = asked.saturating_add(REMEMBERED);
                self.forget_the_dead().await;
            }
            let pause = match self.divide().await {
                Ok(pause) => pause.min(self.terms.renew),
                Err(why) => {
                    tracing::warn!(%why, "leases cannot be renewed now; trying again");
                    self.terms.renew.checked_div(4).unwrap_or_default()
                }
            };
            self.wait_until(asked.saturating_add(pause)).await;
        }
    }

    /// Removes workers that have shown no sign of life for long.
    async fn forget_the_dead(&self) {
        if let Err(why) = self.ask(self.leases.forget(WORKER.to_owned(), REMEMBERED)).await {
            tracing::info!(%why, "workers of the past are not forgotten now; later");
        }
    }

    async fn wait_until(&self, instant: Duration) {
        while self.clock.now() < instant {
            self.clock.sleep_until(instant).await;
        }
    }

    /// Shows that the worker lives, and brings its shares to its part. Says after how long somebody
    /// else's share that it could use runs out.
    async fn divide(&self) -> Result<Duration, LeasesUnavailable> {
        self.ask(self.take(format!("{WORKER}{}", self.holder))).await?;
        let mut standing = self.ask(self.leases.list()).await?;
        // From before the store's clock went back: free to be taken, and nobody's sign of life.
        standing.retain(|lease| lease.remaining <= self.terms.term);
        let alive = workers(&standing).count().max(1);
        let mut soonest = Duration::MAX;
        for group in &self.groups {
            let part = group.len().div_ceil(alive);
            soonest = soonest.min(self.divide_group(group, part, &standing).await?);
        }
        Ok(soonest)
    }

    async fn divide_group(
        &self,
        group: &[String],
        part: usize,
        standing: &[Lease],
    ) -> Result<Duration, LeasesUnavailable> {
        let (has, others): (Vec<_>, Vec<_>) = group.iter().partition(|name| self.has(name));
        let mut mine = 0_usize;
        for name in has {
            if mine < part {
                mine = mine.saturating_add(usize::from(self.hold(name).await?));
            } else {
                self.give_back(name).await?;
            }
        }
        let mut soonest = Duration::MAX;
        for name in others {
            if mine >= part {
                break;
            }
            let theirs = |lease: &&Lease| lease.name == *name && lease.holder != self.holder;
            match standing.iter().find(theirs) {
                Some(lease) => soonest = soonest.min(lease.remaining),
                None => mine = mine.saturating_add(usize::from(self.hold(name).await?)),
            }
        }
        Ok(soonest)
    }

    /// Takes or renews a share; whether it is this worker's now.
    async fn hold(&self, name: &str) -> Result<bool, LeasesUnavailable> {
        // From before the store was asked: its term cannot begin earlier.
        let stands = self.terms.term.saturating_sub(self.terms.margin);
        let good_until = self.clock.now().saturating_add(stands);
        let taken = self.ask(self.take(name.to_owned())).await?;
        let held = match taken {
            Taken::Held { fence } => {
                self.tenures().insert(name.to_owned(), Tenure { fence, good_until });
                true
            }
            Taken::ByAnother(_) => {
                self.tenures().remove(name);
                false
            }
        };
        self.show();
        Ok(held)
    }

    fn take(
        &self,
        name: String,
    ) -> impl Future<Output = Result<Taken, LeasesUnavailable>> + Send + '_ {
        self.leases.take(name, self.holder.clone(), self.terms.term)
    }

    /// The work stops first; then others may have the share.
    async fn give_back(&self, name: &str) -> Result<(), LeasesUnavailable> {
        self.tenures().remove(name);
        self.show();
        self.ask(self.leases.release(name.to_owned(), self.holder.clone())).await
    }

    async fn give_all_back(&self) -> Result<(), LeasesUnavailable> {
        let names: Vec<_> = std::mem::take(&mut *self.tenures()).into_keys().collect();
        self.show();
        let presence = format!("{WORKER}{}", self.holder);
        for name in names.into_iter().chain([presence]) {
            self.ask(self.leases.release(name, self.holder.clone())).await?;
        }
        Ok(())
    }

    /// Gives up what was not renewed in time, whatever the store is doing meanwhile.
    async fn give_up_in_time(&self) {
        let mut changed = self.held.subscribe();
        loop {
            let now = self.clock.now();
            let late = {
                let mut tenures = self.tenures();
                let before = tenures.len();
                tenures.retain(|_, tenure| tenure.good_until > now);
                before.saturating_sub(tenures.len())
            };
            if late > 0 {
                tracing::warn!(late, "shares could not be renewed in time; others may take them");
                self.show();
            }
            let next = self.tenures().values().map(|tenure| tenure.good_until).min();
            let sleep = async {
                match next {
                    Some(next) => self.clock.sleep_until(next).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = sleep => {}
                // The sender lives as long as this keeper does.
                _shown = changed.changed() => {}
            }
        }
    }

    /// Waits for an answer, but not for long.
    async fn ask<T>(
        &self,
        answer: impl Future<Output = Result<T, LeasesUnavailable>> + Send,
    ) -> Result<T, LeasesUnavailable> {
        let late = self.clock.now().saturating_add(self.terms.answer);
        tokio::select! {
            biased;
            answer = answer => answer,
            () = self.wait_until(late) => Err(LeasesUnavailable("no answer in time".to_owned())),
        }
    }

    fn has(&self, name: &str) -> bool {
        self.tenures().contains_key(name)
    }

    fn show(&self) {
        let held: Held =
            self.tenures().iter().map(|(name, tenure)| (name.clone(), tenure.fence)).collect();
        self.held.send_if_modified(|shown| {
            let news = *shown != held;
            if news {
                tracing::info!(shares = ?held.keys().collect::<Vec<_>>(), "this worker's shares");
                *shown = held;
            }
            news
        });
    }

    fn tenures(&self) -> MutexGuard<'_, BTreeMap<String, Tenure>> {
        // No lock is held over anything that can panic half-way.
        self.tenures.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
