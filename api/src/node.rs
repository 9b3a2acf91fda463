//! The parts of a running node and how they are joined: log, views, engine, processes, payments.
//! Everything concrete is chosen here, by the configuration.

use std::sync::Arc;

use holdfast_commands::failpoint;
use holdfast_commands::handle::{Engine, Ports};
use holdfast_commands::ports::{Clock, Ids};
use holdfast_commands::processes::Processes;
use holdfast_commands::tasks::Tasks;
use holdfast_domain::ids::Epoch;
use holdfast_domain::log::{EventLog, Feed};
use holdfast_eventlog::{MemoryLog, OpenError, SqliteLog};
use holdfast_gateways::simulator::Simulator;
use holdfast_gateways::system::{SystemClock, SystemIds};
use holdfast_gateways::test_clock::TestClock;
use holdfast_projections::ports::{ReadStore as ReadPort, StoreError};
use holdfast_projections::runner::Options;
use holdfast_projections::{Projections, Reader, Runner};
use holdfast_readmodel::memory::MemoryReadStore;
use holdfast_readmodel::sqlite::SqliteReadStore;
use prometheus_client::metrics::counter::Counter;

use crate::config::stores::{LogStore, ReadStore};
use crate::config::{Config, TestClock as TestClockSetting};
use crate::due::DueReads;
use crate::http::present::Shown;
use crate::lifecycle::Lifecycle;
use crate::metrics::Metrics;

/// Why a part of a node does not open.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// The event log.
    #[error("the event log: {0}")]
    Log(#[from] OpenError),
    /// The read models.
    #[error("the read models: {0}")]
    Views(#[from] StoreError),
    /// The payment simulator's ledger.
    #[error("the payment simulator: {0}")]
    Simulator(String),
}

/// What a node runs on.
#[derive(Debug)]
pub struct Node {
    /// Commands in, answers out.
    pub engine: Engine,
    /// Takes the steps that are due.
    pub processes: Processes,
    /// The views.
    pub reader: Reader,
    /// Where the views are kept.
    pub views: Arc<dyn ReadPort>,
    /// The whole log in order.
    pub feed: Arc<dyn Feed>,
    /// The log's writer, on stores that have one in this process.
    pub sqlite: Option<Arc<SqliteLog>>,
    /// The node's clock.
    pub clock: Arc<dyn Clock>,
    /// The same clock, when it can be moved.
    pub test_clock: Option<Arc<TestClock>>,
}

impl Node {
    /// Brings the figures that are read rather than counted up to now.
    pub async fn observe(&self, metrics: &Metrics) {
        if let Ok(head) = self.feed.head().await {
            metrics.log.head.set(head.position.0);
            let lag = head.position.0.saturating_sub(self.reader.position().0);
            metrics.projections.behind("live", lag);
        }
        if let Some(log) = &self.sqlite {
            let stats = log.stats();
            metrics.log.queue.set(stats.queue_depth);
            raise(&metrics.log.commits, stats.commits);
            raise(&metrics.log.events, stats.events);
        }
        let stats = self.processes.stats();
        raise(&metrics.processes.failed, stats.failed);
        raise(&metrics.processes.panicked, stats.panicked);
    }
}

/// Brings a counter up to a total that is counted elsewhere.
fn raise(counter: &Counter, total: u64) {
    counter.inc_by(total.saturating_sub(counter.get()));
}

/// The two ports of one log.
struct Log {
    events: Arc<dyn EventLog>,
    feed: Arc<dyn Feed>,
    sqlite: Option<Arc<SqliteLog>>,
}

impl Node {
    /// Opens the stores and starts what runs by itself.
    pub async fn open(config: &Config, lifecycle: &Lifecycle) -> Result<Self, NodeError> {
        let log = open_log(config, lifecycle).await?;
        let views = open_views(config, lifecycle).await?;
        let (clock, test_clock) = clock(config.test_clock);
        let simulator =
            Simulator::open(&config.data).map_err(|why| NodeError::Simulator(why.to_string()))?;
        let tasks = Tasks::new(
            lifecycle.runtime().clone(),
            lifecycle.tasks().clone(),
            lifecycle.runners_stop().clone(),
        );
        let ports = Ports {
            log: Arc::clone(&log.events),
            clock: Arc::clone(&clock),
            ids: Arc::new(SystemIds),
            gateway: Arc::new(simulator),
            presenter: Arc::new(Shown),
        };
        let engine = Engine::new(ports, tasks.clone());
        let options = Options { failpoint: failpoint::hit, ..Options::default() };
        let runner =
            Runner::new(Arc::clone(&log.feed), Arc::clone(&views), Projections::all(), options);
        let reader = runner.reader();
        let stop = lifecycle.runners_stop().clone();
        lifecycle
            .start("views", async move { runner.run(stop).await.map_err(|why| why.to_string()) });
        let due = Arc::new(DueReads::new(reader.clone()));
        let processes = Processes::new(engine.clone(), due, tasks.clone());
        let running = processes.clone().run();
        lifecycle.start("processes", async move {
            running.await;
            Ok(())
        });
        Ok(Self {
            engine,
            processes,
            reader,
            views,
            feed: log.feed,
            sqlite: log.sqlite,
            clock,
            test_clock,
        })
    }
}

async fn open_log(config: &Config, lifecycle: &Lifecycle) -> Result<Log, NodeError> {
    match &config.log {
        LogStore::Memory => {
            let log = Arc::new(MemoryLog::new(Epoch::from_uuid(SystemIds.fresh())));
            let (events, feed) = (Arc::clone(&log), log);
            Ok(Log { events, feed, sqlite: None })
        }
        LogStore::Sqlite(folder) => {
            let log = SqliteLog::open(folder, lifecycle.runtime().clone()).await?;
            let mut poisoned = log.poisoned();
            let stop = lifecycle.runners_stop().clone();
            // After a failed write nothing more may be acknowledged: the process ends.
            lifecycle.start("log", async move {
                tokio::select! {
                    biased;
                    () = stop.cancelled() => Ok(()),
                    Ok(why) = poisoned.wait_for(Option::is_some) => {
                        Err(why.clone().unwrap_or_default())
                    }
                }
            });
            let closing = Arc::clone(&log);
            lifecycle.at_the_end(async move { closing.close().await });
            let (events, feed) = (Arc::clone(&log), Arc::clone(&log));
            Ok(Log { events, feed, sqlite: Some(log) })
        }
    }
}

async fn open_views(
    config: &Config,
    lifecycle: &Lifecycle,
) -> Result<Arc<dyn ReadPort>, NodeError> {
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

fn clock(test: Option<TestClockSetting>) -> (Arc<dyn Clock>, Option<Arc<TestClock>>) {
    match test {
        None => (Arc::new(SystemClock), None),
        Some(start) => {
            let start = match start {
                TestClockSetting::Now => SystemClock.now(),
                TestClockSetting::At(instant) => instant,
            };
            let clock = Arc::new(TestClock::starting_at(start));
            (Arc::<TestClock>::clone(&clock), Some(clock))
        }
    }
}
