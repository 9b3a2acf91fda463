//! Shows the views while another node keeps them: follows the store instead of the log. It writes
//! nothing. A read through it is never older than the position that it claims, because memory
//! forgets everything before a further position is shown.

use std::sync::Arc;
use std::time::{Duration, Instant};

use holdfast_domain::log::Feed;
use tokio_util::sync::CancellationToken;

use crate::hints::Hints;
use crate::ports::{ReadStore, StoreError};
use crate::published::Published;
use crate::registry::Registry;
use crate::status::Source;

/// How a watcher goes about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// How long it waits for a hint before it looks for itself.
    pub look_again: Duration,
    /// The same while a reader waits for a position that is not there yet.
    pub look_again_awaited: Duration,
    /// At least so long between two looks, however many hints there are.
    pub rest: Duration,
    /// How often it compares with the head of the log.
    pub compare: Duration,
    /// The longest pause after a look that failed.
    pub pause_max: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            look_again: Duration::from_millis(100),
            look_again_awaited: Duration::from_millis(25),
            rest: Duration::from_millis(5),
            compare: Duration::from_secs(1),
            pause_max: Duration::from_secs(1),
        }
    }
}

/// Follows the store.
#[derive(Debug)]
pub struct Watcher {
    /// The log, to compare with its head.
    pub feed: Arc<dyn Feed>,
    /// Where the views are kept.
    pub store: Arc<dyn ReadStore>,
    /// Says when to look.
    pub hints: Arc<dyn Hints>,
    /// Where it shows what it found.
    pub published: Arc<Published>,
    /// How it goes about it.
    pub options: Options,
}

impl Watcher {
    /// Follows the store until it is told to stop.
    pub async fn run(&self, stop: CancellationToken) {
        let mut pause = self.options.look_again;
        let mut compared = None;
        while !stop.is_cancelled() {
            match self.look(&mut compared).await {
                Ok(()) => {
                    pause = self.options.look_again;
                    stop.run_until_cancelled(self.wait()).await;
                }
                Err(why) => {
                    self.falter(&why);
                    stop.run_until_cancelled(tokio::time::sleep(pause)).await;
                    pause = pause.saturating_mul(2).min(self.options.pause_max);
                }
            }
        }
    }

    /// Looks once: shows what is new, and now and then compares with the head of the log.
    async fn look(&self, compared: &mut Option<Instant>) -> Result<(), String> {
        let unread = |why: StoreError| why.to_string();
        let registry = self.store.registry().await.map_err(unread)?;
        let epoch = registry.live.map(|live| live.epoch);
        self.show(registry);
        if compared.is_some_and(|at| at.elapsed() < self.options.compare) {
            return Ok(());
        }
        let parked = self.store.parked().await.map_err(unread)?.len();
        let head = self.feed.head().await.map_err(|why| why.to_string())?;
        self.published.status.send_modify(|status| {
            status.parked = u64::try_from(parked).unwrap_or(u64::MAX);
            status.head = Some(head.position);
            if status.position >= head.position {
                status.last_progress = Instant::now();
            }
        });
        if let Some(epoch) = epoch.filter(|epoch| *epoch != head.epoch) {
            return Err(format!(
                "the views were built from the log's epoch {epoch}, but the log is at epoch {}",
                head.epoch
            ));
        }
        *compared = Some(Instant::now());
        self.published.status.send_modify(|status| {
            status.trouble = None;
            status.work();
        });
        Ok(())
    }

    /// Shows what the store holds. First memory forgets what is older, then come the generations,
    /// and last the position: whoever has seen a position reads nothing older.
    fn show(&self, registry: Registry) {
        let position = registry.position();
        let moved = *self.published.position.borrow() != position;
        let switched = {
            let shown = self.published.registry.borrow();
            shown.as_ref().is_none_or(|shown| shown.revision != registry.revision)
        };
        let ahead = self.published.ahead(&registry);
        self.published.status.send_if_modified(|status| {
            let news = moved || status.source != Source::Store || status.ahead != ahead;
            status.ahead = ahead;
            status.source = Source::Store;
            status.position = position;
            if moved {
                status.last_progress = Instant::now();
                status.head = status.head.map(|head| head.max(position));
                status.building.clear();
            }
            news
        });
        if !moved && !switched {
            return;
        }
        self.published.cache.clear(position);
        if switched {
            self.published.registry.send_replace(Some(Arc::new(registry)));
        }
        self.published.position.send_replace(position);
    }

    /// Returns when it is time to look again.
    async fn wait(&self) {
        tokio::time::sleep(self.options.rest).await;
        let position = *self.published.position.borrow();
        let awaited = self.published.awaited();
        let again = if awaited { self.options.look_again_awaited } else { self.options.look_again };
        tokio::select! {
            () = self.hints.changed(position) => {}
            () = self.published.called() => {}
            () = tokio::time::sleep(again) => {}
        }
    }

    fn falter(&self, why: &str) {
        tracing::warn!(why, "the views cannot be followed now; trying again");
        self.published.status.send_modify(|status| status.trouble = Some(why.to_owned()));
    }
}
