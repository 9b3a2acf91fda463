//! What readiness asks of a node's parts. A view is measured against the head of the log, not
//! against its own mark: a runner that reads nothing is not up to date.

use std::sync::Arc;
use std::time::Duration;

use holdfast_domain::log::{Feed, Pending};
use holdfast_projections::Reader;

use crate::http::ops::Check;
use crate::node::Node;

/// How far the views may be behind while they make progress.
const LAG_MAX: u64 = 10_000;
/// How long a view that is behind may go without progress.
const STALLED_AFTER: Duration = Duration::from_secs(10);

/// The checks of a node.
pub fn checks(node: &Node) -> Vec<Arc<dyn Check>> {
    let (feed, reader) = (Arc::clone(&node.feed), node.reader.clone());
    vec![Arc::new(LogCheck { feed: Arc::clone(&feed) }), Arc::new(ViewsCheck { feed, reader })]
}

/// Whether the log can be read.
#[derive(Debug)]
struct LogCheck {
    feed: Arc<dyn Feed>,
}

impl Check for LogCheck {
    fn name(&self) -> &'static str {
        "log"
    }

    fn check(&self) -> Pending<'_, Result<String, String>> {
        Box::pin(async move {
            let head = self.feed.head().await.map_err(|why| why.to_string())?;
            Ok(format!("head {}, epoch {}", head.position, head.epoch))
        })
    }
}

/// Whether the views follow the log.
#[derive(Debug)]
struct ViewsCheck {
    feed: Arc<dyn Feed>,
    reader: Reader,
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
            let account =
                format!("at {} of {head}, {} keys parked", status.position, status.parked);
            match status.trouble {
                Some(why) => Err(format!("{account}; trying again after: {why}")),
                None if stalled => Err(format!("{account}; no progress")),
                None if lag > LAG_MAX => Err(format!("{account}; {lag} behind")),
                None => Ok(account),
            }
        })
    }
}
