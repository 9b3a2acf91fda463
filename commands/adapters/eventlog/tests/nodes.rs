//! Several nodes on one log: one order, one winner, nothing missed, however slowly commits end.
//! Each claim about order has a control: a reader or a check that is known to be wrong, on the same
//! rig, which must be caught.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::arithmetic_side_effects,
    reason = "helpers of tests fail by panicking, and say what they saw"
)]

#[path = "support/scene.rs"]
mod scene;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use holdfast_domain::ids::EventId;
use holdfast_domain::log::{
    AppendError, Batch, EventLog, Expected, Feed, Position, Recorded, Revision, StreamId,
};
use holdfast_eventlog::walk::verify_feed;
use holdfast_eventlog::{PostgresLog, SqliteLog};
use holdfast_test_stores::{Schema, postgres};
use scene::{append, append_after_a_look, guarded, one, stream, write};
use sqlx::{Connection as _, PgConnection};
use tokio::runtime::Handle;
use tokio::task::JoinSet;

const WRITERS: u128 = 12;
const APPENDS: u128 = 25;

/// Commits end up to 20 ms after they were asked for, in an order of their own.
const SLOW: &str = "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS \
    'BEGIN PERFORM pg_sleep(random() * 0.02); RETURN NULL; END'";

async fn node(schema: &Schema) -> Arc<PostgresLog> {
    PostgresLog::open(&schema.url().parse().unwrap(), Handle::current()).await.unwrap()
}

async fn meddle(schema: &Schema, statement: &'static str) {
    let mut connection = PgConnection::connect(schema.url()).await.unwrap();
    sqlx::raw_sql(statement).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

/// Appends to a stream of its own, and every fifth time to one that all writers want.
async fn busy(log: Arc<impl EventLog + ?Sized>, writer: u128) {
    let mut own = Expected::NoStream;
    for round in 0..APPENDS {
        let by = 1_000 + writer * APPENDS + round;
        let append = one(by, stream(writer + 1), own);
        let answer = log.append(vec![append]).await.swap_remove(0).unwrap();
        own = Expected::Head(answer.heads.first().unwrap().1);
        if round.is_multiple_of(5) {
            shared(&*log, by + 100_000).await;
        }
    }
}

async fn shared(log: &(impl EventLog + ?Sized), by: u128) {
    let mut expected = Expected::NoStream;
    loop {
        match log.append(vec![one(by, stream(99), expected)]).await.swap_remove(0) {
            Ok(_) => return,
            Err(AppendError::Conflict { actual, .. }) => {
                expected = actual.map_or(Expected::NoStream, Expected::Head);
            }
            Err(wrong) => panic!("{wrong}"),
        }
    }
}

const TOTAL: u128 = WRITERS * (APPENDS + APPENDS.div_ceil(5));

/// Reads on from its checkpoint, and never looks back, until it has seen everything or nobody writes.
async fn follow(feed: &impl Feed, writers: &mut JoinSet<()>) -> Vec<Recorded> {
    let (mut seen, mut at) = (Vec::new(), Position::START);
    while seen.len() < usize::try_from(TOTAL).unwrap() {
        while let Some(ended) = writers.try_join_next() {
            ended.unwrap();
        }
        let patience = Duration::from_secs(10);
        let moved = tokio::time::timeout(patience, feed.changed(at)).await;
        assert!(moved.is_ok(), "{} of {TOTAL} were seen", seen.len());
        let page = feed.page(at, 7).await.unwrap();
        at = page.last().map_or(at, |last| last.position);
        seen.extend(page);
    }
    seen
}

fn each_once_and_in_order(seen: &[Recorded]) {
    assert!(seen.is_sorted_by(|one, next| one.position < next.position), "an inversion");
    let ids: BTreeSet<EventId> = seen.iter().map(|recorded| recorded.metadata.event_id).collect();
    assert_eq!(ids.len(), seen.len(), "something was seen twice");
    let mut next: BTreeMap<StreamId, Revision> = BTreeMap::new();
    for recorded in seen {
        let revision = next.entry(recorded.stream).or_insert(Revision(0));
        assert_eq!(recorded.revision, *revision, "{} has a gap", recorded.stream);
        *revision = revision.next();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_misses_nothing_however_slowly_commits_end() {
    let Some(schema) = postgres("log order").await else { return };
    let nodes = [node(&schema).await, node(&schema).await, node(&schema).await];
    meddle(&schema, SLOW).await;
    meddle(
        &schema,
        "CREATE CONSTRAINT TRIGGER slow AFTER INSERT ON batch DEFERRABLE INITIALLY DEFERRED \
         FOR EACH ROW EXECUTE FUNCTION slow()",
    )
    .await;
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        let log = if writer.is_multiple_of(2) { &nodes[0] } else { &nodes[1] };
        writers.spawn(busy(Arc::clone(log), writer));
    }
    // The third node writes nothing: it hears of everything from others.
    let seen = follow(&*nodes[2], &mut writers).await;
    while let Some(ended) = writers.join_next().await {
        ended.unwrap();
    }
    each_once_and_in_order(&seen);
    let report = verify_feed(&*nodes[2], None).await.unwrap();
    assert_eq!((report.failure, u128::from(report.events)), (None, TOTAL));
    for log in &nodes {
        assert_eq!(log.head().await.unwrap().position, seen.last().unwrap().position);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_holds_of_the_embedded_log() {
    let folder = tempfile::tempdir().unwrap();
    let log = SqliteLog::open(folder.path(), Handle::current()).await.unwrap();
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        writers.spawn(busy(Arc::clone(&log), writer));
    }
    let seen = follow(&*log, &mut writers).await;
    while let Some(ended) = writers.join_next().await {
        ended.unwrap();
    }
    each_once_and_in_order(&seen);
}

/// The control: numbers from a sequence, on the same slow commits.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_of_a_sequence_misses_some() {
    let Some(schema) = postgres("log order, control").await else { return };
    meddle(&schema, SLOW).await;
    meddle(
        &schema,
        "CREATE TABLE naive (id bigserial PRIMARY KEY); CREATE CONSTRAINT TRIGGER slow \
         AFTER INSERT ON naive DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION slow()",
    )
    .await;
    let mut writers = JoinSet::new();
    for _ in 0..WRITERS {
        let url = schema.url().to_owned();
        writers.spawn(async move {
            let mut connection = PgConnection::connect(&url).await.unwrap();
            for _ in 0..APPENDS {
                let insert = sqlx::query("INSERT INTO naive DEFAULT VALUES");
                insert.execute(&mut connection).await.unwrap();
            }
        });
    }
    let mut reader = PgConnection::connect(schema.url()).await.unwrap();
    let (mut seen, mut last) = (0_u128, 0_i64);
    loop {
        let over = writers.is_empty();
        let page: Vec<i64> = sqlx::query_scalar("SELECT id FROM naive WHERE id > $1 ORDER BY id")
            .bind(last)
            .fetch_all(&mut reader)
            .await
            .unwrap();
        seen += u128::try_from(page.len()).unwrap();
        last = page.last().copied().unwrap_or(last);
        if over {
            break;
        }
        while let Some(ended) = writers.try_join_next() {
            ended.unwrap();
        }
    }
    assert!(seen < WRITERS * APPENDS, "the rig does not show what it is for");
}

/// Each of two nodes appends at the same time; answers what each was told.
async fn race(
    nodes: &[Arc<PostgresLog>; 2],
    batches: [Batch; 2],
    looks: bool,
) -> [Result<(), AppendError>; 2] {
    let [one, other] = batches;
    let append = async |log: &PostgresLog, batch| {
        let answer =
            if looks { append_after_a_look(log, batch).await } else { append(log, batch).await };
        answer.map(drop)
    };
    let (one, other) = tokio::join!(append(&nodes[0], one), append(&nodes[1], other));
    [one, other]
}

fn one_winner(answers: &[Result<(), AppendError>; 2]) {
    let won = answers.iter().filter(|answer| answer.is_ok()).count();
    let lost =
        |answer: &&Result<(), AppendError>| matches!(answer, Err(AppendError::Conflict { .. }));
    assert_eq!((won, answers.iter().filter(lost).count()), (1, 1), "{answers:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_of_two_nodes_wins_a_stream() {
    let Some(schema) = postgres("log race").await else { return };
    let nodes = [node(&schema).await, node(&schema).await];
    for round in 1..=60 {
        let by = round * 2 + 1;
        let batch = |by| one(by, stream(round), Expected::NoStream);
        let answers = race(&nodes, [batch(by), batch(by + 1)], round.is_multiple_of(2)).await;
        one_winner(&answers);
        assert_eq!(nodes[0].load(stream(round), Revision(0)).await.unwrap().len(), 1);
    }
}

/// Each guards that the other's stream is absent: an inversion that snapshots alone let pass.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_of_two_nodes_wins_what_each_guards_against_the_other() {
    let Some(schema) = postgres("log guards").await else { return };
    let nodes = [node(&schema).await, node(&schema).await];
    for round in 1..=60 {
        let by = round * 2 + 1;
        let (left, right) = (stream(by), stream(by + 1));
        let batches = [
            guarded(one(by, left, Expected::NoStream), right, Expected::NoStream),
            guarded(one(by + 1, right, Expected::NoStream), left, Expected::NoStream),
        ];
        one_winner(&race(&nodes, batches, round.is_multiple_of(2)).await);
    }
}

/// The control: a guard that is looked at before the write, in a transaction without the tail.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_guard_without_the_tail_lets_both_win() {
    let Some(schema) = postgres("log guards, control").await else { return };
    meddle(&schema, "CREATE TABLE guarded (name text PRIMARY KEY)").await;
    let mut one = PgConnection::connect(schema.url()).await.unwrap();
    let mut other = PgConnection::connect(schema.url()).await.unwrap();
    let insert = "BEGIN; INSERT INTO guarded SELECT 'left' WHERE NOT EXISTS \
                  (SELECT FROM guarded WHERE name = 'right')";
    sqlx::raw_sql(insert).execute(&mut one).await.unwrap();
    let insert = "BEGIN; INSERT INTO guarded SELECT 'right' WHERE NOT EXISTS \
                  (SELECT FROM guarded WHERE name = 'left')";
    sqlx::raw_sql(insert).execute(&mut other).await.unwrap();
    sqlx::raw_sql("COMMIT").execute(&mut one).await.unwrap();
    sqlx::raw_sql("COMMIT").execute(&mut other).await.unwrap();
    let both: i64 =
        sqlx::query_scalar("SELECT count(*) FROM guarded").fetch_one(&mut one).await.unwrap();
    assert_eq!(both, 2);
}

#[tokio::test]
async fn a_commit_of_another_node_wakes_who_waits_sooner_than_a_look_would() {
    let Some(schema) = postgres("log hints").await else { return };
    let nodes = [node(&schema).await, node(&schema).await];
    let mut soon = 0;
    for round in 1..=10 {
        let end = nodes[1].head().await.unwrap().position;
        append(&*nodes[0], one(round, stream(round), Expected::NoStream)).await.unwrap();
        let began = std::time::Instant::now();
        nodes[1].changed(end).await;
        soon += u32::from(began.elapsed() < Duration::from_millis(100));
        assert!(nodes[1].head().await.unwrap().position > end);
    }
    assert!(soon >= 8, "only {soon} of 10 were heard of");
}

/// A group in which each builds on the one before, from two nodes in turns.
#[tokio::test]
async fn groups_build_on_what_another_node_wrote() {
    let Some(schema) = postgres("log groups").await else { return };
    let nodes = [node(&schema).await, node(&schema).await];
    let mut expected = Expected::NoStream;
    for round in 0..6_u128 {
        let by = round * 10 + 1;
        let next = Revision(u64::try_from(round).unwrap() * 3);
        let group = vec![
            one(by, stream(1), expected),
            one(by + 1, stream(1), Expected::InGroup(next)),
            scene::batch(
                by + 2,
                vec![
                    write(by + 2, stream(1), Expected::InGroup(next.next()), 1),
                    write(by + 2, stream(1_000 + by), Expected::NoStream, 2),
                ],
            ),
        ];
        let log = if round.is_multiple_of(2) { &nodes[0] } else { &nodes[1] };
        let answers = log.append(group.clone()).await;
        assert!(answers.iter().all(Result::is_ok), "{answers:?}");
        let again = log.append(group).await;
        assert!(again.iter().all(|it| matches!(it, Err(AppendError::Answered(_)))), "{again:?}");
        expected = Expected::Head(answers[2].as_ref().unwrap().heads[0].1);
    }
    let report = verify_feed(&*nodes[0], None).await.unwrap();
    assert_eq!((report.failure, report.events, report.batches), (None, 30, 6));
}
