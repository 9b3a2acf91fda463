//! The stores of a node, opened as the configuration names them, and closed with it. The only place
//! that knows every store; everything else knows the ports.

use std::sync::Arc;

use holdfast_commands::ports::Ids as _;
use holdfast_domain::ids::Epoch;
use holdfast_domain::log::{EventLog, Feed, ReadError};
use holdfast_eventlog::{LogStats, MemoryLog, OpenError, PostgresLog, SqliteLog, postgres};
use holdfast_gateways::system::SystemIds;
use holdfast_postgres::{Address, AddressError};
use holdfast_projections::hints::Hints;
use holdfast_projections::leases::Leases;
use holdfast_projections::ports::{ReadStore as ReadPort, StoreError};
use holdfast_projections::shared::SharedCache;
use holdfast_readmodel::redis::{RedisCache, RedisHints};
use holdfast_readmodel::{
    LocalHints, MemoryReadStore, OnlyNode, PostgresReadStore, SqliteReadStore,
};
use holdfast_redis::Redis;
use tokio::sync::watch;

use crate::config::Config;
use crate::config::stores::{LogStore, ReadStore, StoreUrl};
use crate::lifecycle::Lifecycle;

/// Why a store does not open.
#[derive(Debug, thiserror::Error)]
pub enum StoresError {
    /// The event log's file.
    #[error("the event log: {0}")]
    Sqlite(#[from] OpenError),
    /// The event log's database.
    #[error("the event log: {0}")]
    Postgres(#[from] postgres::OpenError),
    /// The event log, when it was asked which one it is.
    #[error("the event log: {0}")]
    Unread(#[from] ReadError),
    /// The read models.
    #[error("the read models: {0}")]
    Views(#[from] StoreError),
    /// An address.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// The address of Redis.
    #[error(transparent)]
    Redis(#[from] holdfast_redis::AddressError),
}

/// What appends in this process.
#[derive(Debug, Clone)]
pub enum Writer {
    /// To a file.
    Sqlite(Arc<SqliteLog>),
    /// To a database.
    Postgres(Arc<PostgresLog>),
}

impl Writer {
    /// What it has done.
    pub fn stats(&self) -> LogStats {
        match self {
            Self::Sqlite(log) => log.stats(),
            Self::Postgres(log) => log.stats(),
        }
    }

    fn poisoned(&self) -> watch::Receiver<Option<String>> {
        match self {
            Self::Sqlite(log) => log.poisoned(),
            Self::Postgres(log) => log.poisoned(),
        }
    }

    /// Writes what waits, and lets go of the store.
    pub async fn close(self) {
        match self {
            Self::Sqlite(log) => log.close().await,
            Self::Postgres(log) => log.close().await,
        }
    }
}

/// One log by its ports.
#[derive(Debug)]
pub struct Log {
    /// To decide and append.
    pub events: Arc<dyn EventLog>,
    /// To follow and audit.
    pub feed: Arc<dyn Feed>,
    /// What appends, unless it is memory.
    pub writer: Option<Writer>,
}

/// Where the views are, and what nodes that share them need.
#[derive(Debug)]
pub struct Views {
    /// The documents.
    pub store: Arc<dyn ReadPort>,
    /// Says when they moved.
    pub hints: Arc<dyn Hints>,
    /// Who does what.
    pub leases: Arc<dyn Leases>,
    /// The cache in front of them.
    pub shared: Option<Arc<dyn SharedCache>>,
}

/// The address of a PostgreSQL database, which the configuration has judged.
pub fn postgres_at(url: &StoreUrl) -> Result<Address, AddressError> {
    url.expose().parse()
}

/// Opens the log.
pub async fn open_log(config: &Config, lifecycle: &Lifecycle) -> Result<Log, StoresError> {
    let runtime = lifecycle.runtime().clone();
    match &config.log {
        LogStore::Memory => {
            let log = Arc::new(MemoryLog::new(Epoch::from_uuid(SystemIds.fresh())));
            let (events, feed) = (Arc::clone(&log), log);
            Ok(Log { events, feed, writer: None })
        }
        LogStore::Sqlite(folder) => {
            let log = SqliteLog::open(folder, runtime).await?;
            let (events, feed) = (Arc::clone(&log), Arc::clone(&log));
            Ok(kept(events, feed, Writer::Sqlite(log), lifecycle))
        }
        LogStore::KurrentDb(_) => Err(StoresError::Unread(ReadError::Unavailable("".into()))),
        LogStore::Postgres(url) => {
            let log = PostgresLog::open(&postgres_at(url)?, runtime).await?;
            let (events, feed) = (Arc::clone(&log), Arc::clone(&log));
            Ok(kept(events, feed, Writer::Postgres(log), lifecycle))
        }
    }
}

fn kept(
    events: Arc<dyn EventLog>,
    feed: Arc<dyn Feed>,
    writer: Writer,
    lifecycle: &Lifecycle,
) -> Log {
    let mut poisoned = writer.poisoned();
    let stop = lifecycle.runners_stop().clone();
    // After a failed write nothing more may be acknowledged: the process ends.
    lifecycle.start("log", async move {
        tokio::select! {
            biased;
            () = stop.cancelled() => Ok(()),
            Ok(why) = poisoned.wait_for(Option::is_some) => Err(why.clone().unwrap_or_default()),
        }
    });
    lifecycle.at_the_end(writer.clone().close());
    Log { events, feed, writer: Some(writer) }
}

/// Opens Redis, when the configuration names one. It need not be there.
pub async fn open_redis(config: &Config) -> Result<Option<Arc<Redis>>, StoresError> {
    match &config.redis {
        Some(address) => Ok(Some(Redis::open(address.expose()).await?)),
        None => Ok(None),
    }
}

/// Opens the read models of a log.
pub async fn open_views(
    config: &Config,
    epoch: Epoch,
    redis: Option<&Arc<Redis>>,
    lifecycle: &Lifecycle,
) -> Result<Views, StoresError> {
    let mut views = match &config.read {
        ReadStore::Memory => alone(Arc::new(MemoryReadStore::new())),
        ReadStore::Sqlite(folder) => {
            let store = SqliteReadStore::open(folder).await?;
            let closing = store.clone();
            lifecycle.at_the_end(async move { closing.close().await });
            alone(Arc::new(store))
        }
        ReadStore::Postgres(url) => {
            let store = PostgresReadStore::open(postgres_at(url)?).await?;
            let (hints, leases) = (Arc::new(store.hints()), Arc::new(store.leases()));
            let closing = store.clone();
            lifecycle.at_the_end(async move { closing.close().await });
            Views { store: Arc::new(store), hints, leases, shared: None }
        }
    };
    if let Some(redis) = redis {
        let cache = RedisCache::new(Arc::clone(redis), epoch, config.cached_for);
        let hints = Arc::new(RedisHints::new(views.hints));
        let (listening, stop) = (Arc::clone(&hints), lifecycle.runners_stop().clone());
        let hear = listening.listen(Arc::clone(redis), cache.channel());
        lifecycle.start("redis hints", async move {
            stop.run_until_cancelled(hear).await;
            Ok(())
        });
        views.hints = hints;
        views.shared = Some(Arc::new(cache));
    }
    Ok(views)
}

/// Of a store that only this process can have.
fn alone(store: Arc<dyn ReadPort>) -> Views {
    let (hints, leases) = (Arc::new(LocalHints::new()), Arc::new(OnlyNode::new()));
    Views { store, hints, leases, shared: None }
}
