//! The same facts give the same views, byte for byte: whatever the page size, the store, or the
//! moment at which a runner was killed.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/stage.rs"]
mod stage;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::FutureExt as _;
use holdfast_domain::log::Recorded;
use holdfast_projections::document::{Document, Documents, FoldError, Indexes, Key};
use holdfast_projections::projector::{Announcement, Projector};
use holdfast_projections::runner::Options;
use holdfast_projections::{Projections, Runner};
use holdfast_readmodel::conformance::{MemoryFeed, history};
use tokio_util::sync::CancellationToken;

use stage::{everything, options, run_to_head, stores};

const EVENTS: usize = 1_500;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn views_are_equal_whatever_the_page_size_and_the_store() {
    let (folder, feed) = (tempfile::tempdir().unwrap(), MemoryFeed::new(history(1, EVENTS)));
    let mut first = None;
    for page in [1, 7, 1_000] {
        for store in stores(&folder).await {
            run_to_head(&feed, &store, Projections::all(), page).await;
            let found = everything(&store).await;
            assert!(found.changes.len() > EVENTS);
            assert!(found.views.iter().any(|(_, digest)| digest.rows > 100));
            assert_eq!(&found, first.get_or_insert_with(|| found.clone()), "page of {page}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn views_that_grew_with_the_log_equal_views_folded_at_once() {
    let (folder, events) = (tempfile::tempdir().unwrap(), history(2, EVENTS));
    let whole = MemoryFeed::new(events.clone());
    for store in stores(&folder).await {
        let feed = MemoryFeed::new(vec![]);
        for some in by_append(&events).chunks(40) {
            feed.append(&some.concat());
            run_to_head(&feed, &store, Projections::all(), 16).await;
        }
        let other: Arc<dyn holdfast_projections::ports::ReadStore> =
            Arc::new(holdfast_readmodel::MemoryReadStore::new());
        run_to_head(&whole, &other, Projections::all(), 512).await;
        assert_eq!(everything(&store).await, everything(&other).await);
    }
}

fn by_append(events: &[Recorded]) -> Vec<Vec<Recorded>> {
    events
        .chunk_by(|one, next| one.append_end == next.append_end)
        .map(<[Recorded]>::to_vec)
        .collect()
}

static REACHED: AtomicU64 = AtomicU64::new(0);
static FATAL: AtomicU64 = AtomicU64::new(0);

/// Dies at the point whose turn it is.
fn die(_name: &'static str) {
    let reached = REACHED.fetch_add(1, Ordering::SeqCst);
    assert_ne!(reached, FATAL.load(Ordering::SeqCst), "killed on purpose");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_runner_killed_at_any_point_is_resumed_without_a_trace() {
    let (folder, feed) = (tempfile::tempdir().unwrap(), MemoryFeed::new(history(3, 300)));
    let unharmed = &stores(&folder).await[0];
    run_to_head(&feed, unharmed, Projections::all(), 32).await;
    let expected = everything(unharmed).await;
    let mut kills = Vec::new();
    for store in stores(&folder).await {
        for turn in 0_u64.. {
            // Before the fold, before the commit, after it; then the next page.
            FATAL.store(turn % 3, Ordering::SeqCst);
            REACHED.store(0, Ordering::SeqCst);
            let options = Options { failpoint: die, ..options(16) };
            let runner = Runner::new(
                Arc::new(feed.clone()),
                Arc::clone(&store),
                Projections::all(),
                options,
            );
            let (reader, stop) = (runner.reader(), CancellationToken::new());
            let watch = async {
                let head = feed_head(&feed).await;
                reader.wait_for(head, stage::patience()).await.unwrap();
                stop.cancel();
            };
            let run = AssertUnwindSafe(runner.run(stop.clone())).catch_unwind();
            let killed = tokio::select! {
                ended = run => ended.is_err(),
                () = watch => false,
            };
            if !killed {
                break;
            }
            kills.push(turn);
        }
        assert_eq!(everything(&store).await, expected);
    }
    assert!(kills.len() > 90, "the points were not reached: {kills:?}");
}

async fn feed_head(feed: &MemoryFeed) -> holdfast_domain::log::Position {
    holdfast_domain::log::Feed::head(feed).await.unwrap().position
}

/// A view that asks something that is not in the log: how often it was called.
#[derive(Debug)]
struct Impure(AtomicU64);

impl Projector for Impure {
    fn name(&self) -> &'static str {
        "due"
    }
    fn version(&self) -> u32 {
        1
    }
    fn lane(&self) -> u16 {
        8
    }
    fn keys(&self, _event: &Recorded) -> Vec<Key> {
        vec![Key::new("a")]
    }
    fn fold(&self, _event: &Recorded, documents: &mut Documents) -> Result<(), FoldError> {
        documents.put(&Key::new("a"), &self.0.fetch_add(1, Ordering::SeqCst))
    }
    fn indexes(&self, _key: &Key, _document: &Document) -> Result<Indexes, FoldError> {
        Ok(Indexes::default())
    }
    fn announce(
        &self,
        _event: &Recorded,
        _before: &Documents,
        _after: &Documents,
    ) -> Result<Vec<Announcement>, FoldError> {
        Ok(vec![])
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_comparison_would_notice_a_view_that_is_not_pure() {
    let (folder, feed) = (tempfile::tempdir().unwrap(), MemoryFeed::new(history(4, 100)));
    let impure: Arc<dyn Projector> = Arc::new(Impure(AtomicU64::new(0)));
    let mut views = Projections::all();
    views.retain(|view| view.name() != "due");
    views.push(impure);
    let mut found = Vec::new();
    for store in stores(&folder).await {
        run_to_head(&feed, &store, views.clone(), 10).await;
        found.push(everything(&store).await);
    }
    assert_ne!(found[0], found[1]);
}
