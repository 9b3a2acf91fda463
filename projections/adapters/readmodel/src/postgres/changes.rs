//! Changes in PostgreSQL: read after a cursor, and let go when they are old.

use std::time::Duration;

use holdfast_domain::log::Position;
use holdfast_domain::time::Timestamp;
use holdfast_postgres::Database;
use holdfast_projections::document::{Document, Key};
use holdfast_projections::ports::{Change, ChangePage, Retention, StoreError};
use holdfast_projections::topic::{Cursor, Topic};
use sqlx::postgres::PgRow;
use sqlx::postgres::types::PgInterval;

use super::reads::rows;
use super::values::{Instant, column, damaged, failed, number, position, stored};
use super::visit::Visit;

/// What is kept stands beside each change; one row of it comes when there is no change. Who comes
/// too late gets none.
macro_rules! changes_from {
    ($changes:literal) => {
        concat!(
            "SELECT l.position AS live, l.revision, l.oldest_position, l.oldest_ordinal, \
             c.position, c.ordinal, c.topics, c.view, c.key, c.data::text AS data, c.accepted_at \
             FROM live l LEFT JOIN LATERAL (SELECT s.* FROM ",
            $changes,
            " ORDER BY s.position, s.ordinal LIMIT $3) c \
             ON ($1, $2) >= (l.oldest_position, l.oldest_ordinal) ORDER BY c.position, c.ordinal"
        )
    };
}

const ALL: &str = changes_from!("changes s WHERE (s.position, s.ordinal) > ($1, $2)");

const BY_TOPIC: &str = changes_from!(
    "(SELECT DISTINCT t.position, t.ordinal FROM change_topics t WHERE t.topic = ANY ($4) \
     AND (t.position, t.ordinal) > ($1, $2) ORDER BY t.position, t.ordinal LIMIT $3) f \
     JOIN changes s ON s.position = f.position AND s.ordinal = f.ordinal"
);

/// Up to `limit` changes after a cursor; of these topics, or of all.
pub(super) async fn after(
    database: &Database,
    topics: Option<Vec<Topic>>,
    after: Cursor,
    limit: u32,
) -> Result<ChangePage, StoreError> {
    let named: Option<Vec<String>> =
        topics.as_ref().map(|topics| topics.iter().map(ToString::to_string).collect());
    let query = sqlx::query(if named.is_some() { BY_TOPIC } else { ALL })
        .bind(stored(after.position.0))
        .bind(stored(after.ordinal))
        .bind(i64::from(limit));
    let query = match named {
        Some(named) => query.bind(named),
        None => query,
    };
    let found = rows(database, query).await?;
    let live = found.first().ok_or_else(|| failed(sqlx::Error::RowNotFound))?;
    let changes = found.iter().filter_map(|row| change(row, topics.as_deref()).transpose());
    Ok(ChangePage {
        changes: changes.collect::<Result<_, StoreError>>()?,
        oldest: cursor(live, ["oldest_position", "oldest_ordinal"])?,
        now: Cursor::after(position(column(live, "live")?)?, number(column(live, "revision")?)?),
    })
}

fn cursor(row: &PgRow, [position, ordinal]: [&str; 2]) -> Result<Cursor, StoreError> {
    Ok(Cursor {
        position: Position(number(column(row, position)?)?),
        ordinal: number(column(row, ordinal)?)?,
    })
}

fn change(row: &PgRow, asked: Option<&[Topic]>) -> Result<Option<Change>, StoreError> {
    let Some(topics) = column::<Option<Vec<String>>>(row, "topics")? else { return Ok(None) };
    let topics = topics.iter().map(|topic| topic.parse::<Topic>().map_err(damaged));
    let mut topics = topics.collect::<Result<Vec<_>, StoreError>>()?;
    if let Some(asked) = asked {
        topics.retain(|topic| asked.contains(topic));
    }
    let Instant(accepted_at) = column(row, "accepted_at")?;
    Ok(Some(Change {
        cursor: cursor(row, ["position", "ordinal"])?,
        topics,
        view: column(row, "view")?,
        key: Key::new(column::<String>(row, "key")?),
        data: column::<Option<String>>(row, "data")?.map(Document::stored),
        accepted_at: Timestamp::from_micros(accepted_at),
    }))
}

/// Notes from where on changes are kept; those before are nobody's any more.
pub(super) async fn trim(database: &Database, retention: Retention) -> Result<(), StoreError> {
    // Clocks differ: whatever stands after the first that is young enough is kept. It is looked for
    // once, before the row is locked that pages move: they would wait as long.
    let trim = "WITH cut AS MATERIALIZED (SELECT greatest(coalesce(l.position, 0) - $1, \
            CASE WHEN $2::interval IS NOT NULL THEN \
            (SELECT c.position FROM changes c WHERE c.position > l.oldest_position \
             AND c.accepted_at >= (SELECT n.accepted_at \
               FROM changes n ORDER BY n.position DESC, n.ordinal DESC LIMIT 1) - $2::interval \
             ORDER BY c.position, c.ordinal LIMIT 1) - 1 END) AS position FROM live l) \
        UPDATE live SET oldest_position = cut.position, oldest_ordinal = $3 FROM cut \
        WHERE cut.position > 0 \
        AND (cut.position, $3) > (live.oldest_position, live.oldest_ordinal)";
    let mut visit = Visit::begin(database).await?;
    sqlx::query(trim)
        .bind(stored(retention.positions))
        .bind(retention.age.map(interval))
        .bind(stored(Cursor::after(Position::START, 0).ordinal))
        .execute(&mut *visit)
        .await
        .map_err(failed)?;
    visit.end();
    Ok(())
}

/// At most a thousand years: further back PostgreSQL's calendar ends sooner than ours begins.
pub(super) fn interval(long: Duration) -> PgInterval {
    const MOST: i64 = 1_000 * 365 * 86_400 * 1_000_000;
    let microseconds = i64::try_from(long.as_micros()).unwrap_or(MOST).min(MOST);
    PgInterval { months: 0, days: 0, microseconds }
}
