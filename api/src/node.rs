//! The parts of a running node and how they are joined: log, views, engine, processes, payments.
//! Everything concrete is chosen here, by the configuration.

use std::sync::Arc;
use std::time::Duration;

use holdfast_commands::failpoint;
use holdfast_commands::handle::{Engine, Ports};
use holdfast_commands::ports::{Clock, Ids, StoreClock};
use holdfast_commands::processes::Processes;
use holdfast_commands::shares::Shares;
use holdfast_commands::tasks::Tasks;
use holdfast_domain::log::Feed;
use holdfast_gateways::simulator::Simulator;
use holdfast_gateways::system::{SystemClock, SystemIds};
use holdfast_gateways::test_clock::TestClock;
use holdfast_projections::ports::ReadStore as ReadPort;
use holdfast_projections::runner::Options;
use holdfast_projections::{Projections, Reader, Runner, Shift, watcher};
use holdfast_redis::Redis;
use prometheus_client::metrics::counter::Counter;

use crate::config::{Config, TestClock as TestClockSetting};
use crate::division::Division;
use crate::due::DueReads;
use crate::http::present::Shown;
use crate::lifecycle::Lifecycle;
use crate::metrics::Metrics;
use crate::stores::{Stores, StoresError, Writer};

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
    /// What nodes share beside the stores, when the configuration names a Redis.
    pub redis: Option<Arc<Redis>>,
    /// The clock of the stores, where it is not the node's own.
    pub store_clock: Option<Arc<dyn StoreClock>>,
    /// How the work is divided between the nodes.
    pub division: Division,
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
        if let Ok(divided) = self.division.now().await {
            metrics.division.show(&divided);
        }
        if let Some(redis) = &self.redis {
            metrics.cache.answers(redis.gone().borrow().is_none());
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
    /// Joins the parts over these stores, and starts what runs by itself.
    pub fn open(config: &Config, stores: Stores, lifecycle: &Lifecycle) -> Result<Self, NodeError> {
        let (clock, test_clock) = clock(config.test_clock);
        let simulator =
            Simulator::open(&config.data).map_err(|why| NodeError::Simulator(why.to_string()))?;
        let tasks = Tasks::new(
            lifecycle.runtime().clone(),
            lifecycle.tasks().clone(),
            lifecycle.runners_stop().clone(),
        );
        let ports = Ports {
            log: Arc::clone(&stores.log),
            clock: Arc::clone(&clock),
            ids: Arc::new(SystemIds),
            gateway: Arc::new(simulator),
            presenter: Arc::new(Shown),
        };
        let engine = Engine::new(ports, tasks.clone());
        let name = name(config.node_name.as_deref());
        tracing::info!(node = name, role = %config.role, "this node's name in the leases");
        let runner = runner(&stores, config);
        let reader = runner.reader();
        let account = reader.watch_status();
        let division = Division::start(&stores, config.role, name, account, lifecycle);
        start_views(runner, &division, lifecycle);
        let due = Arc::new(DueReads::new(reader.clone()));
        let shares = Shares::held(division.held());
        let processes = Processes::new(engine.clone(), due, tasks).sharing(shares);
        if config.role.works() {
            let running = processes.clone().run();
            lifecycle.start("processes", async move {
                running.await;
                Ok(())
            });
        }
        Ok(Self {
            engine,
            processes,
            reader,
            views: stores.views,
            feed: stores.feed,
            writer: stores.writer,
            redis: stores.redis,
            store_clock: stores.clock,
            division,
            clock,
            test_clock,
        })
    }
}

/// What keeps the views, while this node has them.
fn runner(stores: &Stores, config: &Config) -> Runner {
    let ours = Options { failpoint: failpoint::hit, ..Options::default() };
    // Views that are in this process alone cannot be left to another release.
    let grace = if config.read.is_shared() { ours.grace } else { Duration::ZERO };
    let (feed, views) = (Arc::clone(&stores.feed), Arc::clone(&stores.views));
    Runner::new(feed, views, Projections::all(), Options { grace, ..ours })
        .with_hints(Arc::clone(&stores.hints))
        .with_shared(stores.shared.clone())
}

/// Keeps the views or follows whoever does.
fn start_views(runner: Runner, division: &Division, lifecycle: &Lifecycle) {
    let watcher = runner.watcher(watcher::Options::default());
    let shift = Shift { runner, watcher };
    let (held, stop) = (division.held(), lifecycle.runners_stop().clone());
    lifecycle
        .start("views", async move { shift.run(held, stop).await.map_err(|why| why.to_string()) });
}

/// A name that no other node has, nor this one when it is started again: what a life of it held
/// that ended badly is not taken for this one's.
fn name(given: Option<&str>) -> String {
    let id = SystemIds.fresh();
    given.map_or_else(|| id.to_string(), |given| format!("{given}/{id}"))
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
