//! G5: what group commit reaches of what the store could do at best. The reference is a bare insert
//! of the very same rows into the same tables, 512 events in a transaction, by one who judges
//! nothing, hashes nothing and answers nobody.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use holdfast_domain::actor::Actor;
use holdfast_domain::booking::resource::ResourceEvent;
use holdfast_domain::ids::{CommandId, CorrelationId, EventId, PrincipalId};
use holdfast_domain::log::{
    Batch, Category, CommandRecord, EventLog, Expected, Hash, Metadata, NewEvent, Revision,
    StreamId, Write,
};
use holdfast_domain::time::Timestamp;
use holdfast_eventlog::SqliteLog;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteRow, SqliteSynchronous,
};
use sqlx::{Column as _, Connection as _, Row as _, TypeInfo as _, ValueRef as _};
use tokio::runtime::Handle;
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::measure::{Latencies, Line, differ, median, processor, rate};
use crate::size::Size;

const CALLERS: u32 = 64;
/// Events in a transaction of the reference.
const BARE: usize = 512;
const SCHEMA: &str = include_str!("../../migrations/eventlog/sqlite/0001_log.sql");

pub(crate) async fn against_bare_inserts(size: Size) {
    let (mut ours, mut bare, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    let (mut all, mut total, mut spent) = (Latencies::default(), Duration::ZERO, Duration::ZERO);
    for _ in 0..size.rounds {
        let folder = tempfile::tempdir().unwrap();
        let before = processor(std::process::id());
        let (latencies, took) = group_commit(folder.path(), size.appends).await;
        spent = spent.saturating_add(processor(std::process::id()).saturating_sub(before));
        let count = latencies.count();
        all.join(latencies);
        total = total.saturating_add(took);
        let (our_rate, bare_rate) = (rate(count, took), bare_insert(folder.path()).await);
        ratios.push(our_rate.saturating_mul(100).checked_div(bare_rate).unwrap_or(0));
        ours.push(our_rate);
        bare.push(bare_rate);
    }
    let count = all.count();
    Line::new("G5", "64 callers, appends of 1 event with hash and remembered answer, SQLite FULL")
        .timed(total, &mut all)
        .cost(spent, count)
        .number("median_per_second", median(&ours))
        .number("reference_median_per_second", median(&bare))
        .number("median_percent_of_reference", median(&ratios))
        .flag("noisy", differ(&bare))
        .print();
}

async fn group_commit(folder: &Path, appends: u32) -> (Latencies, Duration) {
    let log = SqliteLog::open(folder, Handle::current()).await.unwrap();
    let each = appends.div_ceil(CALLERS);
    let began = Instant::now();
    let all = joined((0..CALLERS).map(|caller| {
        let log = Arc::clone(&log);
        async move { appends_of(&*log, caller, each).await }
    }));
    let all = all.await;
    let took = began.elapsed();
    log.close().await;
    (all, took)
}

/// What all callers have measured.
async fn joined(
    callers: impl Iterator<Item: Future<Output = Latencies> + Send + 'static>,
) -> Latencies {
    let mut callers: JoinSet<_> = callers.collect();
    let mut all = Latencies::default();
    while let Some(latencies) = callers.join_next().await {
        all.join(latencies.unwrap());
    }
    all
}

/// Appends one after the other to new streams, and how long each took.
pub(crate) async fn appends_of(log: &dyn EventLog, caller: u32, count: u32) -> Latencies {
    let mut latencies = Latencies::default();
    for turn in 0..count {
        let id = Uuid::from_u128(u128::from(caller) << 64 | u128::from(turn) << 16 | 1);
        let batch = batch(id);
        let began = Instant::now();
        log.append(vec![batch]).await.pop().unwrap().unwrap();
        latencies.add(began.elapsed());
    }
    latencies
}

/// A decision of one event of about 240 bytes, with its metadata and a remembered answer.
fn batch(id: Uuid) -> Batch {
    let stream = StreamId::new(Category::Resource, id);
    let command = CommandId::of_step("bench", &id, "");
    let principal = PrincipalId::from_uuid(id);
    let event = ResourceEvent::Registered {
        owner: principal,
        display_name: "x".repeat(120),
        zone: "Asia/Seoul".parse().unwrap(),
        capacity: 1,
    };
    let metadata = Metadata {
        event_id: EventId::derive(command, &stream, 0),
        command_id: command,
        causation_id: None,
        correlation_id: CorrelationId::from_uuid(id),
        actor: Actor::Process { name: "bench".to_owned() },
        accepted_at: Timestamp::MIN,
        traceparent: None,
    };
    let record = CommandRecord {
        id: command,
        fingerprint: Hash::ZERO,
        status: 201,
        body: vec![b'y'; 400],
        revision: Some(Revision(0)),
        accepted_at: Timestamp::MIN,
    };
    let events = vec![NewEvent { event: event.into(), metadata }];
    let writes = vec![Write { stream, expected: Expected::NoStream, events }];
    Batch { writes, guards: vec![], command: Some(record) }
}

/// A value of a row, whatever it is.
#[derive(Debug)]
enum Field {
    Null,
    Number(i64),
    Text(String),
    Bytes(Vec<u8>),
}

/// The rows of one table.
#[derive(Debug)]
struct Table {
    name: &'static str,
    columns: usize,
    rows: Vec<Vec<Field>>,
}

/// Inserts what `folder` holds into a fresh file beside it; answers events per second.
async fn bare_insert(folder: &Path) -> u64 {
    let mut source = connect(&folder.join("log.db")).await;
    let mut tables = Vec::new();
    // Streams in the order of their one event, so that each transaction refers to its own rows.
    let streams = "SELECT s.* FROM event e CROSS JOIN stream s ON s.id = e.stream \
                   ORDER BY e.position";
    for (name, rows) in [
        ("stream", streams),
        ("event", "SELECT * FROM event ORDER BY position"),
        ("command", "SELECT * FROM command ORDER BY position"),
    ] {
        tables.push(read(&mut source, name, rows).await);
    }
    source.close().await.unwrap();
    let mut bare = connect(&folder.join("bare.db")).await;
    sqlx::raw_sql(SCHEMA).execute(&mut bare).await.unwrap();
    let events = tables.get(1).unwrap().rows.len();
    let began = Instant::now();
    for from in (0..events).step_by(BARE) {
        let to = from.saturating_add(BARE).min(events);
        sqlx::query("BEGIN IMMEDIATE").execute(&mut bare).await.unwrap();
        for table in &tables {
            insert(&mut bare, table, from, to).await;
        }
        sqlx::query("COMMIT").execute(&mut bare).await.unwrap();
    }
    let took = began.elapsed();
    bare.close().await.unwrap();
    rate(u64::try_from(events).unwrap(), took)
}

async fn connect(file: &Path) -> SqliteConnection {
    let options = SqliteConnectOptions::new()
        .filename(file)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full);
    SqliteConnection::connect_with(&options).await.unwrap()
}

async fn read(source: &mut SqliteConnection, name: &'static str, rows: &'static str) -> Table {
    let found = sqlx::query(rows).fetch_all(source).await.unwrap();
    let columns = found.first().unwrap().columns().len();
    let rows = found.iter().map(|row| fields(row, columns)).collect();
    Table { name, columns, rows }
}

fn fields(row: &SqliteRow, columns: usize) -> Vec<Field> {
    let field = |at: usize| {
        let value = row.try_get_raw(at).unwrap();
        if value.is_null() {
            return Field::Null;
        }
        match value.type_info().name() {
            "INTEGER" => Field::Number(row.get(at)),
            "TEXT" => Field::Text(row.get(at)),
            "BLOB" => Field::Bytes(row.get(at)),
            other => panic!("a column {} of kind {other}", row.column(at).name()),
        }
    };
    (0..columns).map(field).collect()
}

/// The rows of a stretch, 64 in a statement, as the log's own writer does.
async fn insert(bare: &mut SqliteConnection, table: &Table, from: usize, to: usize) {
    let row = format!("({})", vec!["?"; table.columns].join(", "));
    for rows in table.rows.get(from..to).unwrap().chunks(64) {
        let values = vec![row.as_str(); rows.len()].join(", ");
        let statement = format!("INSERT INTO {} VALUES {values}", table.name);
        let mut query = sqlx::query(sqlx::AssertSqlSafe(statement));
        for field in rows.iter().flatten() {
            query = match field {
                Field::Null => query.bind(None::<i64>),
                Field::Number(number) => query.bind(number),
                Field::Text(text) => query.bind(text.as_str()),
                Field::Bytes(bytes) => query.bind(bytes.as_slice()),
            };
        }
        query.execute(&mut *bare).await.unwrap();
    }
}
