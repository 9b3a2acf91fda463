//! How values stand in PostgreSQL's columns, and how they are read back.

use std::fmt::Display;

use holdfast_domain::ids::Epoch;
use holdfast_domain::log::{Hash, Position};
use holdfast_postgres::told;
use holdfast_projections::ports::StoreError;
use holdfast_projections::registry::{Checkpoint, GenerationId};
use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::postgres::{PgArgumentBuffer, PgHasArrayType, PgRow, PgTypeInfo, PgValueRef};
use sqlx::types::Uuid;
use sqlx::types::chrono::{DateTime, Utc};
use sqlx::{Decode, Encode, Postgres, Row as _, Type};

/// What is stored makes no sense.
pub(super) fn damaged(why: impl Display) -> StoreError {
    StoreError::Damaged(why.to_string())
}

/// Why the database did not do it: whether it may do it later, will never, or holds something that
/// cannot be read.
#[expect(clippy::needless_pass_by_value, reason = "stands where errors are mapped")]
pub(super) fn failed(why: sqlx::Error) -> StoreError {
    let code = why.as_database_error().and_then(sqlx::error::DatabaseError::code);
    let class = code.as_deref().and_then(|code| code.get(..2));
    let unreadable =
        matches!(why, sqlx::Error::RowNotFound) || of_values(&why) || class == Some("42");
    if unreadable {
        StoreError::Damaged(told(&why))
    } else if matches!(class, Some("22" | "23")) {
        // Values, or rows that contradict others: the same again would fail again.
        StoreError::Refused(told(&why))
    } else {
        StoreError::Unavailable(told(&why))
    }
}

/// Whether it is about reading a value.
fn of_values(why: &sqlx::Error) -> bool {
    matches!(
        why,
        sqlx::Error::ColumnDecode { .. } | sqlx::Error::ColumnNotFound(_) | sqlx::Error::Decode(_)
    )
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

/// The position of a checkpoint, where there may be none yet.
pub(super) fn position(stored: Option<i64>) -> Result<Position, StoreError> {
    Ok(Position(number(stored.unwrap_or(0))?))
}

/// A checkpoint as it is stored.
pub(super) type StoredCheckpoint = (Option<i64>, Option<Uuid>, Option<Vec<u8>>);

/// A checkpoint as it is stored.
pub(super) fn checkpoint(checkpoint: Option<Checkpoint>) -> StoredCheckpoint {
    (
        checkpoint.map(|known| stored(known.position.0)),
        checkpoint.map(|known| *known.epoch.as_uuid()),
        checkpoint.map(|known| known.hash.0.to_vec()),
    )
}

/// A column of a row.
pub(super) fn column<'r, T>(row: &'r PgRow, name: &str) -> Result<T, StoreError>
where
    T: Decode<'r, Postgres> + Type<Postgres>,
{
    row.try_get(name).map_err(damaged)
}

/// The checkpoint in three columns.
pub(super) fn checkpoint_in(
    row: &PgRow,
    [position, epoch, hash]: [&str; 3],
) -> Result<Option<Checkpoint>, StoreError> {
    let Some(position) = column::<Option<i64>>(row, position)? else { return Ok(None) };
    let hash: Vec<u8> = column(row, hash)?;
    let hash = <[u8; 32]>::try_from(hash).map_err(|_bytes| damaged("a hash has 32 bytes"))?;
    Ok(Some(Checkpoint {
        position: Position(number(position)?),
        epoch: Epoch::from_uuid(column(row, epoch)?),
        hash: Hash(hash),
    }))
}

/// Microseconds since 1970, stored as a `timestamptz`, which counts them from 2000.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Instant(pub(super) i64);

impl Instant {
    const OF_2000: i64 = 946_684_800_000_000;
    /// What PostgreSQL counts as infinite lies outside, and so does what it refuses.
    const FIRST: i64 = -62_135_596_800_000_000;
    const LAST: i64 = 253_402_300_799_999_999;

    /// An instant to compare with: before the year 1 and after 9999 there is nothing.
    pub(super) fn bound(micros: i64) -> Self {
        Self(micros.clamp(Self::FIRST, Self::LAST))
    }
}

impl Type<Postgres> for Instant {
    fn type_info() -> PgTypeInfo {
        <DateTime<Utc> as Type<Postgres>>::type_info()
    }
}

impl PgHasArrayType for Instant {
    fn array_type_info() -> PgTypeInfo {
        <DateTime<Utc> as PgHasArrayType>::array_type_info()
    }
}

impl Encode<'_, Postgres> for Instant {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        let micros = self.0.checked_sub(Self::OF_2000).ok_or("an instant before all time")?;
        <i64 as Encode<'_, Postgres>>::encode(micros, buffer)
    }
}

impl Decode<'_, Postgres> for Instant {
    fn decode(value: PgValueRef<'_>) -> Result<Self, BoxDynError> {
        let micros = <i64 as Decode<'_, Postgres>>::decode(value)?;
        Ok(Self(micros.checked_add(Self::OF_2000).ok_or("an instant after all time")?))
    }
}
