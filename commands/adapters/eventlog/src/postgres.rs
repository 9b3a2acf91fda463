//! The log of several nodes: one PostgreSQL schema, and in each node two writing connections, each
//! owned by an append task, and a few reading ones. All who write take turns at one lock; whoever holds
//! it knows where the log ends and writes, so positions rise in the order of commits.
//!
//! A server that goes away poisons nothing: what was not written is refused, what may have been is
//! looked up, and once there is a server again, perhaps another one, the log goes on by itself.

mod clock;
mod connect;
mod follow;
mod lists;
mod loads;
pub mod migrations;
mod read;
mod reader;
mod renewal;
mod rows;
mod sql;
mod trouble;
mod write;

use std::sync::Arc;

use holdfast_domain::ids::CommandId;
use holdfast_domain::log::{
    AnsweredCommand, AppendError, Appended, Batch, Capabilities, EventLog, Feed, Hash, LogHead,
    Pending, Position, ReadError, Recorded, Revision, StoredBatch, StoredEvent, StreamId,
};
pub use holdfast_postgres::Address;
use holdfast_postgres::PATIENCE;
use tokio::runtime::Handle;
use tokio::sync::watch;

use crate::append::{Appender, LogStats};
use crate::codec::decode;
pub use connect::OpenError;
use follow::Follower;
use loads::Loads;
pub use reader::PostgresLogReader;
pub use renewal::Renewal;
use write::Writer;

/// The log in a schema of a database: the first one of the address's search path.
#[derive(Debug)]
pub struct PostgresLog {
    appender: Appender<Writer>,
    reader: PostgresLogReader,
    loads: Loads,
    follower: Follower,
}

impl PostgresLog {
    /// Opens the log at `address`, or begins one there. The append task runs on `handle`, and so do
    /// those that tell other nodes and hear from them.
    pub async fn open(address: &Address, handle: Handle) -> Result<Arc<Self>, OpenError> {
        connect::migrate(address).await?;
        let sessions = connect::sessions(address.clone());
        let mut connections = [sessions.dial(PATIENCE).await?, sessions.dial(PATIENCE).await?];
        for connection in &mut connections {
            if !connect::enter(connection).await? {
                return Err(OpenError::InUse { address: address.clone() });
            }
        }
        let [connection, _] = &mut connections;
        let start = connect::start(connection).await?;
        tracing::info!(%address, epoch = %start.epoch, "the log is open");
        let reader = PostgresLogReader::connect(address).await?;
        let writers = connections.map(|connection| Writer::new(sessions.clone(), connection));
        let appender = Appender::start(writers, start.tail.position, &handle);
        let own = appender.head().subscribe();
        let database = reader.database.clone();
        let loads = Loads::start(&database, &handle);
        let follower = Follower::start(database, sessions, start.channel, own, &handle);
        Ok(Arc::new(Self { appender, reader, loads, follower }))
    }

    /// Takes no more appends, writes what waits, and lets go of the connections.
    pub async fn close(&self) {
        let writers = self.appender.close().await;
        self.follower.stop();
        self.loads.stop();
        self.reader.close().await;
        for writer in writers {
            writer.close().await;
        }
    }

    /// Why nothing is appended any more, once what is stored turned out to be damaged. The
    /// application should end. A database that cannot be reached is no such reason.
    pub fn poisoned(&self) -> watch::Receiver<Option<String>> {
        self.appender.poisoned()
    }

    /// Figures of this node's appends, for metrics.
    pub fn stats(&self) -> LogStats {
        self.appender.stats()
    }
}

impl EventLog for PostgresLog {
    fn capabilities(&self) -> Capabilities {
        Capabilities { atomic_batch: true, guards: true, shared: true }
    }

    fn append(&self, group: Vec<Batch>) -> Pending<'_, Vec<Result<Appended, AppendError>>> {
        Box::pin(self.appender.append(group))
    }

    fn load(
        &self,
        stream: StreamId,
        from: Revision,
    ) -> Pending<'_, Result<Vec<Recorded>, ReadError>> {
        Box::pin(async move {
            let stored = self.loads.load(stream, from).await?;
            stored.into_iter().map(decode).collect()
        })
    }

    fn answered(
        &self,
        command: CommandId,
    ) -> Pending<'_, Result<Option<AnsweredCommand>, ReadError>> {
        Box::pin(read::answered(&self.reader.database, command))
    }
}

/// Reads as anybody does; only the node's own commits are known without looking.
impl Feed for PostgresLog {
    fn head(&self) -> Pending<'_, Result<LogHead, ReadError>> {
        self.reader.head()
    }

    fn page(&self, after: Position, limit: usize) -> Pending<'_, Result<Vec<Recorded>, ReadError>> {
        self.reader.page(after, limit)
    }

    fn changed(&self, after: Position) -> Pending<'_, ()> {
        Box::pin(self.follower.beyond(after, self.appender.head().subscribe()))
    }

    fn hash_at(&self, position: Position) -> Pending<'_, Result<Option<Hash>, ReadError>> {
        self.reader.hash_at(position)
    }

    fn stored(
        &self,
        after: Position,
        limit: usize,
    ) -> Pending<'_, Result<Vec<StoredEvent>, ReadError>> {
        self.reader.stored(after, limit)
    }

    fn stored_stream(
        &self,
        stream: String,
        from: Revision,
        limit: usize,
    ) -> Pending<'_, Result<Vec<StoredEvent>, ReadError>> {
        self.reader.stored_stream(stream, from, limit)
    }

    fn batches(
        &self,
        after: u64,
        limit: usize,
    ) -> Pending<'_, Result<Vec<StoredBatch>, ReadError>> {
        self.reader.batches(after, limit)
    }
}
