//! The stores of a node, opened as the configuration says. A program that starts several nodes in
//! one process hands them the same ones.

use std::sync::Arc;

use holdfast_commands::ports::{Ids as _, StoreClock};
use holdfast_domain::ids::Epoch;
use holdfast_domain::log::{EventLog, Feed};
use holdfast_eventlog::{MemoryLog, OpenError, SqliteLog};
use holdfast_gateways::system::SystemIds;
use holdfast_projections::hints::Hints;
use holdfast_projections::leases::Leases;
use holdfast_projections::ports::{ReadStore as ReadPort, StoreError};
use holdfast_readmodel::memory::MemoryReadStore;
use holdfast_readmodel::sqlite::SqliteReadStore;
use holdfast_readmodel::{LocalHints, OnlyNode};

use crate::config::Config;
use crate::config::stores::{LogStore, ReadStore};
use crate::lifecycle::Lifecycle;

/// Why a store does not open.
#[derive(Debug, thiserror::Error)]
pub enum StoresError {
    /// The event log.
    #[error("the event log: {0}")]
    Log(#[from] OpenError),
    /// The read models.
    #[error("the read models: {0}")]
    Views(#[from] StoreError),
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
    /// The clock of a store on another machine; none where the store has the node's own.
    pub clock: Option<Arc<dyn StoreClock>>,
    /// The log's writer, on stores that have one in this process.
    pub sqlite: Option<Arc<SqliteLog>>,
}

impl Stores {
    /// Opens them; they are closed when the node ends.
    pub async fn open(config: &Config, lifecycle: &Lifecycle) -> Result<Self, StoresError> {
        let views = open_views(config, lifecycle).await?;
        let (leases, hints) = (Arc::new(OnlyNode::new()), Arc::new(LocalHints::new()));
        match &config.log {
            LogStore::Memory => {
                let log = Arc::new(MemoryLog::new(Epoch::from_uuid(SystemIds.fresh())));
                let (log, feed) = (Arc::clone(&log), log);
                Ok(Self { log, feed, views, leases, hints, clock: None, sqlite: None })
            }
            LogStore::Sqlite(folder) => {
                let log = SqliteLog::open(folder, lifecycle.runtime().clone()).await?;
                watch(&log, lifecycle);
                let (sqlite, feed) = (Some(Arc::clone(&log)), Arc::clone(&log));
                Ok(Self { log, feed, views, leases, hints, clock: None, sqlite })
            }
        }
    }
}

/// After a failed write nothing more may be acknowledged: the process ends.
fn watch(log: &Arc<SqliteLog>, lifecycle: &Lifecycle) {
    let mut poisoned = log.poisoned();
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
    let closing = Arc::clone(log);
    lifecycle.at_the_end(async move { closing.close().await });
}

async fn open_views(
    config: &Config,
    lifecycle: &Lifecycle,
) -> Result<Arc<dyn ReadPort>, StoresError> {
    match &config.read {
        ReadStore::Memory => Ok(Arc::new(MemoryReadStore::new())),
        ReadStore::Sqlite(folder) => {
            let store = SqliteReadStore::open(folder).await?;
            let closing = store.clone();
            lifecycle.at_the_end(async move { closing.close().await });
            Ok(Arc::new(store))
        }
    }
}
