//! Changes in SQLite: read after a cursor, and let go when they are old.

use holdfast_domain::log::Position;
use holdfast_domain::time::Timestamp;
use holdfast_projections::document::{Document, Key};
use holdfast_projections::ports::{Change, ChangePage, Retention, StoreError};
use holdfast_projections::topic::{Cursor, Topic};
use sqlx::QueryBuilder;
use sqlx::sqlite::{Sqlite, SqliteConnection, SqlitePool, SqliteRow};

use super::registry::set_oldest;
use super::values::{column, damaged, number, stored, unavailable};

/// How the changes stand: from where on they are kept, how far the views are, and the registry's
/// revision.
struct Kept {
    oldest: Cursor,
    position: Position,
    revision: u64,
}

async fn kept(connection: &mut SqliteConnection) -> Result<Kept, StoreError> {
    let row = sqlx::query("SELECT position, revision, oldest_position, oldest_ordinal FROM live")
        .fetch_one(connection)
        .await
        .map_err(unavailable)?;
    Ok(Kept {
        oldest: Cursor {
            position: Position(number(column(&row, "oldest_position")?)?),
            ordinal: number(column(&row, "oldest_ordinal")?)?,
        },
        position: Position(number(column::<Option<i64>>(&row, "position")?.unwrap_or(0))?),
        revision: number(column(&row, "revision")?)?,
    })
}

/// Up to `limit` changes after a cursor; of these topics, or of all.
pub(super) async fn after(
    readers: &SqlitePool,
    topics: Option<Vec<Topic>>,
    after: Cursor,
    limit: u32,
) -> Result<ChangePage, StoreError> {
    let mut snapshot = readers.begin().await.map_err(unavailable)?;
    let Kept { oldest, position, revision } = kept(&mut snapshot).await?;
    let now = Cursor::after(position, revision);
    if limit == 0 || after < oldest {
        return Ok(ChangePage { changes: vec![], oldest, now });
    }
    let mut query = QueryBuilder::<Sqlite>::new(
        "SELECT position, ordinal, topics, view, key, data, accepted_at FROM changes \
         WHERE (position, ordinal) ",
    );
    match &topics {
        None => {
            more(&mut query, after);
        }
        Some(asked) => {
            query.push("IN (SELECT position, ordinal FROM change_topics WHERE topic IN (");
            let mut list = query.separated(", ");
            for topic in asked {
                list.push_bind(topic.to_string());
            }
            query.push(") AND (position, ordinal) ");
            more(&mut query, after);
            query.push(")");
        }
    }
    query.push(" ORDER BY position, ordinal LIMIT ").push_bind(i64::from(limit));
    let rows = query.build().fetch_all(&mut *snapshot).await.map_err(unavailable)?;
    let changes = rows.iter().map(|row| change(row, topics.as_deref()));
    Ok(ChangePage { changes: changes.collect::<Result<_, StoreError>>()?, oldest, now })
}

fn more(query: &mut QueryBuilder<Sqlite>, after: Cursor) {
    query.push("> (").push_bind(stored(after.position.0));
    query.push(", ").push_bind(stored(after.ordinal)).push(")");
}

fn change(row: &SqliteRow, asked: Option<&[Topic]>) -> Result<Change, StoreError> {
    let text: String = column(row, "topics")?;
    let topics = text.split_whitespace().map(|topic| topic.parse::<Topic>().map_err(damaged));
    let mut topics = topics.collect::<Result<Vec<_>, StoreError>>()?;
    if let Some(asked) = asked {
        topics.retain(|topic| asked.contains(topic));
    }
    Ok(Change {
        cursor: Cursor {
            position: Position(number(column(row, "position")?)?),
            ordinal: number(column(row, "ordinal")?)?,
        },
        topics,
        view: column(row, "view")?,
        key: Key::new(column::<String>(row, "key")?),
        data: column::<Option<String>>(row, "data")?.map(Document::stored),
        accepted_at: Timestamp::from_micros(column(row, "accepted_at")?),
    })
}

macro_rules! old {
    ($columns:literal) => {
        concat!(
            "SELECT ",
            $columns,
            " FROM changes WHERE position <= (SELECT oldest_position FROM live) \
             ORDER BY position, ordinal LIMIT ?"
        )
    };
}

/// Topics are found through their changes, which name them: an index over their positions would
/// cost an entry for each topic of each change, to be read only here.
const DELETE_TOPICS: &str = concat!(
    "DELETE FROM change_topics WHERE (topic, position, ordinal) IN \
     (SELECT topic.value, old.position, old.ordinal FROM (",
    old!("topics, position, ordinal"),
    ") old CROSS JOIN json_each('[\"' || replace(old.topics, ' ', '\",\"') || '\"]') topic)"
);

const DELETE_CHANGES: &str = concat!("DELETE FROM changes WHERE rowid IN (", old!("rowid"), ")");

/// Removes up to `limit` changes that were let go of, with the topics under which they were found.
pub(super) async fn sweep(writer: &SqlitePool, limit: u32) -> Result<u64, StoreError> {
    let mut transaction = writer.begin_with("BEGIN IMMEDIATE").await.map_err(unavailable)?;
    let mut swept = 0;
    for statement in [DELETE_TOPICS, DELETE_CHANGES] {
        let done = sqlx::query(statement)
            .bind(i64::from(limit))
            .execute(&mut *transaction)
            .await
            .map_err(unavailable)?;
        swept = done.rows_affected();
    }
    transaction.commit().await.map_err(unavailable)?;
    Ok(swept)
}

/// Notes from where on changes are kept; those before are nobody's any more.
pub(super) async fn trim(writer: &SqlitePool, retention: Retention) -> Result<(), StoreError> {
    let mut transaction = writer.begin_with("BEGIN IMMEDIATE").await.map_err(unavailable)?;
    let kept = kept(&mut transaction).await?;
    let mut cut = kept.position.0.saturating_sub(retention.positions);
    if let Some(age) = retention.age {
        // Clocks differ: whatever stands after the first that is young enough is kept.
        let young = sqlx::query_scalar::<_, Option<i64>>(
            "SELECT min(position) FROM changes WHERE accepted_at >= \
             (SELECT accepted_at FROM changes ORDER BY position DESC, ordinal DESC LIMIT 1) - ?",
        )
        .bind(i64::try_from(age.as_micros()).unwrap_or(i64::MAX))
        .fetch_one(&mut *transaction)
        .await
        .map_err(unavailable)?;
        let young = number(young.unwrap_or(0))?;
        cut = cut.max(young.saturating_sub(1));
    }
    let oldest = match cut {
        0 => kept.oldest,
        cut => kept.oldest.max(Cursor::after(Position(cut), 0)),
    };
    set_oldest(&mut transaction, oldest).await?;
    transaction.commit().await.map_err(unavailable)
}
