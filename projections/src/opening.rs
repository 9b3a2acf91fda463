//! What a runner does before it follows the log: recognise it, find the generations that this build
//! can fold, and fill those that are missing, so that all live views start from one checkpoint.

use std::sync::Arc;

use holdfast_domain::log::Feed;
use tokio_util::sync::CancellationToken;

use crate::folding::Binding;
use crate::follower::{Failpoint, FollowError, Follower};
use crate::ports::{ReadStore, Target};
use crate::projector::Projector;
use crate::published::{Footing, Published};
use crate::rebuild::{RebuildError, Rebuilder, of};
use crate::recognise::recognise;
use crate::registry::{Alteration, Generation, GenerationId, GenerationState, Registry};

/// The parts that it needs.
#[derive(Debug)]
pub struct Opening<'a> {
    /// The log.
    pub feed: &'a Arc<dyn Feed>,
    /// Where the views are kept.
    pub store: &'a Arc<dyn ReadStore>,
    /// The views of this build.
    pub projectors: &'a [Arc<dyn Projector>],
    /// How many events to fill with at once.
    pub page: usize,
    /// Called at named points.
    pub failpoint: Failpoint,
    /// Where it says what it is doing, and how far the stored views are: those that need no filling
    /// are read meanwhile.
    pub published: &'a Published,
    /// Whether it goes on with its own views in place of those that a newer release may have built.
    pub overrules: bool,
}

impl Opening<'_> {
    /// A follower of all live views, and the registry that it computes with.
    pub async fn open(
        &self,
        stop: &CancellationToken,
    ) -> Result<(Follower, Registry), RebuildError> {
        let mut registry = self.store.registry().await?;
        self.recognise(&registry).await?;
        let stored = registry.position();
        if *self.published.position.borrow() < stored {
            // Another runner went on meanwhile: memory is older than what is shown from here on.
            self.published.cache.clear(stored);
            self.published.position.send_replace(stored);
        }
        registry = self.leave_or_overrule(registry).await?;
        for projector in self.projectors {
            let active = registry.active(projector.name());
            if !active.is_some_and(|active| self.folds(active)) {
                registry = self.fill(projector, stop).await?;
            }
        }
        self.published.status.send_modify(|status| status.building.clear());
        let parked = self.store.parked().await?;
        let bindings = self.bindings(&registry);
        let mut follower = self.follower(&registry, bindings);
        let bound = |id: GenerationId| follower.bindings.iter().any(|one| one.generation == id);
        follower.parked = parked
            .into_iter()
            .filter(|parked| bound(parked.generation))
            .map(|parked| ((parked.generation, parked.key.clone()), parked))
            .collect();
        Ok((follower, registry))
    }

    /// Recognises the log, and lets nobody read what follows another one.
    async fn recognise(&self, registry: &Registry) -> Result<(), FollowError> {
        let recognised = recognise(self.feed.as_ref(), registry.live).await;
        match recognised {
            Ok(()) => self.published.stands_on(Footing::ThisLog),
            Err(FollowError::AnotherLog(_)) => self.published.stands_on(Footing::AnotherLog),
            // It could not be asked: what was known stays true.
            Err(
                FollowError::Log(_)
                | FollowError::Store(_)
                | FollowError::Ahead(_)
                | FollowError::TooManyParked(_),
            ) => {}
        }
        recognised
    }

    /// Leaves alone what a newer release may have built, or goes on without it: what this build does
    /// not have retires, and can be gone on with by whoever has it.
    async fn leave_or_overrule(&self, mut registry: Registry) -> Result<Registry, RebuildError> {
        let ahead = self.published.ahead(&registry);
        if ahead.is_empty() {
            return Ok(registry);
        }
        if !self.overrules {
            return Err(FollowError::Ahead(ahead).into());
        }
        tracing::warn!(?ahead, "replacing views that no node of their release keeps");
        for generation in &registry.generations.clone() {
            if generation.state == GenerationState::Active && !self.successor(generation) {
                // Nobody would advance it, so nobody may read it as if it were up to date.
                let retire = Alteration::Retire { generation: generation.id };
                registry = self.store.alter(registry.revision, retire).await?;
            }
        }
        Ok(registry)
    }

    /// Whether this build knows how to fold a generation.
    fn folds(&self, generation: &Generation) -> bool {
        self.projectors.iter().any(|projector| of(generation, projector.as_ref()))
    }

    /// Whether this build has the view, in this or another version.
    fn successor(&self, generation: &Generation) -> bool {
        self.projectors.iter().any(|projector| projector.name() == generation.view)
    }

    fn bindings(&self, registry: &Registry) -> Vec<Binding> {
        let bound = self.projectors.iter().filter_map(|projector| {
            let active = registry.active(projector.name())?;
            of(active, projector.as_ref())
                .then(|| Binding { projector: Arc::clone(projector), generation: active.id })
        });
        let mut bindings: Vec<_> = bound.collect();
        bindings.sort_by_key(|binding| binding.projector.lane());
        bindings
    }

    fn follower(&self, registry: &Registry, bindings: Vec<Binding>) -> Follower {
        Follower {
            feed: Arc::clone(self.feed),
            store: Arc::clone(self.store),
            target: Target::Live,
            bindings,
            registry: registry.revision,
            checkpoint: registry.live,
            parked: std::collections::BTreeMap::new(),
            cache: self.published.cache.clone(),
            announce: true,
            failpoint: self.failpoint,
        }
    }

    /// Enters a generation, unless another runner did anything since the registry was read: it may
    /// have entered the same one.
    async fn build(
        &self,
        projector: &dyn Projector,
        registry: &Registry,
    ) -> Result<GenerationId, RebuildError> {
        let (view, version) = (projector.name().to_owned(), projector.version());
        let build = Alteration::Build { view, version };
        let registry = self.store.alter(registry.revision, build).await?;
        let newest = registry.generations.iter().map(|known| known.id).max();
        newest.ok_or(RebuildError::NoGeneration(0))
    }

    /// The newest generation of this view and version that can be filled on: one in which keys were
    /// parked would keep them parked.
    async fn started(
        &self,
        projector: &dyn Projector,
        registry: &Registry,
    ) -> Result<Option<GenerationId>, RebuildError> {
        let parked = self.store.parked().await?;
        let started = registry.generations.iter().filter(|known| {
            known.state != GenerationState::Active
                && of(known, projector)
                && parked.iter().all(|one| one.generation != known.id)
        });
        Ok(started.map(|known| known.id).max())
    }

    /// Fills a view up to the live checkpoint, from where an earlier filling stopped, and lets it
    /// take over.
    async fn fill(
        &self,
        projector: &Arc<dyn Projector>,
        stop: &CancellationToken,
    ) -> Result<Registry, RebuildError> {
        let rebuilder = Rebuilder::new(Arc::clone(self.feed), Arc::clone(self.store), self.page)
            .with_failpoint(self.failpoint)
            .tolerating_parked();
        rebuilder.drop_spoilt(projector.as_ref()).await?;
        let registry = self.store.registry().await?;
        if registry.active(projector.name()).is_some_and(|active| self.folds(active)) {
            // Another runner filled it in this moment: a second filling would make cursors too old.
            return Ok(registry);
        }
        let generation = match self.started(projector.as_ref(), &registry).await? {
            Some(started) => started,
            None => self.build(projector.as_ref(), &registry).await?,
        };
        let say = |progress: crate::rebuild::Progress| {
            self.published.status.send_modify(|status| {
                status.work();
                status.building = vec![(projector.name().to_owned(), progress.position)];
            });
        };
        rebuilder.catch_up(projector, generation, &say, stop).await?;
        rebuilder.switch(projector, generation, &say, stop).await
    }
}
