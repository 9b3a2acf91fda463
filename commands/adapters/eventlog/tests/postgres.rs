//! What only the log in a database can get wrong: who may open it, what it leaves there, what it
//! does when somebody meddles.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

#[path = "support/scene.rs"]
mod scene;

use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::join_all;
use holdfast_domain::log::{
    AppendError, EventLog as _, Expected, Feed as _, Position, ReadError, Revision,
};
use holdfast_eventlog::postgres::migrations::{self, StepState};
use holdfast_eventlog::postgres::{Address, OpenError, Renewal};
use holdfast_eventlog::walk::verify_feed;
use holdfast_eventlog::{PostgresLog, PostgresLogReader};
use holdfast_test_stores::{Schema, postgres};
use scene::{append, append_after_a_look, batch, one, stream, write};
use sqlx::{Connection as _, PgConnection};
use tokio::runtime::Handle;

fn address(schema: &Schema) -> Address {
    schema.url().parse().unwrap()
}

async fn open(schema: &Schema) -> Result<Arc<PostgresLog>, OpenError> {
    PostgresLog::open(&address(schema), Handle::current()).await
}

/// A hand on the tables behind the log's back.
async fn hand(schema: &Schema) -> PgConnection {
    PgConnection::connect(schema.url()).await.unwrap()
}

async fn meddle(schema: &Schema, statement: &'static str) -> Result<(), sqlx::Error> {
    let mut connection = hand(schema).await;
    let done = sqlx::raw_sql(statement).execute(&mut connection).await.map(drop);
    connection.close().await.unwrap();
    done
}

/// Past the triggers, as somebody with the owner's rights can.
async fn tamper(schema: &Schema, statement: &'static str) {
    let lifted = "ALTER TABLE event DISABLE TRIGGER ALL; ALTER TABLE stream DISABLE TRIGGER ALL; \
                  ALTER TABLE batch DISABLE TRIGGER ALL";
    meddle(schema, lifted).await.unwrap();
    meddle(schema, statement).await.unwrap();
}

/// A log with three facts.
async fn three(schema: &Schema) -> Arc<PostgresLog> {
    let log = open(schema).await.unwrap();
    for n in 1..=3 {
        append(&*log, one(n, stream(n), Expected::NoStream)).await.unwrap();
    }
    log
}

#[tokio::test]
async fn facts_cannot_be_changed_by_mistake() {
    let Some(schema) = postgres("log, by mistake").await else { return };
    let log = three(&schema).await;
    for statement in [
        "UPDATE event SET payload = ''",
        "DELETE FROM event",
        "TRUNCATE event",
        "UPDATE stream SET name = name",
        "DELETE FROM stream",
        "UPDATE batch SET last = last",
        "DELETE FROM batch",
        "TRUNCATE batch",
    ] {
        let refused = meddle(&schema, statement).await.unwrap_err();
        assert!(refused.to_string().contains("append-only"), "{statement}: {refused}");
    }
    assert_eq!(verify_feed(&*log, None).await.unwrap().events, 3);
}

#[tokio::test]
async fn tampering_is_found() {
    for (statement, at) in [
        ("UPDATE event SET payload = payload || ' ' WHERE position = 2", 2),
        ("UPDATE event SET accepted_at_us = accepted_at_us + 1 WHERE position = 2", 2),
        ("UPDATE event SET append_end = 3 WHERE position = 2", 2),
        ("UPDATE stream SET name = replace(name, '0002', '0009')", 2),
        ("DELETE FROM event WHERE position = 2", 2),
        ("DELETE FROM event WHERE position = 3", 3),
        ("DELETE FROM stream WHERE id = 2", 2),
        ("DELETE FROM batch WHERE number = 2", 3),
        ("DELETE FROM batch WHERE number = 3", 3),
    ] {
        let Some(schema) = postgres("log, tampering").await else { return };
        let log = three(&schema).await;
        assert_eq!(verify_feed(&*log, None).await.unwrap().failure, None);
        tamper(&schema, statement).await;
        let report = verify_feed(&*log, None).await.unwrap();
        assert_eq!(report.failure.map(|it| it.position), Some(Position(at)), "{statement}");
        log.close().await;
    }
}

#[tokio::test]
async fn a_log_that_contradicts_itself_is_not_opened() {
    for statement in [
        "DELETE FROM event WHERE position = 3",
        "DELETE FROM batch WHERE number = 3",
        "INSERT INTO batch VALUES (4, 4, 4, sha256(''))",
    ] {
        let Some(schema) = postgres("log, damaged").await else { return };
        three(&schema).await.close().await;
        tamper(&schema, statement).await;
        let refused = open(&schema).await.unwrap_err();
        assert!(matches!(refused, OpenError::Damaged(_)), "{statement}: {refused}");
    }
}

#[tokio::test]
async fn an_event_of_a_newer_release_stops_every_reader() {
    let Some(schema) = postgres("log, newer").await else { return };
    let log = three(&schema).await;
    tamper(&schema, "UPDATE event SET schema = 99 WHERE position = 2").await;
    let name = "reservation.expired".to_owned();
    let unknown = ReadError::UnknownEvent { name, schema: 99, position: Position(2) };
    assert_eq!(log.page(Position::START, 9).await, Err(unknown.clone()));
    assert_eq!(log.load(stream(2), Revision(0)).await, Err(unknown));
    assert_eq!(log.load(stream(1), Revision(0)).await.unwrap().len(), 1);
    assert_eq!(log.stored(Position::START, 9).await.unwrap().len(), 3);
}

#[tokio::test]
async fn a_reader_sees_what_is_appended_beside_it() {
    let Some(schema) = postgres("log, reader").await else { return };
    let absent = PostgresLogReader::open(&address(&schema)).await.unwrap_err();
    assert!(matches!(absent, OpenError::Absent { .. }), "{absent}");
    let log = open(&schema).await.unwrap();
    let reader = PostgresLogReader::open(&address(&schema)).await.unwrap();
    assert_eq!(reader.head().await.unwrap(), log.head().await.unwrap());
    let appending = append(&*log, one(1, stream(1), Expected::NoStream));
    let (appended, ()) = tokio::join!(appending, reader.changed(Position::START));
    appended.unwrap();
    log.close().await;
    assert_eq!(reader.head().await.unwrap().position, Position(1));
    assert_eq!(verify_feed(&reader, None).await.unwrap().events, 1);
    let changed = "UPDATE _holdfast_log_migrations SET checksum = ''";
    meddle(&schema, changed).await.unwrap();
    let other = PostgresLogReader::open(&address(&schema)).await.unwrap_err();
    assert!(matches!(other, OpenError::OtherShape { .. }), "{other}");
    assert!(matches!(open(&schema).await.unwrap_err(), OpenError::Migration(_)));
}

#[tokio::test]
async fn a_new_life_begins_only_when_no_node_has_the_log() {
    let Some(schema) = postgres("log, renewal").await else { return };
    let address = address(&schema);
    let absent = Renewal::open(&address).await.unwrap_err();
    assert!(matches!(absent, OpenError::Absent { .. }), "{absent}");
    let log = three(&schema).await;
    let other = open(&schema).await.unwrap();
    let reader = PostgresLogReader::open(&address).await.unwrap();
    let before = log.head().await.unwrap();
    for node in [log, other] {
        let held = Renewal::open(&address).await.unwrap_err();
        assert!(matches!(held, OpenError::InUse { .. }), "{held}");
        node.close().await;
    }
    let renewal = Renewal::open(&address).await.unwrap();
    assert_eq!((renewal.epoch(), renewal.head()), (before.epoch, before.position));
    let kept_out = open(&schema).await.unwrap_err();
    assert!(matches!(kept_out, OpenError::InUse { .. }), "{kept_out}");
    let epoch = renewal.begin().await.unwrap();
    assert_ne!(epoch, before.epoch);
    // Also who had the log open before: a life is looked up, not remembered.
    assert_eq!(reader.head().await.unwrap().epoch, epoch);
    let log = open(&schema).await.unwrap();
    assert_eq!((log.head().await.unwrap().epoch, before.position), (epoch, Position(3)));
}

#[tokio::test]
async fn the_migrations_are_shown_as_they_stand() {
    let Some(schema) = postgres("log, migrations").await else { return };
    let states = async || {
        let steps = migrations::steps(&address(&schema)).await.unwrap();
        steps.iter().map(|step| (step.version, step.state)).collect::<Vec<_>>()
    };
    assert_eq!(states().await, [(1, StepState::Pending)]);
    // Several nodes that start together make them once.
    let (one, other) = tokio::join!(open(&schema), open(&schema));
    let epochs = [one.unwrap().head().await.unwrap(), other.unwrap().head().await.unwrap()];
    assert_eq!(epochs[0], epochs[1]);
    assert_eq!(states().await, [(1, StepState::Applied)]);
}

#[tokio::test]
async fn two_schemas_of_one_database_are_two_logs() {
    let Some(one_schema) = postgres("log, schemas").await else { return };
    let Some(other_schema) = postgres("log, schemas").await else { return };
    let (one_log, other_log) = (three(&one_schema).await, open(&other_schema).await.unwrap());
    assert_ne!(one_log.head().await.unwrap().epoch, other_log.head().await.unwrap().epoch);
    assert_eq!(other_log.head().await.unwrap().position, Position::START);
    append(&*other_log, one(1, stream(1), Expected::NoStream)).await.unwrap();
    assert_eq!(other_log.page(Position::START, 9).await.unwrap().len(), 1);
}

#[tokio::test]
async fn analysts_see_facts_as_json() {
    let Some(schema) = postgres("log, view").await else { return };
    let log = three(&schema).await;
    let mut connection = hand(&schema).await;
    let seen: (i64, String, String, String, String, String) = sqlx::query_as(
        "SELECT position, stream, category, name, metadata ->> 'event_id', \
         to_char(accepted_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US') FROM event_json \
         WHERE payload = '{}' ORDER BY position LIMIT 1",
    )
    .fetch_one(&mut connection)
    .await
    .unwrap();
    let [first] = &log.page(Position::START, 1).await.unwrap()[..] else { panic!("no page") };
    let metadata = &first.metadata;
    let accepted = "2026-02-25 06:13:20.123456".to_owned();
    let (stream, event_id) = (first.stream.to_string(), metadata.event_id.to_string());
    let (category, name) = ("reservation".to_owned(), "reservation.expired".to_owned());
    assert_eq!(seen, (1, stream, category, name, event_id, accepted));
    // Each of its columns is described.
    let undescribed: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM pg_attribute WHERE attrelid = 'event_json'::regclass \
         AND attnum > 0 AND col_description(attrelid, attnum) IS NULL",
    )
    .fetch_one(&mut connection)
    .await
    .unwrap();
    assert_eq!(undescribed, 0);
}

/// Sessions of the log's nodes that sit in a transaction and do nothing.
async fn idle_in_transaction(schema: &Schema) -> (i64, i64) {
    sqlx::query_as(
        "SELECT count(*), count(*) FILTER (WHERE a.state LIKE 'idle in transaction%') \
         FROM pg_locks l JOIN pg_stat_activity a USING (pid) WHERE l.locktype = 'advisory' \
         AND l.classid = 1819238756 AND l.objid = current_schema()::regnamespace::oid",
    )
    .fetch_one(&mut hand(schema).await)
    .await
    .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_caller_who_goes_away_leaves_no_transaction_open() {
    let Some(schema) = postgres("log, cancelled").await else { return };
    let log = open(&schema).await.unwrap();
    for n in 1..=40 {
        let log = Arc::clone(&log);
        let mut caller = tokio::task::JoinSet::new();
        caller.spawn(async move {
            if n % 2 == 0 {
                append(&*log, one(n, stream(n), Expected::NoStream)).await
            } else {
                append_after_a_look(&*log, one(n, stream(n), Expected::NoStream)).await
            }
        });
        for _ in 0..n {
            tokio::task::yield_now().await;
        }
        caller.abort_all();
    }
    // What was given to the append task stands all the same; the next append comes after it.
    append(&*log, one(99, stream(99), Expected::NoStream)).await.unwrap();
    // A node has two that write.
    assert_eq!(idle_in_transaction(&schema).await, (2, 0));
    let events = verify_feed(&*log, None).await.unwrap();
    assert_eq!(events.failure, None);
    // The control: what it looks like when somebody does.
    let mut careless = hand(&schema).await;
    let statement = "SELECT pg_try_advisory_lock_shared(1819238756, \
                     current_schema()::regnamespace::oid::int); BEGIN; SELECT 1";
    sqlx::raw_sql(statement).execute(&mut careless).await.unwrap();
    assert_eq!(idle_in_transaction(&schema).await, (3, 1));
}

#[tokio::test]
async fn a_log_that_lost_its_tables_refuses_and_is_well_again_with_them() {
    let Some(schema) = postgres("log, without tables").await else { return };
    let log = three(&schema).await;
    meddle(&schema, "ALTER TABLE batch RENAME TO elsewhere").await.unwrap();
    let refused = append(&*log, one(4, stream(4), Expected::NoStream)).await;
    assert!(matches!(refused, Err(AppendError::Unavailable(_))), "{refused:?}");
    meddle(&schema, "ALTER TABLE elsewhere RENAME TO batch").await.unwrap();
    assert_eq!(*log.poisoned().borrow(), None);
    append(&*log, one(4, stream(4), Expected::NoStream)).await.unwrap();
    assert_eq!(verify_feed(&*log, None).await.unwrap().failure, None);
}

#[tokio::test]
async fn a_database_that_chains_otherwise_ends_the_log() {
    let Some(schema) = postgres("log, other chain").await else { return };
    let log = three(&schema).await;
    // The link as a function of another build would make it.
    meddle(
        &schema,
        "CREATE FUNCTION sha256_of_another(bytea) RETURNS bytea LANGUAGE sql AS \
         $$ SELECT sha256($1 || 'x') $$; DO $do$ BEGIN EXECUTE replace(pg_get_functiondef(\
         (SELECT oid FROM pg_proc WHERE proname = 'log_append' \
         AND pronamespace = current_schema()::regnamespace)), 'sha256(', 'sha256_of_another('); \
         END $do$",
    )
    .await
    .unwrap();
    let refused = append_after_a_look(&*log, one(4, stream(4), Expected::NoStream)).await;
    assert!(matches!(refused, Err(AppendError::Unavailable(_))), "{refused:?}");
    assert!(log.poisoned().borrow().is_some());
    let report = verify_feed(&*log, None).await.unwrap();
    assert_eq!((report.failure, report.events), (None, 3), "written all the same");
}

#[tokio::test]
async fn streams_that_are_loaded_at_the_same_time_are_not_mixed_up() {
    let Some(schema) = postgres("log, loads").await else { return };
    let log = open(&schema).await.unwrap();
    // Stream n has n events; stream 0 is not there.
    for n in 1..=8 {
        let events = write(n.into(), stream(n.into()), Expected::NoStream, n);
        append(&*log, batch(n.into(), vec![events])).await.unwrap();
    }
    let asked = (0..900_u64).map(|at| {
        let (n, from) = (u128::from(at % 9), at % 5);
        let log = Arc::clone(&log);
        async move {
            let found = log.load(stream(n), Revision(from)).await.unwrap();
            assert!(found.iter().all(|event| event.stream == stream(n)));
            let revisions: Vec<_> = found.iter().map(|event| event.revision.0).collect();
            assert_eq!(revisions, (from..at % 9).collect::<Vec<_>>(), "stream {n} from {from}");
        }
    });
    // Some who asked go away: the others do not notice.
    let gone: Vec<_> = (0..50).map(|_| Box::pin(log.load(stream(8), Revision(0)))).collect();
    let gone = gone.into_iter().map(FutureExt::now_or_never);
    assert_eq!(gone.flatten().count(), 0, "they went before they were answered");
    join_all(asked).await;
    log.close().await;
    assert!(log.load(stream(8), Revision(0)).await.is_err(), "nobody waits for a closed log");
}
