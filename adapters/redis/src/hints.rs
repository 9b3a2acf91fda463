//! Messages that say: look. They may be lost, late or doubled, and nobody relies on them.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use tokio::time::{sleep, timeout};

use crate::connection::Redis;

/// How long to wait before the channel is opened again.
const PAUSE: Duration = Duration::from_millis(500);

/// A channel that is silent for so long is opened again: a connection that lost its other end
/// would be silent for ever.
const SILENCE: Duration = Duration::from_secs(20);

/// Calls `look` for each message of a channel, and whenever some may have been missed. Never ends.
pub async fn hear(redis: Arc<Redis>, channel: String, look: impl Fn() + Send) {
    loop {
        match redis.client.get_async_pubsub().await {
            Ok(mut pubsub) => {
                if pubsub.subscribe(&channel).await.is_ok() {
                    look();
                    let mut messages = pubsub.into_on_message();
                    while let Ok(Some(_message)) = timeout(SILENCE, messages.next()).await {
                        look();
                    }
                }
            }
            Err(why) => tracing::debug!(%why, "Redis gives no hints now"),
        }
        sleep(PAUSE).await;
    }
}
