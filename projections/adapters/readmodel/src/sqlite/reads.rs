//! Reads from SQLite. Rows and the position they are true at come from one snapshot: one statement,
//! or one read transaction on one connection.

use holdfast_domain::log::Position;
use holdfast_projections::document::{Document, Indexes, Key};
use holdfast_projections::ports::{Comparison, Entry, Found, Query, Rows, Snapshot, StoreError};
use holdfast_projections::registry::GenerationId;
use sqlx::QueryBuilder;
use sqlx::sqlite::{Sqlite, SqliteConnection, SqlitePool};

use super::registry::{checkpoint_of, load, position_of};
use super::values::{column, id, number, unavailable};

/// One document of the active generation of a view.
pub(super) async fn document(
    readers: &SqlitePool,
    view: &str,
    key: Key,
) -> Result<Snapshot<Found>, StoreError> {
    let row = sqlx::query(
        "SELECT l.position, g.id, d.document, p.first AS parked FROM live l \
         LEFT JOIN generations g ON g.view = ?1 AND g.state = 'active' \
         LEFT JOIN documents d ON d.generation = g.id AND d.key = ?2 \
         LEFT JOIN parked p ON p.generation = g.id AND p.key = ?2",
    )
    .bind(view)
    .bind(key.as_str())
    .fetch_one(readers)
    .await
    .map_err(unavailable)?;
    let position = number(column::<Option<i64>>(&row, "position")?.unwrap_or(0))?;
    let generation = column::<Option<i64>>(&row, "id")?.map(number).transpose()?;
    let value = match (generation, column::<Option<i64>>(&row, "parked")?) {
        (None, _) => Found::NoView,
        (Some(_), Some(_)) => Found::Parked,
        (Some(_), None) => {
            Found::Row(column::<Option<String>>(&row, "document")?.map(Document::stored))
        }
    };
    let (position, generation) = (Position(position), generation.map(GenerationId));
    Ok(Snapshot { position, generation, value })
}

/// A page of a list.
pub(super) async fn list(
    readers: &SqlitePool,
    view: &str,
    query: Query,
) -> Result<Snapshot<Vec<Entry>>, StoreError> {
    let mut snapshot = readers.begin().await.map_err(unavailable)?;
    let live = sqlx::query(
        "SELECT l.position, g.id FROM live l \
         LEFT JOIN generations g ON g.view = ? AND g.state = 'active'",
    )
    .bind(view)
    .fetch_one(&mut *snapshot)
    .await
    .map_err(unavailable)?;
    let position = Position(number(column::<Option<i64>>(&live, "position")?.unwrap_or(0))?);
    let Some(generation) = column::<Option<i64>>(&live, "id")? else {
        return Ok(Snapshot { position, generation: None, value: vec![] });
    };
    let rows =
        select(generation, &query).build().fetch_all(&mut *snapshot).await.map_err(unavailable)?;
    let entries = rows.iter().map(|row| {
        let parked: Option<i64> = column(row, "parked")?;
        let document: String = column(row, "document")?;
        Ok(Entry {
            key: Key::new(column::<String>(row, "key")?),
            at: column(row, "at")?,
            document: parked.is_none().then(|| Document::stored(document)),
        })
    });
    let value = entries.collect::<Result<_, StoreError>>()?;
    Ok(Snapshot { position, generation: Some(GenerationId(number(generation)?)), value })
}

/// Whose entries one select of a list is about.
#[derive(Debug, Clone, Copy)]
enum Side {
    /// Whatever the query says.
    Any,
    /// What the party owns.
    Owned,
    /// What the party provides and does not own.
    Provided,
}

/// The index that a list reads. Without being told, SQLite may walk the whole generation by time,
/// which costs the more the longer the log is.
fn index(query: &Query, side: Side) -> &'static str {
    match side {
        Side::Owned => return " INDEXED BY documents_owner",
        Side::Provided => return " INDEXED BY documents_provider",
        Side::Any => {}
    }
    let given = [
        (&query.resource, " INDEXED BY documents_resource"),
        (&query.offering, " INDEXED BY documents_offering"),
        (&query.owner, " INDEXED BY documents_owner"),
        (&query.provider, " INDEXED BY documents_provider"),
    ];
    given.into_iter().find(|(value, _)| value.is_some()).map_or("", |(_, index)| index)
}

fn select(generation: i64, query: &Query) -> QueryBuilder<Sqlite> {
    let mut select = QueryBuilder::<Sqlite>::new("");
    if query.party.is_some() && index(query, Side::Any).is_empty() {
        // Both indexes are in the order of the list, so SQLite merges the two as it reads them.
        push(&mut select, generation, query, Side::Owned);
        select.push(" UNION ALL ");
        push(&mut select, generation, query, Side::Provided);
    } else {
        push(&mut select, generation, query, Side::Any);
    }
    select.push(" ORDER BY at, key LIMIT ").push_bind(i64::from(query.limit));
    select
}

fn push(select: &mut QueryBuilder<Sqlite>, generation: i64, query: &Query, side: Side) {
    select
        .push("SELECT d.key AS key, d.at AS at, d.document, p.first AS parked FROM documents d")
        .push(index(query, side))
        .push(
            " LEFT JOIN parked p ON p.generation = d.generation AND p.key = d.key \
             WHERE d.at IS NOT NULL AND d.generation = ",
        )
        .push_bind(generation);
    for (column, value) in [
        (" AND d.owner = ", &query.owner),
        (" AND d.provider = ", &query.provider),
        (" AND d.status = ", &query.status),
        (" AND d.resource = ", &query.resource),
        (" AND d.offering = ", &query.offering),
    ] {
        if let Some(value) = value {
            select.push(column).push_bind(value.clone());
        }
    }
    if let Some(party) = &query.party {
        push_party(select, party, side);
    }
    for (column, value) in [
        (" AND d.at >= ", query.from),
        (" AND d.at < ", query.to),
        (" AND d.until > ", query.ends_after),
    ] {
        if let Some(value) = value {
            select.push(column).push_bind(value);
        }
    }
    if let Some((at, key)) = &query.after {
        select.push(" AND (d.at, d.key) > (").push_bind(*at);
        select.push(", ").push_bind(key.as_str().to_owned()).push(")");
    }
}

fn push_party(select: &mut QueryBuilder<Sqlite>, party: &str, side: Side) {
    match side {
        Side::Any => {
            select.push(" AND (d.owner = ").push_bind(party.to_owned());
            select.push(" OR d.provider = ").push_bind(party.to_owned()).push(")");
        }
        Side::Owned => {
            select.push(" AND d.owner = ").push_bind(party.to_owned());
        }
        Side::Provided => {
            select.push(" AND d.provider = ").push_bind(party.to_owned());
            // What is both comes once.
            select.push(" AND d.owner IS NOT ").push_bind(party.to_owned());
        }
    }
}

/// A piece of a generation, by key.
pub(super) async fn scan(
    readers: &SqlitePool,
    generation: GenerationId,
    after: Option<Key>,
    limit: u32,
) -> Result<Snapshot<Rows>, StoreError> {
    let mut snapshot = readers.begin().await.map_err(unavailable)?;
    let position = position_of(checkpoint_of(&load(&mut snapshot).await?, generation)?);
    let rows = sqlx::query(
        "SELECT key, document, owner, provider, status, resource, offering, at, until \
         FROM documents WHERE generation = ? AND key > ? ORDER BY key LIMIT ?",
    )
    .bind(id(generation))
    .bind(after.as_ref().map_or("", Key::as_str))
    .bind(i64::from(limit))
    .fetch_all(&mut *snapshot)
    .await
    .map_err(unavailable)?;
    let value = rows.iter().map(|row| {
        let indexes = Indexes {
            owner: column(row, "owner")?,
            provider: column(row, "provider")?,
            status: column(row, "status")?,
            resource: column(row, "resource")?,
            offering: column(row, "offering")?,
            at: column(row, "at")?,
            until: column(row, "until")?,
        };
        let (key, document): (String, String) = (column(row, "key")?, column(row, "document")?);
        Ok((Key::new(key), Document::stored(document), indexes))
    });
    let value = value.collect::<Result<_, StoreError>>()?;
    Ok(Snapshot { position, generation: Some(generation), value })
}

/// Two generations side by side.
pub(super) async fn compare(
    readers: &SqlitePool,
    left: GenerationId,
    right: GenerationId,
) -> Result<Comparison, StoreError> {
    let mut snapshot = readers.begin().await.map_err(unavailable)?;
    let registry = load(&mut snapshot).await?;
    let rows = sqlx::query(
        "SELECT a.key FROM documents a \
         LEFT JOIN documents b ON b.generation = ?2 AND b.key = a.key \
         WHERE a.generation = ?1 AND b.document IS NOT a.document \
         UNION ALL SELECT b.key FROM documents b WHERE b.generation = ?2 AND NOT EXISTS \
         (SELECT 1 FROM documents a WHERE a.generation = ?1 AND a.key = b.key) LIMIT 10",
    )
    .bind(id(left))
    .bind(id(right))
    .fetch_all(&mut *snapshot)
    .await
    .map_err(unavailable)?;
    let examples = rows.iter().map(|row| Ok(Key::new(column::<String>(row, "key")?)));
    let examples = examples.collect::<Result<_, StoreError>>()?;
    let (left_rows, right_rows) =
        (count(&mut snapshot, left).await?, count(&mut snapshot, right).await?);
    let same = sqlx::query_scalar::<_, i64>(
        "SELECT count(*) FROM documents a JOIN documents b ON b.generation = ? AND b.key = a.key \
         WHERE a.generation = ? AND b.document = a.document",
    )
    .bind(id(right))
    .bind(id(left))
    .fetch_one(&mut *snapshot)
    .await
    .map_err(unavailable)?;
    let both = sqlx::query_scalar::<_, i64>(
        "SELECT count(*) FROM documents a JOIN documents b ON b.generation = ? AND b.key = a.key \
         WHERE a.generation = ?",
    )
    .bind(id(right))
    .bind(id(left))
    .fetch_one(&mut *snapshot)
    .await
    .map_err(unavailable)?;
    // Every key of either side, less those that are the same on both.
    let keys = left_rows.saturating_add(right_rows).saturating_sub(number(both)?);
    Ok(Comparison {
        left: checkpoint_of(&registry, left)?,
        right: checkpoint_of(&registry, right)?,
        left_rows,
        right_rows,
        different: keys.saturating_sub(number(same)?),
        examples,
    })
}

async fn count(
    connection: &mut SqliteConnection,
    generation: GenerationId,
) -> Result<u64, StoreError> {
    let rows = sqlx::query_scalar::<_, i64>("SELECT count(*) FROM documents WHERE generation = ?")
        .bind(id(generation))
        .fetch_one(connection)
        .await
        .map_err(unavailable)?;
    number(rows)
}

#[cfg(test)]
mod tests {
    use sqlx::Row;
    use sqlx::sqlite::SqliteConnection;
    use sqlx::{AssertSqlSafe, Connection};

    use super::*;

    /// How SQLite would go about a list.
    async fn plan(query: &Query) -> String {
        let mut connection = SqliteConnection::connect("sqlite::memory:").await.unwrap();
        let schema = include_str!("../../../../../migrations/readmodel/sqlite/0001_views.sql");
        sqlx::raw_sql(schema).execute(&mut connection).await.unwrap();
        let list = select(1, query);
        let explain = AssertSqlSafe(format!("EXPLAIN QUERY PLAN {}", list.sql().as_str()));
        let steps = sqlx::query(explain).fetch_all(&mut connection).await.unwrap();
        let steps: Vec<String> = steps.iter().map(|step| step.get("detail")).collect();
        steps.join("; ")
    }

    #[tokio::test]
    async fn a_list_of_somebodys_things_reads_only_those() {
        let some = Some(String::from("x"));
        let span = Query { to: Some(2), ends_after: Some(1), limit: 10, ..Query::default() };
        for (query, index) in [
            (Query { resource: some.clone(), ..span.clone() }, "documents_resource"),
            (Query { offering: some.clone(), ..span.clone() }, "documents_offering"),
            (Query { owner: some.clone(), ..span.clone() }, "documents_owner"),
            (Query { provider: some.clone(), status: some.clone(), ..span }, "documents_provider"),
        ] {
            let plan = plan(&query).await;
            assert!(plan.contains(&format!("SEARCH d USING INDEX {index} (")), "{plan}");
            assert!(!plan.contains("SCAN d") && !plan.contains("TEMP B-TREE"), "{plan}");
        }
    }

    #[tokio::test]
    async fn a_list_of_what_concerns_a_party_reads_only_that() {
        let party = Some(String::from("x"));
        let after = Some((3, Key::new("k")));
        let query =
            Query { party, after, status: Some("held".to_owned()), limit: 10, ..Query::default() };
        let plan = plan(&query).await;
        for index in ["documents_owner", "documents_provider"] {
            assert!(plan.contains(&format!("SEARCH d USING INDEX {index} (")), "{plan}");
        }
        assert!(!plan.contains("SCAN d") && !plan.contains("TEMP B-TREE"), "{plan}");
    }
}
