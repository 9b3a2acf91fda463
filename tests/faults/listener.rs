//! A provider who listens: when her socket ends she comes back with her last cursor, and misses
//! nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use holdfast_tests::answer::text;
use serde_json::Value;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::notes::Notes;
use crate::socket::{Heard, Socket};

/// How long a client rests before it comes back.
const REST: Duration = Duration::from_millis(50);

/// What she heard so far.
#[derive(Debug, Clone, Default)]
pub(crate) struct News {
    /// The last status of each reservation.
    pub(crate) shown: BTreeMap<String, String>,
    pub(crate) cursors: BTreeSet<String>,
    last: Option<String>,
    /// How often she was told to read again, and when last.
    pub(crate) resyncs: u32,
    pub(crate) resynced_at: Option<Instant>,
    /// How often she came back.
    pub(crate) returns: u32,
}

/// Listens until she is told to stop.
pub(crate) async fn listen(
    address: SocketAddr,
    token: String,
    news: watch::Sender<News>,
    notes: Arc<Notes>,
    stop: CancellationToken,
) {
    let listening = async {
        loop {
            if let Err(why) = once(address, &token, &news, &notes).await {
                println!("the listener comes back: {why}");
            }
            news.send_modify(|news| news.returns = news.returns.saturating_add(1));
            tokio::time::sleep(REST).await;
        }
    };
    stop.run_until_cancelled(listening).await;
}

/// From a subscription to the end of its socket.
async fn once(
    address: SocketAddr,
    token: &str,
    news: &watch::Sender<News>,
    notes: &Notes,
) -> std::io::Result<()> {
    let mut socket = Socket::open(address, token).await?;
    let from = news.borrow().last.clone();
    let mut ask = serde_json::json!({"op": "subscribe", "topic": "me"});
    if let Some(from) = from {
        ask["from"] = from.into();
    }
    socket.say(&ask).await?;
    let mut last = 0;
    while let Heard::Text(frame) = socket.next().await? {
        let said: Value = serde_json::from_str(&frame)?;
        match said["op"].as_str() {
            Some("change") => {
                let position = said["position"].as_u64().unwrap();
                if position < last {
                    notes.complain(format!("told out of order: {position} after {last}"));
                }
                last = position;
                let cursor = text(&said, "cursor");
                news.send_modify(|news| {
                    if !news.cursors.insert(cursor.clone()) {
                        notes.complain(format!("told twice: {said}"));
                    }
                    if let Some(status) = said["data"]["status"].as_str() {
                        news.shown.insert(text(&said, "key"), status.to_owned());
                    }
                    news.last = Some(cursor);
                });
            }
            None | Some("error") => return Err(std::io::Error::other(frame)),
            Some(op) => {
                news.send_modify(|news| {
                    if op == "resync" {
                        news.resyncs = news.resyncs.saturating_add(1);
                        news.resynced_at = Some(Instant::now());
                    }
                    if let Some(cursor) = said["cursor"].as_str() {
                        news.last = Some(cursor.to_owned());
                    }
                });
            }
        }
    }
    Ok(())
}
