//! Reads from PostgreSQL. Each is one statement: rows and the position they are true at come from
//! its one snapshot.

use holdfast_postgres::Database;
use holdfast_projections::document::{Document, Indexes, Key};
use holdfast_projections::ports::{Comparison, Found, Parked, RowId, Rows, Snapshot, StoreError};
use holdfast_projections::registry::GenerationId;
use sqlx::postgres::{PgArguments, PgRow, Postgres};
use sqlx::query::Query;

use super::values::{Instant, checkpoint_in, column, failed, id, number, position};
use super::visit::{BOUNDED, UNBOUNDED, Visit};

/// Every row that a statement gives.
pub(super) async fn rows(
    database: &Database,
    query: Query<'_, Postgres, PgArguments>,
) -> Result<Vec<PgRow>, StoreError> {
    let mut visit = Visit::begin(database).await?;
    let rows = query.fetch_all(&mut *visit).await.map_err(failed)?;
    visit.end();
    Ok(rows)
}

/// The one row that a statement gives.
async fn row(
    database: &Database,
    query: Query<'_, Postgres, PgArguments>,
) -> Result<PgRow, StoreError> {
    rows(database, query).await?.pop().ok_or_else(|| failed(sqlx::Error::RowNotFound))
}

fn no_generation() -> StoreError {
    StoreError::Refused("there is no such generation".to_owned())
}

fn key_in(row: &PgRow) -> Result<Key, StoreError> {
    column::<String>(row, "key").map(Key::new)
}

/// The documents at these places that are there.
pub(super) async fn load(
    database: &Database,
    places: Vec<RowId>,
) -> Result<Vec<(RowId, Document)>, StoreError> {
    let generations: Vec<_> = places.iter().map(|(generation, _)| id(*generation)).collect();
    let keys: Vec<_> = places.iter().map(|(_, key)| key.as_str().to_owned()).collect();
    let query = sqlx::query(
        "SELECT d.generation, d.key, d.document::text AS document \
         FROM unnest($1::bigint[], $2::text[]) AS wanted (generation, key) \
         JOIN documents d ON d.generation = wanted.generation AND d.key = wanted.key",
    );
    let found = rows(database, query.bind(generations).bind(keys)).await?;
    let found = found.iter().map(|row| {
        let generation = GenerationId(number(column(row, "generation")?)?);
        let document = Document::stored(column::<String>(row, "document")?);
        Ok(((generation, key_in(row)?), document))
    });
    found.collect()
}

/// Every parked key.
pub(super) async fn parked(database: &Database) -> Result<Vec<Parked>, StoreError> {
    let query = sqlx::query(
        "SELECT generation, key, first, last, events, reason FROM parked ORDER BY generation, key",
    );
    let found = rows(database, query).await?;
    let found = found.iter().map(|row| {
        Ok(Parked {
            generation: GenerationId(number(column(row, "generation")?)?),
            key: key_in(row)?,
            first: position(column(row, "first")?)?,
            last: position(column(row, "last")?)?,
            events: number(column(row, "events")?)?,
            reason: column(row, "reason")?,
        })
    });
    found.collect()
}

/// One document of the active generation of a view.
pub(super) async fn document(
    database: &Database,
    view: &str,
    key: Key,
) -> Result<Snapshot<Found>, StoreError> {
    let query = sqlx::query(
        "SELECT l.position, g.id, d.document::text AS document, p.first AS parked FROM live l \
         LEFT JOIN generations g ON g.view = $1 AND g.state = 'active' \
         LEFT JOIN documents d ON d.generation = g.id AND d.key = $2 \
         LEFT JOIN parked p ON p.generation = g.id AND p.key = $2",
    );
    let row = row(database, query.bind(view).bind(key.as_str())).await?;
    let generation = column::<Option<i64>>(&row, "id")?.map(number).transpose()?;
    let value = match (generation, column::<Option<i64>>(&row, "parked")?) {
        (None, _) => Found::NoView,
        (Some(_), Some(_)) => Found::Parked,
        (Some(_), None) => {
            Found::Row(column::<Option<String>>(&row, "document")?.map(Document::stored))
        }
    };
    let position = position(column(&row, "position")?)?;
    Ok(Snapshot { position, generation: generation.map(GenerationId), value })
}

/// A piece of a generation, by key.
pub(super) async fn scan(
    database: &Database,
    generation: GenerationId,
    after: Option<Key>,
    limit: u32,
) -> Result<Snapshot<Rows>, StoreError> {
    let query = sqlx::query(
        "SELECT CASE g.state WHEN 'active' THEN l.position ELSE g.position END AS checkpoint, \
         d.key, d.document::text AS document, d.owner, d.provider, d.status, d.resource, \
         d.offering, d.at, d.until \
         FROM live l JOIN generations g ON g.id = $1 LEFT JOIN LATERAL \
         (SELECT * FROM documents s WHERE s.generation = g.id AND s.key > $2 \
         ORDER BY s.key LIMIT $3) d ON true ORDER BY d.key",
    );
    let query = query.bind(id(generation)).bind(after.as_ref().map_or("", Key::as_str));
    let found = rows(database, query.bind(i64::from(limit))).await?;
    let first = found.first().ok_or_else(no_generation)?;
    let position = position(column(first, "checkpoint")?)?;
    let value = found.iter().filter_map(|row| whole(row).transpose());
    let value = value.collect::<Result<_, StoreError>>()?;
    Ok(Snapshot { position, generation: Some(generation), value })
}

fn whole(row: &PgRow) -> Result<Option<(Key, Document, Indexes)>, StoreError> {
    let Some(key) = column::<Option<String>>(row, "key")? else { return Ok(None) };
    let micros = |name| column::<Option<Instant>>(row, name).map(|at| at.map(|Instant(at)| at));
    let indexes = Indexes {
        owner: column(row, "owner")?,
        provider: column(row, "provider")?,
        status: column(row, "status")?,
        resource: column(row, "resource")?,
        offering: column(row, "offering")?,
        at: micros("at")?,
        until: micros("until")?,
    };
    let document = Document::stored(column::<String>(row, "document")?);
    Ok(Some((Key::new(key), document, indexes)))
}

/// Two generations side by side.
pub(super) async fn compare(
    database: &Database,
    left: GenerationId,
    right: GenerationId,
) -> Result<Comparison, StoreError> {
    let query = sqlx::query(
        "WITH a AS (SELECT key, document::text AS document FROM documents WHERE generation = $1), \
         b AS (SELECT key, document::text AS document FROM documents WHERE generation = $2), \
         different AS MATERIALIZED (SELECT key FROM a FULL JOIN b USING (key) \
           WHERE a.document IS DISTINCT FROM b.document), \
         checkpoints AS (SELECT g.id, \
           CASE g.state WHEN 'active' THEN l.position ELSE g.position END AS position, \
           CASE g.state WHEN 'active' THEN l.epoch ELSE g.epoch END AS epoch, \
           CASE g.state WHEN 'active' THEN l.hash ELSE g.hash END AS hash \
           FROM generations g CROSS JOIN live l) \
         SELECT o.position AS left_position, o.epoch AS left_epoch, o.hash AS left_hash, \
         t.position AS right_position, t.epoch AS right_epoch, t.hash AS right_hash, \
         (SELECT count(*) FROM documents WHERE generation = $1) AS left_rows, \
         (SELECT count(*) FROM documents WHERE generation = $2) AS right_rows, \
         (SELECT count(*) FROM different) AS different, \
         ARRAY(SELECT key FROM different ORDER BY key LIMIT 10) AS examples \
         FROM checkpoints o JOIN checkpoints t ON t.id = $2 WHERE o.id = $1",
    );
    let mut visit = Visit::begin(database).await?;
    sqlx::raw_sql(UNBOUNDED).execute(&mut *visit).await.map_err(failed)?;
    let query = query.bind(id(left)).bind(id(right));
    let found = query.fetch_optional(&mut *visit).await.map_err(failed)?;
    sqlx::raw_sql(BOUNDED).execute(&mut *visit).await.map_err(failed)?;
    visit.end();
    let row = found.as_ref().ok_or_else(no_generation)?;
    let examples: Vec<String> = column(row, "examples")?;
    Ok(Comparison {
        left: checkpoint_in(row, ["left_position", "left_epoch", "left_hash"])?,
        right: checkpoint_in(row, ["right_position", "right_epoch", "right_hash"])?,
        left_rows: number(column(row, "left_rows")?)?,
        right_rows: number(column(row, "right_rows")?)?,
        different: number(column(row, "different")?)?,
        examples: examples.into_iter().map(Key::new).collect(),
    })
}
