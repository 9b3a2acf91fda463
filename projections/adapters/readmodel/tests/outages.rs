//! The store in PostgreSQL while its server dies, stands still, or moves to another host: callers
//! are told soon, nothing is lost or counted twice, and nobody has to open it anew.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/stage.rs"]
mod stage;

use std::sync::Arc;
use std::time::{Duration, Instant};

use holdfast_domain::ids::Epoch;
use holdfast_domain::log::{Feed as _, Hash, Pending, Position, Recorded};
use holdfast_projections::document::Key;
use holdfast_projections::ports::{Page, Query, ReadStore, Retention, StoreError, Target};
use holdfast_projections::registry::{Alteration, Checkpoint, GenerationId};
use holdfast_projections::runner::Options;
use holdfast_projections::topic::Cursor;
use holdfast_projections::{Projections, Reader, Runner};
use holdfast_readmodel::conformance::{MemoryFeed, history};
use holdfast_readmodel::{MemoryReadStore, PostgresReadStore};
use holdfast_test_stores::{Line, place, postgres, server};
use sqlx::Connection as _;
use sqlx::postgres::PgConnection;
use tokio_util::sync::CancellationToken;

use stage::{everything, options, run_to_head};

/// What "within two seconds" may take where two cores do everything.
const SOON: Duration = Duration::from_millis(2_700);

fn told<'a, T: 'a>(call: Pending<'a, Result<T, StoreError>>) -> Pending<'a, Option<StoreError>> {
    Box::pin(async move { call.await.err() })
}

/// The first page that a store is given.
fn first_page() -> Page {
    let epoch = Epoch::from_uuid(uuid::Uuid::from_u128(1));
    Page {
        target: Target::Live,
        registry: 0,
        expected: None,
        next: Checkpoint { position: Position(1), epoch, hash: Hash::ZERO },
        writes: vec![],
        changes: vec![],
        parked: vec![],
    }
}

/// Every call of the port, with what became of it.
async fn every_call(store: &PostgresReadStore) -> Vec<Option<StoreError>> {
    let some = GenerationId(1);
    let retention = Retention { positions: 1, age: None };
    let build = Alteration::Build { view: "v".to_owned(), version: 9 };
    futures_util::future::join_all([
        told(store.registry()),
        told(store.alter(0, build)),
        told(store.commit(first_page())),
        told(store.load(vec![(some, Key::new("a"))])),
        told(store.parked()),
        told(store.document("v", Key::new("a"))),
        told(store.list("v", Query { limit: 1, ..Query::default() })),
        told(store.changes(None, Cursor::START, 1)),
        told(store.trim(retention)),
        told(store.sweep(9)),
        told(store.scan(some, None, 1)),
        told(store.compare(some, some)),
    ])
    .await
}

/// Asks until there is an answer, but not for ever.
async fn back(store: &PostgresReadStore) {
    let began = Instant::now();
    while let Err(why) = store.registry().await {
        assert!(began.elapsed() < Duration::from_secs(30), "{why}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_says_nothing_is_unavailable_soon_and_is_used_again_later() {
    let Some(schema) = postgres("silence").await else { return };
    let (line, url) = Line::before(schema.url()).await;
    let store = PostgresReadStore::open(url.parse().unwrap()).await.unwrap();
    for _ in 0..2 {
        line.hold();
        let began = Instant::now();
        let told = every_call(&store).await;
        assert!(began.elapsed() < SOON, "{:?}", began.elapsed());
        let unavailable = |told: &Option<_>| matches!(told, Some(StoreError::Unavailable(_)));
        assert!(told.iter().all(unavailable), "{told:?}");
        line.pass();
        back(&store).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_statement_that_waits_is_given_up_soon_and_a_page_whose_answer_was_lost_counts_once() {
    let Some(schema) = postgres("waiting").await else { return };
    let store = PostgresReadStore::open(schema.url().parse().unwrap()).await.unwrap();
    let mut locked = PgConnection::connect(schema.url()).await.unwrap();
    let lock = "BEGIN; LOCK TABLE live, documents, parked IN ACCESS EXCLUSIVE MODE";
    sqlx::raw_sql(lock).execute(&mut locked).await.unwrap();
    for _ in 0..2 {
        let began = Instant::now();
        let asked = tokio::join!(store.registry(), store.commit(first_page()), store.parked());
        let unavailable = |told: Option<StoreError>| {
            assert!(matches!(told, Some(StoreError::Unavailable(_))), "{told:?}");
        };
        unavailable(asked.0.err());
        unavailable(asked.1.err());
        unavailable(asked.2.err());
        assert!(began.elapsed() < SOON, "{:?}", began.elapsed());
        // It is there, so what may take long goes on.
        let compare = store.compare(GenerationId(1), GenerationId(1));
        assert!(tokio::time::timeout(SOON, compare).await.is_err());
    }
    sqlx::raw_sql("ROLLBACK").execute(&mut locked).await.unwrap();
    // Whether it was made in the end is decided by whoever comes first.
    let again = store.commit(first_page()).await;
    assert!(matches!(again, Ok(()) | Err(StoreError::Moved)), "{again:?}");
    assert_eq!(store.registry().await.unwrap().live, Some(first_page().next));
    assert_eq!(store.commit(first_page()).await, Err(StoreError::Moved));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_primary_that_is_another_host_now_is_found() {
    let Some(schema) = postgres("failover").await else { return };
    let line = Line::to(place(schema.url())).await;
    let hosts = format!("{},{}", line.place(), place(schema.url()));
    let url = schema.url().replace(place(schema.url()), &hosts);
    let store = PostgresReadStore::open(url.parse().unwrap()).await.unwrap();
    every_call(&store).await;
    // For good: the first host is never heard of again.
    line.hold();
    back(&store).await;
}

/// Waits until the views have what the log has.
async fn caught_up(feed: &MemoryFeed, reader: &Reader) {
    let head = feed.head().await.unwrap().position;
    reader.wait_for(head, stage::patience()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn views_go_on_by_themselves_after_their_server_was_killed_and_after_it_stood_still() {
    let Some(mut server) = server("views over a server that dies").await else { return };
    let events = history(31, 1_500);
    let whole = MemoryFeed::new(events.clone());
    let undisturbed: Arc<dyn ReadStore> = Arc::new(MemoryReadStore::new());
    run_to_head(&whole, &undisturbed, Projections::all(), 512).await;

    let postgres = PostgresReadStore::open(server.url().parse().unwrap()).await.unwrap();
    let store: Arc<dyn ReadStore> = Arc::new(postgres.clone());
    let ends = stage::ends(&events);
    let mut parts = (1..=5_usize).map(|part| {
        let index = |part: usize| ends.len().saturating_mul(part).div_euclid(5);
        let end = |part| index(part).checked_sub(1).and_then(|index| ends.get(index)).copied();
        let within = |event: &&Recorded| {
            end(part).is_some_and(|end| event.position <= end)
                && end(part.saturating_sub(1)).is_none_or(|end| event.position > end)
        };
        events.iter().filter(within).cloned().collect::<Vec<_>>()
    });
    let feed = MemoryFeed::new(parts.next().unwrap());
    let options = Options { pause_max: Duration::from_millis(100), ..options(8) };
    let runner =
        Runner::new(Arc::new(feed.clone()), Arc::clone(&store), Projections::all(), options);
    let (reader, stop) = (runner.reader(), CancellationToken::new());
    let disturb = async {
        caught_up(&feed, &reader).await;
        for again in [true, false] {
            // In the midst of a part, whose rest comes while it is away.
            feed.append(&parts.next().unwrap());
            let half = reader.status().position;
            reader.wait_for(Position(half.0 + 1), stage::patience()).await.unwrap();
            if again {
                server.kill();
            } else {
                server.pause();
            }
            feed.append(&parts.next().unwrap());
            let began = Instant::now();
            let asked = postgres.registry().await;
            assert!(matches!(asked, Err(StoreError::Unavailable(_))), "{asked:?}");
            assert!(began.elapsed() < SOON, "{:?}", began.elapsed());
            if again {
                server.restart().await;
            } else {
                server.resume();
            }
            let began = Instant::now();
            caught_up(&feed, &reader).await;
            println!("again there, and caught up after {:?}", began.elapsed());
        }
        stop.cancel();
    };
    let run = async { runner.run(stop.clone()).await.unwrap() };
    tokio::join!(run, disturb);
    assert_eq!(everything(&store).await, everything(&undisturbed).await);
    postgres.close().await;
}
