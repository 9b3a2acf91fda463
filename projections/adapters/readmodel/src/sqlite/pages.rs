//! Pages in SQLite: the documents that a fold needs, and the one transaction that moves the
//! checkpoint with everything that follows from it.

use holdfast_domain::log::Position;
use holdfast_projections::document::{Document, Key};
use holdfast_projections::ports::{Change, Page, Parked, RowWrite, StoreError, Target};
use holdfast_projections::registry::GenerationId;
use sqlx::QueryBuilder;
use sqlx::sqlite::{Sqlite, SqliteConnection, SqlitePool};

use super::values::{checkpoint, column, id, number, stored, unavailable};

/// So many rows go into one statement: enough to make its cost small, few enough for its limits.
const ROWS: usize = 200;

/// The documents under these keys that are there.
pub(super) async fn load(
    readers: &SqlitePool,
    generation: GenerationId,
    keys: Vec<Key>,
) -> Result<Vec<(Key, Document)>, StoreError> {
    let mut found = Vec::new();
    for some in keys.chunks(ROWS) {
        let mut query = QueryBuilder::<Sqlite>::new("SELECT key, document FROM documents");
        query.push(" WHERE generation = ").push_bind(id(generation)).push(" AND key IN (");
        let mut list = query.separated(", ");
        for key in some {
            list.push_bind(key.as_str());
        }
        query.push(")");
        let rows = query.build().fetch_all(readers).await.map_err(unavailable)?;
        for row in &rows {
            let (key, document): (String, String) = (column(row, "key")?, column(row, "document")?);
            found.push((Key::new(key), Document::stored(document)));
        }
    }
    Ok(found)
}

/// Every parked key.
pub(super) async fn parked(readers: &SqlitePool) -> Result<Vec<Parked>, StoreError> {
    let rows = sqlx::query(
        "SELECT generation, key, first, last, events, reason FROM parked ORDER BY generation, key",
    )
    .fetch_all(readers)
    .await
    .map_err(unavailable)?;
    let parked = rows.iter().map(|row| {
        Ok(Parked {
            generation: GenerationId(number(column(row, "generation")?)?),
            key: Key::new(column::<String>(row, "key")?),
            first: Position(number(column(row, "first")?)?),
            last: Position(number(column(row, "last")?)?),
            events: number(column(row, "events")?)?,
            reason: column(row, "reason")?,
        })
    });
    parked.collect()
}

/// Commits a page, when nobody else moved the checkpoint or the registry since it was read.
pub(super) async fn commit(writer: &SqlitePool, page: Page) -> Result<(), StoreError> {
    let mut transaction = writer.begin_with("BEGIN IMMEDIATE").await.map_err(unavailable)?;
    advance(&mut transaction, &page).await?;
    let (put, gone): (Vec<_>, Vec<_>) = page.writes.iter().partition(|write| write.row.is_some());
    for some in put.chunks(ROWS) {
        put_documents(&mut transaction, some).await?;
    }
    for write in gone {
        sqlx::query("DELETE FROM documents WHERE generation = ? AND key = ?")
            .bind(id(write.generation))
            .bind(write.key.as_str())
            .execute(&mut *transaction)
            .await
            .map_err(unavailable)?;
    }
    for some in page.changes.chunks(ROWS) {
        put_changes(&mut transaction, some).await?;
    }
    for parked in &page.parked {
        put_parked(&mut transaction, parked).await?;
    }
    transaction.commit().await.map_err(unavailable)
}

/// Moves the checkpoint by compare-and-set. This, and no lease, is what makes a second runner
/// harmless.
async fn advance(connection: &mut SqliteConnection, page: &Page) -> Result<(), StoreError> {
    let (position, epoch, hash) = checkpoint(Some(page.next));
    let (was_position, was_epoch, was_hash) = checkpoint(page.expected);
    let statement = match page.target {
        Target::Live => {
            "UPDATE live SET position = ?, epoch = ?, hash = ? \
             WHERE revision = ? AND position IS ? AND epoch IS ? AND hash IS ?"
        }
        Target::Generation(_) => {
            "UPDATE generations SET position = ?, epoch = ?, hash = ? \
             WHERE id = ? AND state <> 'active' AND position IS ? AND epoch IS ? AND hash IS ?"
        }
    };
    let which = match page.target {
        Target::Live => stored(page.registry),
        Target::Generation(generation) => id(generation),
    };
    let moved = sqlx::query(statement)
        .bind(position)
        .bind(epoch)
        .bind(hash)
        .bind(which)
        .bind(was_position)
        .bind(was_epoch)
        .bind(was_hash)
        .execute(connection)
        .await
        .map_err(unavailable)?;
    if moved.rows_affected() == 1 { Ok(()) } else { Err(StoreError::Moved) }
}

async fn put_documents(
    connection: &mut SqliteConnection,
    writes: &[&RowWrite],
) -> Result<(), StoreError> {
    let mut query = QueryBuilder::<Sqlite>::new(
        "INSERT INTO documents (generation, key, position, document, owner, provider, status, \
         resource, offering, at, until) ",
    );
    let rows = writes.iter().filter_map(|write| Some((write, write.row.as_ref()?)));
    query.push_values(rows, |mut row, (write, (document, indexes))| {
        row.push_bind(id(write.generation))
            .push_bind(write.key.as_str())
            .push_bind(stored(write.position.0))
            .push_bind(document.as_str())
            .push_bind(indexes.owner.as_deref())
            .push_bind(indexes.provider.as_deref())
            .push_bind(indexes.status.as_deref())
            .push_bind(indexes.resource.as_deref())
            .push_bind(indexes.offering.as_deref())
            .push_bind(indexes.at)
            .push_bind(indexes.until);
    });
    query.push(
        " ON CONFLICT (generation, key) DO UPDATE SET position = excluded.position, \
         document = excluded.document, owner = excluded.owner, provider = excluded.provider, \
         status = excluded.status, resource = excluded.resource, offering = excluded.offering, \
         at = excluded.at, until = excluded.until",
    );
    query.build().execute(connection).await.map_err(unavailable)?;
    Ok(())
}

async fn put_changes(
    connection: &mut SqliteConnection,
    changes: &[Change],
) -> Result<(), StoreError> {
    let mut query = QueryBuilder::<Sqlite>::new(
        "INSERT INTO changes (position, ordinal, topics, view, key, data, accepted_at) ",
    );
    query.push_values(changes, |mut row, change| {
        let topics: Vec<_> = change.topics.iter().map(ToString::to_string).collect();
        row.push_bind(stored(change.cursor.position.0))
            .push_bind(stored(change.cursor.ordinal))
            .push_bind(topics.join(" "))
            .push_bind(change.view.as_str())
            .push_bind(change.key.as_str())
            .push_bind(change.data.as_ref().map(Document::as_str))
            .push_bind(change.accepted_at.micros());
    });
    query.build().execute(&mut *connection).await.map_err(unavailable)?;
    let topics: Vec<_> = changes
        .iter()
        .flat_map(|change| change.topics.iter().map(move |topic| (topic, change.cursor)))
        .collect();
    for some in topics.chunks(ROWS) {
        let mut query =
            QueryBuilder::<Sqlite>::new("INSERT INTO change_topics (topic, position, ordinal) ");
        query.push_values(some, |mut row, (topic, cursor)| {
            row.push_bind(topic.to_string())
                .push_bind(stored(cursor.position.0))
                .push_bind(stored(cursor.ordinal));
        });
        query.build().execute(&mut *connection).await.map_err(unavailable)?;
    }
    Ok(())
}

async fn put_parked(connection: &mut SqliteConnection, parked: &Parked) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO parked (generation, key, first, last, events, reason) \
         VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (generation, key) \
         DO UPDATE SET last = excluded.last, events = excluded.events",
    )
    .bind(id(parked.generation))
    .bind(parked.key.as_str())
    .bind(stored(parked.first.0))
    .bind(stored(parked.last.0))
    .bind(stored(parked.events))
    .bind(parked.reason.as_str())
    .execute(connection)
    .await
    .map_err(unavailable)?;
    Ok(())
}
