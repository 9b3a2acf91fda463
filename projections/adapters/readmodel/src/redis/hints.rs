//! Hints between nodes over Redis: the cache says on its channel when it noted a page, so nothing
//! has to be announced here.

use std::sync::Arc;

use holdfast_domain::log::{Pending, Position};
use holdfast_projections::hints::Hints;
use holdfast_redis::{Redis, hear};
use tokio::sync::watch;

/// What is heard from Redis, and from another source beside it.
#[derive(Debug)]
pub struct RedisHints {
    beside: Arc<dyn Hints>,
    heard: watch::Sender<u64>,
}

impl RedisHints {
    /// Beside hints that come without Redis.
    pub fn new(beside: Arc<dyn Hints>) -> Self {
        Self { beside, heard: watch::Sender::new(0) }
    }

    /// Listens on the channel of a cache. Never ends.
    pub async fn listen(self: Arc<Self>, redis: Arc<Redis>, channel: String) {
        hear(redis, channel, || self.heard.send_modify(|heard| *heard = heard.wrapping_add(1)))
            .await;
    }
}

impl Hints for RedisHints {
    fn announce(&self, position: Position) -> Pending<'_, ()> {
        self.beside.announce(position)
    }

    fn changed(&self, after: Position) -> Pending<'_, ()> {
        Box::pin(async move {
            let mut heard = self.heard.subscribe();
            tokio::select! {
                () = self.beside.changed(after) => {}
                // The sender lives as long as this does.
                _news = heard.changed() => {}
            }
        })
    }
}
