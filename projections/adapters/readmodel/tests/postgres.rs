//! What only the store in PostgreSQL has: several nodes on one schema, leases between them, and
//! statements that read what they need and no more.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/stage.rs"]
mod stage;

use std::sync::Arc;
use std::time::Duration;

use holdfast_domain::log::Position;
use holdfast_projections::Projections;
use holdfast_projections::leases::{Leases as _, Taken};
use holdfast_projections::ports::{ReadStore, Retention};
use holdfast_projections::registry::Alteration;
use holdfast_projections::topic::Cursor;
use holdfast_readmodel::MemoryReadStore;
use holdfast_readmodel::PostgresReadStore;
use holdfast_readmodel::conformance::{MemoryFeed, history};
use holdfast_readmodel::postgres::migrations::{StepState, steps};
use holdfast_test_stores::{Schema, postgres};
use sqlx::Connection as _;
use sqlx::postgres::PgConnection;

use stage::{everything, in_postgres, run_to_head};

async fn sql(schema: &Schema, text: &'static str) -> u64 {
    let mut connection = PgConnection::connect(schema.url()).await.unwrap();
    sqlx::raw_sql(text).execute(&mut connection).await.unwrap().rows_affected()
}

async fn number(schema: &Schema, text: &'static str) -> i64 {
    let mut connection = PgConnection::connect(schema.url()).await.unwrap();
    sqlx::query_scalar(text).fetch_one(&mut connection).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_fold_each_event_once_and_a_changed_row_is_noticed() {
    let Some(schema) = postgres("two nodes").await else { return };
    let feed = MemoryFeed::new(history(51, 1_500));
    let alone: Arc<dyn ReadStore> = Arc::new(MemoryReadStore::new());
    run_to_head(&feed, &alone, Projections::all(), 512).await;
    // Both begin at once: with the tables, and with the first page.
    let (one, other) = tokio::join!(in_postgres(&schema), in_postgres(&schema));
    let (one, other): (Arc<dyn ReadStore>, Arc<dyn ReadStore>) = (Arc::new(one), Arc::new(other));
    let (_, _) = tokio::join!(
        run_to_head(&feed, &one, Projections::all(), 16),
        run_to_head(&feed, &other, Projections::all(), 23),
    );
    assert_eq!(everything(&one).await, everything(&alone).await);
    assert_eq!(everything(&other).await, everything(&alone).await);
    let planted = "UPDATE documents SET document = '{\"planted\": 1}' WHERE key = \
        (SELECT min(d.key) FROM active_documents d WHERE d.view = 'payments')";
    assert_eq!(sql(&schema, planted).await, 1);
    assert_ne!(everything(&one).await, everything(&alone).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_let_go_of_leaves_nothing_behind() {
    let Some(schema) = postgres("what is let go of").await else { return };
    let store: Arc<dyn ReadStore> = Arc::new(in_postgres(&schema).await);
    let feed = MemoryFeed::new(history(52, 1_500));
    run_to_head(&feed, &store, Projections::all(), 500).await;
    store.trim(Retention { positions: 100, age: None }).await.unwrap();
    while store.sweep(100).await.unwrap() > 0 {}
    let left = store.changes(None, Cursor::after(Position(1_600), 0), 1).await.unwrap();
    let oldest = left.oldest.position;
    let kept = "SELECT count(DISTINCT (position, ordinal)) - (SELECT count(*) FROM changes \
        WHERE cardinality(topics) > 0) FROM change_topics";
    assert_eq!(number(&schema, kept).await, 0);
    assert_eq!(number(&schema, "SELECT min(position) FROM changes").await > 0, oldest.0 > 0);
    let old = "SELECT count(*) FROM changes, live WHERE changes.position <= live.oldest_position";
    assert_eq!(number(&schema, old).await, 0);
    assert!(number(&schema, "SELECT count(*) FROM changes").await > 50);

    // More documents than one sweep takes, of two generations, one of which a node left behind.
    let retired = store.registry().await.unwrap().active("due").unwrap().id;
    let registry = store.registry().await.unwrap();
    let retire = Alteration::Retire { generation: retired };
    let registry = store.alter(registry.revision, retire).await.unwrap();
    let fill = "INSERT INTO documents (generation, key, position, document) \
        SELECT g, n::text, 1, '1' FROM generate_series(1, 5000) n, \
        (SELECT id AS g FROM generations WHERE view = 'due' UNION SELECT 1000) f \
        ON CONFLICT DO NOTHING";
    assert!(sql(&schema, fill).await >= 9_000);
    let before = number(&schema, "SELECT count(*) FROM documents").await;
    store.alter(registry.revision, Alteration::Drop { generation: retired }).await.unwrap();
    let orphans = "SELECT count(*) FROM documents d WHERE NOT EXISTS \
        (SELECT FROM generations g WHERE g.id = d.generation)";
    assert_eq!(number(&schema, orphans).await, 0);
    let after = number(&schema, "SELECT count(*) FROM documents").await;
    assert!(after > 0 && before - after >= 10_000, "{before} {after}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lease_is_held_by_one_and_judged_by_the_clock_of_the_server() {
    let Some(schema) = postgres("leases").await else { return };
    let leases = in_postgres(&schema).await.leases();
    let term = Duration::from_hours(30);
    let take = |holder: String| leases.take("a".to_owned(), holder, term);
    let all = futures_util::future::join_all((0..12).map(|n| take(format!("node {n}")))).await;
    let held = all.iter().filter(|taken| matches!(taken, Ok(Taken::Held { fence: 1 })));
    assert_eq!(held.count(), 1, "{all:?}");
    let lease = leases.list().await.unwrap().pop().unwrap();
    assert!(lease.remaining <= term && lease.remaining > term / 2, "{lease:?}");
    let (holder, another) = (lease.holder.clone(), || "another".to_owned());
    assert_eq!(take(holder.clone()).await, Ok(Taken::Held { fence: 1 }));
    let taken = take(another()).await.unwrap();
    let Taken::ByAnother(known) = taken else { panic!("{taken:?}") };
    assert_eq!((known.holder, known.fence), (holder.clone(), 1));
    leases.release("a".to_owned(), another()).await.unwrap();
    assert_eq!(leases.list().await.unwrap().len(), 1, "it is not hers");
    // As if the time had passed.
    sql(&schema, "UPDATE leases SET until = clock_timestamp()").await;
    assert_eq!(leases.list().await.unwrap(), []);
    assert_eq!(take(another()).await, Ok(Taken::Held { fence: 2 }));
    // As if the server's clock had gone back.
    sql(&schema, "UPDATE leases SET until = until + interval '1 hour'").await;
    assert_eq!(take(holder.clone()).await, Ok(Taken::Held { fence: 3 }));
    leases.release("a".to_owned(), holder.clone()).await.unwrap();
    assert_eq!(take(holder).await, Ok(Taken::Held { fence: 4 }));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn leases_that_nobody_uses_are_forgotten_where_their_numbers_do_not_matter() {
    let Some(schema) = postgres("leases of the past").await else { return };
    let leases = in_postgres(&schema).await.leases();
    for name in ["worker/released", "worker/old", "worker/new", "worker/alive", "views"] {
        leases.take(name.to_owned(), "n".to_owned(), Duration::from_secs(6)).await.unwrap();
    }
    leases.release("worker/released".to_owned(), "n".to_owned()).await.unwrap();
    let long_ago = "UPDATE leases SET until = clock_timestamp() - interval '61 min' \
        WHERE name IN ('worker/old', 'views'); \
        UPDATE leases SET until = clock_timestamp() - interval '59 min' WHERE name = 'worker/new'";
    sql(&schema, long_ago).await;
    leases.forget("worker/".to_owned(), Duration::from_hours(1)).await.unwrap();
    assert_eq!(number(&schema, "SELECT count(*) FROM leases").await, 3);
    let taken = leases.take("views".to_owned(), "m".to_owned(), Duration::from_secs(6)).await;
    assert_eq!(taken, Ok(Taken::Held { fence: 2 }), "a share goes on counting");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_changes_of_the_tables_are_shown_as_they_stand() {
    let Some(schema) = postgres("migrations of views").await else { return };
    let address = schema.url().parse().unwrap();
    let states = async || -> Vec<_> {
        steps(&address).await.unwrap().into_iter().map(|step| step.state).collect()
    };
    let before = states().await;
    assert!(before.len() >= 3 && before.iter().all(|state| *state == StepState::Pending));
    in_postgres(&schema).await.close().await;
    assert!(states().await.iter().all(|state| *state == StepState::Applied));
    // Again, on tables that are there.
    in_postgres(&schema).await.close().await;
    sql(&schema, "UPDATE _holdfast_views_migrations SET checksum = '' WHERE version = 1").await;
    let refused = PostgresReadStore::open(address.clone()).await.unwrap_err().to_string();
    assert!(refused.contains("migration 1 ") && refused.contains("migrate status"), "{refused}");
    assert_eq!(states().await[0], StepState::Changed, "which shows it");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_schema_is_a_store_of_its_own_and_stays_it() {
    let (Some(schema), Some(elsewhere)) = (postgres("ids").await, postgres("ids").await) else {
        return;
    };
    let (one, again) = (in_postgres(&schema).await.id(), in_postgres(&schema).await.id());
    assert_eq!(one, again);
    assert_ne!(one, in_postgres(&elsewhere).await.id());
}
