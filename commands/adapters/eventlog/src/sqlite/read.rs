//! Reading: each question is one statement, so each answer is one snapshot, and a caller who goes
//! away leaves no transaction open.

use holdfast_domain::ids::CommandId;
use holdfast_domain::log::{
    AnsweredCommand, Hash, Position, ReadError, Revision, StoredBatch, StoredEvent,
};
use sqlx::sqlite::{SqlitePool, SqliteRow};

use super::{rows, sql};

/// The most rows of one answer, whatever was asked for; a page's last append is read whole.
const PAGE_MAX: usize = 10_000;

fn unavailable(why: &sqlx::Error) -> ReadError {
    ReadError::Unavailable(why.to_string())
}

fn bounded(limit: usize) -> i64 {
    i64::try_from(limit.min(PAGE_MAX)).unwrap_or(i64::MAX)
}

fn each<T>(
    found: Result<Vec<SqliteRow>, sqlx::Error>,
    read: impl Fn(&SqliteRow) -> Result<T, sqlx::Error>,
) -> Result<Vec<T>, ReadError> {
    let found = found.map_err(|why| unavailable(&why))?;
    found.iter().map(|row| read(row).map_err(|why| unavailable(&why))).collect()
}

pub(super) async fn page(
    pool: &SqlitePool,
    after: Position,
    limit: usize,
) -> Result<Vec<StoredEvent>, ReadError> {
    let query = sqlx::query(sql::PAGE).bind(rows::int(after.0)).bind(bounded(limit));
    each(query.fetch_all(pool).await, rows::event)
}

pub(super) async fn stored(
    pool: &SqlitePool,
    after: Position,
    limit: usize,
) -> Result<Vec<StoredEvent>, ReadError> {
    let query = sqlx::query(sql::STORED).bind(rows::int(after.0)).bind(bounded(limit));
    each(query.fetch_all(pool).await, rows::event)
}

/// A part of a stream; without a limit all of the rest, because a decision needs all of it.
pub(super) async fn stream(
    pool: &SqlitePool,
    name: String,
    from: Revision,
    limit: Option<usize>,
) -> Result<Vec<StoredEvent>, ReadError> {
    let query = sqlx::query(sql::STREAM)
        .bind(name)
        .bind(rows::int(from.0))
        .bind(limit.map_or(i64::MAX, bounded));
    each(query.fetch_all(pool).await, rows::event)
}

pub(super) async fn answered(
    pool: &SqlitePool,
    command: CommandId,
) -> Result<Option<AnsweredCommand>, ReadError> {
    let query = sqlx::query(sql::ANSWERED).bind(command.as_uuid().as_bytes().as_slice());
    Ok(each(query.fetch_all(pool).await, rows::answered)?.pop())
}

/// Where the log ends: at its last event or, when those were taken away, where its last commit says.
pub(super) async fn end(pool: &SqlitePool) -> Result<Position, ReadError> {
    let found = sqlx::query(sql::END).fetch_all(pool).await;
    let end = each(found, |row| rows::number(row, 0))?.pop();
    Ok(Position(end.unwrap_or(0)))
}

pub(super) async fn hash_at(
    pool: &SqlitePool,
    position: Position,
) -> Result<Option<Hash>, ReadError> {
    let query = sqlx::query(sql::HASH_AT).bind(rows::int(position.0));
    Ok(each(query.fetch_all(pool).await, |row| rows::hash(row, 0))?.pop())
}

pub(super) async fn batches(
    pool: &SqlitePool,
    after: u64,
    limit: usize,
) -> Result<Vec<StoredBatch>, ReadError> {
    let query = sqlx::query(sql::BATCHES).bind(rows::int(after)).bind(bounded(limit));
    each(query.fetch_all(pool).await, rows::batch)
}
