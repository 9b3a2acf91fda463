//! The stores of a node, opened as the configuration names them, and closed with it. The only place
//! that knows every store; everything else knows the ports.

use std::sync::Arc;

use holdfast_commands::ports::{Ids as _, StoreClock};
use holdfast_domain::ids::Epoch;
use holdfast_domain::log::{EventLog, Feed, Pending, ReadError};
use holdfast_eventlog::{
    KurrentLog, LogStats, MemoryLog, OpenError, PostgresLog, SqliteLog, postgres,
};
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
use uuid::Uuid;

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
    /// The event log's address.
    #[error("the event log: {0}")]
    KurrentDb(#[from] holdfast_eventlog::AddressError),
    /// The event log, when it was asked which one it is.
    #[error("the event log: {0}")]
    Unread(#[from] ReadError),
    /// The event log on another machine, when it was asked for the first time.
    #[error("the event log at {address}: {why}")]
    Away {
        /// Where it should be, without its password.
        address: StoreUrl,
        /// What came of it.
        why: ReadError,
    },
    /// The read models.
    #[error("the read models: {0}")]
    Views(#[from] StoreError),
    /// Log and read models, which have one address.
    #[error("log-url: the event log and the read models at {address}: {}", unprefixed(.why))]
    Both {
        /// Where they should be, without its password.
        address: StoreUrl,
        /// What came of it.
        why: StoreError,
    },
    /// An address.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// The address of Redis.
    #[error(transparent)]
    Redis(#[from] holdfast_redis::AddressError),
}

/// What a store said, without that it is the read models' who heard it first.
fn unprefixed(why: &StoreError) -> String {
    match why {
        StoreError::Unavailable(said) | StoreError::Damaged(said) | StoreError::Refused(said) => {
            said.clone()
        }
        StoreError::Moved => why.to_string(),
    }
}

/// What appends in this process.
#[derive(Debug, Clone)]
pub enum Writer {
    /// To a file.
    Sqlite(Arc<SqliteLog>),
    /// To a database.
    Postgres(Arc<PostgresLog>),
    /// To a cluster.
    KurrentDb(Arc<KurrentLog>),
}

impl Writer {
    /// What it has done.
    pub fn stats(&self) -> LogStats {
        match self {
            Self::Sqlite(log) => log.stats(),
            Self::Postgres(log) => log.stats(),
            Self::KurrentDb(log) => log.stats(),
        }
    }

    /// Why it appends nothing any more; none for a store that fails only for a time.
    fn poisoned(&self) -> Option<watch::Receiver<Option<String>>> {
        match self {
            Self::Sqlite(log) => Some(log.poisoned()),
            Self::Postgres(log) => Some(log.poisoned()),
            Self::KurrentDb(_) => None,
        }
    }

    /// Writes what waits, and lets go of the store.
    pub async fn close(self) {
        match self {
            Self::Sqlite(log) => log.close().await,
            Self::Postgres(log) => log.close().await,
            Self::KurrentDb(log) => log.close().await,
        }
    }
}

/// Where a node keeps everything, and what nodes that share it tell one another.
#[derive(Debug, Clone)]
pub struct Stores {
    /// The log, to decide and append.
    pub log: Arc<dyn EventLog>,
    /// The log, to follow.
    pub feed: Arc<dyn Feed>,
    /// The views.
    pub views: Arc<dyn ReadPort>,
    /// Who does what.
    pub leases: Arc<dyn Leases>,
    /// That the views moved.
    pub hints: Arc<dyn Hints>,
    /// The cache in front of the views.
    pub shared: Option<Arc<dyn SharedCache>>,
    /// Where that cache is, and what else nodes share.
    pub redis: Option<Arc<Redis>>,
    /// The clock of a store on another machine; none where the store has the node's own.
    pub clock: Option<Arc<dyn StoreClock>>,
    /// What appends in this process, unless it is memory.
    pub writer: Option<Writer>,
}

impl Stores {
    /// Opens them; they are closed when the node ends.
    pub fn open<'a>(
        config: &'a Config,
        lifecycle: &'a Lifecycle,
    ) -> Pending<'a, Result<Self, StoresError>> {
        // Boxed: what all stores do together is too much for the compiler to see through.
        Box::pin(Self::opened(config, lifecycle))
    }

    async fn opened(config: &Config, lifecycle: &Lifecycle) -> Result<Self, StoresError> {
        let views = open_views(config, lifecycle).await?;
        let store = views.id;
        let mut stores = open_log(config, views, lifecycle).await?;
        if let Some(writer) = &stores.writer {
            keep(writer, lifecycle);
        }
        if let Some(address) = &config.redis {
            let redis = Redis::open(address.expose()).await?;
            let epoch = stores.feed.head().await?.epoch;
            let cache = RedisCache::new(Arc::clone(&redis), epoch, store, config.cached_for);
            stores.share(redis, cache, lifecycle);
        }
        Ok(stores)
    }

    /// Puts a cache in front of the views, and hears from it what other nodes did.
    fn share(&mut self, redis: Arc<Redis>, cache: RedisCache, lifecycle: &Lifecycle) {
        let hints = Arc::new(RedisHints::new(Arc::clone(&self.hints)));
        let (listening, stop) = (Arc::clone(&hints), lifecycle.runners_stop().clone());
        let hear = listening.listen(Arc::clone(&redis), cache.channel());
        lifecycle.start("redis hints", async move {
            stop.run_until_cancelled(hear).await;
            Ok(())
        });
        let (looking, stop) = (Arc::clone(&redis), lifecycle.runners_stop().clone());
        lifecycle.start("redis", async move {
            stop.run_until_cancelled(looking.keep_looking()).await;
            Ok(())
        });
        self.hints = hints;
        self.shared = Some(Arc::new(cache));
        self.redis = Some(redis);
    }
}

/// The address of a PostgreSQL database, which the configuration has judged.
pub fn postgres_at(url: &StoreUrl) -> Result<Address, AddressError> {
    url.expose().parse()
}

/// The views by their ports.
struct Views {
    id: Uuid,
    store: Arc<dyn ReadPort>,
    leases: Arc<dyn Leases>,
    hints: Arc<dyn Hints>,
}

async fn open_views(config: &Config, lifecycle: &Lifecycle) -> Result<Views, StoresError> {
    match &config.read {
        ReadStore::Memory => Ok(alone(SystemIds.fresh(), Arc::new(MemoryReadStore::new()))),
        ReadStore::Sqlite(folder) => {
            let store = SqliteReadStore::open(folder).await?;
            let closing = store.clone();
            lifecycle.at_the_end(async move { closing.close().await });
            Ok(alone(store.id(), Arc::new(store)))
        }
        ReadStore::Postgres(url) => {
            let opened = PostgresReadStore::open(postgres_at(url)?).await;
            let store = opened.map_err(|why| of_views(config, url, why))?;
            let (hints, leases) = (Arc::new(store.hints()), Arc::new(store.leases()));
            let (listen, stop) = (Arc::clone(&hints).listen(), lifecycle.runners_stop().clone());
            lifecycle.start("hints of the views", async move {
                stop.run_until_cancelled(listen).await;
                Ok(())
            });
            let closing = store.clone();
            lifecycle.at_the_end(async move { closing.close().await });
            Ok(Views { id: store.id(), store: Arc::new(store), leases, hints })
        }
    }
}

/// The address of the log is the address of the views where these have none of their own.
fn of_views(config: &Config, url: &StoreUrl, why: StoreError) -> StoresError {
    if config.read.is_beside(&config.log) {
        return StoresError::Both { address: url.clone(), why };
    }
    StoresError::Views(why)
}

/// Views that only this process can have.
fn alone(id: Uuid, store: Arc<dyn ReadPort>) -> Views {
    Views { id, store, leases: Arc::new(OnlyNode::new()), hints: Arc::new(LocalHints::new()) }
}

async fn open_log(
    config: &Config,
    views: Views,
    lifecycle: &Lifecycle,
) -> Result<Stores, StoresError> {
    let runtime = lifecycle.runtime().clone();
    let over = |log: Arc<dyn EventLog>, feed: Arc<dyn Feed>, writer: Option<Writer>| {
        let Views { store, leases, hints, .. } = views;
        let (shared, redis, clock) = (None, None, None);
        Stores { log, feed, views: store, leases, hints, shared, redis, clock, writer }
    };
    match &config.log {
        LogStore::Memory => {
            let log = Arc::new(MemoryLog::new(Epoch::from_uuid(SystemIds.fresh())));
            Ok(over(Arc::<MemoryLog>::clone(&log), log, None))
        }
        LogStore::Sqlite(folder) => {
            let log = SqliteLog::open(folder, runtime).await?;
            let writer = Some(Writer::Sqlite(Arc::clone(&log)));
            Ok(over(Arc::<SqliteLog>::clone(&log), log, writer))
        }
        LogStore::Postgres(url) => {
            let log = PostgresLog::open(&postgres_at(url)?, runtime).await?;
            let writer = Some(Writer::Postgres(Arc::clone(&log)));
            let stores =
                over(Arc::<PostgresLog>::clone(&log), Arc::<PostgresLog>::clone(&log), writer);
            Ok(Stores { clock: Some(log), ..stores })
        }
        LogStore::KurrentDb(url) => {
            let if_new = Epoch::from_uuid(SystemIds.fresh());
            let log = KurrentLog::open(url.expose(), if_new, &runtime)?;
            // Nothing is served before the cluster was reached once.
            let reached = log.head().await;
            reached.map_err(|why| StoresError::Away { address: url.clone(), why })?;
            let writer = Some(Writer::KurrentDb(Arc::clone(&log)));
            Ok(over(Arc::<KurrentLog>::clone(&log), log, writer))
        }
    }
}

/// After a failed write nothing more may be acknowledged: the process ends. What waits is written
/// when it ends otherwise.
fn keep(writer: &Writer, lifecycle: &Lifecycle) {
    if let Some(mut poisoned) = writer.poisoned() {
        let stop = lifecycle.runners_stop().clone();
        lifecycle.start("log", async move {
            tokio::select! {
                biased;
                () = stop.cancelled() => Ok(()),
                Ok(why) = poisoned.wait_for(Option::is_some) => {
                    Err(why.clone().unwrap_or_default())
                }
            }
        });
    }
    lifecycle.at_the_end(writer.clone().close());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::sources::Sources;

    #[test]
    fn a_database_that_is_wrong_is_called_by_the_setting_that_names_it() {
        let address = "postgres://me:hush@db/x";
        let said = |flags: &[(&'static str, &str)]| {
            let flags = flags.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
            let config = Config::load(&Sources { flags, ..Sources::default() }).unwrap();
            let why = StoreError::Unavailable("it says no".to_owned());
            of_views(&config, &StoreUrl::new(address), why).to_string()
        };
        assert_eq!(
            said(&[("log-url", address)]),
            "log-url: the event log and the read models at postgres://***@db/x: it says no"
        );
        let apart = said(&[("read-url", address)]);
        assert!(apart.starts_with("the read models: "), "{apart}");
    }
}
