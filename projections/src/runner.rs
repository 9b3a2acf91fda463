//! Follows the log and keeps the live views up to date: read a page, fold it, commit it, fill the
//! cache, publish the position. One future, run by its caller; it ends when it is told to, between
//! two commits, or when going on would be wrong.
//!
//! Deliberately not here: effects. Nothing outside the read model is told by a runner.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use holdfast_domain::log::{Feed, Position};
use tokio_util::sync::CancellationToken;

use crate::follower::{Failpoint, FollowError, Follower, Taken, no_failpoint};
use crate::hints::{Hints, NoHints};
use crate::housekeeping::Housekeeping;
use crate::opening::Opening;
use crate::ports::{ReadStore, Retention, StoreError};
use crate::projector::Projector;
use crate::published::Published;
use crate::reader::Reader;
use crate::rebuild::RebuildError;
use crate::shared::{Note, Place, SharedCache, kept, tags};
use crate::status::Source;
use crate::stride::Stride;
use crate::watcher::{self, Watcher};

/// What the cache may hold, each document counted with what it costs to keep.
const CACHE_BYTES: u64 = 16 << 20;

/// How a runner goes about it.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// About so many events in one transaction; some times as many while much waits.
    pub page: usize,
    /// How long changes are kept for subscribers who come back.
    pub retention: Retention,
    /// The first pause after a failure that may pass; each next one is twice as long.
    pub pause: Duration,
    /// The longest pause.
    pub pause_max: Duration,
    /// How long it waits for the log to call before it looks for itself.
    pub look_again: Duration,
    /// How much the cache may hold.
    pub cache_bytes: u64,
    /// For how long views that a newer release may have built are left to its nodes, before this
    /// release replaces them by its own.
    pub grace: Duration,
    /// Called at named points.
    pub failpoint: Failpoint,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            page: 512,
            retention: Retention { positions: 100_000, age: None },
            pause: Duration::from_millis(50),
            pause_max: Duration::from_millis(500),
            look_again: Duration::from_secs(1),
            cache_bytes: CACHE_BYTES,
            grace: Duration::from_mins(1),
            failpoint: no_failpoint,
        }
    }
}

/// What the store says when the registry changed, or another runner committed.
const MOVED: FollowError = FollowError::Store(StoreError::Moved);

/// Keeps the live views up to date.
#[derive(Debug)]
pub struct Runner {
    feed: Arc<dyn Feed>,
    store: Arc<dyn ReadStore>,
    projectors: Vec<Arc<dyn Projector>>,
    options: Options,
    published: Arc<Published>,
    hints: Arc<dyn Hints>,
}

impl Runner {
    /// Over a log and a store.
    pub fn new(
        feed: Arc<dyn Feed>,
        store: Arc<dyn ReadStore>,
        projectors: Vec<Arc<dyn Projector>>,
        options: Options,
    ) -> Self {
        let published = Arc::new(Published::new(&projectors, options.cache_bytes));
        Self { feed, store, projectors, options, published, hints: Arc::new(NoHints) }
    }

    /// The same, telling other nodes when the views moved.
    #[must_use]
    pub fn with_hints(self, hints: Arc<dyn Hints>) -> Self {
        Self { hints, ..self }
    }

    /// The same, with a cache that nodes share. Before anybody takes a reader.
    #[must_use]
    pub fn with_shared(self, shared: Option<Arc<dyn SharedCache>>) -> Self {
        let published = Published::new(&self.projectors, self.options.cache_bytes);
        Self { published: Arc::new(published.with_shared(shared)), ..self }
    }

    /// What shows the same views while another node keeps them.
    pub fn watcher(&self, options: watcher::Options) -> Watcher {
        Watcher {
            feed: Arc::clone(&self.feed),
            store: Arc::clone(&self.store),
            hints: Arc::clone(&self.hints),
            published: Arc::clone(&self.published),
            options,
        }
    }

    /// The reads over what it keeps up to date.
    pub fn reader(&self) -> Reader {
        Reader::new(Arc::clone(&self.store), Arc::clone(&self.published))
    }

    /// Runs until it is told to stop. An error is a halt: going on would be wrong, and a restart
    /// without a change would end the same way.
    pub async fn run(&self, stop: CancellationToken) -> Result<(), FollowError> {
        let mut pause = self.options.pause;
        // Counted within this turn only: before it, another node may have kept the views.
        let mut ahead_since = None;
        loop {
            let before = *self.published.position.borrow();
            let over = |since: Instant| since.elapsed() >= self.options.grace;
            let overrules = self.options.grace.is_zero() || ahead_since.is_some_and(over);
            let Err(why) = self.follow(overrules, &stop).await else { return Ok(()) };
            self.say(&why);
            if !why.passes() {
                return Err(why);
            }
            let stands_aside = !self.published.status.borrow().ahead.is_empty();
            ahead_since = stands_aside.then(|| ahead_since.unwrap_or_else(Instant::now));
            if *self.published.position.borrow() != before {
                pause = self.options.pause;
            }
            if stop.run_until_cancelled(tokio::time::sleep(pause)).await.is_none() {
                return Ok(());
            }
            pause = pause.saturating_mul(2).min(self.options.pause_max);
        }
    }

    /// Says in the log and the status why it does not go on, for now or for good.
    fn say(&self, why: &FollowError) {
        if *why == MOVED {
            // A switch, or another runner: nothing is wrong, and readers are served meanwhile.
            tracing::info!("other views are read now, or another runner was first; opening anew");
        } else if let FollowError::Ahead(views) = why {
            self.stand_aside(why, views);
        } else if why.passes() {
            self.falter(why);
        } else {
            self.halt(why);
        }
    }

    fn falter(&self, why: &FollowError) {
        tracing::warn!(%why, "the views cannot go on now; trying again");
        self.published.status.send_modify(|status| status.trouble = Some(why.to_string()));
    }

    /// Says once what it says at each try.
    fn stand_aside(&self, why: &FollowError, views: &[String]) {
        let news = self.published.status.borrow().ahead != views;
        if news {
            let grace = self.options.grace.as_secs();
            tracing::warn!(%why, grace_seconds = grace, "the views stand still");
        }
        self.published.status.send_modify(|status| {
            status.ahead = views.to_vec();
            status.trouble = Some(why.to_string());
        });
    }

    fn halt(&self, why: &FollowError) {
        tracing::error!(%why, "the views have halted");
        self.published.status.send_modify(|status| status.halted = Some(why.to_string()));
    }

    async fn follow(&self, overrules: bool, stop: &CancellationToken) -> Result<(), FollowError> {
        let opening = Opening {
            feed: &self.feed,
            store: &self.store,
            projectors: &self.projectors,
            page: self.options.page,
            failpoint: self.options.failpoint,
            published: &self.published,
            overrules,
        };
        self.look().await?;
        let (mut follower, registry) = match opening.open(stop).await {
            Ok(opened) => opened,
            Err(RebuildError::Follow(why)) => return Err(why),
            Err(RebuildError::Stopped) => return Ok(()),
            // Another runner filled, or let take over, what this one was about to.
            Err(RebuildError::NeverStill | RebuildError::NoGeneration(_)) => {
                return Err(MOVED);
            }
            Err(why @ RebuildError::Parked(_)) => {
                return Err(FollowError::Store(StoreError::Refused(why.to_string())));
            }
        };
        // Another runner may have committed what this one never saw.
        self.published.cache.clear(follower.position());
        self.published.registry.send_replace(Some(Arc::new(registry)));
        let housekeeping =
            Housekeeping { store: self.store.as_ref(), retention: self.options.retention };
        // Before it is seen to run: a node that restarts often, or is stopped at once, trims all the
        // same.
        housekeeping.trim().await;
        self.begin(&follower).await;
        self.publish(&follower, None).await;
        tokio::select! {
            ended = self.go_on(&mut follower, stop) => ended,
            never = housekeeping.run(self.published.position.subscribe()) => match never {},
        }
    }

    /// Takes page after page.
    async fn go_on(
        &self,
        follower: &mut Follower,
        stop: &CancellationToken,
    ) -> Result<(), FollowError> {
        let mut looked = Instant::now();
        let mut stride = Stride::new(self.options.page);
        while !stop.is_cancelled() {
            let began = Instant::now();
            let Some(events) = stop.run_until_cancelled(follower.read(stride.limit(), None)).await
            else {
                break;
            };
            let events = events?;
            let taken = follower.take(&events).await;
            stride.took(events.len(), began.elapsed());
            match taken {
                Ok(Some(taken)) => self.publish(follower, Some(taken)).await,
                Ok(None) => self.idle(follower, stop).await?,
                Err(MOVED) => self.registered(follower).await?,
                Err(why) => return Err(why),
            }
            if looked.elapsed() >= self.options.look_again {
                self.look().await?;
                looked = Instant::now();
            }
        }
        Ok(())
    }

    /// Shows a committed page: to other nodes' readers first, then its position to everybody. This
    /// node's memory has it already.
    async fn publish(&self, follower: &Follower, taken: Option<Taken>) {
        let position = follower.position();
        if let Some(taken) = taken {
            self.share(follower.registry, &taken).await;
        }
        self.published.status.send_modify(|status| {
            status.position = position;
            status.parked = u64::try_from(follower.parked.len()).unwrap_or(u64::MAX);
            status.head = status.head.map(|head| head.max(position));
            status.trouble = None;
            status.last_progress = Instant::now();
            status.work();
            status.ahead.clear();
            status.source = Source::Log;
        });
        self.published.position.send_replace(position);
        self.hints.announce(position).await;
    }

    /// Tells the shared cache under which registry, and from where on, pages are noted.
    async fn begin(&self, follower: &Follower) {
        if let Some(shared) = &self.published.shared {
            shared.began(follower.registry, follower.position()).await;
        }
    }

    /// Tells the shared cache what a page did that was committed under this revision.
    async fn share(&self, registry: u64, taken: &Taken) {
        let Some(shared) = &self.published.shared else { return };
        let after = taken.checkpoint.position;
        if !taken.parked.is_empty() {
            // What a parked key makes untrue is not known one by one.
            return shared.began(registry, after).await;
        }
        let documents = taken.documents.iter().filter(|(id, ..)| self.published.is_shared(*id));
        let documents = documents.map(|(generation, key, document)| {
            (Place::document(*generation, key), kept(document.as_ref()))
        });
        let touched: BTreeSet<String> = taken
            .shared
            .iter()
            .flat_map(|(generation, columns)| tags(*generation, columns))
            .collect();
        let (documents, tags) = (documents.collect(), touched.into_iter().collect());
        let note = Note { registry, before: taken.before, after, documents, tags };
        shared.committed(note).await;
    }

    /// Notes where the log ends.
    async fn look(&self) -> Result<Position, FollowError> {
        let head = self.feed.head().await?.position;
        self.published.status.send_modify(|status| status.head = Some(head));
        Ok(head)
    }

    /// There is nothing to read: note where the log ends, and wait until it calls.
    async fn idle(
        &self,
        follower: &mut Follower,
        stop: &CancellationToken,
    ) -> Result<(), FollowError> {
        let position = follower.position();
        if self.look().await? > position {
            return Ok(());
        }
        self.published.status.send_modify(|status| {
            status.trouble = None;
            status.last_progress = Instant::now();
            status.work();
        });
        let called = tokio::time::timeout(self.options.look_again, self.feed.changed(position));
        if let Some(Err(_quiet)) = stop.run_until_cancelled(called).await {
            // Nobody called for a while: see whether the views were switched meanwhile.
            if self.store.registry().await?.revision != follower.registry {
                return self.registered(follower).await;
            }
        }
        Ok(())
    }

    /// The registry changed. Where generations came or went that nobody reads, as in a rebuild, the
    /// follower goes on where it is; otherwise the views have to be opened again.
    async fn registered(&self, follower: &mut Follower) -> Result<(), FollowError> {
        let registry = self.store.registry().await?;
        let before = self.published.registry.borrow().clone();
        let same = before.is_some_and(|before| before.shows_same(&registry));
        let moved = registry.live != follower.checkpoint || registry.revision == follower.registry;
        if !same || moved {
            return Err(MOVED);
        }
        follower.registry = registry.revision;
        self.begin(follower).await;
        self.published.registry.send_replace(Some(Arc::new(registry)));
        Ok(())
    }
}
