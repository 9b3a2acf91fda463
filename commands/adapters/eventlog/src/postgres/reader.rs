//! The log for those who only look: audits, exports, replays. It takes no lock and writes nothing.
//! Deliberately not here: appending, and a call when something new is there; it is looked for now and
//! then.

use std::time::Duration;

use holdfast_domain::log::{
    Feed, Hash, LogHead, Pending, Position, ReadError, Recorded, Revision, StoredBatch, StoredEvent,
};
use holdfast_postgres::{Address, Database};

use super::connect::{self, OpenError};
use super::{migrations, read};
use crate::codec::decode;

/// How long until the next look at a log that others write.
const LOOK_AGAIN: Duration = Duration::from_millis(100);
/// Connections that read.
const READERS: u32 = 8;

/// The log in a database, to read.
#[derive(Debug)]
pub struct PostgresLogReader {
    pub(super) database: Database,
}

impl PostgresLogReader {
    /// Opens the log that is at `address`.
    pub async fn open(address: &Address) -> Result<Self, OpenError> {
        migrations::require(address).await?;
        Self::connect(address).await
    }

    pub(super) async fn connect(address: &Address) -> Result<Self, OpenError> {
        let sessions = connect::sessions(address.clone());
        Ok(Self { database: Database::connect(sessions, READERS).await? })
    }

    /// Lets go of the connections.
    pub async fn close(&self) {
        self.database.close().await;
    }
}

impl Feed for PostgresLogReader {
    fn head(&self) -> Pending<'_, Result<LogHead, ReadError>> {
        Box::pin(read::head(&self.database))
    }

    fn page(&self, after: Position, limit: usize) -> Pending<'_, Result<Vec<Recorded>, ReadError>> {
        Box::pin(async move {
            let stored = read::page(&self.database, after, limit).await?;
            stored.into_iter().map(decode).collect()
        })
    }

    fn changed(&self, after: Position) -> Pending<'_, ()> {
        Box::pin(async move {
            // An error is no reason to wait on: the caller's next read will tell it.
            while matches!(read::head(&self.database).await, Ok(end) if end.position <= after) {
                tokio::time::sleep(LOOK_AGAIN).await;
            }
        })
    }

    fn hash_at(&self, position: Position) -> Pending<'_, Result<Option<Hash>, ReadError>> {
        Box::pin(read::hash_at(&self.database, position))
    }

    fn stored(
        &self,
        after: Position,
        limit: usize,
    ) -> Pending<'_, Result<Vec<StoredEvent>, ReadError>> {
        Box::pin(read::stored(&self.database, after, limit))
    }

    fn stored_stream(
        &self,
        stream: String,
        from: Revision,
        limit: usize,
    ) -> Pending<'_, Result<Vec<StoredEvent>, ReadError>> {
        Box::pin(read::stream(&self.database, stream, from, limit))
    }

    fn batches(
        &self,
        after: u64,
        limit: usize,
    ) -> Pending<'_, Result<Vec<StoredBatch>, ReadError>> {
        Box::pin(read::batches(&self.database, after, limit))
    }
}
