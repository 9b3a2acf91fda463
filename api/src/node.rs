//! The parts of a running node and how they are joined: log, views, engine, processes, payments.
//! Everything concrete is chosen here, by the configuration.

use std::sync::Arc;

use holdfast_commands::failpoint;
use holdfast_commands::handle::{Engine, Ports};
use holdfast_commands::ports::Clock;
use holdfast_commands::processes::Processes;
use holdfast_commands::tasks::Tasks;
use holdfast_domain::ids::Epoch;
use holdfast_domain::log::Feed;
use holdfast_gateways::simulator::Simulator;
use holdfast_gateways::system::{SystemClock, SystemIds};
use holdfast_gateways::test_clock::TestClock;
use holdfast_projections::ports::ReadStore as ReadPort;
use holdfast_projections::runner::Options;
use holdfast_projections::{Projections, Reader, Runner};
use holdfast_redis::Redis;
use prometheus_client::metrics::counter::Counter;

use crate::config::{Config, TestClock as TestClockSetting};
use crate::due::DueReads;
use crate::http::present::Shown;
use crate::lifecycle::Lifecycle;
use crate::metrics::Metrics;
use crate::stores::{self, StoresError, Writer};

/// Why a part of a node does not open.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// Its stores.
    #[error(transparent)]
    Stores(#[from] StoresError),
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
    /// What appends to the log in this process, unless it is memory.
    pub writer: Option<Writer>,
    /// What nodes share, when the configuration names a Redis.
    pub redis: Option<Arc<Redis>>,
    /// The life of the log when it was opened.
    pub epoch: Epoch,
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
        if let Some(writer) = &self.writer {
            let stats = writer.stats();
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

impl Node {
    /// Opens the stores and starts what runs by itself.
    pub async fn open(config: &Config, lifecycle: &Lifecycle) -> Result<Self, NodeError> {
        let log = stores::open_log(config, lifecycle).await?;
        let epoch = log.feed.head().await.map_err(StoresError::from)?.epoch;
        let redis = stores::open_redis(config).await?;
        let views = stores::open_views(config, epoch, redis.as_ref(), lifecycle).await?;
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
        let (feed, store) = (Arc::clone(&log.feed), Arc::clone(&views.store));
        let runner = Runner::new(feed, store, Projections::all(), options)
            .with_hints(views.hints)
            .with_shared(views.shared);
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
            views: views.store,
            feed: log.feed,
            writer: log.writer,
            redis,
            epoch,
            clock,
            test_clock,
        })
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
