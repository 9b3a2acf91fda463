//! Workers with leases, runners and watchers over one store: who keeps the views when one of them does
//! not get on, and what becomes of views that a newer release has built.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/builds.rs"]
mod builds;
#[path = "support/stage.rs"]
mod stage;

use std::sync::Arc;
use std::time::{Duration, Instant};

use holdfast_domain::log::{Feed, Position, ReadError, Recorded};
use holdfast_projections::keeper::{Held, Keeper, Terms, VIEWS};
use holdfast_projections::leases::Leases;
use holdfast_projections::monotonic::Steady;
use holdfast_projections::ports::ReadStore;
use holdfast_projections::projector::Projector;
use holdfast_projections::recognised::Recognised;
use holdfast_projections::registry::{Generation, GenerationState, Registry};
use holdfast_projections::runner::Options;
use holdfast_projections::{Projections, Reader, Runner, Shift, watcher};
use holdfast_readmodel::conformance::{MemoryFeed, history};
use holdfast_readmodel::{MemoryLeases, MemoryReadStore};
use holdfast_test_stores::postgres;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use builds::build;
use stage::{options, patience, run_to_head};

const TERMS: Terms = Terms {
    term: Duration::from_secs(3),
    renew: Duration::from_millis(300),
    margin: Duration::from_millis(500),
    answer: Duration::from_secs(1),
    patience: Duration::from_secs(3),
    rest: Duration::from_mins(1),
};
/// So long the views may stand still, also on a busy machine.
const TAKEN_OVER: Duration = Duration::from_secs(10);
/// Longer than any test.
const FOR_EVER: Duration = Duration::from_hours(1);

/// A store that nodes share, and its leases.
type Shared = (Arc<dyn ReadStore>, Arc<dyn Leases>);

/// One of each kind that nodes of these tests can share.
async fn shared(suite: &str) -> Vec<Shared> {
    let start = Instant::now();
    let leases = MemoryLeases::new(Arc::new(move || start.elapsed()));
    let mut all: Vec<Shared> = vec![(Arc::new(MemoryReadStore::new()), Arc::new(leases))];
    if let Some(schema) = postgres(suite).await {
        let store = stage::in_postgres(&schema).await;
        let leases = store.leases();
        all.push((Arc::new(store), Arc::new(leases)));
    }
    all
}

/// A log up to its middle, and the rest of it.
fn halves(seed: u64) -> (Vec<Recorded>, Vec<Recorded>) {
    let events = history(seed, 300);
    let middle = stage::ends(&events).into_iter().nth(50).unwrap();
    events.into_iter().partition(|event| event.position <= middle)
}

/// A worker, until it is dropped.
struct Worker {
    reader: Reader,
    held: watch::Receiver<Held>,
    _tasks: JoinSet<()>,
}

impl Worker {
    fn start(name: &str, feed: &MemoryFeed, shared: &Shared, views: Views) -> Self {
        let (store, leases) = (Arc::clone(&shared.0), Arc::clone(&shared.1));
        let options = Options { grace: FOR_EVER, ..options(16) };
        let runner = Runner::new(Arc::new(feed.clone()), store, views, options);
        let (reader, watcher) = (runner.reader(), runner.watcher(watcher::Options::default()));
        let groups = vec![vec![VIEWS.to_owned()]];
        let keeper = Keeper::new(leases, Arc::new(Steady::new()), name.to_owned(), groups, TERMS)
            .minding(reader.watch_status());
        let (held, shift) = (keeper.held(), Shift { runner, watcher });
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { keeper.run(CancellationToken::new()).await });
        let has = held.clone();
        tasks.spawn(async move { shift.run(has, CancellationToken::new()).await.unwrap() });
        Self { reader, held, _tasks: tasks }
    }

    fn keeps(&self) -> bool {
        self.held.borrow().contains_key(VIEWS)
    }

    async fn until_keeps(&self) {
        let mut held = self.held.clone();
        tokio::select! {
            kept = held.wait_for(|held| held.contains_key(VIEWS)) => drop(kept.unwrap()),
            () = patience() => panic!("it does not get the views"),
        }
    }

    async fn reaches(&self, position: Position) {
        self.reader.wait_for(position, patience()).await.unwrap();
    }

    async fn says_ahead(&self) -> Vec<String> {
        let mut status = self.reader.watch_status();
        tokio::select! {
            said = status.wait_for(|status| !status.ahead.is_empty()) => said.unwrap().ahead.clone(),
            () = patience() => panic!("it does not notice"),
        }
    }
}

type Views = Vec<Arc<dyn Projector>>;

/// A release in which the reservations have a further version.
fn newer() -> Views {
    build(9, false)
}

/// One from before: without that version, and without one of the views.
fn older() -> Views {
    let views = Projections::all().into_iter();
    views.filter(|view| view.name() != "sessions").collect()
}

const AHEAD: [&str; 2] = ["reservations version 9", "sessions version"];

fn names_both(ahead: &[String]) -> bool {
    AHEAD.iter().all(|one| ahead.iter().any(|said| said.starts_with(one))) && ahead.len() == 2
}

fn shown(registry: &Registry) -> Vec<Generation> {
    registry.generations.clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_views_go_to_a_worker_that_reaches_the_log() {
    for shared in shared("handover, log out of reach").await {
        let (early, late) = halves(31);
        // The same log over two lines.
        let (one, two) = (MemoryFeed::new(early.clone()), MemoryFeed::new(early));
        let keeping = Worker::start("one", &one, &shared, Projections::all());
        keeping.until_keeps().await;
        let standing_by = Worker::start("two", &two, &shared, Projections::all());
        standing_by.reaches(two.head().await.unwrap().position).await;
        assert!(keeping.keeps() && !standing_by.keeps());
        one.fail(Some(ReadError::Unavailable("the line is cut".to_owned())));
        let cut = Instant::now();
        two.append(&late);
        standing_by.until_keeps().await;
        assert!(cut.elapsed() < TAKEN_OVER, "after {:?}", cut.elapsed());
        let head = two.head().await.unwrap().position;
        standing_by.reaches(head).await;
        assert!(!keeping.keeps());
        keeping.reaches(head).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_of_an_older_release_leaves_newer_views_to_a_newer_worker() {
    for shared in shared("handover, two releases").await {
        let (early, late) = halves(32);
        let feed = MemoryFeed::new(early);
        let first = Worker::start("newer", &feed, &shared, newer());
        first.until_keeps().await;
        first.reaches(feed.head().await.unwrap().position).await;
        let old = Worker::start("older", &feed, &shared, older());
        assert!(names_both(&old.says_ahead().await));
        let before = shown(&shared.0.registry().await.unwrap());
        // It is killed: the older one is alone, gets the lease, and touches nothing.
        drop(first);
        old.until_keeps().await;
        let mut status = old.reader.watch_status();
        let said = tokio::select! {
            said = status.wait_for(|status| status.trouble.is_some()) => {
                said.unwrap().trouble.clone()
            }
            () = patience() => panic!("it says nothing"),
        };
        assert!(said.unwrap().contains("newer release"));
        feed.append(&late);
        let second = Worker::start("newer again", &feed, &shared, newer());
        second.until_keeps().await;
        second.reaches(feed.head().await.unwrap().position).await;
        assert!(!old.keeps());
        let after = shown(&shared.0.registry().await.unwrap());
        let same = before.iter().zip(&after);
        assert!(same.clone().all(|(one, other)| (one.id, one.state) == (other.id, other.state)));
        assert_eq!(before.len(), after.len(), "no generation was begun");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_the_grace_an_older_release_goes_on_with_its_own_views_and_keeps_the_newer() {
    for (store, _leases) in shared("handover, way back").await {
        let (early, late) = halves(33);
        let feed = MemoryFeed::new(early);
        run_to_head(&feed, &store, newer(), 64).await;
        feed.append(&late);
        let head = feed.head().await.unwrap().position;
        let grace = Duration::from_millis(300);
        let options = Options { grace, ..options(64) };
        let runner = Runner::new(Arc::new(feed.clone()), Arc::clone(&store), older(), options);
        let (reader, stop, began) = (runner.reader(), CancellationToken::new(), Instant::now());
        let work = async {
            let mut status = reader.watch_status();
            let goes_on = status.wait_for(|status| status.position >= head);
            tokio::select! {
                gone_on = goes_on => assert!(gone_on.unwrap().ahead.is_empty()),
                () = patience() => panic!("it waits for ever"),
            }
            stop.cancel();
        };
        let (ended, ()) = tokio::join!(runner.run(stop.clone()), work);
        ended.unwrap();
        assert!(began.elapsed() >= grace, "it did not wait");
        let registry = store.registry().await.unwrap();
        assert_ne!(registry.active("reservations").unwrap().version, 9);
        assert_eq!(registry.active("sessions"), None);
        let kept = |view: &str| {
            let mut known = registry.generations.iter();
            known.any(|one| one.view == view && one.state == GenerationState::Retired)
        };
        assert!(kept("reservations") && kept("sessions"), "nothing was dropped");
        // The way forward again, from where they stood.
        let count = registry.generations.len();
        run_to_head(&feed, &store, newer(), 64).await;
        let registry = store.registry().await.unwrap();
        assert_eq!(registry.active("reservations").unwrap().version, 9);
        assert_eq!(registry.generations.len(), count, "they are filled on, not anew");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_of_another_log_gets_no_share_and_is_told_so() {
    for (store, leases) in shared("handover, another log").await {
        let feed = MemoryFeed::new(halves(34).0);
        let stranger = feed.restored();
        let of = |feed: &MemoryFeed| {
            let feed: Arc<dyn Feed> = Arc::new(feed.clone());
            Arc::new(Recognised::new(Arc::clone(&leases), feed, Arc::clone(&store)))
        };
        let (own, other) = (of(&feed), of(&stranger));
        let take = |own: &Arc<Recognised>, name: &str| {
            let own = Arc::clone(own);
            let name = name.to_owned();
            async move { own.take(name, "one".to_owned(), TERMS.term).await }
        };
        // Nobody has folded anything: the views are anybody's, also after somebody has looked.
        take(&own, "a").await.unwrap();
        take(&other, "b").await.unwrap();
        run_to_head(&feed, &store, Projections::all(), 64).await;
        take(&own, "c").await.unwrap();
        let why = take(&other, "d").await.unwrap_err().to_string();
        let epochs = [feed.head().await.unwrap().epoch, stranger.head().await.unwrap().epoch];
        assert!(epochs.iter().all(|epoch| why.contains(&epoch.to_string())), "{why}");
        let names: Vec<_> = leases.list().await.unwrap().into_iter().map(|one| one.name).collect();
        assert_eq!(names, ["a", "b", "c"]);
        // It gives back what it had, and knows that it never will have more.
        let groups = vec![vec![VIEWS.to_owned()], vec!["processes/0".to_owned()]];
        let asked: Arc<dyn Leases> = Arc::<Recognised>::clone(&other);
        let name = "stranger".to_owned();
        let keeper = Keeper::new(asked, Arc::new(Steady::new()), name, groups, TERMS);
        let stop = CancellationToken::new();
        let told = async {
            let told = other.refused().await;
            stop.cancel();
            told
        };
        let ((), told) = tokio::join!(keeper.run(stop.clone()), told);
        assert!(why.contains(&told));
        assert!(keeper.held().borrow().is_empty());
        let standing = leases.list().await.unwrap();
        assert!(standing.iter().all(|lease| lease.holder != "stranger"), "{standing:?}");
    }
}
