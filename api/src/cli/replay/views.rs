//! All views as of then: filled in memory from the start of the log, then counted and hashed. Nothing
//! of the stored read models is read or touched.

use std::sync::Arc;

use holdfast_domain::log::{Feed, Position};
use holdfast_projections::Projections;
use holdfast_projections::dump::dump;
use holdfast_projections::follower::{Follower, no_failpoint};
use holdfast_projections::opening::Opening;
use holdfast_projections::ports::ReadStore;
use holdfast_projections::published::Published;
use holdfast_readmodel::memory::MemoryReadStore;
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::as_of::AsOf;
use crate::cli::Failure;
use crate::cli::output::{self, Format};
use crate::cli::progress::{Progress, ProgressMode};

const PAGE: usize = 512;

/// Every view as of then.
#[derive(Debug, Serialize)]
pub struct Filled {
    /// Up to here.
    pub position: u64,
    /// The head of the log, when the views were also filled up to there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub now: Option<u64>,
    /// The views.
    pub views: Vec<View>,
}

/// One view.
#[derive(Debug, Serialize)]
pub struct View {
    /// Its name.
    pub view: &'static str,
    /// The version of its documents.
    pub version: u32,
    /// How many documents it had.
    pub documents: u64,
    /// Over all of them.
    pub sha256: String,
    /// How many of its keys could not be folded.
    pub parked: usize,
    /// The same, now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub now: Option<Box<View>>,
}

/// Fills all views up to there; with `now`, on to the head.
pub async fn replay(
    feed: Arc<dyn Feed>,
    as_of: AsOf,
    now: bool,
    mode: ProgressMode,
) -> Result<Filled, Failure> {
    let position = as_of.position(feed.as_ref()).await?;
    let store: Arc<dyn ReadStore> = Arc::new(MemoryReadStore::new());
    let mut follower = empty(&feed, &store).await?;
    let head = if now { feed.head().await?.position } else { position };
    let mut progress = Progress::new(mode, "replay", head.0);
    fill(&mut follower, position, head, &mut progress).await?;
    let mut views = views(store.as_ref()).await?;
    if now {
        fill(&mut follower, head, head, &mut progress).await?;
        let latest = self::views(store.as_ref()).await?;
        for (view, latest) in views.iter_mut().zip(latest) {
            view.now = Some(Box::new(latest));
        }
    }
    progress.clear();
    Ok(Filled { position: position.0, now: now.then_some(head.0), views })
}

/// A follower of all views over an empty store.
async fn empty(feed: &Arc<dyn Feed>, store: &Arc<dyn ReadStore>) -> Result<Follower, Failure> {
    let projectors = Projections::all();
    let published = Published::new(&projectors, 0);
    let opening = Opening {
        feed,
        store,
        projectors: &projectors,
        page: PAGE,
        failpoint: no_failpoint,
        published: &published,
        overrules: false,
    };
    let (mut follower, _registry) = opening.open(&CancellationToken::new()).await?;
    // Nobody is subscribed to a replay.
    follower.announce = false;
    Ok(follower)
}

async fn fill(
    follower: &mut Follower,
    until: Position,
    total: Position,
    progress: &mut Progress,
) -> Result<(), Failure> {
    while follower.position() < until {
        let page = follower.read(PAGE, Some(until)).await?;
        if follower.take(&page).await?.is_none() {
            break;
        }
        progress.at(follower.position().0, total.0);
    }
    Ok(())
}

async fn views(store: &dyn ReadStore) -> Result<Vec<View>, Failure> {
    let (registry, parked) = (store.registry().await?, store.parked().await?);
    let mut views = Vec::new();
    for projector in Projections::all() {
        let Some(active) = registry.active(projector.name()) else { continue };
        let digest = dump(store, active.id, |_line| {}).await?;
        views.push(View {
            view: projector.name(),
            version: projector.version(),
            documents: digest.rows,
            sha256: digest.sha256.to_string(),
            parked: parked.iter().filter(|one| one.generation == active.id).count(),
            now: None,
        });
    }
    Ok(views)
}

/// Shows them.
pub fn show(format: Format, filled: &Filled) -> Result<(), Failure> {
    output::one(format, filled, text)
}

fn text(filled: &Filled) -> String {
    let mut lines = vec![match filled.now {
        None => format!("as of position {}", filled.position),
        Some(head) => format!("as of position {}, and at the head, {head}", filled.position),
    }];
    for view in &filled.views {
        let row = |view: &View| format!("{:>9} documents  {}", view.documents, view.sha256);
        lines.push(format!("  {:<14} v{}  {}", view.view, view.version, row(view)));
        if let Some(now) = view.now.as_ref().filter(|now| now.sha256 != view.sha256) {
            lines.push(format!("  {:>14}     {}", "now", row(now)));
        }
        if view.parked > 0 {
            lines.push(format!("  {:>14}     {} keys could not be folded", "", view.parked));
        }
    }
    lines.join("\n")
}
