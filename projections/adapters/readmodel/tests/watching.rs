//! Several nodes on one store: those that do not keep the views show them all the same, and whoever
//! keeps them, dies, sleeps or wakes up, every node tells every change once and in order.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/behind.rs"]
mod behind;
#[path = "support/hands.rs"]
mod hands;
#[path = "support/nodes.rs"]
mod nodes;
#[path = "support/stage.rs"]
mod stage;

use std::sync::Arc;

use holdfast_domain::log::{Feed as _, Position};
use holdfast_projections::Reader;
use holdfast_projections::ports::{Query, ReadStore};
use holdfast_projections::published::{Footing, Published};
use holdfast_projections::reader::ReadFailure;
use holdfast_projections::rebuild::Rebuilder;
use holdfast_projections::registry::Alteration;
use holdfast_projections::topic::Cursor;
use holdfast_projections::{Projections, status::Source};
use holdfast_readmodel::conformance::{MemoryFeed, history};
use holdfast_readmodel::{LocalHints, MemoryReadStore};
use tokio_util::sync::CancellationToken;

use hands::calm;
use nodes::{Careless, Door, Node, Truth, dead_hints};
use stage::{everything, patience, run_to_head, stores};

/// What a node that is never disturbed tells and shows.
async fn truth(events: &[holdfast_domain::log::Recorded]) -> (Truth, stage::Everything) {
    let folder = tempfile::tempdir().unwrap();
    let alone = stores(&folder).await.remove(0);
    run_to_head(&MemoryFeed::new(events.to_vec()), &alone, Projections::all(), 64).await;
    let all = everything(&alone).await;
    (Truth::of(&all.changes), all)
}

#[tokio::test]
async fn every_node_tells_every_change_in_order_whoever_keeps_the_views() {
    let (folder, events) = (tempfile::tempdir().unwrap(), history(21, 900));
    let (truth, undisturbed) = truth(&events).await;
    let ends = stage::ends(&events);
    for store in stores(&folder).await {
        let feed = MemoryFeed::new(vec![]);
        let hints = LocalHints::new();
        let nodes: Vec<_> =
            (0..3).map(|_| Node::start(&feed, &store, Arc::new(hints.clone()))).collect();
        // Nobody, one, another, both at once, a third who is cut off in the middle, the first.
        let turns: [&[usize]; 6] = [&[], &[0], &[1], &[0, 1], &[2], &[0]];
        let mut from = 0;
        for (turn, keepers) in turns.into_iter().enumerate() {
            for (index, node) in nodes.iter().enumerate() {
                node.keeps(keepers.contains(&index).then_some(turn));
            }
            let until = ends[ends.len() * (turn + 1) / turns.len() - 1];
            while from < events.len() && events[from].position <= until {
                let end = events[from].append_end;
                let to = events.iter().position(|event| event.position == end).unwrap() + 1;
                feed.append(&events[from..to]);
                from = to;
                tokio::task::yield_now().await;
                for node in &nodes {
                    node.read_something(&truth).await;
                }
            }
            if keepers == [2] {
                nodes[2].kill();
            } else if !keepers.is_empty() {
                for node in nodes.iter().filter(|node| node.lives()) {
                    node.reaches(until).await;
                }
            }
        }
        let head = feed.head().await.unwrap().position;
        for node in &nodes[..2] {
            node.reaches(head).await;
            node.told_all(&undisturbed.changes).await;
        }
        assert_eq!(everything(&store).await, undisturbed);
    }
}

#[tokio::test]
async fn a_node_that_watches_shows_how_far_the_views_are_and_who_keeps_them() {
    let (folder, events) = (tempfile::tempdir().unwrap(), history(22, 200));
    for store in stores(&folder).await {
        let feed = MemoryFeed::new(events.clone());
        let head = feed.head().await.unwrap().position;
        let watching = Node::start(&feed, &store, dead_hints());
        let mut status = watching.reader.watch_status();
        let seen = status.wait_for(|status| status.head == Some(head)).await.unwrap().clone();
        assert_eq!(
            (seen.source, seen.position, seen.lag()),
            (Source::Store, Position(0), Some(head.0))
        );
        let nothing = watching.reader.list("reservations", Query::default()).await;
        assert_eq!(nothing.unwrap_err(), ReadFailure::Building("reservations"));
        let keeping = Node::start(&feed, &store, dead_hints());
        keeping.keeps(Some(1));
        // Without a single hint.
        watching.reaches(head).await;
        let seen = status.wait_for(|status| status.lag() == Some(0)).await.unwrap().clone();
        assert_eq!((seen.source, seen.trouble), (Source::Store, None));
        assert_eq!(keeping.reader.status().source, Source::Log);
    }
}

#[tokio::test]
async fn a_switch_reaches_those_who_watch() {
    let (folder, events) = (tempfile::tempdir().unwrap(), history(23, 200));
    for store in stores(&folder).await {
        let feed = MemoryFeed::new(events.clone());
        let (keeping, watching) =
            (Node::start(&feed, &store, dead_hints()), Node::start(&feed, &store, dead_hints()));
        keeping.keeps(Some(1));
        watching.reaches(feed.head().await.unwrap().position).await;
        let before = watching.told().await;
        let view = Arc::clone(&Projections::all()[0]);
        let stop = CancellationToken::new();
        let rebuilder = Rebuilder::new(Arc::new(feed.clone()), Arc::clone(&store), 64);
        let generation = rebuilder.start(view.as_ref()).await.unwrap();
        rebuilder.switch(&view, generation, &|_| {}, &stop).await.unwrap();
        tokio::select! {
            () = watching.told_to_read_again() => {}
            () = patience() => panic!("nobody told"),
        }
        assert!(!before.is_empty());
    }
}

#[tokio::test]
async fn a_node_that_watches_shows_nothing_of_another_life_of_the_log() {
    let (folder, events) = (tempfile::tempdir().unwrap(), history(26, 200));
    for store in stores(&folder).await {
        let feed = MemoryFeed::new(events.clone());
        run_to_head(&feed, &store, Projections::all(), 64).await;
        // The log was restored to what it was half-way, and has another epoch now.
        let half = stage::ends(&events)[stage::ends(&events).len() / 2];
        let left = events.iter().filter(|event| event.position <= half).cloned().collect();
        let restored = MemoryFeed::new(left).restored();
        let watching = Node::start(&restored, &store, dead_hints());
        let key = store.list("reservations", Query { limit: 1, ..Query::default() }).await;
        let key = key.unwrap().value.pop().unwrap().key;
        let list = async || watching.reader.list("reservations", Query::default()).await;
        let unrecognised = Some(ReadFailure::Unrecognised);
        assert_eq!(list().await.err(), unrecognised);
        assert_eq!(watching.reader.document("reservations", key).await.err(), unrecognised);
        assert_eq!(watching.reader.changes(None, Cursor::START, 9).await.err(), unrecognised);
        assert_eq!(watching.reader.now().await.err(), unrecognised);
        assert_eq!(watching.reader.position(), Position::START, "nothing of it was shown");
        let mut status = watching.reader.watch_status();
        let troubled = status.wait_for(|status| status.trouble.is_some()).await.unwrap().clone();
        let trouble = troubled.trouble.unwrap();
        assert!(trouble.contains("projections clear"), "{trouble}");
        // What was cleared fills from the log that is there.
        let revision = store.registry().await.unwrap().revision;
        store.alter(revision, Alteration::Clear).await.unwrap();
        let keeping = Node::start(&restored, &store, dead_hints());
        keeping.keeps(Some(1));
        watching.reaches(half).await;
        let shown = list().await.unwrap();
        assert!(shown.position == half && watching.reader.position() == half);
        status.wait_for(|status| status.trouble.is_none()).await.unwrap();
    }
}

#[tokio::test]
async fn one_who_sleeps_in_the_middle_of_a_commit_and_wakes_up_commits_nothing() {
    let (folder, events) = (tempfile::tempdir().unwrap(), history(24, 300));
    let (_, undisturbed) = truth(&events).await;
    for store in stores(&folder).await {
        let feed = MemoryFeed::new(events.clone());
        let head = feed.head().await.unwrap().position;
        let door = Door::before(&store);
        let sleeper = Node::start(&feed, &door.store(), dead_hints());
        door.close();
        sleeper.keeps(Some(1));
        door.have_come(1).await;
        let other = Node::start(&feed, &store, dead_hints());
        other.keeps(Some(2));
        other.reaches(head).await;
        // It wakes up and still believes to have the lease.
        door.open();
        sleeper.reaches(head).await;
        calm().await;
        sleeper.keeps(None);
        sleeper.told_all(&undisturbed.changes).await;
        other.told_all(&undisturbed.changes).await;
        assert!(sleeper.went_only_forward() && other.went_only_forward());
        assert_eq!(everything(&store).await, undisturbed);
    }
}

/// Control: without compare-and-set the same scene goes wrong, and the test above would see it. (The
/// tables of SQLite would stop it even then: no two changes have one cursor.)
#[tokio::test]
async fn a_commit_without_compare_and_set_takes_the_views_back() {
    let store: Arc<dyn ReadStore> = Arc::new(MemoryReadStore::new());
    let feed = MemoryFeed::new(history(24, 300));
    let head = feed.head().await.unwrap().position;
    let careless: Arc<dyn ReadStore> = Arc::new(Careless(Arc::clone(&store)));
    let door = Door::before(&careless);
    let sleeper = Node::start(&feed, &door.store(), dead_hints());
    door.close();
    sleeper.keeps(Some(1));
    door.have_come(1).await;
    let other = Node::start(&feed, &store, dead_hints());
    other.keeps(Some(2));
    other.reaches(head).await;
    other.keeps(None);
    door.open_once();
    door.have_come(2).await;
    assert!(store.registry().await.unwrap().position() < head, "the views went back");
    other.looks_at(&store).await;
    assert!(!other.went_only_forward());
}

/// Control: a node that shows a position before its memory has forgotten what is older.
#[tokio::test]
async fn a_position_that_is_shown_too_early_makes_reads_untrue() {
    let (folder, events) = (tempfile::tempdir().unwrap(), history(25, 400));
    let (truth, _) = truth(&events).await;
    let ends = stage::ends(&events);
    for store in stores(&folder).await {
        for forgets in [true, false] {
            let store = if forgets { Arc::clone(&store) } else { stores(&folder).await.remove(0) };
            let feed = MemoryFeed::new(vec![]);
            let published = Arc::new(Published::new(&Projections::all(), 1 << 20));
            published.stands_on(Footing::ThisLog);
            let reader = Reader::new(Arc::clone(&store), Arc::clone(&published));
            let (mut from, mut untrue) = (0, 0);
            for end in &ends {
                let to = events.iter().position(|event| event.position == *end).unwrap() + 1;
                feed.append(&events[from..to]);
                from = to;
                run_to_head(&feed, &store, Projections::all(), 64).await;
                let registry = store.registry().await.unwrap();
                if forgets {
                    published.cache.clear(registry.position());
                }
                published.position.send_replace(registry.position());
                published.registry.send_replace(Some(Arc::new(registry)));
                untrue += truth.untrue(&reader).await;
                if from > 120 {
                    break;
                }
            }
            assert_eq!(untrue == 0, forgets, "{untrue} reads were untrue");
        }
    }
}
