//! G4: what group commit reaches of what PostgreSQL could do at best. The reference is a bare insert
//! of the very same rows into the same tables, 500 events in a transaction, by one who takes no turn,
//! judges nothing, hashes nothing and answers nobody.

use std::sync::Arc;
use std::time::{Duration, Instant};

use holdfast_eventlog::PostgresLog;
use holdfast_test_stores::{Schema, postgres};
use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{Connection as _, FromRow};
use tokio::runtime::Handle;
use uuid::Uuid;

use crate::Size;
use crate::append::{appends_of, joined};
use crate::measure::{Latencies, Line, differ, median, rate};

/// Events in a transaction of the reference.
const BARE: usize = 500;
const SCHEMA: &str = include_str!("../../migrations/eventlog/postgres/0001_log.sql");

pub(crate) async fn against_bare_inserts(size: Size) {
    for callers in [64, 512] {
        let (mut ours, mut bare, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
        let (mut all, mut total) = (Latencies::default(), Duration::ZERO);
        for _ in 0..size.rounds {
            let Some(schema) = postgres("bench of appends").await else { return };
            let (latencies, took) = group_commit(&schema, size.appends, callers).await;
            let count = latencies.count();
            all.join(latencies);
            total = total.saturating_add(took);
            let (our_rate, bare_rate) = (rate(count, took), bare_insert(&schema).await);
            ratios.push(our_rate.saturating_mul(100).checked_div(bare_rate).unwrap_or(0));
            ours.push(our_rate);
            bare.push(bare_rate);
        }
        Line::new("G4", "appends of 1 event with hash and remembered answer, PostgreSQL")
            .number("callers", callers.into())
            .timed(total, &mut all)
            .number("median_per_second", median(&ours))
            .number("reference_median_per_second", median(&bare))
            .number("median_percent_of_reference", median(&ratios))
            .flag("noisy", differ(&bare))
            .print();
    }
}

async fn group_commit(schema: &Schema, appends: u32, callers: u32) -> (Latencies, Duration) {
    let address = schema.url().parse().unwrap();
    let log = PostgresLog::open(&address, Handle::current()).await.unwrap();
    let each = appends.div_ceil(callers);
    let began = Instant::now();
    let all = joined((0..callers).map(|caller| {
        let log = Arc::clone(&log);
        async move { appends_of(&*log, caller, each).await }
    }));
    let all = all.await;
    let took = began.elapsed();
    log.close().await;
    (all, took)
}

#[derive(FromRow)]
struct Stream {
    id: i64,
    name: String,
}

#[derive(FromRow)]
struct Fact {
    position: i64,
    stream: i64,
    revision: i64,
    append_end: i64,
    accepted_at_us: i64,
    event_id: Uuid,
    schema: i32,
    name: String,
    metadata: Vec<u8>,
    payload: Vec<u8>,
    hash: Vec<u8>,
}

#[derive(FromRow)]
struct Answer {
    id: Uuid,
    revision: Option<i64>,
    position: i64,
    accepted_at_us: i64,
    status: i16,
    fingerprint: Vec<u8>,
    body: Vec<u8>,
}

/// Inserts what a log holds into tables of the same shape; answers events per second.
async fn bare_insert(log: &Schema) -> u64 {
    let mut source = PgConnection::connect(log.url()).await.unwrap();
    let streams: Vec<Stream> = rows(&mut source, "SELECT * FROM stream ORDER BY id").await;
    let events: Vec<Fact> = rows(&mut source, "SELECT * FROM event ORDER BY position").await;
    let answers: Vec<Answer> = rows(&mut source, "SELECT * FROM command ORDER BY position").await;
    source.close().await.unwrap();
    let schema = postgres("bench of appends, reference").await.unwrap();
    let mut bare = PgConnection::connect(schema.url()).await.unwrap();
    sqlx::raw_sql(SCHEMA).execute(&mut bare).await.unwrap();
    let began = Instant::now();
    insert(&mut bare, &streams, &events, &answers).await;
    let took = began.elapsed();
    bare.close().await.unwrap();
    rate(u64::try_from(events.len()).unwrap(), took)
}

async fn insert(bare: &mut PgConnection, streams: &[Stream], events: &[Fact], answers: &[Answer]) {
    let pages = streams.chunks(BARE).zip(events.chunks(BARE)).zip(answers.chunks(BARE));
    for ((streams, events), answers) in pages {
        let mut transaction = bare.begin().await.unwrap();
        insert_streams(&mut transaction, streams).await;
        insert_events(&mut transaction, events).await;
        insert_answers(&mut transaction, answers).await;
        transaction.commit().await.unwrap();
    }
}

async fn rows<T>(source: &mut PgConnection, question: &'static str) -> Vec<T>
where
    T: for<'r> FromRow<'r, PgRow> + Send + Unpin,
{
    sqlx::query_as(question).fetch_all(source).await.unwrap()
}

fn column<'a, R, T>(rows: &'a [R], of: impl Fn(&'a R) -> T) -> Vec<T> {
    rows.iter().map(of).collect()
}

async fn insert_streams(bare: &mut PgConnection, rows: &[Stream]) {
    sqlx::query("INSERT INTO stream (id, name) SELECT * FROM unnest($1::bigint[], $2::text[])")
        .bind(column(rows, |row| row.id))
        .bind(column(rows, |row| row.name.as_str()))
        .execute(bare)
        .await
        .unwrap();
}

async fn insert_events(bare: &mut PgConnection, rows: &[Fact]) {
    sqlx::query(
        "INSERT INTO event (position, stream, revision, append_end, accepted_at_us, event_id, \
         schema, name, metadata, payload, hash) SELECT * FROM unnest($1::bigint[], $2::bigint[], \
         $3::bigint[], $4::bigint[], $5::bigint[], $6::uuid[], $7::int[], $8::text[], \
         $9::bytea[], $10::bytea[], $11::bytea[])",
    )
    .bind(column(rows, |row| row.position))
    .bind(column(rows, |row| row.stream))
    .bind(column(rows, |row| row.revision))
    .bind(column(rows, |row| row.append_end))
    .bind(column(rows, |row| row.accepted_at_us))
    .bind(column(rows, |row| row.event_id))
    .bind(column(rows, |row| row.schema))
    .bind(column(rows, |row| row.name.as_str()))
    .bind(column(rows, |row| row.metadata.as_slice()))
    .bind(column(rows, |row| row.payload.as_slice()))
    .bind(column(rows, |row| row.hash.as_slice()))
    .execute(bare)
    .await
    .unwrap();
}

async fn insert_answers(bare: &mut PgConnection, rows: &[Answer]) {
    sqlx::query(
        "INSERT INTO command (id, revision, position, accepted_at_us, status, fingerprint, body) \
         SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::bigint[], \
         $5::smallint[], $6::bytea[], $7::bytea[])",
    )
    .bind(column(rows, |row| row.id))
    .bind(column(rows, |row| row.revision))
    .bind(column(rows, |row| row.position))
    .bind(column(rows, |row| row.accepted_at_us))
    .bind(column(rows, |row| row.status))
    .bind(column(rows, |row| row.fingerprint.as_slice()))
    .bind(column(rows, |row| row.body.as_slice()))
    .execute(bare)
    .await
    .unwrap();
}
