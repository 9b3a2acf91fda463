//! A page in PostgreSQL: one statement, which moves the checkpoint with everything that follows from
//! it. It is committed when it is answered, and takes one round trip.

use holdfast_postgres::Database;
use holdfast_projections::ports::{Change, Page, Parked, RowWrite, StoreError, Target};
use sqlx::Row as _;
use sqlx::postgres::{PgArguments, Postgres};

use super::values::{Instant, checkpoint, failed, id, stored};
use super::visit::Visit;

/// Everything writes as many times as `moved` has rows: once, or, when another runner was first or
/// the registry changed, not at all. That, and no lease, is what makes a second runner harmless.
macro_rules! page_of {
    ($update:literal) => {
        concat!(
            "WITH moved AS (", $update,
            " AND position IS NOT DISTINCT FROM $5 AND epoch IS NOT DISTINCT FROM $6 \
             AND hash IS NOT DISTINCT FROM $7 RETURNING 1), \
             put AS (INSERT INTO documents (generation, key, position, document, owner, provider, \
               status, resource, offering, at, until) \
               SELECT w.generation, w.key, w.position, w.document::json, w.owner, w.provider, \
               w.status, w.resource, w.offering, w.at, w.until FROM moved CROSS JOIN \
               unnest($8::bigint[], $9::text[], $10::bigint[], $11::text[], $12::text[], \
               $13::text[], $14::text[], $15::text[], $16::text[], $17::timestamptz[], \
               $18::timestamptz[]) AS w (generation, key, position, document, owner, provider, \
               status, resource, offering, at, until) \
               ON CONFLICT (generation, key) DO UPDATE SET position = excluded.position, \
               document = excluded.document, owner = excluded.owner, \
               provider = excluded.provider, status = excluded.status, \
               resource = excluded.resource, offering = excluded.offering, at = excluded.at, \
               until = excluded.until), \
             gone AS (DELETE FROM documents d USING moved, unnest($19::bigint[], $20::text[]) \
               AS w (generation, key) WHERE d.generation = w.generation AND d.key = w.key), \
             news AS (INSERT INTO changes (position, ordinal, topics, view, key, data, accepted_at) \
               SELECT c.position, c.ordinal, string_to_array(c.topics, ' '), c.view, c.key, \
               c.data::json, c.accepted_at FROM moved CROSS JOIN \
               unnest($21::bigint[], $22::bigint[], $23::text[], $24::text[], $25::text[], \
               $26::text[], $27::timestamptz[]) \
               AS c (position, ordinal, topics, view, key, data, accepted_at)), \
             found AS (INSERT INTO change_topics (topic, position, ordinal) \
               SELECT t.topic, c.position, c.ordinal FROM moved CROSS JOIN \
               unnest($21::bigint[], $22::bigint[], $23::text[]) AS c (position, ordinal, topics) \
               CROSS JOIN LATERAL unnest(string_to_array(c.topics, ' ')) AS t (topic)), \
             park AS (INSERT INTO parked (generation, key, first, last, events, reason) \
               SELECT p.* FROM moved CROSS JOIN unnest($28::bigint[], $29::text[], $30::bigint[], \
               $31::bigint[], $32::bigint[], $33::text[]) AS p \
               ON CONFLICT (generation, key) DO UPDATE SET last = excluded.last, \
               events = excluded.events) \
             SELECT count(*) FROM moved"
        )
    };
}

const LIVE: &str =
    page_of!("UPDATE live SET position = $1, epoch = $2, hash = $3 WHERE revision = $4");

const GENERATION: &str = page_of!(
    "UPDATE generations SET position = $1, epoch = $2, hash = $3 WHERE id = $4 AND state <> 'active'"
);

type Query = sqlx::query::Query<'static, Postgres, PgArguments>;

/// Commits a page, when nobody else moved the checkpoint or the registry since it was read.
pub(super) async fn commit(database: &Database, page: Page) -> Result<(), StoreError> {
    let (statement, which) = match page.target {
        Target::Live => (LIVE, stored(page.registry)),
        Target::Generation(generation) => (GENERATION, id(generation)),
    };
    let (position, epoch, hash) = checkpoint(Some(page.next));
    let (was_position, was_epoch, was_hash) = checkpoint(page.expected);
    let query = sqlx::query(statement).bind(position).bind(epoch).bind(hash).bind(which);
    let query = query.bind(was_position).bind(was_epoch).bind(was_hash);
    let query =
        bind_parked(bind_news(bind_writes(query, page.writes), &page.changes), &page.parked);
    let mut visit = Visit::begin(database).await?;
    let row = query.fetch_one(&mut *visit).await.map_err(failed)?;
    let moved: i64 = row.try_get(0).map_err(failed)?;
    visit.end();
    if moved == 1 { Ok(()) } else { Err(StoreError::Moved) }
}

fn each<T, U>(all: &[T], one: impl Fn(&T) -> U) -> Vec<U> {
    all.iter().map(one).collect()
}

fn bind_writes(query: Query, writes: Vec<RowWrite>) -> Query {
    let (mut put, mut gone) = (Vec::new(), Vec::new());
    for RowWrite { generation, key, position, row } in writes {
        let (generation, key) = (id(generation), key.as_str().to_owned());
        match row {
            Some((document, indexes)) => put.push((generation, key, position, document, indexes)),
            None => gone.push((generation, key)),
        }
    }
    query
        .bind(each(&put, |(generation, ..)| *generation))
        .bind(each(&put, |(_, key, ..)| key.clone()))
        .bind(each(&put, |(_, _, position, ..)| stored(position.0)))
        .bind(each(&put, |(_, _, _, document, _)| document.as_str().to_owned()))
        .bind(each(&put, |(.., indexes)| indexes.owner.clone()))
        .bind(each(&put, |(.., indexes)| indexes.provider.clone()))
        .bind(each(&put, |(.., indexes)| indexes.status.clone()))
        .bind(each(&put, |(.., indexes)| indexes.resource.clone()))
        .bind(each(&put, |(.., indexes)| indexes.offering.clone()))
        .bind(each(&put, |(.., indexes)| indexes.at.map(Instant)))
        .bind(each(&put, |(.., indexes)| indexes.until.map(Instant)))
        .bind(each(&gone, |(generation, _)| *generation))
        .bind(each(&gone, |(_, key)| key.clone()))
}

fn bind_news(query: Query, changes: &[Change]) -> Query {
    query
        .bind(each(changes, |change| stored(change.cursor.position.0)))
        .bind(each(changes, |change| stored(change.cursor.ordinal)))
        .bind(each(changes, |change| each(&change.topics, ToString::to_string).join(" ")))
        .bind(each(changes, |change| change.view.clone()))
        .bind(each(changes, |change| change.key.as_str().to_owned()))
        .bind(each(changes, |change| change.data.as_ref().map(|data| data.as_str().to_owned())))
        .bind(each(changes, |change| Instant(change.accepted_at.micros())))
}

fn bind_parked(query: Query, parked: &[Parked]) -> Query {
    query
        .bind(each(parked, |one| id(one.generation)))
        .bind(each(parked, |one| one.key.as_str().to_owned()))
        .bind(each(parked, |one| stored(one.first.0)))
        .bind(each(parked, |one| stored(one.last.0)))
        .bind(each(parked, |one| stored(one.events)))
        // A reason may quote what did not fold, and no text here can hold a NUL.
        .bind(each(parked, |one| one.reason.replace('\0', "\u{fffd}")))
}
