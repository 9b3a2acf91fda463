//! Many reads at once over PostgreSQL: they stand in the way of nobody who keeps the views or renews a
//! lease, and what was given up does not go on at the server.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/stage.rs"]
mod stage;

use std::sync::Arc;
use std::time::{Duration, Instant};

use holdfast_projections::keeper::Terms;
use holdfast_projections::leases::{Leases as _, Taken};
use holdfast_projections::ports::{Query, ReadStore as _};
use holdfast_readmodel::PostgresReadStore;
use holdfast_test_stores::{Schema, postgres};
use sqlx::Connection as _;
use sqlx::postgres::PgConnection;
use tokio::task::JoinSet;

use stage::in_postgres;

/// Holds a table that only reads need, so that they wait for as long as this stands.
async fn in_the_way(schema: &Schema) -> PgConnection {
    let mut connection = PgConnection::connect(schema.url()).await.unwrap();
    let lock = "BEGIN; LOCK TABLE documents IN ACCESS EXCLUSIVE MODE";
    sqlx::raw_sql(lock).execute(&mut connection).await.unwrap();
    connection
}

/// Readers who wait, many more than there are connections, each of whom asks so many times.
fn crowd(store: &Arc<PostgresReadStore>, times: usize) -> JoinSet<()> {
    let mut readers = JoinSet::new();
    for _ in 0..40 {
        let store = Arc::clone(store);
        readers.spawn(async move {
            for _ in 0..times {
                let query = Query { limit: 1, ..Query::default() };
                assert!(store.list("reservations", query).await.is_err(), "it waits in vain");
            }
        });
    }
    readers
}

/// How many sessions wait for that table.
const WAITING: &str = "SELECT count(*) FROM pg_locks \
    WHERE NOT granted AND relation = 'documents'::regclass";

async fn waiting(schema: &Schema, wanted: impl Fn(i64) -> bool) {
    let began = Instant::now();
    while !wanted(schema.number(WAITING).await) {
        assert!(began.elapsed() < Duration::from_secs(20), "never");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lease_is_renewed_and_the_registry_is_read_however_many_reads_wait() {
    let Some(schema) = postgres("leases beside many reads").await else { return };
    let store = Arc::new(in_postgres(&schema).await);
    let (leases, terms) = (store.leases(), Terms::default());
    let _way = in_the_way(&schema).await;
    let _readers = crowd(&store, usize::MAX);
    waiting(&schema, |count| count == 8).await;
    for _ in 0..3 {
        let taken = leases.take("views".to_owned(), "me".to_owned(), terms.term);
        let taken = tokio::time::timeout(terms.answer, taken).await;
        assert_eq!(taken.unwrap(), Ok(Taken::Held { fence: 1 }), "behind the reads");
        let known = tokio::time::timeout(terms.answer, store.registry()).await;
        assert!(known.unwrap().is_ok(), "behind the reads");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_that_was_given_up_is_given_up_by_the_server_too() {
    let Some(schema) = postgres("reads given up").await else { return };
    let store = Arc::new(in_postgres(&schema).await);
    let _way = in_the_way(&schema).await;
    let began = Instant::now();
    let readers = crowd(&store, 1);
    waiting(&schema, |count| count == 8).await;
    readers.join_all().await;
    waiting(&schema, |count| count == 0).await;
    // The bound of a session that waits for a lock is five seconds.
    assert!(began.elapsed() < Duration::from_millis(4_500), "{:?}", began.elapsed());
}
