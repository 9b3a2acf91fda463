//! What a runner does when something goes wrong, and what its readers see meanwhile.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/stage.rs"]
mod stage;

use std::sync::Arc;

use holdfast_domain::event::Event;
use holdfast_domain::log::{Feed as _, Hash, Position, ReadError, Recorded};
use holdfast_projections::document::{Document, Documents, FoldError, Indexes, Key};
use holdfast_projections::follower::FollowError;
use holdfast_projections::ports::{Query, ReadStore, Retention};
use holdfast_projections::projector::{Announcement, Projector};
use holdfast_projections::reader::{News, ReadFailure};
use holdfast_projections::rebuild::Rebuilder;
use holdfast_projections::runner::Options;
use holdfast_projections::topic::Cursor;
use holdfast_projections::views::reservations::ReservationDocument;
use holdfast_projections::{Projections, Runner};
use holdfast_readmodel::conformance::{MemoryFeed, history};
use tokio_util::sync::CancellationToken;

use stage::{everything, options, patience, run_to_head, stores};

/// A view that stumbles over every event of one stream after the first.
#[derive(Debug)]
struct Stumbling(Arc<dyn Projector>, uuid::Uuid);

impl Projector for Stumbling {
    fn name(&self) -> &'static str {
        self.0.name()
    }
    fn version(&self) -> u32 {
        self.0.version()
    }
    fn lane(&self) -> u16 {
        self.0.lane()
    }
    fn keys(&self, event: &Recorded) -> Vec<Key> {
        self.0.keys(event)
    }
    fn fold(&self, event: &Recorded, documents: &mut Documents) -> Result<(), FoldError> {
        if event.stream.id() == self.1 && event.revision.0 == 1 {
            return Err(FoldError::Amounts);
        }
        self.0.fold(event, documents)
    }
    fn indexes(&self, key: &Key, document: &Document) -> Result<Indexes, FoldError> {
        self.0.indexes(key, document)
    }
    fn announce(
        &self,
        event: &Recorded,
        before: &Documents,
        after: &Documents,
    ) -> Result<Vec<Announcement>, FoldError> {
        self.0.announce(event, before, after)
    }
}

/// A reservation with several events, and one without.
fn two_reservations(events: &[Recorded]) -> (uuid::Uuid, uuid::Uuid) {
    let of = |revision| {
        let mut all = events.iter().filter(|event| matches!(event.event, Event::Reservation(_)));
        all.find(|event| event.revision.0 == revision).unwrap().stream.id()
    };
    let stumbled = of(2);
    let mut others = events.iter().filter(|event| matches!(event.event, Event::Reservation(_)));
    (stumbled, others.find(|event| event.stream.id() != stumbled).unwrap().stream.id())
}

fn stumbling(over: uuid::Uuid) -> Vec<Arc<dyn Projector>> {
    let views = Projections::all().into_iter().map(|view| -> Arc<dyn Projector> {
        if view.name() == "reservations" { Arc::new(Stumbling(view, over)) } else { view }
    });
    views.collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_poisoned_key_is_parked_and_the_rest_goes_on_until_a_rebuild_heals_it() {
    let (folder, events) = (tempfile::tempdir().unwrap(), history(5, 600));
    let (feed, (poisoned, healthy)) = (MemoryFeed::new(events.clone()), two_reservations(&events));
    for store in stores(&folder).await {
        let mut seen = Vec::new();
        for page in [1, 1_000] {
            let store = stores(&folder).await.remove(0);
            run_to_head(&feed, &store, stumbling(poisoned), page).await;
            seen.push((store.parked().await.unwrap(), everything(&store).await));
        }
        assert_eq!(seen[0], seen[1], "what is parked does not depend on the page");
        let reader = run_to_head(&feed, &store, stumbling(poisoned), 50).await;
        let parked = store.parked().await.unwrap();
        assert_eq!(parked.len(), 1);
        assert!(parked[0].events > 1 && parked[0].first < parked[0].last);
        assert_eq!(reader.status().parked, 1);
        let document = async |id| reader.document("reservations", Key::new(id)).await;
        assert_eq!(
            document(poisoned).await,
            Err(ReadFailure::Parked(Key::new(poisoned))),
            "not an old row"
        );
        assert!(document(healthy).await.unwrap().value.is_some());
        let list = reader.list("reservations", Query { limit: 1_000, ..Query::default() }).await;
        let hidden = list.unwrap().value.into_iter().filter(|entry| entry.document.is_none());
        assert_eq!(hidden.map(|entry| entry.key).collect::<Vec<_>>(), [Key::new(poisoned)]);

        let (right, stop) = (Arc::clone(&Projections::all()[0]), CancellationToken::new());
        let rebuilder = Rebuilder::new(Arc::new(feed.clone()), Arc::clone(&store), 100);
        let generation = rebuilder.start(right.as_ref()).await.unwrap();
        let found = rebuilder.compare(&right, generation, &|_| {}, &stop).await.unwrap();
        assert_eq!((found.different, found.examples), (1, vec![Key::new(poisoned)]));
        rebuilder.switch(&right, generation, &|_| {}, &stop).await.unwrap();
        let reader = run_to_head(&feed, &store, Projections::all(), 50).await;
        assert!(reader.document("reservations", Key::new(poisoned)).await.unwrap().value.is_some());
        assert_eq!(reader.status().parked, 0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rebuild_beside_a_running_view_takes_over_is_taken_back_and_dropped() {
    let (folder, events) = (tempfile::tempdir().unwrap(), history(6, 900));
    let (early, late) = events.split_at(
        events.iter().position(|event| event.position == stage::ends(&events)[150]).unwrap() + 1,
    );
    for store in stores(&folder).await {
        let feed = MemoryFeed::new(early.to_vec());
        let views = Projections::all();
        let runner =
            Runner::new(Arc::new(feed.clone()), Arc::clone(&store), views.clone(), options(20));
        let (reader, stop) = (runner.reader(), CancellationToken::new());
        let work = async {
            let head = feed.head().await.unwrap().position;
            reader.wait_for(head, patience()).await.unwrap();
            let before = reader.now().await.unwrap();
            let (view, never) = (Arc::clone(&views[0]), CancellationToken::new());
            let rebuilder = Rebuilder::new(Arc::new(feed.clone()), Arc::clone(&store), 50);
            let old = store.registry().await.unwrap().active("reservations").unwrap().id;
            let new = rebuilder.start(view.as_ref()).await.unwrap();
            // The log grows while the new generation fills.
            feed.append(late);
            let head = feed.head().await.unwrap().position;
            let found = rebuilder.compare(&view, new, &|_| {}, &never).await.unwrap();
            assert_eq!((found.different, found.left), (0, found.right));
            assert!(found.left_rows > 10);
            let registry = rebuilder.switch(&view, new, &|_| {}, &never).await.unwrap();
            assert_eq!(registry.active("reservations").unwrap().id, new);
            reader.wait_for(head, patience()).await.unwrap();
            let told = reader.changes(None, before, 10).await.unwrap();
            assert!(matches!(told, News::Resync { .. }), "who read the old one reads again");
            rebuilder.switch(&view, old, &|_| {}, &never).await.unwrap();
            assert!(rebuilder.drop_generation(old).await.is_err(), "it is read again");
            rebuilder.drop_generation(new).await.unwrap();
            stop.cancel();
        };
        let (ended, ()) = tokio::join!(runner.run(stop.clone()), work);
        ended.unwrap();
        run_to_head(&feed, &store, Projections::all(), 50).await;
        let fresh = stores(&folder).await.remove(0);
        run_to_head(&feed, &fresh, Projections::all(), 50).await;
        assert_eq!(digests(&store).await, digests(&fresh).await);
    }
}

async fn digests(
    store: &Arc<dyn ReadStore>,
) -> Vec<(&'static str, holdfast_projections::dump::Digest)> {
    let registry = store.registry().await.unwrap();
    let mut all = Vec::new();
    for view in Projections::all() {
        let active = registry.active(view.name()).unwrap().id;
        let digest = holdfast_projections::dump::dump(store.as_ref(), active, |_line| {}).await;
        all.push((view.name(), digest.unwrap()));
    }
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_view_that_is_new_to_a_log_is_filled_before_it_is_read_and_one_that_went_is_not_read() {
    let (folder, feed) = (tempfile::tempdir().unwrap(), MemoryFeed::new(history(7, 500)));
    for store in stores(&folder).await {
        let mut views = Projections::all();
        let taken = views.remove(3);
        run_to_head(&feed, &store, views, 64).await;
        let reader = run_to_head(&feed, &store, Projections::all(), 64).await;
        assert!(store.registry().await.unwrap().active(taken.name()).is_some());
        let list = reader.list(taken.name(), Query { limit: 9, ..Query::default() }).await.unwrap();
        assert_eq!(list.value.len(), 3);
        let mut views = Projections::all();
        views.remove(3);
        let reader = run_to_head(&feed, &store, views, 64).await;
        let gone = reader.list(taken.name(), Query { limit: 9, ..Query::default() }).await;
        assert_eq!(gone, Err(ReadFailure::Building(taken.name())));
        run_to_head(&feed, &store, Projections::all(), 64).await;
        let fresh = stores(&folder).await.remove(0);
        run_to_head(&feed, &fresh, Projections::all(), 64).await;
        assert_eq!(digests(&store).await, digests(&fresh).await);
    }
}

async fn halt(feed: &MemoryFeed, store: &Arc<dyn ReadStore>) -> (FollowError, String) {
    let runner =
        Runner::new(Arc::new(feed.clone()), Arc::clone(store), Projections::all(), options(100));
    let reader = runner.reader();
    let why = runner.run(CancellationToken::new()).await.unwrap_err();
    (why, reader.status().halted.unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_log_and_an_unknown_event_halt_the_views_with_a_reason() {
    let (folder, events) = (tempfile::tempdir().unwrap(), history(8, 200));
    for store in stores(&folder).await {
        let feed = MemoryFeed::new(events.clone());
        run_to_head(&feed, &store, Projections::all(), 64).await;
        let (why, said) = halt(&feed.restored(), &store).await;
        assert!(matches!(why, FollowError::AnotherLog(_)) && said.contains("epoch"), "{said}");
        let mut changed = events.clone();
        changed.last_mut().unwrap().hash = Hash([1; 32]);
        let (why, said) = halt(&MemoryFeed::new(changed), &store).await;
        assert!(matches!(why, FollowError::AnotherLog(_)) && said.contains("hash"), "{said}");
        let cut = MemoryFeed::new(events[..events.len() / 2].to_vec());
        assert!(matches!(halt(&cut, &store).await.0, FollowError::AnotherLog(_)));
        let unknown = ReadError::UnknownEvent {
            name: "calendar.moved".to_owned(),
            schema: 9,
            position: Position(1),
        };
        let fresh = stores(&folder).await.remove(0);
        feed.fail(Some(unknown.clone()));
        let (why, said) = halt(&feed, &fresh).await;
        assert_eq!(why, FollowError::Log(unknown));
        assert!(said.contains("calendar.moved version 9"), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_is_away_is_waited_for_and_the_status_says_so() {
    let (folder, feed) = (tempfile::tempdir().unwrap(), MemoryFeed::new(history(9, 200)));
    for store in stores(&folder).await {
        feed.fail(Some(ReadError::Unavailable("gone for a while".to_owned())));
        let runner =
            Runner::new(Arc::new(feed.clone()), Arc::clone(&store), Projections::all(), options(9));
        let (reader, stop) = (runner.reader(), CancellationToken::new());
        let work = async {
            let mut status = reader.watch_status();
            let troubled = status.wait_for(|status| status.trouble.is_some()).await.unwrap();
            assert!(!troubled.is_running());
            drop(troubled);
            let head = feed.head().await.unwrap().position;
            assert_eq!(
                reader.wait_for(head, std::future::ready(())).await,
                Err(ReadFailure::Behind { at: Position::START, wanted: head })
            );
            feed.fail(None);
            reader.wait_for(head, patience()).await.unwrap();
            let status = reader.status();
            assert!(status.is_running() && status.lag() == Some(0), "{status:?}");
            stop.cancel();
        };
        let (ended, ()) = tokio::join!(runner.run(stop.clone()), work);
        ended.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_runner_that_opens_lets_go_of_old_changes_without_an_event_to_read() {
    let (folder, feed) = (tempfile::tempdir().unwrap(), MemoryFeed::new(history(12, 300)));
    let head = feed.head().await.unwrap().position;
    for store in stores(&folder).await {
        run_to_head(&feed, &store, Projections::all(), 64).await;
        let kept = store.changes(None, Cursor::START, 9).await.unwrap();
        assert_eq!(kept.oldest, Cursor::START);
        let retention = Retention { positions: 50, age: None };
        let options = Options { retention, ..options(64) };
        let runner =
            Runner::new(Arc::new(feed.clone()), Arc::clone(&store), Projections::all(), options);
        let (reader, stop) = (runner.reader(), CancellationToken::new());
        let watch = async {
            reader.wait_for(head, patience()).await.unwrap();
            stop.cancel();
        };
        let (ended, ()) = tokio::join!(runner.run(stop.clone()), watch);
        ended.unwrap();
        let kept = store.changes(None, Cursor::START, 9).await.unwrap();
        assert_eq!(kept.oldest.position, Position(head.0.saturating_sub(50)));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_runners_on_one_store_fold_each_event_once() {
    let (folder, events) = (tempfile::tempdir().unwrap(), history(10, 400));
    for store in stores(&folder).await {
        let feed = MemoryFeed::new(events.clone());
        tokio::join!(
            run_to_head(&feed, &store, Projections::all(), 3),
            run_to_head(&feed, &store, Projections::all(), 5),
        );
        let alone = stores(&folder).await.remove(0);
        run_to_head(&feed, &alone, Projections::all(), 64).await;
        let (both, alone) = (everything(&store).await, everything(&alone).await);
        assert_eq!(both.changes, alone.changes);
        assert_eq!(both, alone);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_resumes_at_any_cursor_gets_the_rest_and_a_snapshot_with_news_is_the_present() {
    let (folder, events) = (tempfile::tempdir().unwrap(), history(11, 400));
    let feed = MemoryFeed::new(events.clone());
    for store in stores(&folder).await {
        let reader = run_to_head(&feed, &store, Projections::all(), 64).await;
        let all = everything(&store).await.changes;
        assert!(all.is_sorted_by(|one, next| one.cursor < next.cursor));
        for (index, change) in all.iter().enumerate().step_by(17) {
            let News::Changes(rest) = reader.changes(None, change.cursor, 1_000_000).await.unwrap()
            else {
                panic!("nothing was let go")
            };
            assert_eq!(rest.changes, all[index + 1..]);
        }
        let one = all.iter().rfind(|change| change.view == "reservations").unwrap();
        let News::Changes(news) =
            reader.changes(Some(vec![one.topics[0]]), Cursor::START, 1_000).await.unwrap()
        else {
            panic!("nothing was let go")
        };
        let last = news.changes.iter().rfind(|change| change.view == "reservations").unwrap();
        let shown = reader.value::<ReservationDocument>("reservations", last.key.clone()).await;
        assert_eq!(last.data.as_ref().unwrap().read(), Ok(shown.unwrap().value.unwrap()));
    }
}
