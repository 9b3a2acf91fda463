//! Messages that say: look. They may be lost, late or doubled, and nobody relies on them.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use redis::aio::PubSubStream;
use redis::{Client, ErrorKind, RedisError};
use tokio::time::{sleep, timeout};

use crate::connection::{PATIENCE, Redis};

/// How long to wait before the channel is opened again.
const PAUSE: Duration = Duration::from_millis(500);

/// A channel that is silent for so long is opened again: a connection that lost its other end
/// would be silent for ever.
const SILENCE: Duration = Duration::from_secs(20);

/// Calls `look` for each message of a channel, and whenever some may have been missed. Never ends.
pub async fn hear(redis: Arc<Redis>, channel: String, look: impl Fn() + Send) {
    loop {
        match subscribed(&redis.client, &channel).await {
            Ok(mut messages) => {
                look();
                while let Ok(Some(_message)) = timeout(SILENCE, messages.next()).await {
                    look();
                }
            }
            Err(why) => tracing::debug!(%why, "Redis gives no hints now"),
        }
        sleep(PAUSE).await;
    }
}

/// Opens the channel. A Redis that takes the connection, or the subscription, and says nothing is
/// given up like any other call.
async fn subscribed(client: &Client, channel: &str) -> Result<PubSubStream, RedisError> {
    let late = |_elapsed| RedisError::from((ErrorKind::Io, "no answer in time"));
    let mut pubsub = timeout(PATIENCE, client.get_async_pubsub()).await.map_err(late)??;
    timeout(PATIENCE, pubsub.subscribe(channel)).await.map_err(late)??;
    Ok(pubsub.into_on_message())
}

#[cfg(test)]
mod tests {
    use holdfast_test_stores::Line;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;
    use tokio::sync::watch;
    use tokio::task::JoinSet;

    use super::*;

    /// Listens, and counts how often it looks.
    async fn listening(address: &str) -> (watch::Receiver<usize>, JoinSet<()>) {
        let redis = Redis::open(address).await.unwrap();
        let (looks, looked) = watch::channel(0_usize);
        let mut tasks = JoinSet::new();
        let channel = holdfast_test_stores::unique("hints");
        let look = move || looks.send_modify(|looks| *looks = looks.saturating_add(1));
        tasks.spawn(hear(redis, channel, look));
        (looked, tasks)
    }

    async fn soon<T>(what: impl Future<Output = T>) -> T {
        timeout(Duration::from_secs(20), what).await.unwrap()
    }

    #[tokio::test]
    async fn a_connection_that_is_taken_and_leads_nowhere_is_given_up() {
        let Some(address) = holdfast_test_stores::redis("hints, half-open") else { return };
        let (line, address) = Line::before(&address).await;
        let (mut looked, _tasks) = listening(&address).await;
        soon(looked.wait_for(|looks| *looks == 1)).await.unwrap();
        line.refuse();
        let before = line.taken();
        line.hold();
        soon(line.has_taken(before.saturating_add(1))).await;
        // The far end is gone, and nobody says so.
        line.lose();
        line.pass();
        soon(looked.wait_for(|looks| *looks == 2)).await.unwrap();
    }

    #[tokio::test]
    async fn a_subscription_that_is_not_answered_is_given_up() {
        let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("redis://{}", server.local_addr().unwrap());
        let (_looked, _tasks) = listening(&address).await;
        let (mut connections, mut asked) = (JoinSet::new(), 0);
        let (subscribing, mut subscribed) = watch::channel(0_usize);
        let twice = async {
            loop {
                tokio::select! {
                    accepted = server.accept() => {
                        let told = subscribing.clone();
                        connections.spawn(greet_and_say_no_more(accepted.unwrap().0, told));
                    }
                    changed = subscribed.changed() => {
                        changed.unwrap();
                        asked = *subscribed.borrow_and_update();
                    }
                }
                if asked == 2 {
                    return;
                }
            }
        };
        soon(twice).await;
    }

    /// Answers what a client says first, and nothing once it subscribes.
    async fn greet_and_say_no_more(
        mut stream: tokio::net::TcpStream,
        subscribing: watch::Sender<usize>,
    ) {
        let mut bytes = vec![0; 4_096];
        while let Ok(count @ 1..) = stream.read(&mut bytes).await {
            let said = String::from_utf8_lossy(bytes.get(..count).unwrap()).into_owned();
            if said.contains("SUBSCRIBE") {
                subscribing.send_modify(|times| *times = times.saturating_add(1));
                std::future::pending::<()>().await;
            }
            let greetings = "+OK\r\n".repeat(said.matches('*').count());
            stream.write_all(greetings.as_bytes()).await.unwrap();
        }
    }
}
