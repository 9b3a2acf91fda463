//! How values stand in SQLite's columns, and how they are read back: numbers with a sign, ids as
//! text, hashes as bytes.

use std::fmt::Display;

use holdfast_domain::log::{Hash, Position};
use holdfast_projections::ports::StoreError;
use holdfast_projections::registry::{Checkpoint, GenerationId};
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

/// The database did not do it.
pub(super) fn unavailable(why: impl Display) -> StoreError {
    StoreError::Unavailable(why.to_string())
}

/// What is stored makes no sense.
pub(super) fn damaged(why: impl Display) -> StoreError {
    StoreError::Damaged(why.to_string())
}

/// A number as it is stored. Positions are below 2^53, so nothing is lost.
pub(super) fn stored(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A number that was stored.
pub(super) fn number(stored: i64) -> Result<u64, StoreError> {
    u64::try_from(stored).map_err(damaged)
}

/// A generation's number as it is stored.
pub(super) fn id(generation: GenerationId) -> i64 {
    stored(generation.0)
}

/// A checkpoint as it is stored.
pub(super) type StoredCheckpoint = (Option<i64>, Option<String>, Option<Vec<u8>>);

/// A checkpoint as it is stored.
pub(super) fn checkpoint(checkpoint: Option<Checkpoint>) -> StoredCheckpoint {
    (
        checkpoint.map(|known| stored(known.position.0)),
        checkpoint.map(|known| known.epoch.to_string()),
        checkpoint.map(|known| known.hash.0.to_vec()),
    )
}

/// A column of a row.
pub(super) fn column<'r, T>(row: &'r SqliteRow, name: &str) -> Result<T, StoreError>
where
    T: sqlx::Decode<'r, sqlx::Sqlite> + sqlx::Type<sqlx::Sqlite>,
{
    row.try_get(name).map_err(damaged)
}

/// The checkpoint in the columns `position`, `epoch` and `hash`.
pub(super) fn checkpoint_in(row: &SqliteRow) -> Result<Option<Checkpoint>, StoreError> {
    let Some(position) = column::<Option<i64>>(row, "position")? else { return Ok(None) };
    let epoch: String = column(row, "epoch")?;
    let hash: Vec<u8> = column(row, "hash")?;
    let hash = <[u8; 32]>::try_from(hash).map_err(|_bytes| damaged("a hash has 32 bytes"))?;
    Ok(Some(Checkpoint {
        position: Position(number(position)?),
        epoch: epoch.parse().map_err(damaged)?,
        hash: Hash(hash),
    }))
}
