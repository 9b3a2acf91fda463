//! Columns to values and back. A value that does not have its shape is a damaged store, reported
//! like any error of the store.

use holdfast_domain::ids::{CommandId, Epoch, EventId};
use holdfast_domain::log::{
    AnsweredCommand, CommandRecord, Hash, Head, Position, Revision, StoredBatch, StoredEvent,
    StreamId,
};
use holdfast_domain::time::Timestamp;
use sqlx::Row;
use sqlx::postgres::PgRow;

use crate::store::{Standing, Tail};

/// A number as the database keeps it. Positions and revisions stay far below the limit.
pub(super) fn int(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn damaged(why: impl std::error::Error + Send + Sync + 'static) -> sqlx::Error {
    sqlx::Error::Decode(Box::new(why))
}

pub(super) fn number(row: &PgRow, column: usize) -> Result<u64, sqlx::Error> {
    u64::try_from(row.try_get::<i64, _>(column)?).map_err(damaged)
}

/// Owned, because a row of a statement without parameters comes as text.
pub(super) fn hash(row: &PgRow, column: usize) -> Result<Hash, sqlx::Error> {
    row.try_get::<Vec<u8>, _>(column)?.as_slice().try_into().map(Hash).map_err(damaged)
}

pub(super) fn epoch(row: &PgRow, column: usize) -> Result<Epoch, sqlx::Error> {
    row.try_get(column).map(Epoch::from_uuid)
}

pub(super) fn instant(row: &PgRow, column: usize) -> Result<Timestamp, sqlx::Error> {
    row.try_get(column).map(Timestamp::from_micros)
}

fn stream(row: &PgRow, column: usize) -> Result<StreamId, sqlx::Error> {
    row.try_get::<&str, _>(column)?.parse().map_err(damaged)
}

/// Reads position, number and hash of the last commit.
pub(super) fn tail(row: &PgRow) -> Result<Tail, sqlx::Error> {
    Ok(Tail { position: Position(number(row, 0)?), batch: number(row, 1)?, hash: hash(row, 2)? })
}

/// The tail, or nothing in each of its columns.
pub(super) fn tail_if_any(row: &PgRow) -> Result<Option<Tail>, sqlx::Error> {
    match row.try_get::<Option<i64>, _>(0)? {
        Some(_) => tail(row).map(Some),
        None => Ok(None),
    }
}

pub(super) fn head(row: &PgRow) -> Result<(StreamId, Head), sqlx::Error> {
    let head = Head { revision: Revision(number(row, 1)?), hash: hash(row, 2)? };
    Ok((stream(row, 0)?, head))
}

pub(super) fn standing(row: &PgRow) -> Result<((StreamId, Revision), Standing), sqlx::Error> {
    let standing = Standing {
        event_id: Some(EventId::from_uuid(row.try_get(2)?)),
        hash: hash(row, 3)?,
        position: Position(number(row, 4)?),
    };
    Ok(((stream(row, 0)?, Revision(number(row, 1)?)), standing))
}

/// Reads the columns of `sql::event_columns!`.
pub(super) fn event(row: &PgRow) -> Result<StoredEvent, sqlx::Error> {
    Ok(StoredEvent {
        stream: row.try_get(0)?,
        revision: Revision(number(row, 1)?),
        position: Position(number(row, 2)?),
        append_end: Position(number(row, 3)?),
        name: row.try_get(4)?,
        schema: u32::try_from(row.try_get::<i32, _>(5)?).map_err(damaged)?,
        accepted_at: instant(row, 6)?,
        metadata: row.try_get(7)?,
        payload: row.try_get(8)?,
        hash: hash(row, 9)?,
    })
}

/// The same, and the place in a list, from 1, that follows them.
pub(super) fn placed_event(row: &PgRow) -> Result<(StoredEvent, usize), sqlx::Error> {
    let place = usize::try_from(row.try_get::<i64, _>(10)?).map_err(damaged)?;
    Ok((event(row)?, place))
}

/// Reads the columns of `sql::answer_columns!`.
pub(super) fn answered(row: &PgRow) -> Result<AnsweredCommand, sqlx::Error> {
    let revision = row.try_get::<Option<i64>, _>(4)?;
    let record = CommandRecord {
        id: CommandId::from_uuid(row.try_get(0)?),
        fingerprint: hash(row, 1)?,
        status: u16::try_from(row.try_get::<i16, _>(2)?).map_err(damaged)?,
        body: row.try_get(3)?,
        revision: revision.map(u64::try_from).transpose().map_err(damaged)?.map(Revision),
        accepted_at: instant(row, 6)?,
    };
    Ok(AnsweredCommand { record, position: Position(number(row, 5)?) })
}

pub(super) fn batch(row: &PgRow) -> Result<StoredBatch, sqlx::Error> {
    Ok(StoredBatch {
        number: number(row, 0)?,
        first: Position(number(row, 1)?),
        last: Position(number(row, 2)?),
        hash: hash(row, 3)?,
    })
}
