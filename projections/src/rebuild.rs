//! Fills a new generation of a view beside the one that is read, compares the two at the same
//! position, lets the new one take over, takes that back, and drops what nobody needs.
//!
//! It tells no subscribers while it fills: they were told when the facts were new. When a
//! generation takes over they are asked to read again.

use std::sync::Arc;
use std::time::Instant;

use holdfast_domain::log::{Feed, Position};
use tokio_util::sync::CancellationToken;

use crate::cache::Cache;
use crate::folding::Binding;
use crate::follower::{Failpoint, FollowError, Follower, no_failpoint};
use crate::ports::{Comparison, ReadStore, StoreError, Target};
use crate::projector::Projector;
use crate::recognise::recognise;
use crate::registry::{
    Alteration, Checkpoint, Generation, GenerationId, GenerationState, Registry,
};
use crate::stride::Stride;

/// How far a rebuild is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// How many events were folded since it started.
    pub events: u64,
    /// How far it is.
    pub position: Position,
    /// How far it has to come.
    pub target: Position,
}

/// Called with the progress after every page.
pub type OnProgress<'a> = &'a (dyn Fn(Progress) + Send + Sync);

/// How much of what it fills it keeps in memory while it fills.
const CACHE_BYTES: u64 = 16 << 20;

/// The live views may move on between two looks; after so many tries somebody has to help.
const TRIES_MAX: u32 = 1_000;

/// Why a rebuild ended early.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RebuildError {
    /// A page was not taken.
    #[error(transparent)]
    Follow(#[from] FollowError),
    /// It was asked to stop; it goes on from there next time.
    #[error("the rebuild was stopped; it can be resumed")]
    Stopped,
    /// There is no generation of this number, or it cannot do this.
    #[error("there is no generation {0} of this view and version that could do this")]
    NoGeneration(u64),
    /// Keys were parked while it was filled: it must not take over.
    #[error("{0} keys of the new generation are parked: it cannot take over")]
    Parked(usize),
    /// The live views never stood still long enough.
    #[error("the live views moved on at each of {TRIES_MAX} tries; try again under less load")]
    NeverStill,
}

impl From<StoreError> for RebuildError {
    fn from(why: StoreError) -> Self {
        Self::Follow(FollowError::Store(why))
    }
}

/// Fills, compares and switches generations.
#[derive(Debug, Clone)]
pub struct Rebuilder {
    feed: Arc<dyn Feed>,
    store: Arc<dyn ReadStore>,
    page: usize,
    failpoint: Failpoint,
    tolerates_parked: bool,
}

/// Where a generation is after it was filled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Filled {
    /// How far it is.
    pub checkpoint: Option<Checkpoint>,
    /// How many of its keys are parked.
    pub parked: usize,
}

impl Rebuilder {
    /// Over a log and a store, with pages of `page` events.
    pub fn new(feed: Arc<dyn Feed>, store: Arc<dyn ReadStore>, page: usize) -> Self {
        Self { feed, store, page, failpoint: no_failpoint, tolerates_parked: false }
    }

    /// The same, calling `failpoint` at named points.
    #[must_use]
    pub fn with_failpoint(self, failpoint: Failpoint) -> Self {
        Self { failpoint, ..self }
    }

    /// The same, but a generation with parked keys may take over: where nothing better is read.
    #[must_use]
    pub fn tolerating_parked(self) -> Self {
        Self { tolerates_parked: true, ..self }
    }

    /// Enters a new, empty generation of a view.
    pub async fn start(&self, projector: &dyn Projector) -> Result<GenerationId, RebuildError> {
        for _ in 0..TRIES_MAX {
            let registry = self.store.registry().await?;
            let (view, version) = (projector.name().to_owned(), projector.version());
            let build = Alteration::Build { view, version };
            match self.store.alter(registry.revision, build).await {
                Ok(registry) => {
                    let newest = registry.generations.iter().map(|known| known.id).max();
                    return newest.ok_or(RebuildError::NoGeneration(0));
                }
                Err(StoreError::Moved) => {}
                Err(why) => return Err(why.into()),
            }
        }
        Err(RebuildError::NeverStill)
    }

    /// The generation to fill: one of this view and version that was begun, or else a new one.
    pub async fn begin(&self, projector: &dyn Projector) -> Result<GenerationId, RebuildError> {
        self.drop_spoilt(projector).await?;
        let registry = self.store.registry().await?;
        let begun = registry.generations.iter();
        let begun =
            begun.filter(|known| known.state == GenerationState::Building && of(known, projector));
        match begun.map(|known| known.id).max() {
            Some(begun) => Ok(begun),
            None => self.start(projector).await,
        }
    }

    /// Drops what was begun of this view and version and has parked keys; answers which. A parked
    /// key stays parked however far its generation is filled, even by a build that could fold it,
    /// so such a generation could never take over.
    pub async fn drop_spoilt(
        &self,
        projector: &dyn Projector,
    ) -> Result<Vec<GenerationId>, RebuildError> {
        let (registry, parked) = (self.store.registry().await?, self.store.parked().await?);
        let mut dropped = Vec::new();
        for known in &registry.generations {
            let begun = known.state == GenerationState::Building && of(known, projector);
            if begun && parked.iter().any(|one| one.generation == known.id) {
                match self.drop_generation(known.id).await {
                    // Somebody else dropped it, or did something else with it, in between.
                    Err(_refused) if !self.is_building(known.id).await? => {}
                    result => result?,
                }
                dropped.push(known.id);
            }
        }
        Ok(dropped)
    }

    async fn is_building(&self, generation: GenerationId) -> Result<bool, RebuildError> {
        let registry = self.store.registry().await?;
        let known = registry.generation(generation);
        Ok(known.is_some_and(|known| known.state == GenerationState::Building))
    }

    /// Brings a generation to where the live views are.
    pub async fn catch_up(
        &self,
        projector: &Arc<dyn Projector>,
        generation: GenerationId,
        progress: OnProgress<'_>,
        stop: &CancellationToken,
    ) -> Result<Filled, RebuildError> {
        let mut follower = self.follower(projector, generation).await?;
        self.advance(&mut follower, progress, stop).await?;
        Ok(Filled { checkpoint: follower.checkpoint, parked: follower.parked.len() })
    }

    /// Takes a follower to where the live views are; answers the registry that says so, just read.
    async fn advance(
        &self,
        follower: &mut Follower,
        progress: OnProgress<'_>,
        stop: &CancellationToken,
    ) -> Result<Registry, RebuildError> {
        let mut registry = self.store.registry().await?;
        let (mut events, mut stride) = (0_u64, Stride::new(self.page));
        loop {
            if follower.position() >= registry.position() {
                // The live views may have moved on meanwhile.
                registry = self.store.registry().await?;
            }
            let target = registry.position();
            if follower.position() >= target {
                break;
            }
            let began = Instant::now();
            let page = follower.read(stride.limit(), Some(target)).await?;
            if page.is_empty() {
                break;
            }
            follower.take(&page).await?;
            stride.took(page.len(), began.elapsed());
            events = events.saturating_add(u64::try_from(page.len()).unwrap_or(u64::MAX));
            progress(Progress { events, position: follower.position(), target });
            if stop.is_cancelled() {
                return Err(RebuildError::Stopped);
            }
        }
        Ok(registry)
    }

    /// Compares a generation with the one that is read, at the same position.
    pub async fn compare(
        &self,
        projector: &Arc<dyn Projector>,
        generation: GenerationId,
        progress: OnProgress<'_>,
        stop: &CancellationToken,
    ) -> Result<Comparison, RebuildError> {
        for _ in 0..TRIES_MAX {
            self.catch_up(projector, generation, progress, stop).await?;
            let registry = self.store.registry().await?;
            let active = registry.active(projector.name()).map(|known| known.id);
            let active = active.ok_or(RebuildError::NoGeneration(generation.0))?;
            let found = self.store.compare(active, generation).await?;
            if found.left == found.right {
                return Ok(found);
            }
        }
        Err(RebuildError::NeverStill)
    }

    /// Lets a generation take over, at the position of the live views. The one before it retires;
    /// the same call with that one takes the switch back.
    pub async fn switch(
        &self,
        projector: &Arc<dyn Projector>,
        generation: GenerationId,
        progress: OnProgress<'_>,
        stop: &CancellationToken,
    ) -> Result<Registry, RebuildError> {
        let mut follower = self.follower(projector, generation).await?;
        for _ in 0..TRIES_MAX {
            // Between this look and the switch the live views must stand still, so nothing else is
            // done between the two.
            let registry = self.advance(&mut follower, progress, stop).await?;
            let parked = follower.parked.len();
            if parked > 0 && !self.tolerates_parked {
                return Err(RebuildError::Parked(parked));
            }
            let at = follower.checkpoint;
            let known = registry.generation(generation);
            if known.is_some_and(|known| known.state == GenerationState::Active) {
                // Another runner let it take over in this moment.
                return Ok(registry);
            }
            if registry.live != at {
                continue;
            }
            let activate = Alteration::Activate { generation, at };
            match self.store.alter(registry.revision, activate).await {
                Ok(registry) => return Ok(registry),
                Err(StoreError::Moved) => {}
                Err(why) => return Err(why.into()),
            }
        }
        Err(RebuildError::NeverStill)
    }

    /// Drops a generation that nobody reads.
    pub async fn drop_generation(&self, generation: GenerationId) -> Result<(), RebuildError> {
        for _ in 0..TRIES_MAX {
            let registry = self.store.registry().await?;
            let gone = Alteration::Drop { generation };
            match self.store.alter(registry.revision, gone).await {
                Ok(_registry) => return Ok(()),
                Err(StoreError::Moved) => {}
                Err(why) => return Err(why.into()),
            }
        }
        Err(RebuildError::NeverStill)
    }

    async fn follower(
        &self,
        projector: &Arc<dyn Projector>,
        generation: GenerationId,
    ) -> Result<Follower, RebuildError> {
        let registry = self.store.registry().await?;
        let known = registry.generation(generation).filter(|known| {
            of(known, projector.as_ref()) && known.state != GenerationState::Active
        });
        let known = known.ok_or(RebuildError::NoGeneration(generation.0))?;
        let parked = self.store.parked().await?;
        let parked = parked.into_iter().filter(|parked| parked.generation == generation);
        let checkpoint = known.checkpoint;
        recognise(self.feed.as_ref(), checkpoint).await?;
        Ok(Follower {
            feed: Arc::clone(&self.feed),
            store: Arc::clone(&self.store),
            target: Target::Generation(generation),
            bindings: vec![Binding { projector: Arc::clone(projector), generation }],
            registry: registry.revision,
            checkpoint,
            parked: parked.map(|one| ((one.generation, one.key.clone()), one)).collect(),
            cache: Cache::new(CACHE_BYTES),
            announce: false,
            failpoint: self.failpoint,
        })
    }
}

/// Whether a generation is of this view and version.
pub(crate) fn of(generation: &Generation, projector: &dyn Projector) -> bool {
    generation.view == projector.name() && generation.version == projector.version()
}
