//! Hints between nodes by `LISTEN` and `NOTIFY`, on a channel of the schema. They may be lost,
//! doubled or late: whoever listens looks by itself now and then all the same.

use std::sync::Arc;
use std::time::Duration;

use holdfast_domain::log::{Pending, Position};
use holdfast_postgres::{Database, Listener};
use holdfast_projections::hints::Hints;
use holdfast_projections::ports::StoreError;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::values::failed;
use super::visit::{Visit, bounded};

/// How long telling others may hold up whoever tells them.
const SOON: Duration = Duration::from_millis(250);

/// How long it waits before it connects anew when it could not.
const PAUSE: Duration = Duration::from_millis(500);

/// A name that fits, however long that of the schema is.
macro_rules! channel {
    () => {
        "'holdfast_views_' || md5(current_schema())"
    };
}

/// What was heard last, and over which connection.
#[derive(Debug, Clone, Copy, Default)]
struct Said {
    position: Position,
    /// With each next one, something may have been missed.
    connection: u64,
}

/// What one node says, every node of the schema hears that listens.
#[derive(Debug)]
pub struct PostgresHints {
    database: Database,
    said: watch::Sender<Said>,
}

impl PostgresHints {
    pub(super) fn new(database: Database) -> Self {
        Self { database, said: watch::Sender::default() }
    }

    async fn tell(&self, position: Position) -> Result<(), StoreError> {
        let mut visit = Visit::begin(&self.database).await?;
        sqlx::query(concat!("SELECT pg_notify(", channel!(), ", $1)"))
            .bind(position.to_string())
            .execute(&mut *visit)
            .await
            .map_err(failed)?;
        visit.end();
        Ok(())
    }

    /// Listens for everybody in this process. Never ends. Run it as a task of its own: whoever waits
    /// for news waits a moment only, and connecting may take longer.
    pub async fn listen(self: Arc<Self>) {
        loop {
            // Connecting holds much, and this is held by a task for as long as the process runs.
            let why = Box::pin(self.hear()).await;
            tracing::debug!(%why, "PostgreSQL gives no hints now");
            sleep(PAUSE).await;
        }
    }

    /// Connects, and passes on what is said until the connection is lost; answers why there is none.
    async fn hear(&self) -> StoreError {
        let mut listener = match self.connect().await {
            Ok(listener) => listener,
            Err(why) => return why,
        };
        // What was said before, nobody here heard.
        self.said.send_modify(|said| said.connection = said.connection.saturating_add(1));
        loop {
            match listener.heard().await.map(|said| said.parse()) {
                Ok(Ok(position)) => {
                    self.said.send_modify(|said| said.position = Position(position));
                }
                Ok(Err(_no_number)) => {}
                Err(lost) => return failed(lost),
            }
        }
    }

    async fn connect(&self) -> Result<Listener, StoreError> {
        let channel = bounded(async {
            let mut visit = Visit::begin(&self.database).await?;
            let channel: String = sqlx::query_scalar(concat!("SELECT ", channel!()))
                .fetch_one(&mut *visit)
                .await
                .map_err(failed)?;
            visit.end();
            Ok(channel)
        });
        let listener = Listener::open(self.database.address(), &channel.await?).await;
        listener.map_err(|why| StoreError::Unavailable(why.to_string()))
    }
}

impl Hints for PostgresHints {
    fn announce(&self, position: Position) -> Pending<'_, ()> {
        Box::pin(async move { drop(timeout(SOON, self.tell(position)).await) })
    }

    fn changed(&self, after: Position) -> Pending<'_, ()> {
        let mut said = self.said.subscribe();
        let before = said.borrow().connection;
        Box::pin(async move {
            let further = |said: &Said| said.position > after || said.connection != before;
            // The sender lives as long as this does.
            drop(said.wait_for(further).await);
        })
    }
}
