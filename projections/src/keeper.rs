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

use crate::effort::{Effort, Fitness};
use crate::leases::{Lease, Leases, LeasesUnavailable, Taken};
use crate::monotonic::Monotonic;
use crate::presence::{Presence, workers};
use crate::status::Status;

/// The share of the live views: one runner keeps all of them.
pub const VIEWS: &str = "views";

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
    /// How long a worker may go without a sign of work before another shall have its shares: longer
    /// than a page takes from stores that just answer in time.
    pub patience: Duration,
    /// How long a worker that gave the views back is no candidate for them.
    pub rest: Duration,
}

impl Default for Terms {
    fn default() -> Self {
        Self {
            term: Duration::from_secs(6),
            renew: Duration::from_secs(2),
            margin: Duration::from_secs(1),
            answer: Duration::from_secs(1),
            patience: Duration::from_secs(7),
            rest: Duration::from_secs(30),
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
    /// What the work on the views says of itself.
    account: Option<watch::Receiver<Status>>,
    effort: Mutex<Effort>,
    /// As what it showed itself the last time.
    shown: Mutex<Presence>,
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
        let effort = Mutex::new(Effort::new(terms.patience, terms.rest));
        let (account, shown) = (None, Mutex::new(Presence::Able));
        Self { leases, clock, holder, groups, terms, tenures, held, account, effort, shown }
    }

    /// The same, giving back what it does not get on with when another worker could. `account` is
    /// what the runner and the watcher of the views say of themselves.
    #[must_use]
    pub fn minding(self, account: watch::Receiver<Status>) -> Self {
        Self { account: Some(account), ..self }
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
        for prefix in Presence::prefixes() {
            if let Err(why) = self.ask(self.leases.forget(prefix.to_owned(), REMEMBERED)).await {
                tracing::info!(%why, "workers of the past are not forgotten now; later");
                return;
            }
        }
    }

    async fn wait_until(&self, instant: Duration) {
        while self.clock.now() < instant {
            self.clock.sleep_until(instant).await;
        }
    }

    /// Shows that the worker lives, and brings its shares to its part. Says after how long it has to
    /// look again: when somebody else's share that it could use runs out, or it has itself stood
    /// still for too long.
    async fn divide(&self) -> Result<Duration, LeasesUnavailable> {
        let fitness = self.fitness();
        self.show_presence(fitness.presence()).await?;
        let mut standing = self.ask(self.leases.list()).await?;
        // From before the store's clock went back: free to be taken, and nobody's sign of life.
        standing.retain(|lease| lease.remaining <= self.terms.term);
        let known = workers(&standing);
        let mut others = known.iter().filter(|(holder, _)| **holder != self.holder);
        let another = others.any(|(_, presence)| *presence == Presence::Able);
        // While nobody gets on, what anybody has stays where it is.
        let fitness = if another { fitness } else { Fitness::Able };
        self.yield_to_another(fitness).await?;
        let getting_on = known.values().filter(|presence| **presence != Presence::Stalled);
        let sharing = getting_on.count().max(1);
        let mut soonest = self.until_judged();
        for group in &self.groups {
            let part = group.len().div_ceil(sharing);
            let takes = match fitness {
                Fitness::Able => true,
                Fitness::Bystander(_) => group.iter().all(|name| name != VIEWS),
                Fitness::Stalled => false,
            };
            if takes {
                soonest = soonest.min(self.divide_group(group, part, &standing).await?);
            }
        }
        Ok(soonest)
    }

    /// What this worker is good for.
    fn fitness(&self) -> Fitness {
        let Some(account) = &self.account else { return Fitness::Able };
        let status = account.borrow().clone();
        let tenure = self.tenures().get(VIEWS).map(|tenure| tenure.fence);
        self.effort().judge(&status, tenure, self.clock.now())
    }

    /// How long it may still go without a sign of work.
    fn until_judged(&self) -> Duration {
        let ends = self.effort().patience_ends();
        let left = ends.map(|ends| ends.saturating_sub(self.clock.now()));
        // Over, and nobody else could keep them: there is no hurry.
        left.filter(|left| !left.is_zero()).unwrap_or(Duration::MAX)
    }

    /// Renews the lease under which it is known to live; the one that says otherwise goes.
    async fn show_presence(&self, presence: Presence) -> Result<(), LeasesUnavailable> {
        self.ask(self.take(presence.lease(&self.holder))).await?;
        let before = std::mem::replace(&mut *self.shown(), presence);
        if before != presence {
            self.ask(self.release(before.lease(&self.holder))).await?;
        }
        Ok(())
    }

    /// Gives back what another shall have who gets on.
    async fn yield_to_another(&self, fitness: Fitness) -> Result<(), LeasesUnavailable> {
        let (why, everything) = match fitness {
            Fitness::Able => return Ok(()),
            Fitness::Bystander(why) => (why, false),
            Fitness::Stalled => ("it makes no progress", true),
        };
        let names: Vec<String> = self.tenures().keys().cloned().collect();
        for name in names.iter().filter(|name| everything || *name == VIEWS) {
            tracing::warn!(why, share = name, "this worker leaves a share to another");
            if name == VIEWS {
                self.effort().gave_back(self.clock.now());
            }
            self.give_back(name).await?;
        }
        Ok(())
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

    fn release(
        &self,
        name: String,
    ) -> impl Future<Output = Result<(), LeasesUnavailable>> + Send + '_ {
        self.leases.release(name, self.holder.clone())
    }

    /// The work stops first; then others may have the share.
    async fn give_back(&self, name: &str) -> Result<(), LeasesUnavailable> {
        self.tenures().remove(name);
        self.show();
        self.ask(self.release(name.to_owned())).await
    }

    async fn give_all_back(&self) -> Result<(), LeasesUnavailable> {
        let names: Vec<_> = std::mem::take(&mut *self.tenures()).into_keys().collect();
        self.show();
        for name in names.into_iter().chain(Presence::leases(&self.holder)) {
            self.ask(self.release(name)).await?;
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

    fn shown(&self) -> MutexGuard<'_, Presence> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn effort(&self) -> MutexGuard<'_, Effort> {
        self.effort.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tenures(&self) -> MutexGuard<'_, BTreeMap<String, Tenure>> {
        // No lock is held over anything that can panic half-way.
        self.tenures.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
