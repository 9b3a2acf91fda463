//! What the tests of running views share: a store of each kind, a runner that runs to the head of a
//! log, and everything that a store then shows.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(dead_code, clippy::allow_attributes, reason = "no test uses all of it")]

use std::sync::Arc;
use std::time::Duration;

use holdfast_domain::log::{Feed as _, Position};
use holdfast_projections::dump::{Digest, dump};
use holdfast_projections::ports::{Change, ReadStore};
use holdfast_projections::projector::Projector;
use holdfast_projections::runner::Options;
use holdfast_projections::topic::Cursor;
use holdfast_projections::{Projections, Reader, Runner};
use holdfast_readmodel::conformance::MemoryFeed;
use holdfast_readmodel::{MemoryReadStore, PostgresReadStore, SqliteReadStore};
use holdfast_test_stores::{Schema, postgres};
use tokio_util::sync::CancellationToken;

/// A store of each kind, empty; the folder must outlive them.
pub(crate) async fn stores(folder: &tempfile::TempDir) -> Vec<Arc<dyn ReadStore>> {
    let name = fresh_name(folder);
    std::fs::create_dir(&name).unwrap();
    let mut stores: Vec<Arc<dyn ReadStore>> = vec![
        Arc::new(MemoryReadStore::new()),
        Arc::new(SqliteReadStore::open(&name).await.unwrap()),
    ];
    if let Some(schema) = postgres("running views").await {
        stores.push(Arc::new(in_postgres(&schema).await));
    }
    stores
}

/// The store in a schema.
pub(crate) async fn in_postgres(schema: &Schema) -> PostgresReadStore {
    PostgresReadStore::open(schema.url().parse().unwrap()).await.unwrap()
}

fn fresh_name(folder: &tempfile::TempDir) -> std::path::PathBuf {
    let count = std::fs::read_dir(folder.path()).unwrap().count();
    folder.path().join(count.to_string())
}

pub(crate) fn options(page: usize) -> Options {
    let (pause, look_again) = (Duration::from_millis(1), Duration::from_millis(10));
    let grace = Duration::ZERO;
    Options { page, pause, look_again, grace, ..Options::default() }
}

/// Patience enough for a slow machine; reached only when something is wrong.
pub(crate) fn patience() -> tokio::time::Sleep {
    tokio::time::sleep(Duration::from_mins(1))
}

/// Runs the views until they have everything that the log has now.
pub(crate) async fn run_to_head(
    feed: &MemoryFeed,
    store: &Arc<dyn ReadStore>,
    projectors: Vec<Arc<dyn Projector>>,
    page: usize,
) -> Reader {
    let head = feed.head().await.unwrap().position;
    let runner = Runner::new(Arc::new(feed.clone()), Arc::clone(store), projectors, options(page));
    let (reader, stop) = (runner.reader(), CancellationToken::new());
    let mut status = reader.watch_status();
    let watch = async {
        // Not the position: that of stored views is known before a missing one is filled.
        tokio::select! {
            at_head = status.wait_for(|status| status.position >= head) => drop(at_head.unwrap()),
            () = patience() => panic!("the views do not come to the head"),
        }
        stop.cancel();
    };
    // A halt shows at once, with its reason.
    let run = async { runner.run(stop.clone()).await.unwrap() };
    tokio::join!(run, watch);
    reader
}

/// The digest of every view that is read, and all news.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Everything {
    pub(crate) views: Vec<(String, Digest)>,
    pub(crate) changes: Vec<Change>,
}

pub(crate) async fn everything(store: &Arc<dyn ReadStore>) -> Everything {
    let registry = store.registry().await.unwrap();
    let mut views = Vec::new();
    for projector in Projections::all() {
        let active = registry.active(projector.name()).unwrap().id;
        let digest = dump(store.as_ref(), active, |_line| {}).await.unwrap();
        views.push((projector.name().to_owned(), digest));
    }
    let page = store.changes(None, Cursor::START, 10_000_000).await.unwrap();
    assert_eq!(page.oldest, Cursor::START);
    Everything { views, changes: page.changes }
}

/// The positions at which an append ends.
pub(crate) fn ends(events: &[holdfast_domain::log::Recorded]) -> Vec<Position> {
    let ends = events.iter().filter(|event| event.position == event.append_end);
    ends.map(|event| event.position).collect()
}
