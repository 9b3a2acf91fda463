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

/// Reads that wait, many more than there are connections.
fn crowd(store: &Arc<PostgresReadStore>) -> JoinSet<bool> {
    let mut reads = JoinSet::new();
    for _ in 0..40 {
        let store = Arc::clone(store);
        reads.spawn(async move {
            let query = Query { limit: 1, ..Query::default() };
            store.list("reservations", query).await.is_err()
        });
    }
    reads
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
    let mut reads = crowd(&store);
    waiting(&schema, |count| count == 8).await;
    let soon = tokio::time::timeout(terms.answer, async {
        let taken = leases.take("views".to_owned(), "me".to_owned(), terms.term).await;
        assert_eq!(taken, Ok(Taken::Held { fence: 1 }));
        store.registry().await.unwrap();
    });
    assert!(soon.await.is_ok(), "it waited behind the reads");
    assert!(!reads.is_empty());
    while let Some(refused) = reads.join_next().await {
        assert!(refused.unwrap(), "all of them waited in vain");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_that_was_given_up_is_given_up_by_the_server_too() {
    let Some(schema) = postgres("reads given up").await else { return };
    let store = Arc::new(in_postgres(&schema).await);
    let _way = in_the_way(&schema).await;
    let began = Instant::now();
    let mut reads = crowd(&store);
    waiting(&schema, |count| count == 8).await;
    while let Some(refused) = reads.join_next().await {
        assert!(refused.unwrap());
    }
    waiting(&schema, |count| count == 0).await;
    // The bound of a session that waits for a lock is five seconds.
    assert!(began.elapsed() < Duration::from_millis(4_500), "{:?}", began.elapsed());
}
