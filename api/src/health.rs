//! What readiness asks of a node's parts. A view is measured against the head of the log, not
//! against its own mark: a runner that reads nothing is not up to date.

pub mod cache;
pub mod check;
pub mod clock;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use holdfast_commands::processes::Processes;
use holdfast_domain::log::{Feed, LogHead, Pending, Position};
use holdfast_eventlog::LogStats;
use holdfast_projections::Reader;
use holdfast_projections::status::Source;

use self::cache::CacheCheck;
use self::check::Check;
use self::clock::ClockCheck;
use crate::division::Division;
use crate::node::Node;
use crate::stores::Writer;

/// How far the views may be behind while they make progress.
const LAG_MAX: u64 = 10_000;
/// How long a view that is behind may go without progress.
const STALLED_AFTER: Duration = Duration::from_secs(10);

/// How long something may wait for the log without a single commit.
const LOG_STALLED_AFTER: Duration = Duration::from_secs(2);
/// How long something may be due before somebody takes it up.
const OVERDUE_AFTER: Duration = Duration::from_mins(1);

/// The checks of a node.
pub fn checks(node: &Node) -> Vec<Arc<dyn Check>> {
    let (feed, reader) = (Arc::clone(&node.feed), node.reader.clone());
    let log =
        LogCheck { feed: Arc::clone(&feed), writer: node.writer.clone(), seen: Mutex::default() };
    let processes = ProcessesCheck { processes: node.processes.clone() };
    let views = ViewsCheck { feed, reader, division: node.division.clone() };
    let mut checks: Vec<Arc<dyn Check>> = vec![Arc::new(log), Arc::new(views), Arc::new(processes)];
    checks.push(Arc::new(node.division.clone()));
    if let Some(redis) = node.redis.clone() {
        checks.push(Arc::new(CacheCheck { redis }));
    }
    // A clock that is moved by hand agrees with nobody's.
    if let Some(store) = node.store_clock.clone().filter(|_| node.test_clock.is_none()) {
        checks.push(Arc::new(ClockCheck { node: Arc::clone(&node.clock), store }));
    }
    checks
}

/// Whether the log's last event can be read, and the log commits what it was given.
#[derive(Debug)]
struct LogCheck {
    feed: Arc<dyn Feed>,
    writer: Option<Writer>,
    seen: Mutex<Option<Commits>>,
}

/// How many commits there were, and since when there were no more although something waited.
#[derive(Debug, Clone, Copy)]
struct Commits {
    count: u64,
    waiting_since: Instant,
}

impl LogCheck {
    /// How long the log has had work without ending a single commit: at least as long as the commit
    /// under way, and longer when those before it failed one after the other.
    fn stalled(&self, stats: &LogStats) -> Duration {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let busy = stats.queue_depth > 0 || stats.committing_for.is_some();
        let before = seen.filter(|before| busy && before.count == stats.commits);
        let since = before.map_or(now, |before| before.waiting_since);
        *seen = Some(Commits { count: stats.commits, waiting_since: since });
        now.saturating_duration_since(since).max(stats.committing_for.unwrap_or_default())
    }

    /// Reads where the log ends from the store itself: the head alone is known without a look.
    async fn last_event(&self) -> Result<LogHead, String> {
        let head = self.feed.head().await.map_err(|why| why.to_string())?;
        let last = self.feed.hash_at(head.position).await.map_err(|why| why.to_string())?;
        if last.is_none() && head.position > Position::START {
            return Err(format!("there is no event at its end, {}", head.position));
        }
        Ok(head)
    }
}

impl Check for LogCheck {
    fn name(&self) -> &'static str {
        "log"
    }

    fn check(&self) -> Pending<'_, Result<String, String>> {
        Box::pin(async move {
            // First what needs no answer of the store: one that is stuck may not answer in time.
            let stats = self.writer.as_ref().map(Writer::stats);
            let stalled = stats.map_or(Duration::ZERO, |stats| self.stalled(&stats));
            if stalled > LOG_STALLED_AFTER {
                return Err(format!("nothing was committed for {} s", stalled.as_secs()));
            }
            let head = self.last_event().await?;
            Ok(format!("head {}, epoch {}", head.position, head.epoch))
        })
    }
}

/// Whether the runner of processes takes up what is due.
#[derive(Debug)]
struct ProcessesCheck {
    processes: Processes,
}

impl Check for ProcessesCheck {
    fn name(&self) -> &'static str {
        "processes"
    }

    fn check(&self) -> Pending<'_, Result<String, String>> {
        Box::pin(async move {
            match self.processes.overdue(OVERDUE_AFTER).await {
                Ok(None) => Ok("nothing is overdue".to_owned()),
                Ok(Some(due)) => {
                    Err(format!("reservation {} was due at {}", due.reservation, due.at))
                }
                Err(why) => Err(why.to_string()),
            }
        })
    }
}

/// Whether the views follow the log.
#[derive(Debug)]
struct ViewsCheck {
    feed: Arc<dyn Feed>,
    reader: Reader,
    division: Division,
}

/// Who keeps the views, as the text goes on.
fn keeper(source: Source, kept: Option<bool>) -> &'static str {
    match (source, kept) {
        (Source::Store, Some(true)) => ", kept by another node",
        (Source::Store, Some(false)) => ", kept by nobody now",
        (Source::Store, None) | (Source::Log | Source::Unknown, _) => "",
    }
}

impl Check for ViewsCheck {
    fn name(&self) -> &'static str {
        "views"
    }

    fn check(&self) -> Pending<'_, Result<String, String>> {
        Box::pin(async move {
            let head = self.feed.head().await.map_err(|why| why.to_string())?.position;
            let status = self.reader.status();
            if let Some(why) = status.halted {
                return Err(format!("halted: {why}"));
            }
            let lag = head.0.saturating_sub(status.position.0);
            let stalled = lag > 0 && status.last_progress.elapsed() > STALLED_AFTER;
            let (position, parked) = (status.position, status.parked);
            let kept = self.division.now().await.ok().map(|divided| divided.views);
            let by = keeper(status.source, kept);
            let account = format!("at {position} of {head}, {parked} keys parked{by}");
            match status.trouble {
                Some(why) => Err(format!("{account}; trying again after: {why}")),
                None if stalled => Err(format!("{account}; no progress")),
                None if lag > LAG_MAX => Err(format!("{account}; {lag} behind")),
                None => Ok(account),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use holdfast_domain::ids::Epoch;
    use holdfast_eventlog::MemoryLog;

    use super::*;

    #[test]
    fn views_are_said_to_be_kept_by_another_node_only_when_one_keeps_them() {
        assert_eq!(keeper(Source::Store, Some(true)), ", kept by another node");
        assert_eq!(keeper(Source::Store, Some(false)), ", kept by nobody now");
        assert_eq!(keeper(Source::Store, None), "", "nobody knows");
        assert_eq!(keeper(Source::Log, Some(true)), "");
    }

    #[test]
    fn a_log_that_commits_nothing_while_something_waits_is_stalled() {
        let feed = Arc::new(MemoryLog::new(Epoch::from_uuid(uuid::Uuid::from_u128(1))));
        let check = LogCheck { feed, writer: None, seen: Mutex::default() };
        let since_long_ago = |queue_depth, committing, commits| {
            let waiting_since = Instant::now().checked_sub(Duration::from_secs(5)).unwrap();
            *check.seen.lock().unwrap() = Some(Commits { count: 7, waiting_since });
            let committing_for = Some(Duration::from_secs(committing)).filter(|it| !it.is_zero());
            check.stalled(&LogStats { queue_depth, committing_for, commits, ..LogStats::default() })
        };
        let five = Duration::from_secs(5);
        assert!(since_long_ago(3, 0, 7) >= five, "three wait, and nothing moves");
        assert!(since_long_ago(0, 1, 7) >= five, "one commit fails after the other");
        assert_eq!(since_long_ago(0, 9, 8), Duration::from_secs(9), "a commit does not end");
        assert_eq!(since_long_ago(3, 0, 8), Duration::ZERO, "it moves");
        assert_eq!(since_long_ago(0, 0, 7), Duration::ZERO, "nobody waits");
    }
}
