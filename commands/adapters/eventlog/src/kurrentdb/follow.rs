//! Follows the log to wake those who wait for more. What arrives is a hint: it moves a mark forward
//! and nothing else. The subscription begins where the mark is, never at the end, and is made anew
//! whenever it ends; a slow look now and then stands in for one that has fallen silent.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use eventstore::SubscriptionEvent;
use holdfast_domain::log::Position;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use super::Core;

/// How long a waiter relies on the subscription before it looks itself.
const LOOK: Duration = Duration::from_secs(1);
/// The pause before a subscription is made anew.
const PAUSE: Duration = Duration::from_millis(100);

/// The task that follows; it ends with this.
#[derive(Debug)]
pub(super) struct Following(Mutex<Option<JoinHandle<()>>>);

impl Following {
    pub(super) fn start(core: Arc<Core>, handle: &Handle) -> Self {
        Self(Mutex::new(Some(handle.spawn(Box::pin(core.follow())))))
    }

    fn take(&self) -> Option<JoinHandle<()>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Ends it, and returns when it has.
    pub(super) async fn end(&self) {
        if let Some(task) = self.take() {
            task.abort();
            let _aborted = task.await;
        }
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        if let Some(task) = self.take() {
            task.abort();
        }
    }
}

impl Core {
    /// Follows for as long as the log is open. Who may write finishes what broke off, first.
    async fn follow(self: Arc<Self>) {
        let mut looked = self.if_new.is_none();
        loop {
            if !looked {
                looked = self.finish_newest().await.is_ok();
            }
            if let Ok(end) = self.end().await {
                self.seen(end);
                self.follow_once().await;
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn follow_once(&self) {
        let mark = *self.head.borrow();
        let Some((generation, mut subscription)) = self.link.subscribe(mark).await else { return };
        loop {
            match subscription.next_subscription_event().await {
                Ok(SubscriptionEvent::EventAppeared(event)) => {
                    self.seen(Position(event.get_original_event().position.prepare));
                }
                Ok(
                    SubscriptionEvent::Confirmed(_)
                    | SubscriptionEvent::Checkpoint(_)
                    | SubscriptionEvent::FirstStreamPosition(_)
                    | SubscriptionEvent::LastStreamPosition(_)
                    | SubscriptionEvent::LastAllPosition(_)
                    | SubscriptionEvent::CaughtUp(_)
                    | SubscriptionEvent::FellBehind(_),
                ) => {}
                Err(error) => {
                    tracing::debug!(%error, "the subscription ended; it is made anew");
                    self.link.failed(generation, &error).await;
                    return;
                }
            }
        }
    }

    /// Returns when there may be something behind `after`.
    pub(super) async fn changed(&self, after: Position) {
        let mut head = self.head.subscribe();
        loop {
            let waited = tokio::time::timeout(LOOK, head.wait_for(|head| *head > after));
            if waited.await.is_ok() {
                return;
            }
            if let Ok(end) = self.end().await {
                self.seen(end);
            }
        }
    }
}
