//! What readers see while views change hands: at an upgrade, beside a rebuild, and between a commit
//! and its publication.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/behind.rs"]
mod behind;
#[path = "support/builds.rs"]
mod builds;
#[path = "support/stage.rs"]
mod stage;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier};
use std::time::Duration;

use futures_util::FutureExt as _;
use holdfast_domain::log::{Feed as _, Pending, Recorded};
use holdfast_projections::ports::{Page, Query, ReadStore, StoreError};
use holdfast_projections::projector::Projector;
use holdfast_projections::reader::{News, ReadFailure};
use holdfast_projections::rebuild::{RebuildError, Rebuilder};
use holdfast_projections::registry::GenerationState;
use holdfast_projections::runner::Options;
use holdfast_projections::topic::Cursor;
use holdfast_projections::{Projections, Reader, Runner};
use holdfast_readmodel::MemoryReadStore;
use holdfast_readmodel::conformance::{MemoryFeed, history};
use tokio_util::sync::CancellationToken;

use behind::{Behind, Meddling};
use builds::build;
use stage::{options, patience, run_to_head, stores};

/// A log, and what is appended to it later.
fn log(seed: u64) -> (MemoryFeed, Vec<Recorded>) {
    let events = history(seed, 600);
    let middle = stage::ends(&events).into_iter().nth(100).unwrap();
    let late = events.iter().filter(|event| event.position > middle).cloned().collect();
    let early = events.into_iter().filter(|event| event.position <= middle).collect();
    (MemoryFeed::new(early), late)
}

/// A store in which no page is ever committed.
#[derive(Debug)]
struct Unfilled(Arc<dyn ReadStore>);

impl Meddling for Unfilled {
    fn inner(&self) -> &Arc<dyn ReadStore> {
        &self.0
    }

    fn commit(&self, _page: Page) -> Pending<'_, Result<(), StoreError>> {
        Box::pin(std::future::pending())
    }
}

fn runner(
    feed: &MemoryFeed,
    store: &Arc<dyn ReadStore>,
    views: Vec<Arc<dyn Projector>>,
    options: Options,
) -> Runner {
    Runner::new(Arc::new(feed.clone()), Arc::clone(store), views, options)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn documents_of_another_version_are_not_shown_until_this_one_is_filled() {
    let (folder, (feed, _late)) = (tempfile::tempdir().unwrap(), log(20));
    for store in stores(&folder).await {
        let before = run_to_head(&feed, &store, Projections::all(), 64).await;
        let all = Query { limit: 1_000, ..Query::default() };
        let shown = before.list("reservations", all.clone()).await.unwrap().value;
        let key = shown[0].key.clone();
        let position = before.position();

        // It knows its log, and comes no further.
        let filling: Arc<dyn ReadStore> = Arc::new(Behind(Unfilled(Arc::clone(&store))));
        let upgraded = runner(&feed, &filling, build(9, false), options(64));
        let reader = upgraded.reader();
        let looks = async {
            let building = ReadFailure::Building("reservations");
            let document = reader.document("reservations", key.clone()).await;
            assert_eq!(document.unwrap_err(), building);
            let list = reader.list("reservations", all.clone()).await;
            assert_eq!(list.unwrap_err(), building);
            let told = reader.changes(None, Cursor::START, 10).await.unwrap();
            assert!(matches!(told, News::Resync { .. }), "news in the old version: {told:?}");
            let other = reader.list("due", all.clone()).await.unwrap();
            assert_eq!(
                other.position, position,
                "a view that did not change is shown all the same"
            );
        };
        tokio::select! {
            ended = upgraded.run(CancellationToken::new()) => panic!("{ended:?}"),
            () = looks => {}
        }

        let after = run_to_head(&feed, &store, build(9, false), 64).await;
        assert_eq!(after.list("reservations", all).await.unwrap().value, shown);
        assert!(after.document("reservations", key).await.unwrap().value.is_some());
        let active = store.registry().await.unwrap();
        assert_eq!(active.active("reservations").unwrap().version, 9);
    }
}

/// Runs the views with this pause after trouble while `work` goes on; fails when it sees trouble.
async fn without_trouble(
    store: &Arc<dyn ReadStore>,
    pause: Duration,
    work: impl AsyncFn(&Rebuilder, &Grown<'_>),
) {
    let (feed, late) = log(21);
    let options = Options { pause, pause_max: pause, ..options(20) };
    let runner = runner(&feed, store, Projections::all(), options);
    let (reader, stop) = (runner.reader(), CancellationToken::new());
    let mut status = reader.watch_status();
    let grown = Grown { feed: &feed, late: &late, reader: &reader };
    let worked = async {
        let rebuilder = Rebuilder::new(Arc::new(feed.clone()), Arc::clone(store), 50);
        grown.wait().await;
        let trouble = tokio::select! {
            biased;
            troubled = status.wait_for(|status| status.trouble.is_some()) => {
                troubled.unwrap().trouble.clone()
            }
            () = work(&rebuilder, &grown) => None,
        };
        assert_eq!(trouble, None);
        stop.cancel();
    };
    let (ended, ()) = tokio::join!(runner.run(stop.clone()), worked);
    ended.unwrap();
}

/// A log that grows, and the views that follow it.
struct Grown<'a> {
    feed: &'a MemoryFeed,
    late: &'a [Recorded],
    reader: &'a Reader,
}

impl Grown<'_> {
    /// Until the views have everything.
    async fn wait(&self) {
        let head = self.feed.head().await.unwrap().position;
        self.reader.wait_for(head, patience()).await.unwrap();
    }

    /// By one append, which the views take.
    async fn by_one(&self) {
        let head = self.feed.head().await.unwrap().position;
        let mut appends = self.late.chunk_by(|one, next| one.append_end == next.append_end);
        self.feed.append(
            appends.find(|append| append.iter().all(|event| event.position > head)).unwrap(),
        );
        self.wait().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rebuild_beside_running_views_does_not_stop_them() {
    let (folder, view) = (tempfile::tempdir().unwrap(), Arc::clone(&Projections::all()[0]));
    for store in stores(&folder).await {
        // Whoever opened the views again would pause for longer than anybody waits here.
        without_trouble(&store, Duration::from_hours(1), async |rebuilder, grown| {
            let new = rebuilder.begin(view.as_ref()).await.unwrap();
            grown.by_one().await;
            rebuilder.drop_generation(new).await.unwrap();
            grown.by_one().await;
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_switch_beside_running_views_is_no_trouble_to_them() {
    let (folder, view) = (tempfile::tempdir().unwrap(), Arc::clone(&Projections::all()[0]));
    let never = CancellationToken::new();
    for store in stores(&folder).await {
        // Long enough for trouble to be seen.
        without_trouble(&store, Duration::from_millis(200), async |rebuilder, grown| {
            let new = rebuilder.begin(view.as_ref()).await.unwrap();
            rebuilder.switch(&view, new, &|_| {}, &never).await.unwrap();
            grown.by_one().await;
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_defective_build_began_is_not_gone_on_with() {
    let (folder, (feed, _late)) = (tempfile::tempdir().unwrap(), log(22));
    let never = CancellationToken::new();
    for store in stores(&folder).await {
        run_to_head(&feed, &store, Projections::all(), 64).await;
        let rebuilder = Rebuilder::new(Arc::new(feed.clone()), Arc::clone(&store), 50);
        let good = Arc::clone(&Projections::all()[0]);
        let bad = Arc::clone(&build(good.version(), true)[0]);
        assert_eq!(bad.name(), good.name());
        let spoilt = rebuilder.begin(bad.as_ref()).await.unwrap();
        rebuilder.catch_up(&bad, spoilt, &|_| {}, &never).await.unwrap();
        let refused = rebuilder.switch(&good, spoilt, &|_| {}, &never).await;
        assert!(matches!(refused, Err(RebuildError::Parked(_))), "the good build cannot help it");

        let begun = rebuilder.begin(good.as_ref()).await.unwrap();
        assert_ne!(begun, spoilt);
        assert!(store.registry().await.unwrap().generation(spoilt).is_none());
        assert_eq!(rebuilder.begin(good.as_ref()).await.unwrap(), begun, "a sound one goes on");
        rebuilder.switch(&good, begun, &|_| {}, &never).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_fills_afresh_what_a_defective_build_left_half_filled() {
    let (folder, (feed, _late)) = (tempfile::tempdir().unwrap(), log(23));
    let never = CancellationToken::new();
    for store in stores(&folder).await {
        run_to_head(&feed, &store, Projections::all(), 64).await;
        let rebuilder = Rebuilder::new(Arc::new(feed.clone()), Arc::clone(&store), 50);
        let bad = Arc::clone(&build(9, true)[0]);
        let spoilt = rebuilder.begin(bad.as_ref()).await.unwrap();
        rebuilder.catch_up(&bad, spoilt, &|_| {}, &never).await.unwrap();
        run_to_head(&feed, &store, build(9, false), 64).await;
        assert_eq!(store.parked().await.unwrap(), []);
        let registry = store.registry().await.unwrap();
        let of_view = registry.generations.iter().filter(|known| known.view == bad.name());
        let states: Vec<_> = of_view.map(|known| (known.version, known.state)).collect();
        let before = Projections::all()[0].version();
        assert_eq!(states, [(before, GenerationState::Retired), (9, GenerationState::Active)]);
    }
}

static FILLING: Barrier = Barrier::new(2);
static HELD: AtomicBool = AtomicBool::new(true);

/// Waits at the first commit, which is one of a filling, until the test lets it go on.
fn wait_filling(name: &'static str) {
    if name == "proj.before_commit" && HELD.swap(false, Ordering::SeqCst) {
        FILLING.wait();
        FILLING.wait();
    }
}

#[tokio::test]
async fn views_that_did_not_change_are_read_at_their_position_while_another_is_filled() {
    let (feed, _late) = log(25);
    let store: Arc<dyn ReadStore> = Arc::new(MemoryReadStore::new());
    let head = run_to_head(&feed, &store, Projections::all(), 64).await.position();
    let options = Options { failpoint: wait_filling, ..options(64) };
    let runner = runner(&feed, &store, build(9, false), options);
    let (reader, stop) = (runner.reader(), CancellationToken::new());
    let until = stop.clone();
    let running = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(runner.run(until))
    });
    FILLING.wait();
    assert_eq!(reader.position(), head, "nobody has to wait for what is there");
    let all = Query { limit: 1_000, ..Query::default() };
    assert_eq!(reader.list("due", all.clone()).await.unwrap().position, head);
    assert!(reader.list("reservations", all.clone()).await.is_err(), "it is being filled");
    FILLING.wait();
    let filled = async {
        while reader.list("reservations", all.clone()).await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        () = filled => {}
        () = patience() => panic!("it is not filled"),
    }
    stop.cancel();
    running.join().unwrap().unwrap();
}

static ARMED: AtomicBool = AtomicBool::new(false);
static MET: Barrier = Barrier::new(2);

/// Waits after a commit, before it is published, until the test lets it go on.
fn wait_unpublished(name: &'static str) {
    if name == "proj.after_commit" && ARMED.swap(false, Ordering::SeqCst) {
        MET.wait();
        MET.wait();
    }
}

#[tokio::test]
async fn a_new_subscriber_is_not_ahead_of_what_memory_shows() {
    let (feed, late) = log(24);
    // In memory each call is answered at once, so that only the wait for the publication is left.
    let store: Arc<dyn ReadStore> = Arc::new(MemoryReadStore::new());
    let options = Options { failpoint: wait_unpublished, ..options(1_000) };
    let runner = runner(&feed, &store, Projections::all(), options);
    let (reader, stop) = (runner.reader(), CancellationToken::new());
    let until = stop.clone();
    let running = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(runner.run(until))
    });
    reader.wait_for(feed.head().await.unwrap().position, patience()).await.unwrap();
    ARMED.store(true, Ordering::SeqCst);
    feed.append(&late);
    let head = feed.head().await.unwrap().position;
    MET.wait();
    assert!(reader.position() < head && store.registry().await.unwrap().position() == head);
    assert!(reader.now().now_or_never().is_none(), "it waits until the commit is published");
    MET.wait();
    reader.wait_for(head, patience()).await.unwrap();
    assert_eq!(reader.now().await.unwrap().position, head);
    stop.cancel();
    running.join().unwrap().unwrap();
}
