//! Writing: the one connection that writes, driven by the append task.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;

use holdfast_commands::failpoint;
use holdfast_domain::log::{Head, Position, Revision, StoredBatch, StreamId};
use holdfast_sqlite::insert::{Insert, Query};
use sqlx::sqlite::SqliteConnection;
use sqlx::{Connection, Row};

use super::connect::Start;
use super::heads::{Heads, StreamRow};
use super::{rows, sql};
use crate::store::{
    AnswerRow, Commit, EventRow, Known, Standing, Stood, Store, StoreError, Stretch, Tail, Wanted,
};

/// The writing connection and what it knows without asking.
#[derive(Debug)]
pub(crate) struct Writer {
    connection: SqliteConnection,
    tail: Tail,
    heads: Heads,
    last_stream: i64,
    /// The rows of the transaction's streams: read from the store, then as it writes them.
    touched: BTreeMap<StreamId, StreamRow>,
    tail_after: Option<Tail>,
    /// The folder is ours as long as anything may still be written. The operating system frees it
    /// when the process ends, however it ends.
    lock: File,
}

impl Writer {
    pub(super) fn new(connection: SqliteConnection, lock: File, start: &Start) -> Self {
        Self {
            connection,
            tail: start.tail,
            heads: Heads::default(),
            last_stream: start.last_stream,
            touched: BTreeMap::new(),
            tail_after: None,
            lock,
        }
    }

    pub(super) async fn close(self) {
        // What was committed is durable; a close that fails only leaves a longer recovery.
        let _closed = self.connection.close().await;
        drop(self.lock);
    }

    async fn execute(&mut self, statement: &'static str) -> Result<(), StoreError> {
        sqlx::query(statement).execute(&mut self.connection).await.map_err(failed)?;
        Ok(())
    }

    async fn insert<T: Sync>(
        &mut self,
        insert: &'static Insert,
        rows: &[T],
        bind: impl Fn(Query, &T) -> Query + Send,
    ) -> Result<(), StoreError> {
        insert.run(&mut self.connection, rows, bind).await.map_err(failed)?;
        Ok(())
    }

    /// Inserts the commit's link and its events.
    async fn insert_events(
        &mut self,
        batch: StoredBatch,
        rows: &[EventRow<'_>],
        ids: &BTreeMap<StreamId, i64>,
    ) -> Result<(), StoreError> {
        let bind = |query: Query, row: &EventRow<'_>| {
            bind_event(query, row, ids.get(&row.stream).copied())
        };
        let link = |query| bind_batch(query, &batch);
        let (query, later) = sql::INSERT_BATCH_AND_EVENTS.first(rows, link, &bind);
        query.execute(&mut self.connection).await.map_err(failed)?;
        self.insert(&sql::INSERT_EVENTS, later, bind).await
    }

    /// The rows of the streams after this commit; a stream that is new gets its number here.
    fn streams_after(&mut self, heads: &BTreeMap<StreamId, Head>) -> Vec<(StreamId, StreamRow)> {
        let mut after = Vec::with_capacity(heads.len());
        for (stream, head) in heads {
            let id = self.touched.get(stream).map_or_else(
                || {
                    self.last_stream = self.last_stream.saturating_add(1);
                    self.last_stream
                },
                |row| row.id,
            );
            let row = StreamRow { id, head: *head };
            self.touched.insert(*stream, row);
            after.push((*stream, row));
        }
        after
    }
}

impl Store for Writer {
    async fn begin(&mut self, wanted: &Wanted) -> Result<(Tail, Known), StoreError> {
        self.touched.clear();
        self.tail_after = None;
        let mut known = Known::default();
        let ids: Vec<_> =
            wanted.commands.iter().map(|id| id.as_uuid().simple().to_string()).collect();
        let query = sqlx::query(sql::BEGIN_AND_ANSWERED).bind(json(&ids)?);
        for row in &query.fetch_all(&mut self.connection).await.map_err(failed)? {
            let answered = rows::answered(row).map_err(failed)?;
            known.answered.insert(answered.record.id, answered);
        }
        let mut unknown = Vec::new();
        for stream in &wanted.streams {
            match self.heads.get(*stream) {
                Some(row) => drop(self.touched.insert(*stream, row)),
                None => unknown.push(stream.to_string()),
            }
        }
        if !unknown.is_empty() {
            let query = sqlx::query(sql::HEADS).bind(json(&unknown)?);
            for row in &query.fetch_all(&mut self.connection).await.map_err(failed)? {
                let (stream, row) = stream_row(row).map_err(failed)?;
                self.heads.put(stream, row);
                self.touched.insert(stream, row);
            }
        }
        known.heads = self.touched.iter().map(|(stream, row)| (*stream, row.head)).collect();
        Ok((self.tail, known))
    }

    async fn stood(&mut self, stretches: &BTreeSet<Stretch>) -> Result<Stood, StoreError> {
        let mut stood = Stood::new();
        if stretches.is_empty() {
            return Ok(stood);
        }
        let wanted: Vec<_> =
            stretches.iter().map(|(stream, from, to)| (stream.to_string(), from.0, to.0)).collect();
        let query = sqlx::query(sql::STOOD).bind(json(&wanted)?);
        for row in &query.fetch_all(&mut self.connection).await.map_err(failed)? {
            let (at, standing) = standing_row(row).map_err(failed)?;
            stood.insert(at, standing);
        }
        Ok(stood)
    }

    async fn write(&mut self, commit: &Commit<'_>) -> Result<(), StoreError> {
        let streams = self.streams_after(&commit.heads);
        self.insert(&sql::UPSERT_STREAMS, &streams, bind_stream).await?;
        if let Some(batch) = commit.batch {
            let ids = streams.iter().map(|(stream, row)| (*stream, row.id)).collect();
            self.insert_events(batch, &commit.events, &ids).await?;
            let (batch, position, hash) = (batch.number, batch.last, batch.hash);
            self.tail_after = Some(Tail { position, batch, hash });
        }
        failpoint::hit("store.after_insert_event");
        self.insert(&sql::INSERT_ANSWERS, &commit.answers, bind_answer).await?;
        failpoint::hit("store.after_insert_idem");
        Ok(())
    }

    async fn commit(&mut self) -> Result<(), StoreError> {
        self.execute("COMMIT").await?;
        for (stream, row) in std::mem::take(&mut self.touched) {
            self.heads.put(stream, row);
        }
        self.tail = self.tail_after.take().unwrap_or(self.tail);
        Ok(())
    }

    async fn rollback(&mut self) {
        self.touched.clear();
        self.tail_after = None;
        // Some errors have rolled back already; the next begin fails loudly if one is still open.
        let _already_over = self.execute("ROLLBACK").await;
    }
}

/// What an error means for what was asked. Everything that is not known to be harmless is not.
#[expect(clippy::needless_pass_by_value, reason = "it is given to `map_err`")]
fn failed(why: sqlx::Error) -> StoreError {
    const BUSY: i32 = 5;
    const LOCKED: i32 = 6;
    const TOO_BIG: i32 = 18;
    const CONSTRAINT: i32 = 19;
    let code = why.as_database_error().and_then(sqlx::error::DatabaseError::code);
    // The lower byte of an extended code is the code.
    let code = code.and_then(|code| code.parse::<i32>().ok()).map(|code| code & 0xff);
    match code {
        Some(BUSY | LOCKED) => StoreError::Busy(why.to_string()),
        Some(TOO_BIG | CONSTRAINT) => StoreError::Rejected(why.to_string()),
        Some(_) | None => StoreError::Failed(why.to_string()),
    }
}

fn json(list: &impl serde::Serialize) -> Result<String, StoreError> {
    serde_json::to_string(list).map_err(|why| StoreError::Rejected(why.to_string()))
}

fn parsed(name: &str) -> Result<StreamId, sqlx::Error> {
    name.parse().map_err(|why| sqlx::Error::Decode(Box::new(why)))
}

fn stream_row(row: &sqlx::sqlite::SqliteRow) -> Result<(StreamId, StreamRow), sqlx::Error> {
    let head = Head { revision: Revision(rows::number(row, 2)?), hash: rows::hash(row, 3)? };
    Ok((parsed(row.try_get(1)?)?, StreamRow { id: row.try_get(0)?, head }))
}

fn standing_row(
    row: &sqlx::sqlite::SqliteRow,
) -> Result<((StreamId, Revision), Standing), sqlx::Error> {
    let standing = Standing {
        event_id: Some(rows::event_id(row, 2)?),
        hash: rows::hash(row, 3)?,
        position: Position(rows::number(row, 4)?),
    };
    Ok(((parsed(row.try_get(0)?)?, Revision(rows::number(row, 1)?)), standing))
}

fn bind_batch(query: Query, batch: &StoredBatch) -> Query {
    query
        .bind(rows::int(batch.number))
        .bind(rows::int(batch.first.0))
        .bind(rows::int(batch.last.0))
        .bind(batch.hash.0.as_slice())
}

fn bind_stream(query: Query, (stream, row): &(StreamId, StreamRow)) -> Query {
    query
        .bind(row.id)
        .bind(stream.to_string())
        .bind(rows::int(row.head.revision.0))
        .bind(row.head.hash.0.as_slice())
}

fn bind_event(query: Query, row: &EventRow<'_>, stream: Option<i64>) -> Query {
    query
        .bind(rows::int(row.position.0))
        .bind(stream)
        .bind(rows::int(row.revision.0))
        .bind(rows::int(row.append_end.0))
        .bind(row.event.event_id.as_uuid().as_bytes().as_slice())
        .bind(row.event.name.as_str())
        .bind(i64::from(row.event.schema))
        .bind(row.event.accepted_at.micros())
        .bind(row.event.metadata.as_slice())
        .bind(row.event.payload.as_slice())
        .bind(row.hash.0.as_slice())
}

fn bind_answer(query: Query, row: &AnswerRow<'_>) -> Query {
    query
        .bind(row.record.id.as_uuid().as_bytes().as_slice())
        .bind(row.record.fingerprint.0.as_slice())
        .bind(i64::from(row.record.status))
        .bind(row.record.body.as_slice())
        .bind(row.record.revision.map(|revision| rows::int(revision.0)))
        .bind(rows::int(row.position.0))
        .bind(row.record.accepted_at.micros())
}
