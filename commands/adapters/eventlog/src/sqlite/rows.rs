//! Columns to values and back. A value that does not have its shape is a damaged store, reported
//! like any error of the store.

use holdfast_domain::ids::{CommandId, EventId};
use holdfast_domain::log::{
    AnsweredCommand, CommandRecord, Hash, Position, Revision, StoredBatch, StoredEvent,
};
use holdfast_domain::time::Timestamp;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;
use uuid::Uuid;

/// A number as SQLite keeps it. Positions and revisions stay far below the limit.
pub(super) fn int(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn damaged(why: impl std::error::Error + Send + Sync + 'static) -> sqlx::Error {
    sqlx::Error::Decode(Box::new(why))
}

pub(super) fn number(row: &SqliteRow, column: usize) -> Result<u64, sqlx::Error> {
    u64::try_from(row.try_get::<i64, _>(column)?).map_err(damaged)
}

pub(super) fn hash(row: &SqliteRow, column: usize) -> Result<Hash, sqlx::Error> {
    row.try_get::<&[u8], _>(column)?.try_into().map(Hash).map_err(damaged)
}

fn uuid(row: &SqliteRow, column: usize) -> Result<Uuid, sqlx::Error> {
    Uuid::from_slice(row.try_get(column)?).map_err(damaged)
}

pub(super) fn event_id(row: &SqliteRow, column: usize) -> Result<EventId, sqlx::Error> {
    uuid(row, column).map(EventId::from_uuid)
}

fn instant(row: &SqliteRow, column: usize) -> Result<Timestamp, sqlx::Error> {
    row.try_get(column).map(Timestamp::from_micros)
}

/// Reads the columns of `sql::event_columns!`.
pub(super) fn event(row: &SqliteRow) -> Result<StoredEvent, sqlx::Error> {
    Ok(StoredEvent {
        stream: row.try_get(0)?,
        revision: Revision(number(row, 1)?),
        position: Position(number(row, 2)?),
        append_end: Position(number(row, 3)?),
        name: row.try_get(4)?,
        schema: u32::try_from(row.try_get::<i64, _>(5)?).map_err(damaged)?,
        accepted_at: instant(row, 6)?,
        metadata: row.try_get(7)?,
        payload: row.try_get(8)?,
        hash: hash(row, 9)?,
    })
}

/// Reads the columns of `sql::answer_columns!`.
pub(super) fn answered(row: &SqliteRow) -> Result<AnsweredCommand, sqlx::Error> {
    let revision = row.try_get::<Option<i64>, _>(4)?;
    let record = CommandRecord {
        id: CommandId::from_uuid(uuid(row, 0)?),
        fingerprint: hash(row, 1)?,
        status: u16::try_from(row.try_get::<i64, _>(2)?).map_err(damaged)?,
        body: row.try_get(3)?,
        revision: revision.map(u64::try_from).transpose().map_err(damaged)?.map(Revision),
        accepted_at: instant(row, 6)?,
    };
    Ok(AnsweredCommand { record, position: Position(number(row, 5)?) })
}

pub(super) fn batch(row: &SqliteRow) -> Result<StoredBatch, sqlx::Error> {
    Ok(StoredBatch {
        number: number(row, 0)?,
        first: Position(number(row, 1)?),
        last: Position(number(row, 2)?),
        hash: hash(row, 3)?,
    })
}
