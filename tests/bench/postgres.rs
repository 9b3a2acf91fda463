//! G4 and G15: what group commit reaches of what PostgreSQL could do at best, and what an event takes
//! on its disk. The reference is a bare insert of the very same rows into the same tables, 500 events
//! in a transaction, by one who takes no turn, judges nothing, hashes nothing and answers nobody.

use std::sync::Arc;
use std::time::Instant;

use holdfast_test_stores::Schema;
use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{Connection as _, FromRow};
use uuid::Uuid;

use crate::append::appends_of;
use crate::bytes;
use crate::crowd::{Seen, together};
use crate::database::Database;
use crate::measure::{Line, rate};
use crate::rounds::{Goal, Rounds};
use crate::size::Size;

/// Events in a transaction of the reference.
const BARE: usize = 500;
const SCHEMA: &str = include_str!("../../migrations/eventlog/postgres/0001_log.sql");

pub(crate) async fn against_bare_inserts(size: Size) {
    let Some(database) = Database::start("postgres").await else { return };
    for callers in [64, 512] {
        let (mut all, mut rates) = (Seen::default(), Rounds::default());
        let mut taken = Vec::new();
        for _ in 0..size.rounds {
            let schema = database.schema().await;
            let log = database.log(&schema).await;
            let each = size.appends.div_ceil(callers);
            let appended = together(&database, callers, |caller| {
                let log = Arc::clone(&log);
                async move { Seen::of(appends_of(&*log, caller, each).await) }
            });
            let appended = appended.await;
            log.close().await;
            rates.add(appended.per_second(), Some(bare_insert(&database, &schema).await));
            taken.push(bytes::of(&schema).await);
            all.join(appended);
        }
        let what = "appends of 1 event with hash and remembered answer, PostgreSQL";
        let line = all.on(Line::new("G4", what).number("callers", callers.into()));
        rates.on(line, "per_second", Goal::AtLeast(80), size).print();
        let what = "bytes of log for an event that is alone in its stream, with an answer of 400";
        bytes::report(what, &taken, size);
    }
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
async fn bare_insert(database: &Database, log: &Schema) -> u64 {
    let mut source = PgConnection::connect(log.url()).await.unwrap();
    let streams: Vec<Stream> = rows(&mut source, "SELECT * FROM stream ORDER BY id").await;
    let events: Vec<Fact> = rows(&mut source, "SELECT * FROM event ORDER BY position").await;
    let answers: Vec<Answer> = rows(&mut source, "SELECT * FROM command ORDER BY position").await;
    source.close().await.unwrap();
    let schema = database.schema().await;
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
