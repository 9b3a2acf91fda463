//! Visits to the database: bounded in time, and each on a connection that is thrown away unless the
//! visit came to its end, because nobody knows what the server still sends on it.

use std::ops::{Deref, DerefMut};
use std::time::Duration;

use holdfast_domain::log::Pending;
use holdfast_postgres::{Address, Database, DatabaseError};
use holdfast_projections::ports::StoreError;
use sqlx::Row as _;
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnection, Postgres};
use tokio::time::{sleep, timeout};

use super::values::{failed, number};

/// How long a call may take, with getting a connection: whoever asks has an answer within two
/// seconds.
const PATIENCE: Duration = Duration::from_millis(1_900);

/// How often the server is asked whether it is there while it works on something long.
const ATTENTION: Duration = Duration::from_millis(100);

/// The longest that anything may take.
const LONGEST: Duration = Duration::from_mins(10);

/// Lifts the bound of a session's statements, for what takes as long as there is much to do.
pub(super) const UNBOUNDED: &str = "SET statement_timeout = 0";

/// Brings it back.
pub(super) const BOUNDED: &str = "RESET statement_timeout";

/// A connection that goes back to the pool only by [`Visit::end`].
pub(super) struct Visit {
    connection: PoolConnection<Postgres>,
    ended: bool,
}

impl Visit {
    /// Gets a connection.
    pub(super) async fn begin(database: &Database) -> Result<Self, StoreError> {
        let connection = database.acquire().await.map_err(failed)?;
        Ok(Self { connection, ended: false })
    }

    /// Gives the connection back: everything that was asked was answered.
    pub(super) fn end(mut self) {
        self.ended = true;
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        if !self.ended {
            self.connection.close_on_drop();
        }
    }
}

impl Deref for Visit {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        &self.connection
    }
}

impl DerefMut for Visit {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.connection
    }
}

fn silent() -> StoreError {
    StoreError::Unavailable("the database does not answer".to_owned())
}

/// Sessions for reads. Whoever asked has gone after [`PATIENCE`], and gave its place to somebody else:
/// what the server still did for it would come on top of the connections that are counted.
pub(super) fn reader(address: Address) -> Address {
    address.with("statement_timeout", "2s")
}

/// Sessions for whoever keeps the views. A page may be committed after its runner has given it up, so
/// that it goes on from there; it only must not take for ever.
pub(super) fn worker(address: Address) -> Address {
    address
        .with("statement_timeout", "30s")
        // Everything is found by a key, so plans are by index however little the planner knows of a
        // view that is being filled, and are made once.
        .with("enable_seqscan", "off")
        .with("enable_hashjoin", "off")
        .with("enable_mergejoin", "off")
        .with("plan_cache_mode", "force_generic_plan")
}

/// Finds the database.
pub(super) async fn connect(address: Address, connections: u32) -> Result<Database, StoreError> {
    // Whoever asked has gone by then; a session that waits on would only stand in the way.
    let bounded = address
        .with("lock_timeout", "5s")
        .with("idle_in_transaction_session_timeout", "5s")
        // What is asked is small: neither compiling it nor other processes would pay.
        .with("jit", "off")
        .with("max_parallel_workers_per_gather", "0");
    Database::connect(bounded, connections).await.map_err(|why| match why {
        DatabaseError::NotDurable(_) | DatabaseError::NoSchema { .. } => {
            StoreError::Refused(why.to_string())
        }
        DatabaseError::NoPrimary { .. } => StoreError::Unavailable(why.to_string()),
        DatabaseError::Refused(why) => failed(why),
    })
}

/// Waits for something that every call has to have done soon.
pub(super) async fn bounded<T>(
    work: impl Future<Output = Result<T, StoreError>> + Send,
) -> Result<T, StoreError> {
    timeout(PATIENCE, work).await.unwrap_or_else(|_too_long| Err(silent()))
}

/// Waits for something that takes as long as there is much to do, as long as the server is there.
pub(super) async fn attended<T: Send>(
    database: &Database,
    work: impl Future<Output = Result<T, StoreError>> + Send,
) -> Result<T, StoreError> {
    tokio::select! {
        done = timeout(LONGEST, work) => done.unwrap_or_else(|_too_long| Err(silent())),
        gone = attend(database) => Err(gone),
    }
}

/// Asks the server until it does not answer, and says why.
async fn attend(database: &Database) -> StoreError {
    loop {
        sleep(ATTENTION).await;
        // Every acquired connection has just been asked something.
        let asked: Pending<'_, _> = Box::pin(async {
            Visit::begin(database).await?.end();
            Ok(())
        });
        if let Err(gone) = bounded(asked).await {
            return gone;
        }
    }
}

/// Sweeps up to `many` rows; says how many were found.
pub(super) async fn handful(
    database: &Database,
    sweep: &'static str,
    many: u32,
) -> Result<u64, StoreError> {
    bounded(async {
        let mut visit = Visit::begin(database).await?;
        let row = sqlx::query(sweep).bind(i64::from(many)).fetch_one(&mut *visit).await;
        let swept = row.and_then(|row| row.try_get(0)).map_err(failed)?;
        visit.end();
        number(swept)
    })
    .await
}

/// Sweeps, a handful at a time, until nothing is found.
pub(super) async fn until_done(
    database: &Database,
    sweep: &'static str,
    many: u32,
) -> Result<(), StoreError> {
    while handful(database, sweep, many).await? > 0 {}
    Ok(())
}
