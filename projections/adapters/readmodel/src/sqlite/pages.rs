//! Pages in SQLite: the documents that a fold needs, and the one transaction that moves the
//! checkpoint with everything that follows from it.

use std::sync::LazyLock;

use holdfast_domain::log::Position;
use holdfast_projections::document::{Document, Indexes, Key};
use holdfast_projections::ports::{Change, Page, Parked, RowId, RowWrite, StoreError, Target};
use holdfast_projections::registry::GenerationId;
use holdfast_projections::topic::{Cursor, Topic};
use holdfast_sqlite::insert::{Insert, Query};
use sqlx::sqlite::{SqliteConnection, SqlitePool};

use super::values::{checkpoint, column, damaged, id, number, stored, unavailable};

macro_rules! put_documents {
    () => {
        "INSERT INTO documents (generation, key, position, document, owner, provider, status, \
         resource, offering, at, until)"
    };
}

macro_rules! same_columns {
    () => {
        "(documents.owner IS excluded.owner AND documents.provider IS excluded.provider \
         AND documents.resource IS excluded.resource AND documents.offering IS excluded.offering \
         AND documents.at IS excluded.at)"
    };
}

/// Puts documents that are new, or have their place in every index already.
static PUT_DOCUMENTS: LazyLock<Insert> = LazyLock::new(|| {
    let conflict = concat!(
        " ON CONFLICT (generation, key) DO UPDATE SET position = excluded.position, \
         document = excluded.document, status = excluded.status, until = excluded.until WHERE ",
        same_columns!()
    );
    Insert::new("", put_documents!(), 11, conflict)
});

/// Puts the documents that `PUT_DOCUMENTS` left out.
static MOVE_DOCUMENTS: LazyLock<Insert> = LazyLock::new(|| {
    let conflict = concat!(
        " ON CONFLICT (generation, key) DO UPDATE SET position = excluded.position, \
         document = excluded.document, owner = excluded.owner, provider = excluded.provider, \
         status = excluded.status, resource = excluded.resource, offering = excluded.offering, \
         at = excluded.at, until = excluded.until WHERE NOT ",
        same_columns!()
    );
    Insert::new("", put_documents!(), 11, conflict)
});

// A row that cannot stand takes the whole page with it, which is all or nothing anyway; only to undo
// a part of it SQLite would have to copy every page that the statement touches.

static PUT_CHANGES: LazyLock<Insert> = LazyLock::new(|| {
    let into =
        "INSERT OR ROLLBACK INTO changes (position, ordinal, topics, view, key, data, accepted_at)";
    Insert::new("", into, 7, "")
});

static PUT_TOPICS: LazyLock<Insert> = LazyLock::new(|| {
    Insert::new("", "INSERT OR ROLLBACK INTO change_topics (topic, position, ordinal)", 3, "")
});

/// The documents at these places that are there.
pub(super) async fn load(
    readers: &SqlitePool,
    places: Vec<RowId>,
) -> Result<Vec<(RowId, Document)>, StoreError> {
    let wanted: Vec<_> =
        places.iter().map(|(generation, key)| (id(*generation), key.as_str())).collect();
    let wanted = serde_json::to_string(&wanted).map_err(damaged)?;
    // One text for any number of places. `CROSS JOIN` keeps the loop over them the outer one.
    let rows = sqlx::query(
        "SELECT d.generation, d.key, d.document FROM json_each(?) wanted \
         CROSS JOIN documents d ON d.generation = wanted.value ->> 0 AND d.key = wanted.value ->> 1",
    )
    .bind(wanted)
    .fetch_all(readers)
    .await
    .map_err(unavailable)?;
    let found = rows.iter().map(|row| {
        let generation = GenerationId(number(column(row, "generation")?)?);
        let (key, document): (String, String) = (column(row, "key")?, column(row, "document")?);
        Ok(((generation, Key::new(key)), Document::stored(document)))
    });
    found.collect()
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
    put_documents(&mut transaction, &put).await?;
    for write in gone {
        sqlx::query("DELETE FROM documents WHERE generation = ? AND key = ?")
            .bind(id(write.generation))
            .bind(write.key.as_str())
            .execute(&mut *transaction)
            .await
            .map_err(unavailable)?;
    }
    put_changes(&mut transaction, &page.changes).await?;
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

/// Puts documents. What a change leaves as it was is not written to the indexes again: only rows
/// whose columns moved take the second statement.
async fn put_documents(
    connection: &mut SqliteConnection,
    writes: &[&RowWrite],
) -> Result<(), StoreError> {
    let rows: Vec<_> =
        writes.iter().filter_map(|write| Some((*write, write.row.as_ref()?))).collect();
    let put = PUT_DOCUMENTS.run(connection, &rows, bind_document).await.map_err(unavailable)?;
    if put < u64::try_from(rows.len()).unwrap_or(u64::MAX) {
        MOVE_DOCUMENTS.run(connection, &rows, bind_document).await.map_err(unavailable)?;
    }
    Ok(())
}

type DocumentRow<'a> = (&'a RowWrite, &'a (Document, Indexes));

fn bind_document(query: Query, (write, (document, indexes)): &DocumentRow<'_>) -> Query {
    query
        .bind(id(write.generation))
        .bind(write.key.as_str().to_owned())
        .bind(stored(write.position.0))
        .bind(document.as_str().to_owned())
        .bind(indexes.owner.clone())
        .bind(indexes.provider.clone())
        .bind(indexes.status.clone())
        .bind(indexes.resource.clone())
        .bind(indexes.offering.clone())
        .bind(indexes.at)
        .bind(indexes.until)
}

async fn put_changes(
    connection: &mut SqliteConnection,
    changes: &[Change],
) -> Result<(), StoreError> {
    PUT_CHANGES.run(connection, changes, bind_change).await.map_err(unavailable)?;
    let topics: Vec<_> = changes
        .iter()
        .flat_map(|change| change.topics.iter().map(move |topic| (topic, change.cursor)))
        .collect();
    let bind = |query: Query, (topic, cursor): &(&Topic, Cursor)| {
        query.bind(topic.to_string()).bind(stored(cursor.position.0)).bind(stored(cursor.ordinal))
    };
    PUT_TOPICS.run(connection, &topics, bind).await.map_err(unavailable)?;
    Ok(())
}

fn bind_change(query: Query, change: &Change) -> Query {
    let topics: Vec<_> = change.topics.iter().map(ToString::to_string).collect();
    query
        .bind(stored(change.cursor.position.0))
        .bind(stored(change.cursor.ordinal))
        .bind(topics.join(" "))
        .bind(change.view.clone())
        .bind(change.key.as_str().to_owned())
        .bind(change.data.as_ref().map(|data| data.as_str().to_owned()))
        .bind(change.accepted_at.micros())
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
