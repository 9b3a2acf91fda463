//! Which view and which of its generations a command is about, and the parts that work on it.

use std::sync::Arc;

use holdfast_domain::log::Feed;
use holdfast_projections::Projections;
use holdfast_projections::ports::ReadStore;
use holdfast_projections::projector::Projector;
use holdfast_projections::rebuild::Rebuilder;
use holdfast_projections::registry::{Generation, GenerationId, GenerationState, Registry};

use crate::cli::offline::Opened;
use crate::cli::{Failure, hint, offline};
use crate::config::Config;

/// How many events one transaction folds. A writer waits at most for one of these.
const PAGE: usize = 512;

/// The stores, and what rebuilds.
#[derive(Debug)]
pub struct Workshop {
    /// The log.
    pub log: Opened<dyn Feed>,
    /// The read models.
    pub views: Opened<dyn ReadStore>,
    /// Fills, compares and switches.
    pub rebuilder: Rebuilder,
}

impl Workshop {
    /// Opens both stores.
    pub async fn open(config: &Config) -> Result<Self, Failure> {
        let (log, views) = (offline::log(config).await?, offline::views(config).await?);
        let rebuilder = Rebuilder::new(Arc::clone(&log), Arc::clone(&views), PAGE);
        Ok(Self { log, views, rebuilder })
    }

    /// Closes both stores.
    pub async fn close(self) {
        drop(self.rebuilder);
        self.views.close().await;
        self.log.close().await;
    }
}

/// The projector of a view's name.
pub fn projector(name: &str) -> Result<Arc<dyn Projector>, Failure> {
    let all = Projections::all();
    if let Some(found) = all.iter().find(|projector| projector.name() == name) {
        return Ok(Arc::clone(found));
    }
    let names: Vec<_> = all.iter().map(|projector| projector.name()).collect();
    Err(Failure::Usage(format!("there is no view `{name}`; one of {}", names.join(", "))))
}

/// Generations of a view that nobody reads, oldest first.
pub fn unread<'a>(registry: &'a Registry, view: &'a str) -> impl Iterator<Item = &'a Generation> {
    let known = registry.generations.iter();
    known.filter(move |known| known.view == view && known.state != GenerationState::Active)
}

/// The generation that was named or, without a name, the newest one in this state that this release
/// can fold.
pub fn chosen(
    registry: &Registry,
    projector: &dyn Projector,
    named: Option<u64>,
    state: GenerationState,
) -> Result<GenerationId, Failure> {
    let fits = |known: &&Generation| match named {
        Some(named) => known.id.0 == named,
        None => known.state == state && known.version == projector.version(),
    };
    let found = unread(registry, projector.name()).filter(fits).map(|known| known.id).max();
    found.ok_or_else(|| {
        let (view, state) = (projector.name(), state.name());
        let list = format!("{} projections list", hint::program());
        Failure::Conflict(match named {
            Some(named) => format!("{view} has no generation {named} beside the one that is read"),
            None => format!("{view} has no {state} generation; see `{list}`"),
        })
    })
}
