//! What a node shows to those who read: the cache, how far the views are, how they are, and what is
//! active. Written by the runner while this node keeps the views, by the watcher while another does.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use holdfast_domain::log::Position;
use tokio::sync::{Notify, watch};

use crate::cache::Cache;
use crate::projector::Projector;
use crate::registry::{Generation, GenerationId, GenerationState, Registry};
use crate::shared::SharedCache;
use crate::status::Status;

/// Whose views the store holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Footing {
    /// Nobody has looked yet.
    Unknown,
    /// Those of this log.
    ThisLog,
    /// Those of another log, or of another life of this one: nobody may read them.
    AnotherLog,
}

/// What is shown to readers.
#[derive(Debug)]
pub struct Published {
    /// Whose views the store holds. Nothing is read before this is known.
    pub footing: watch::Sender<Footing>,
    /// Documents in memory.
    pub cache: Cache,
    /// How far the live views are. Sent after each commit and each switch: look for changes then.
    pub position: watch::Sender<Position>,
    /// Its account of itself.
    pub status: watch::Sender<Status>,
    /// The generations that are read; none before it knows them.
    pub registry: watch::Sender<Option<Arc<Registry>>>,
    /// The views of this build, with the versions of their documents.
    pub versions: BTreeMap<&'static str, u32>,
    /// Those of them that nodes share in a cache.
    shared_views: BTreeSet<&'static str>,
    /// The cache that nodes share, when there is one.
    pub shared: Option<Arc<dyn SharedCache>>,
    /// How many readers wait for a position that is not shown yet.
    waiting: AtomicUsize,
    /// Calls a watcher to look at once.
    called: Notify,
}

/// A reader who waits. Until it is dropped, a watcher looks more often.
#[derive(Debug)]
pub struct Waiting<'a>(&'a Published);

impl Published {
    /// Of these views; nothing is known yet.
    pub fn new(projectors: &[Arc<dyn Projector>], cache_bytes: u64) -> Self {
        let shared = projectors.iter().filter(|view| view.is_shared());
        let versions = projectors.iter().map(|view| (view.name(), view.version()));
        Self {
            footing: watch::Sender::new(Footing::Unknown),
            cache: Cache::new(cache_bytes),
            position: watch::Sender::new(Position::START),
            status: watch::Sender::new(Status::starting()),
            registry: watch::Sender::new(None),
            versions: versions.collect(),
            shared_views: shared.map(|view| view.name()).collect(),
            shared: None,
            waiting: AtomicUsize::new(0),
            called: Notify::new(),
        }
    }

    /// The same, with a cache that nodes share.
    #[must_use]
    pub fn with_shared(self, shared: Option<Arc<dyn SharedCache>>) -> Self {
        Self { shared, ..self }
    }

    /// Notes whose views the store holds.
    pub fn stands_on(&self, footing: Footing) {
        self.footing.send_if_modified(|known| {
            let news = *known != footing;
            *known = footing;
            news
        });
    }

    /// Whether a generation holds documents in the version of this build.
    pub fn reads(&self, generation: &Generation) -> bool {
        self.versions.get(generation.view.as_str()) == Some(&generation.version)
    }

    /// The views that are read in a version, or under a name, that this build does not know, and that
    /// a newer release may have built. What is older than this build, it knows to be so.
    pub fn ahead(&self, registry: &Registry) -> Vec<String> {
        let active = registry.generations.iter();
        let active = active.filter(|known| known.state == GenerationState::Active);
        let ahead = active.filter(|known| {
            let ours = self.versions.get(known.view.as_str());
            ours.is_none_or(|ours| *ours < known.version)
        });
        ahead.map(|known| format!("{} version {}", known.view, known.version)).collect()
    }

    /// The cache that nodes share, with the revision of the registry and the active generation of a
    /// view, when that view is shared and this build can read it.
    pub fn shared(&self, view: &str) -> Option<(&Arc<dyn SharedCache>, u64, GenerationId)> {
        let shared = self.shared.as_ref().filter(|_cache| self.shared_views.contains(view))?;
        let registry = self.registry.borrow();
        let registry = registry.as_ref()?;
        let active = registry.active(view).filter(|active| self.reads(active))?;
        Some((shared, registry.revision, active.id))
    }

    /// Whether a generation is of a view that nodes share.
    pub fn is_shared(&self, generation: GenerationId) -> bool {
        let registry = self.registry.borrow();
        let known = registry.as_ref().and_then(|known| known.generation(generation));
        known.is_some_and(|known| self.shared_views.contains(known.view.as_str()))
    }

    /// Says that somebody waits for a position that is not shown yet.
    pub fn wait(&self) -> Waiting<'_> {
        self.waiting.fetch_add(1, Ordering::SeqCst);
        self.called.notify_one();
        Waiting(self)
    }

    /// Whether somebody waits.
    pub fn awaited(&self) -> bool {
        self.waiting.load(Ordering::SeqCst) > 0
    }

    /// Returns when somebody has begun to wait since the last call.
    pub async fn called(&self) {
        self.called.notified().await;
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::SeqCst);
    }
}
