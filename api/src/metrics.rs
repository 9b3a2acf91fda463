//! What the node counts. Each part of the engine asks for its own group; labels come from bounded
//! sets of ours, never from a caller.

use std::fmt;
use std::sync::atomic::AtomicU64;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

use crate::division::Divided;

/// A number that goes up and down, never below zero.
pub type Level = Gauge<u64, AtomicU64>;

/// Labels of an answered request.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answered {
    route: &'static str,
    method: &'static str,
    status: u16,
}

/// Labels of a route.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Route {
    route: &'static str,
    method: &'static str,
}

/// Labels of a decided command.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Decided {
    command: &'static str,
    outcome: &'static str,
}

/// Labels of a projection.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct View {
    projection: String,
}

/// From half a millisecond to sixteen seconds.
fn latency() -> Histogram {
    Histogram::new(exponential_buckets(0.000_5, 2.0, 16))
}

/// Requests.
#[derive(Debug, Clone)]
pub struct HttpMetrics {
    requests: Family<Answered, Counter>,
    seconds: Family<Route, Histogram, fn() -> Histogram>,
}

impl HttpMetrics {
    /// Counts an answer.
    pub fn answered(&self, route: &'static str, method: &'static str, status: u16, took: Duration) {
        self.requests.get_or_create(&Answered { route, method, status }).inc();
        self.seconds.get_or_create(&Route { route, method }).observe(took.as_secs_f64());
    }
}

/// Commands.
#[derive(Debug, Clone, Default)]
pub struct CommandMetrics {
    outcomes: Family<Decided, Counter>,
}

impl CommandMetrics {
    /// Counts a command: `accepted`, the code of its refusal, `replayed`, `failed`.
    pub fn decided(&self, command: &'static str, outcome: &'static str) {
        self.outcomes.get_or_create(&Decided { command, outcome }).inc();
    }
}

/// The event log.
#[derive(Debug, Clone, Default)]
pub struct LogMetrics {
    /// The position of the last event.
    pub head: Level,
    /// Decisions that wait for the append task.
    pub queue: Level,
    /// Committed groups.
    pub commits: Counter,
    /// Appended events.
    pub events: Counter,
}

/// Projections.
#[derive(Debug, Clone, Default)]
pub struct ProjectionMetrics {
    lag: Family<View, Level>,
}

impl ProjectionMetrics {
    /// By how many positions a projection is behind the head of the log.
    pub fn behind(&self, projection: &str, positions: u64) {
        let view = View { projection: projection.to_owned() };
        self.lag.get_or_create(&view).set(positions);
    }
}

/// The cache and the rate limits that nodes share.
#[derive(Debug, Clone, Default)]
pub struct CacheMetrics {
    up: Level,
}

impl CacheMetrics {
    /// Shows whether it answers.
    pub fn answers(&self, answers: bool) {
        self.up.set(u64::from(answers));
    }

    /// Is shown from now on: only a node that was given one has anything to show.
    pub fn own(&self, to: &mut Registry) {
        to.register("cache_up", "1 while the shared Redis answers, else 0", self.up.clone());
    }
}

/// Steps of processes.
#[derive(Debug, Clone, Default)]
pub struct ProcessMetrics {
    /// Steps that failed, whatever the reason.
    pub failed: Counter,
    /// Those of them that panicked.
    pub panicked: Counter,
}

/// The division of the work between nodes.
#[derive(Debug, Clone, Default)]
pub struct DivisionMetrics {
    workers: Level,
    held: Level,
    idle: Level,
    kept: Level,
}

impl DivisionMetrics {
    /// Shows how the work is divided now.
    pub fn show(&self, now: &Divided) {
        let level = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        self.workers.set(level(now.workers));
        self.held.set(level(now.held));
        self.idle.set(level(now.idle));
        self.kept.set(u64::from(now.views));
    }

    fn own(&self, to: &mut Registry) {
        to.register("workers", "Workers that are alive", self.workers.clone());
        to.register("shares_held", "Shares of the work on this node", self.held.clone());
        let help = "Shares of the processes that nobody has";
        to.register("shares_idle", help, self.idle.clone());
        to.register("views_kept", "1 while somebody keeps the views, else 0", self.kept.clone());
    }
}

/// WebSockets and server-sent events.
#[derive(Debug, Clone, Default)]
pub struct SocketMetrics {
    /// Open ones.
    pub open: Level,
    /// Closed because they were too slow.
    pub dropped: Counter,
    /// Frames handed to sockets and streams.
    pub frames: Counter,
    /// How often a subscriber was told to read again.
    pub resyncs: Counter,
    /// Changes that wait for subscribers.
    pub queued: Level,
}

/// Everything that is counted.
pub struct Metrics {
    registry: Mutex<Registry>,
    /// Requests.
    pub http: HttpMetrics,
    /// Commands.
    pub commands: CommandMetrics,
    /// The event log.
    pub log: LogMetrics,
    /// The shared cache.
    pub cache: CacheMetrics,
    /// Projections.
    pub projections: ProjectionMetrics,
    /// Processes.
    pub processes: ProcessMetrics,
    /// The division of the work between nodes.
    pub division: DivisionMetrics,
    /// WebSockets.
    pub sockets: SocketMetrics,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

impl Default for Metrics {
    fn default() -> Self {
        let http = HttpMetrics {
            requests: Family::default(),
            seconds: Family::new_with_constructor(latency),
        };
        let metrics = Self {
            registry: Mutex::new(Registry::with_prefix("holdfast")),
            http,
            commands: CommandMetrics::default(),
            log: LogMetrics::default(),
            cache: CacheMetrics::default(),
            projections: ProjectionMetrics::default(),
            processes: ProcessMetrics::default(),
            division: DivisionMetrics::default(),
            sockets: SocketMetrics::default(),
        };
        metrics.register(|registry| metrics.own(registry));
        metrics
    }
}

impl Metrics {
    /// Adds the numbers of a part that keeps its own.
    pub fn register(&self, add: impl FnOnce(&mut Registry)) {
        add(&mut self.registry.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// The text that is scraped.
    pub fn encode(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        let registry = self.registry.lock().unwrap_or_else(PoisonError::into_inner);
        encode(&mut text, &registry)?;
        Ok(text)
    }

    fn own(&self, to: &mut Registry) {
        to.register("http_requests", "Answered requests", self.http.requests.clone());
        let help = "Time from a request's head to its answer's head";
        to.register("http_request_seconds", help, self.http.seconds.clone());
        to.register("commands", "Decided commands", self.commands.outcomes.clone());
        to.register("log_head", "Position of the last event", self.log.head.clone());
        to.register("log_queue", "Decisions waiting for the log", self.log.queue.clone());
        to.register("log_commits", "Committed groups", self.log.commits.clone());
        to.register("log_events", "Appended events", self.log.events.clone());
        let help = "Positions that a projection is behind the log";
        to.register("projection_lag", help, self.projections.lag.clone());
        let help = "Steps of processes that failed and are tried again";
        to.register("processes_failed", help, self.processes.failed.clone());
        let help = "Steps of processes that panicked, which are faults";
        to.register("processes_panicked", help, self.processes.panicked.clone());
        self.division.own(to);
        to.register("sockets_open", "Open WebSockets and streams", self.sockets.open.clone());
        to.register("sockets_dropped", "WebSockets too slow", self.sockets.dropped.clone());
        let help = "Frames handed to sockets and streams";
        to.register("sockets_frames", help, self.sockets.frames.clone());
        let help = "How often a subscriber was told to read again";
        to.register("sockets_resyncs", help, self.sockets.resyncs.clone());
        let help = "Changes that wait for subscribers";
        to.register("sockets_queued", help, self.sockets.queued.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_counted_can_be_scraped() {
        let metrics = Metrics::default();
        metrics.http.answered("/v1/x", "GET", 200, Duration::from_millis(3));
        metrics.commands.decided("reserve", "slot_taken");
        metrics.log.head.set(7);
        metrics.projections.behind("due", 2);
        let text = metrics.encode().unwrap();
        for line in [
            "holdfast_http_requests_total{route=\"/v1/x\",method=\"GET\",status=\"200\"} 1",
            "holdfast_commands_total{command=\"reserve\",outcome=\"slot_taken\"} 1",
            "holdfast_log_head 7",
            "holdfast_projection_lag{projection=\"due\"} 2",
        ] {
            assert!(text.contains(line), "{line}\n{text}");
        }
    }
}
