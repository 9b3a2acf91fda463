//! Writing: a connection that writes, driven by its append task. After any doubt about it the connection
//! is thrown away, and the next commit dials another: the server may have gone, or the primary moved.

use std::collections::BTreeSet;
use std::time::Duration;

use holdfast_commands::failpoint;
use holdfast_domain::log::Position;
use holdfast_postgres::Address;
use sqlx::Connection as _;
use sqlx::postgres::{PgConnection, PgRow};
use tokio::time::Instant;

use super::trouble::{Trouble, in_time};
use super::{connect, lists, rows, sql};
use crate::store::{Claims, Commit, Known, Stood, Store, StoreError, Stretch, Tail, Wanted};

/// How long a statement may take, and a connection to be made: together less than the two seconds
/// within which a caller is told that the log cannot be reached.
const STATEMENT: Duration = Duration::from_secs(1);
const DIAL: Duration = Duration::from_millis(700);
/// For so long after a failure nothing is tried: what waits is told at once, instead of one after
/// the other.
const REST: Duration = Duration::from_millis(200);
/// A commit of more bytes may take longer, in proportion.
const SWIFT_BYTES: usize = 2 << 20;

/// The writing connection, if there is one.
#[derive(Debug)]
pub(crate) struct Writer {
    address: Address,
    connection: Option<PgConnection>,
    rests_until: Option<Instant>,
    in_transaction: bool,
    /// The tail and the heads under the lock that the transaction holds.
    tail: Option<Tail>,
    heads: Claims,
}

impl Writer {
    pub(super) fn new(address: Address, connection: PgConnection) -> Self {
        Self {
            address,
            connection: Some(connection),
            rests_until: None,
            in_transaction: false,
            tail: None,
            heads: Claims::new(),
        }
    }

    pub(super) async fn close(self) {
        if let Some(connection) = self.connection {
            // What was committed is durable; the server notices a connection that is gone.
            let _closed = tokio::time::timeout(DIAL, connection.close()).await;
        }
    }

    /// Takes the connection out for one statement; [`Writer::keep`] puts it back. What happens in
    /// between, also that this task ends, leaves no connection that nobody knows the state of.
    async fn session(&mut self) -> Result<PgConnection, StoreError> {
        if let Some(connection) = self.connection.take() {
            return Ok(connection);
        }
        if self.in_transaction {
            return Err(StoreError::Busy("the connection was lost".to_owned()));
        }
        if self.rests_until.is_some_and(|until| Instant::now() < until) {
            return Err(StoreError::Busy("the database does not answer".to_owned()));
        }
        let dialled = tokio::time::timeout(DIAL, self.dial()).await;
        let late = || Err(StoreError::Busy("the database does not answer".to_owned()));
        let connection = dialled.unwrap_or_else(|_late| late());
        if connection.is_err() {
            self.rest();
        }
        connection
    }

    async fn dial(&self) -> Result<PgConnection, StoreError> {
        let busy = |why: String| StoreError::Busy(why);
        let mut connection = self.address.dial(DIAL).await.map_err(|why| busy(why.to_string()))?;
        match connect::enter(&mut connection).await {
            Ok(true) => Ok(connection),
            Ok(false) => Err(busy("the log is being given a new life".to_owned())),
            Err(why) => Err(busy(why.to_string())),
        }
    }

    fn rest(&mut self) {
        self.rests_until = Instant::now().checked_add(REST);
    }

    fn keep<T>(&mut self, connection: PgConnection, answer: &Result<T, Trouble>) {
        match answer {
            Err(trouble) if !trouble.leaves_session() => {
                tracing::warn!(?trouble, "the log's connection is given up");
                drop(connection);
            }
            Ok(_) | Err(_) => self.connection = Some(connection),
        }
    }

    async fn rows(
        &mut self,
        question: sqlx::query::Query<'_, sqlx::Postgres, sqlx::postgres::PgArguments>,
    ) -> Result<Vec<PgRow>, StoreError> {
        let mut connection = self.session().await?;
        let answer = in_time(STATEMENT, question.fetch_all(&mut connection)).await;
        self.keep(connection, &answer);
        answer.map_err(Trouble::unwritten)
    }

    /// Calls `log_append`; the tail after it, or none when it wrote nothing.
    async fn append(
        &mut self,
        claims: &Claims,
        commit: &Commit<'_>,
        base: Position,
    ) -> Result<Result<Option<Tail>, Trouble>, StoreError> {
        let call = lists::append(claims, commit, base)?;
        let mut connection = self.session().await?;
        let answer = in_time(patience(commit), async {
            // Until the last row was read: the commit comes after it.
            let found = call.fetch_all(&mut connection).await?;
            rows::tail_if_any(found.first().ok_or(sqlx::Error::RowNotFound)?)
        });
        let answer = answer.await;
        self.keep(connection, &answer);
        Ok(answer)
    }

    async fn simple(
        &mut self,
        statement: &'static str,
    ) -> Result<Vec<PgRow>, Result<Trouble, StoreError>> {
        let mut connection = self.session().await.map_err(Err)?;
        let answer = in_time(STATEMENT, sqlx::raw_sql(statement).fetch_all(&mut connection)).await;
        self.keep(connection, &answer);
        answer.map_err(Ok)
    }

    fn ended(&mut self) {
        self.in_transaction = false;
        self.tail = None;
        self.heads.clear();
    }
}

/// How long a commit may take.
fn patience(commit: &Commit<'_>) -> Duration {
    let events = commit.events.iter().map(|row| row.event.size());
    let bytes = events.fold(0_usize, usize::saturating_add);
    let more = u32::try_from(bytes.div_euclid(SWIFT_BYTES)).unwrap_or(u32::MAX);
    STATEMENT.saturating_mul(more.saturating_add(1))
}

fn each<T>(
    found: &[PgRow],
    read: impl Fn(&PgRow) -> Result<T, sqlx::Error>,
) -> Result<Vec<T>, StoreError> {
    let damaged = |why: sqlx::Error| StoreError::Failed(why.to_string());
    found.iter().map(|row| read(row).map_err(damaged)).collect()
}

impl Store for Writer {
    const AT_ONCE: bool = true;

    async fn at_once(
        &mut self,
        claims: &Claims,
        commit: &Commit<'_>,
    ) -> Result<Option<Tail>, StoreError> {
        self.append(claims, commit, Position::START).await?.map_err(Trouble::undecided)
    }

    async fn begin(&mut self, wanted: &Wanted) -> Result<(Tail, Known), StoreError> {
        let begun = self.simple(sql::BEGIN).await;
        self.in_transaction = true;
        let begun = begun.map_err(|why| why.map_or_else(|busy| busy, Trouble::unwritten))?;
        let tail = each(&begun, rows::tail)?.pop();
        let tail = tail.ok_or_else(|| StoreError::Failed("the log has no tail".to_owned()))?;
        self.tail = Some(tail);
        let mut known = Known::default();
        if !wanted.streams.is_empty() {
            let names: Vec<_> = wanted.streams.iter().map(ToString::to_string).collect();
            let found = self.rows(sqlx::query(sql::HEADS).bind(names)).await?;
            known.heads.extend(each(&found, rows::head)?);
        }
        if !wanted.commands.is_empty() {
            let ids: Vec<_> = wanted.commands.iter().map(|id| *id.as_uuid()).collect();
            let found = self.rows(sqlx::query(sql::ANSWERS).bind(ids)).await?;
            let found = each(&found, rows::answered)?;
            known.answered.extend(found.into_iter().map(|answered| (answered.record.id, answered)));
        }
        self.heads = wanted
            .streams
            .iter()
            .map(|stream| (*stream, known.heads.get(stream).copied()))
            .collect();
        Ok((tail, known))
    }

    async fn stood(&mut self, stretches: &BTreeSet<Stretch>) -> Result<Stood, StoreError> {
        if stretches.is_empty() {
            return Ok(Stood::new());
        }
        let names: Vec<_> = stretches.iter().map(|(stream, _, _)| stream.to_string()).collect();
        let first: Vec<_> = stretches.iter().map(|(_, first, _)| rows::int(first.0)).collect();
        let last: Vec<_> = stretches.iter().map(|(_, _, last)| rows::int(last.0)).collect();
        let question = sqlx::query(sql::STOOD).bind(names).bind(first).bind(last);
        let found = self.rows(question).await?;
        Ok(each(&found, rows::standing)?.into_iter().collect())
    }

    async fn write(&mut self, commit: &Commit<'_>) -> Result<(), StoreError> {
        let Some(tail) = self.tail else {
            return Err(StoreError::Busy("no transaction is open".to_owned()));
        };
        let heads = std::mem::take(&mut self.heads);
        let written = heads.into_iter().filter(|(stream, _)| commit.heads.contains_key(stream));
        let claims: Claims = written.collect();
        let after = self.append(&claims, commit, tail.position).await?;
        let after = after.map_err(Trouble::unwritten)?;
        failpoint::hit("store.after_insert_event");
        failpoint::hit("store.after_insert_idem");
        let expected = commit.batch.map_or(tail, |batch| Tail {
            position: batch.last,
            batch: batch.number,
            hash: batch.hash,
        });
        if after == Some(expected) {
            return Ok(());
        }
        // Under the lock nothing can have changed: the tables do not mean what this build thinks.
        Err(StoreError::Failed(format!("expected {expected:?} after a write, found {after:?}")))
    }

    async fn commit(&mut self) -> Result<(), StoreError> {
        let answer = self.simple("COMMIT").await;
        self.ended();
        match answer {
            Ok(_) => Ok(()),
            Err(Ok(trouble)) => Err(trouble.undecided()),
            // The connection was gone before anything was sent.
            Err(Err(busy)) => Err(busy),
        }
    }

    async fn rollback(&mut self) {
        if self.in_transaction && self.connection.is_some() {
            // A connection on which this fails is thrown away, and the server rolls back.
            let _over = self.simple("ROLLBACK").await;
        }
        self.ended();
    }
}

#[cfg(test)]
mod tests {
    use holdfast_test_stores::postgres;

    use super::*;

    #[tokio::test]
    async fn one_who_stands_still_with_the_tail_is_thrown_out_and_others_go_on() {
        let Some(schema) = postgres("log, standstill").await else { return };
        let address: Address = schema.url().parse().unwrap();
        connect::migrate(&address).await.unwrap();
        let sessions = connect::sessions(address);
        let mut writers = Vec::new();
        for _ in 0..2 {
            writers.push(Writer::new(sessions.clone(), sessions.dial(DIAL).await.unwrap()));
        }
        let [paused, other] = &mut writers[..] else { panic!("two") };
        let nothing = Wanted::default();
        paused.begin(&nothing).await.unwrap();
        // From here on it does nothing, as a process that was stopped.
        let began = Instant::now();
        let mut refused = 0;
        while let Err(why) = other.begin(&nothing).await {
            assert!(matches!(why, StoreError::Busy(_)), "{why:?}");
            other.rollback().await;
            refused += 1;
            assert!(began.elapsed() < Duration::from_secs(6), "it is never thrown out");
        }
        assert!(refused >= 3, "told in time: {refused}");
        assert!(began.elapsed() > Duration::from_secs(2), "a short pause is forgiven");
        other.rollback().await;
        // It is told when it goes on, and begins anew.
        let late = paused.commit().await;
        assert!(matches!(late, Err(StoreError::Lost(_))), "{late:?}");
        paused.rollback().await;
        paused.begin(&nothing).await.unwrap();
        paused.commit().await.unwrap();
    }
}
