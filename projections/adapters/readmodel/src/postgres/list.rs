//! Lists from PostgreSQL, in the order of an index, so that a page reads little more than it shows.

use holdfast_postgres::Database;
use holdfast_projections::document::{Document, Key};
use holdfast_projections::ports::{Entry, Query, Snapshot, StoreError};
use holdfast_projections::registry::GenerationId;
use sqlx::QueryBuilder;
use sqlx::postgres::{PgRow, Postgres};

use super::reads::rows;
use super::values::{Instant, column, failed, number, position};

/// A page of a list.
pub(super) async fn list(
    database: &Database,
    view: &str,
    query: Query,
) -> Result<Snapshot<Vec<Entry>>, StoreError> {
    let mut select = select(view, &query);
    let found = rows(database, select.build()).await?;
    let live = found.first().ok_or_else(|| failed(sqlx::Error::RowNotFound))?;
    let generation = column::<Option<i64>>(live, "id")?.map(number).transpose()?;
    let position = position(column(live, "position")?)?;
    let value = found.iter().filter_map(|row| entry(row).transpose());
    let value = value.collect::<Result<_, StoreError>>()?;
    Ok(Snapshot { position, generation: generation.map(GenerationId), value })
}

fn entry(row: &PgRow) -> Result<Option<Entry>, StoreError> {
    let Some(key) = column::<Option<String>>(row, "key")? else { return Ok(None) };
    let Instant(at) = column(row, "at")?;
    let parked: Option<i64> = column(row, "parked")?;
    let document: String = column(row, "document")?;
    let document = parked.is_none().then(|| Document::stored(document));
    Ok(Some(Entry { key: Key::new(key), at, document }))
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

fn select(view: &str, query: &Query) -> QueryBuilder<Postgres> {
    let mut select = QueryBuilder::new(
        "SELECT l.position, g.id, e.key, e.at, e.document::text AS document, e.parked FROM live l \
         LEFT JOIN generations g ON g.state = 'active' AND g.view = ",
    );
    select.push_bind(view.to_owned()).push(" LEFT JOIN LATERAL (");
    if query.party.is_some() {
        // Each side is in the order of the list by its index, and gives no more than fits.
        select.push("SELECT * FROM ((");
        push(&mut select, query, Side::Owned);
        select.push(") UNION ALL (");
        push(&mut select, query, Side::Provided);
        select.push(")) AS sides ORDER BY at, key LIMIT ").push_bind(i64::from(query.limit));
    } else {
        push(&mut select, query, Side::Any);
    }
    select.push(") e ON true ORDER BY e.at, e.key");
    select
}

fn push(select: &mut QueryBuilder<Postgres>, query: &Query, side: Side) {
    select.push(
        "SELECT d.key, d.at, d.document, p.first AS parked FROM documents d \
         LEFT JOIN parked p ON p.generation = d.generation AND p.key = d.key \
         WHERE d.at IS NOT NULL AND d.generation = g.id",
    );
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
            select.push(column).push_bind(Instant::bound(value));
        }
    }
    if let Some((at, key)) = &query.after {
        select.push(" AND (d.at, d.key) > (").push_bind(Instant::bound(*at));
        select.push(", ").push_bind(key.as_str().to_owned()).push(")");
    }
    select.push(" ORDER BY d.at, d.key LIMIT ").push_bind(i64::from(query.limit));
}

fn push_party(select: &mut QueryBuilder<Postgres>, party: &str, side: Side) {
    match side {
        Side::Any => {}
        Side::Owned => {
            select.push(" AND d.owner = ").push_bind(party.to_owned());
        }
        Side::Provided => {
            select.push(" AND d.provider = ").push_bind(party.to_owned());
            // What is both comes once.
            select.push(" AND d.owner IS DISTINCT FROM ").push_bind(party.to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use holdfast_test_stores::postgres;
    use sqlx::postgres::PgConnection;
    use sqlx::{AssertSqlSafe, Connection as _};

    use super::*;
    use crate::postgres::PostgresReadStore;

    const FILL: &str = "INSERT INTO generations (view, version, state) VALUES ('v', 1, 'active'); \
        INSERT INTO documents (generation, key, position, document, owner, provider, status, \
          resource, offering, at, until) \
        SELECT 1, n::text, 1, '1', n % 500, n % 400, 'held', n % 300, n % 200, to_timestamp(n), \
          to_timestamp(n + 60) FROM generate_series(1, 30000) n; \
        ANALYZE documents, generations, live, parked";

    /// How PostgreSQL goes about a list, in the plan that it makes for any values.
    async fn plan(connection: &mut PgConnection, query: &Query) -> String {
        let list = select("v", query);
        let arguments = (1..).take_while(|n| list.sql().as_str().contains(&format!("${n}")));
        let nulls = vec!["NULL"; arguments.count()].join(", ");
        let steps = format!(
            "SET plan_cache_mode = force_generic_plan; DEALLOCATE ALL; PREPARE list AS {}; \
             EXPLAIN (COSTS OFF) EXECUTE list ({nulls})",
            list.sql().as_str()
        );
        let steps = sqlx::raw_sql(AssertSqlSafe(steps)).fetch_all(connection).await.unwrap();
        let steps = steps.iter().map(|step| sqlx::Row::get::<String, _>(step, 0));
        steps.collect::<Vec<_>>().join("\n")
    }

    #[tokio::test]
    async fn a_list_of_somebodys_things_reads_only_those() {
        let Some(schema) = postgres("plans of lists").await else { return };
        drop(PostgresReadStore::open(schema.url().parse().unwrap()).await.unwrap());
        let mut connection = PgConnection::connect(schema.url()).await.unwrap();
        sqlx::raw_sql(FILL).execute(&mut connection).await.unwrap();
        let some = Some(String::from("x"));
        let span = Query { to: Some(2), ends_after: Some(1), limit: 10, ..Query::default() };
        let after = Some((3, Key::new("k")));
        for (query, indexes) in [
            (Query { resource: some.clone(), ..span.clone() }, vec!["documents_resource"]),
            (Query { offering: some.clone(), ..span.clone() }, vec!["documents_offering"]),
            (Query { owner: some.clone(), ..span.clone() }, vec!["documents_owner"]),
            (Query { provider: some.clone(), ..span.clone() }, vec!["documents_provider"]),
            (Query { party: some, after, ..span }, vec!["documents_owner", "documents_provider"]),
        ] {
            let plan = plan(&mut connection, &query).await;
            for index in indexes {
                assert!(plan.contains(&format!("using {index} on documents")), "{plan}");
            }
            assert!(!plan.contains("Seq Scan on documents"), "{plan}");
        }
    }
}
