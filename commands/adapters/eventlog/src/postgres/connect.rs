//! Opening: sessions that wait for nothing without bound, migrations, and where the log ends.

use std::sync::LazyLock;
use std::time::Duration;

use holdfast_domain::ids::Epoch;
use holdfast_domain::log::Position;
use holdfast_postgres::{Address, AddressError, DatabaseError, migrations, told};
use sqlx::migrate::Migrator;
use sqlx::postgres::PgConnection;
use sqlx::{Connection as _, Row as _};

use super::{rows, sql};
use crate::store::Tail;

/// How long opening waits for the database, and for another node that migrates.
const PATIENCE: Duration = Duration::from_mins(1);

/// The changes of the log's tables. Read models in the same schema note theirs elsewhere.
pub(super) static MIGRATIONS: LazyLock<Migrator> = LazyLock::new(|| {
    let known = sqlx::migrate!("../../../migrations/eventlog/postgres");
    migrations::noted_in("_holdfast_log_migrations", known)
});

/// Why a log was not opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Not an address.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// The database cannot be entered, or would acknowledge what a loss of power takes back.
    #[error("the log's database cannot be used: {0}")]
    Database(#[from] DatabaseError),
    /// A node has it, or somebody who begins a new life of it.
    #[error("the log in {address} is in use; stop the nodes first")]
    InUse {
        /// Where.
        address: Address,
    },
    /// There is none to be read.
    #[error("there is no log in {address}; `holdfast serve` begins one")]
    Absent {
        /// Where.
        address: Address,
    },
    /// Its tables are not those of this release.
    #[error(
        "the log in {address} has the tables of another release; see `holdfast migrate status`"
    )]
    OtherShape {
        /// Where.
        address: Address,
    },
    /// The tables could not be brought to the shape that this release needs.
    #[error("the log's tables cannot be migrated: {0}; see `holdfast migrate status`")]
    Migration(#[from] sqlx::migrate::MigrateError),
    /// What is stored contradicts itself.
    #[error("the log is damaged: {0}")]
    Damaged(String),
    /// The database said no.
    #[error("the log cannot be opened: {}", told(.0))]
    Store(#[from] sqlx::Error),
}

/// What is known of a log when it is opened.
#[derive(Debug)]
pub(super) struct Start {
    pub(super) epoch: Epoch,
    pub(super) tail: Tail,
    pub(super) channel: String,
}

/// Sessions that read and write the log. Everything in it is found by a key, so plans are by index
/// however little the planner knows of a young table.
pub(super) fn sessions(address: Address) -> Address {
    address
        // A snapshot per statement: what is read after the tail's lock was granted is the newest.
        .with("default_transaction_isolation", "read committed")
        .with("enable_seqscan", "off")
        .with("enable_hashjoin", "off")
        .with("enable_mergejoin", "off")
        .with("plan_cache_mode", "force_generic_plan")
        .with("jit", "off")
        // Starting a second process for a page takes several times what the page takes.
        .with("max_parallel_workers_per_gather", "0")
        // A node that stands still with the tail in its hand is thrown out, and the others go on.
        .with("idle_in_transaction_session_timeout", "3s")
        // Whoever asked has gone by then.
        .with("statement_timeout", "5s")
        // The tail's lock is waited for less than who asks waits, so that it is known that nothing was
        // written.
        .with("lock_timeout", "800ms")
}

/// Brings the tables to this release's shape, one node at a time.
pub(super) async fn migrate(address: &Address) -> Result<(), OpenError> {
    let patient = address.clone().with("lock_timeout", "60s").with("statement_timeout", "0");
    let mut connection = patient.dial(PATIENCE).await?;
    // `run` takes anything that gives connections, and a future over that is not `Send` enough.
    MIGRATIONS.run_direct(None, &mut connection, false).await?;
    Ok(connection.close().await?)
}

/// Which life of the log this is, where it ends, and where its nodes call one another.
pub(super) async fn start(connection: &mut PgConnection) -> Result<Start, OpenError> {
    let row = sqlx::query(sql::START).fetch_one(connection).await?;
    let tail = rows::tail(&row)?;
    let event = rows::number(&row, 3)?;
    if event != tail.position.0 {
        let Position(end) = tail.position;
        return Err(OpenError::Damaged(format!(
            "its last event is {event}, but its last commit ends at {end}"
        )));
    }
    Ok(Start { epoch: rows::epoch(&row, 4)?, tail, channel: row.try_get(5)? })
}

/// Says that a node has the log, as long as the connection lives. It keeps an operator's mistake
/// away, nothing more: a lock of a session goes with the session.
pub(super) async fn enter(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar(sql::ENTER).fetch_one(connection).await
}

/// Says that nobody else may have the log.
pub(super) async fn take(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar(sql::TAKE).fetch_one(connection).await
}
