//! Reading: each question is one statement outside of any transaction, so each answer is one
//! snapshot, and a caller who goes away leaves nothing open. A question that is not answered in time
//! takes its connection with it.

use std::time::Duration;

use holdfast_domain::ids::CommandId;
use holdfast_domain::log::{
    AnsweredCommand, Hash, LogHead, Position, ReadError, Revision, StoredBatch, StoredEvent,
};
use holdfast_domain::time::Timestamp;
use holdfast_postgres::{Database, told};
use sqlx::postgres::{PgArguments, PgRow, Postgres};
use sqlx::query::Query;
use tokio::time::{Instant, timeout_at};

use super::{rows, sql};

/// The most rows of one answer, whatever was asked for; a page's last append is read whole.
const PAGE_MAX: usize = 10_000;
/// How long a question may take, the wait for a connection included.
const PATIENCE: Duration = Duration::from_millis(1_900);

type Question = Query<'static, Postgres, PgArguments>;

fn unavailable(why: impl std::fmt::Display) -> ReadError {
    ReadError::Unavailable(why.to_string())
}

fn silent(database: &Database) -> ReadError {
    unavailable(format!("PostgreSQL at {} does not answer in time", database.address()))
}

fn bounded(limit: usize) -> i64 {
    i64::try_from(limit.min(PAGE_MAX)).unwrap_or(i64::MAX)
}

async fn ask<T>(
    database: &Database,
    question: Question,
    read: fn(&PgRow) -> Result<T, sqlx::Error>,
) -> Result<Vec<T>, ReadError> {
    let deadline = Instant::now().checked_add(PATIENCE).unwrap_or_else(Instant::now);
    let mut connection = timeout_at(deadline, database.acquire())
        .await
        .map_err(|_late| silent(database))?
        .map_err(|why| unavailable(told(&why)))?;
    let found = match timeout_at(deadline, question.fetch_all(&mut *connection)).await {
        Ok(found) => found.map_err(|why| unavailable(told(&why)))?,
        Err(_late) => {
            drop(connection.detach());
            return Err(silent(database));
        }
    };
    found.iter().map(|row| read(row).map_err(|why| unavailable(told(&why)))).collect()
}

pub(super) async fn page(
    database: &Database,
    after: Position,
    limit: usize,
) -> Result<Vec<StoredEvent>, ReadError> {
    if limit == 0 {
        return Ok(vec![]);
    }
    let question = sqlx::query(sql::PAGE).bind(rows::int(after.0)).bind(bounded(limit));
    ask(database, question, rows::event).await
}

pub(super) async fn stored(
    database: &Database,
    after: Position,
    limit: usize,
) -> Result<Vec<StoredEvent>, ReadError> {
    let question = sqlx::query(sql::STORED).bind(rows::int(after.0)).bind(bounded(limit));
    ask(database, question, rows::event).await
}

/// A part of a stream.
pub(super) async fn stream(
    database: &Database,
    name: String,
    from: Revision,
    limit: usize,
) -> Result<Vec<StoredEvent>, ReadError> {
    let question = sqlx::query(sql::STREAM).bind(name).bind(rows::int(from.0)).bind(bounded(limit));
    ask(database, question, rows::event).await
}

/// The rest of each of these streams from its revision on, in the order in which they are named.
pub(super) async fn streams(
    database: &Database,
    wanted: &[(String, Revision)],
) -> Result<Vec<Vec<StoredEvent>>, ReadError> {
    let names: Vec<_> = wanted.iter().map(|(name, _)| name.clone()).collect();
    let first: Vec<_> = wanted.iter().map(|(_, from)| rows::int(from.0)).collect();
    let question = sqlx::query(sql::STREAMS).bind(names).bind(first);
    let mut found: Vec<Vec<StoredEvent>> = vec![Vec::new(); wanted.len()];
    for (event, place) in ask(database, question, rows::placed_event).await? {
        let place = place.checked_sub(1).and_then(|place| found.get_mut(place));
        place.ok_or_else(|| unavailable("an answer to no question"))?.push(event);
    }
    for stream in &mut found {
        // As the index gives them, which no statement promises.
        stream.sort_by_key(|event| event.revision);
    }
    Ok(found)
}

pub(super) async fn answered(
    database: &Database,
    command: CommandId,
) -> Result<Option<AnsweredCommand>, ReadError> {
    let question = sqlx::query(sql::ANSWERED).bind(*command.as_uuid());
    Ok(ask(database, question, rows::answered).await?.pop())
}

/// Where the log ends: at its last event or, when those were taken away, where its last commit says.
pub(super) async fn head(database: &Database) -> Result<LogHead, ReadError> {
    let head = |row: &PgRow| {
        Ok(LogHead { position: Position(rows::number(row, 0)?), epoch: rows::epoch(row, 1)? })
    };
    let found = ask(database, sqlx::query(sql::END), head).await?.pop();
    found.ok_or_else(|| unavailable("the log has no tail"))
}

/// What the database's clock shows.
pub(super) async fn clock(database: &Database) -> Result<Timestamp, ReadError> {
    let question = sqlx::query(sql::CLOCK);
    let shows = ask(database, question, |row| rows::instant(row, 0)).await?.pop();
    shows.ok_or_else(|| unavailable("the database has no clock"))
}

pub(super) async fn hash_at(
    database: &Database,
    position: Position,
) -> Result<Option<Hash>, ReadError> {
    let question = sqlx::query(sql::HASH_AT).bind(rows::int(position.0));
    Ok(ask(database, question, |row| rows::hash(row, 0)).await?.pop())
}

pub(super) async fn batches(
    database: &Database,
    after: u64,
    limit: usize,
) -> Result<Vec<StoredBatch>, ReadError> {
    let question = sqlx::query(sql::BATCHES).bind(rows::int(after)).bind(bounded(limit));
    ask(database, question, rows::batch).await
}
