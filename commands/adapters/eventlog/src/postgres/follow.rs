//! News of other nodes' commits: LISTEN and NOTIFY between the nodes of one log, outside of their
//! transactions and never waited for by who appends. Hints are lost now and then, so whoever waits
//! looks by himself as well, and nobody believes what a hint says.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use holdfast_domain::log::{Position, ReadError};
use holdfast_postgres::{Address, Database, Listener};
use sqlx::postgres::PgConnection;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::{read, sql};

/// How long who waits relies on hints.
const LOOK_AGAIN: Duration = Duration::from_millis(250);
/// For so long a look is as good as another.
const FRESH: Duration = Duration::from_millis(125);
/// How long until hints are sent or heard again after they could not be.
const PAUSE: Duration = Duration::from_millis(500);
/// Hints follow one another no faster: one says as much as many.
const SPACING: Duration = Duration::from_millis(4);
/// How long a hint may take.
const PATIENCE: Duration = Duration::from_secs(1);

/// Where the log ends, as far as this node has seen.
#[derive(Debug)]
pub(super) struct Follower {
    sight: Arc<Sight>,
    /// They end with the follower.
    calls: Mutex<JoinSet<()>>,
}

#[derive(Debug)]
struct Sight {
    database: Database,
    seen: watch::Sender<Position>,
    looked: Mutex<Option<Instant>>,
}

impl Follower {
    /// Tells others what `own` shows, and hears from them, on tasks of `handle`.
    pub(super) fn start(
        database: Database,
        address: Address,
        channel: String,
        own: watch::Receiver<Position>,
        handle: &Handle,
    ) -> Self {
        let seen = watch::Sender::new(*own.borrow());
        let sight = Arc::new(Sight { database, seen, looked: Mutex::new(None) });
        let mut calls = JoinSet::new();
        calls.spawn_on(call(address.clone(), channel.clone(), own.clone()), handle);
        calls.spawn_on(hear(address, channel, own, Arc::clone(&sight)), handle);
        Self { sight, calls: Mutex::new(calls) }
    }

    /// Returns when the log may have something after `after`.
    pub(super) async fn beyond(&self, after: Position, own: watch::Receiver<Position>) {
        let seen = self.sight.seen.subscribe();
        let moved = async {
            tokio::select! { () = past(own, after) => {}, () = past(seen, after) => {} }
        };
        tokio::pin!(moved);
        while tokio::time::timeout(LOOK_AGAIN, &mut moved).await.is_err() {
            self.sight.look_if_nobody_did().await;
        }
    }

    /// Stops telling and hearing.
    pub(super) fn stop(&self) {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).abort_all();
    }
}

impl Sight {
    async fn look(&self) -> Result<(), ReadError> {
        let head = read::head(&self.database).await?.position;
        self.seen.send_if_modified(|seen| {
            let moved = head > *seen;
            *seen = head.max(*seen);
            moved
        });
        Ok(())
    }

    /// Many wait, one looks.
    async fn look_if_nobody_did(&self) {
        let now = Instant::now();
        let due = {
            let mut looked = self.looked.lock().unwrap_or_else(PoisonError::into_inner);
            let due = looked.is_none_or(|looked| now.duration_since(looked) >= FRESH);
            if due {
                *looked = Some(now);
            }
            due
        };
        if due {
            // Whoever waits reads next, and is told then.
            let _unavailable = self.look().await;
        }
    }
}

async fn past(mut positions: watch::Receiver<Position>, after: Position) {
    // The senders live as long as the log that is borrowed by who waits.
    drop(positions.wait_for(|position| *position > after).await);
}

/// Tells other nodes of this node's commits.
async fn call(address: Address, channel: String, mut own: watch::Receiver<Position>) {
    let mut session: Option<PgConnection> = None;
    while own.changed().await.is_ok() {
        let position = *own.borrow_and_update();
        match told(&address, session.take(), &channel, position).await {
            Ok(connection) => session = Some(connection),
            Err(why) => {
                tracing::debug!(%why, "other nodes were not told of a commit");
                tokio::time::sleep(PAUSE).await;
            }
        }
        tokio::time::sleep(SPACING).await;
    }
}

async fn told(
    address: &Address,
    session: Option<PgConnection>,
    channel: &str,
    position: Position,
) -> Result<PgConnection, Box<dyn std::error::Error + Send + Sync>> {
    let mut session = match session {
        Some(session) => session,
        None => address.dial_for_hints(PATIENCE).await?,
    };
    let hint = sqlx::query(sql::NOTIFY).bind(channel).bind(position.to_string());
    tokio::time::timeout(PATIENCE, hint.execute(&mut session)).await??;
    Ok(session)
}

/// Hears of other nodes' commits, and looks.
async fn hear(
    address: Address,
    channel: String,
    own: watch::Receiver<Position>,
    sight: Arc<Sight>,
) {
    loop {
        if let Ok(mut listener) = Listener::open(&address, &channel).await {
            // Between two listeners anything may have been missed.
            let _unavailable = sight.look().await;
            while let Ok(hint) = listener.heard().await {
                let known = (*own.borrow()).max(*sight.seen.borrow());
                if hint.parse().is_ok_and(|position| Position(position) > known) {
                    let _unavailable = sight.look().await;
                }
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
}
