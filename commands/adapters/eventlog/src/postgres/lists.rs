//! A commit as lists of columns, in the order in which `log_append` takes them.

use std::collections::BTreeMap;

use holdfast_domain::log::{Head, Position, StreamId};
use sqlx::postgres::{PgArguments, Postgres};
use sqlx::query::Query;
use uuid::Uuid;

use super::{rows, sql};
use crate::store::{AnswerRow, Claims, Commit, EventRow, StoreError};

/// The lists about streams.
#[derive(Debug, Default)]
struct Streams<'a> {
    names: Vec<String>,
    revisions_before: Vec<Option<i64>>,
    hashes_before: Vec<Option<&'a [u8]>>,
    first_events: Vec<Option<i32>>,
}

/// The call that writes a commit whose positions count from `base`.
pub(super) fn append<'a>(
    claims: &'a Claims,
    commit: &'a Commit<'a>,
    base: Position,
) -> Result<Query<'a, Postgres, PgArguments>, StoreError> {
    let from_base = |position: Position| small(position.0.saturating_sub(base.0));
    let numbers = numbers(claims)?;
    let streams = streams(claims, commit)?;
    let events = &commit.events;
    let each = |of: fn(&EventRow<'a>) -> &'a [u8]| events.iter().map(of).collect::<Vec<_>>();
    let event_streams: Vec<_> =
        events.iter().map(|row| numbers.get(&row.stream).copied()).collect();
    let query = sqlx::query(sql::APPEND)
        .bind(streams.names)
        .bind(streams.revisions_before)
        .bind(streams.hashes_before)
        .bind(streams.first_events)
        .bind(event_streams)
        .bind(events.iter().map(|row| rows::int(row.revision.0)).collect::<Vec<_>>())
        .bind(collected(events.iter().map(|row| from_base(row.append_end)))?)
        .bind(events.iter().map(|row| row.event.accepted_at.micros()).collect::<Vec<_>>())
        .bind(events.iter().map(|row| *row.event.event_id.as_uuid()).collect::<Vec<_>>())
        .bind(collected(events.iter().map(|row| small(row.event.schema.into())))?)
        .bind(events.iter().map(|row| row.event.name.as_str()).collect::<Vec<_>>())
        .bind(each(|row| &row.event.metadata))
        .bind(each(|row| &row.event.payload))
        .bind(events.iter().map(|row| row.hash.0.as_slice()).collect::<Vec<_>>());
    answers(query, &commit.answers, from_base)
}

fn answers<'a>(
    query: Query<'a, Postgres, PgArguments>,
    answers: &'a [AnswerRow<'a>],
    from_base: impl Fn(Position) -> Result<i32, StoreError>,
) -> Result<Query<'a, Postgres, PgArguments>, StoreError> {
    let records = || answers.iter().map(|row| row.record);
    let revision = |row: &AnswerRow<'_>| row.record.revision.map(|revision| rows::int(revision.0));
    let status = |status: u16| {
        i16::try_from(status).map_err(|why| StoreError::Rejected(format!("a status: {why}")))
    };
    Ok(query
        .bind(records().map(|record| *record.id.as_uuid()).collect::<Vec<Uuid>>())
        .bind(answers.iter().map(revision).collect::<Vec<_>>())
        .bind(collected(answers.iter().map(|row| from_base(row.position)))?)
        .bind(records().map(|record| record.accepted_at.micros()).collect::<Vec<_>>())
        .bind(collected(records().map(|record| status(record.status)))?)
        .bind(records().map(|record| record.fingerprint.0.as_slice()).collect::<Vec<_>>())
        .bind(records().map(|record| record.body.as_slice()).collect::<Vec<_>>()))
}

/// Each stream's place in the lists, from 1.
fn numbers(claims: &Claims) -> Result<BTreeMap<StreamId, i32>, StoreError> {
    claims.keys().zip(1_u64..).map(|(stream, number)| Ok((*stream, small(number)?))).collect()
}

fn streams<'a>(claims: &'a Claims, commit: &'a Commit<'_>) -> Result<Streams<'a>, StoreError> {
    let mut first = BTreeMap::new();
    for (row, place) in commit.events.iter().zip(1_u64..) {
        first.entry(row.stream).or_insert(small(place)?);
    }
    let revision = |head: &Head| rows::int(head.revision.0);
    let mut lists = Streams::default();
    for (stream, before) in claims {
        lists.names.push(stream.to_string());
        lists.revisions_before.push(before.as_ref().map(revision));
        lists.hashes_before.push(before.as_ref().map(|head| head.hash.0.as_slice()));
        lists.first_events.push(first.get(stream).copied());
    }
    Ok(lists)
}

fn collected<T>(values: impl Iterator<Item = Result<T, StoreError>>) -> Result<Vec<T>, StoreError> {
    values.collect()
}

fn small(number: u64) -> Result<i32, StoreError> {
    i32::try_from(number).map_err(|why| StoreError::Rejected(format!("{number}: {why}")))
}
