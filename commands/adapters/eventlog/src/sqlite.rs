//! The embedded log: one SQLite file, one writing connection owned by the append task, a few
//! reading ones. Needs no set-up and allows one process per data folder.

mod connect;
mod heads;
pub mod migrations;
mod read;
mod reader;
mod renewal;
mod rows;
mod sql;
mod write;

use std::path::Path;
use std::sync::Arc;

use holdfast_domain::ids::CommandId;
use holdfast_domain::log::{
    AnsweredCommand, AppendError, Appended, Batch, Capabilities, EventLog, Feed, Hash, LogHead,
    Pending, Position, ReadError, Recorded, Revision, StoredBatch, StoredEvent, StreamId,
};
use sqlx::sqlite::SqliteSynchronous;
use tokio::runtime::Handle;
use tokio::sync::watch;

use crate::append::{Appender, LogStats};
use crate::codec::decode;
pub use connect::OpenError;
pub use reader::SqliteLogReader;
pub use renewal::Renewal;
use write::Writer;

/// The log in a data folder.
#[derive(Debug)]
pub struct SqliteLog {
    appender: Appender<Writer>,
    reader: SqliteLogReader,
}

impl SqliteLog {
    /// Opens the log in `folder`, or begins one there. The append task runs on `handle`.
    pub async fn open(folder: &Path, handle: Handle) -> Result<Arc<Self>, OpenError> {
        Self::opened(folder, handle, None).await
    }

    /// Like [`SqliteLog::open`], with a file that cannot grow beyond so many pages: what a full
    /// disk looks like, for tests.
    #[cfg(feature = "conformance")]
    pub async fn open_within(
        folder: &Path,
        handle: Handle,
        pages: u32,
    ) -> Result<Arc<Self>, OpenError> {
        Self::opened(folder, handle, Some(pages)).await
    }

    async fn opened(
        folder: &Path,
        handle: Handle,
        pages: Option<u32>,
    ) -> Result<Arc<Self>, OpenError> {
        let lock = connect::lock(folder)?;
        let mut connection = connect::writer(folder, SqliteSynchronous::Full, pages).await?;
        let start = connect::prepare(&mut connection).await?;
        connect::make_durable(folder)?;
        let readers = connect::readers(folder).await?;
        let writer = Writer::new(connection, lock, &start);
        Ok(Arc::new(Self {
            appender: Appender::start([writer], start.tail.position, &handle),
            reader: SqliteLogReader { epoch: start.epoch, readers },
        }))
    }

    /// Takes no more appends, writes what waits, and lets go of the files.
    pub async fn close(&self) {
        let writers = self.appender.close().await;
        // The writer goes last, so that it folds the write-ahead log into the file.
        self.reader.close().await;
        for writer in writers {
            writer.close().await;
        }
    }

    /// Why nothing is appended any more, once the store has failed. The application should end.
    pub fn poisoned(&self) -> watch::Receiver<Option<String>> {
        self.appender.poisoned()
    }

    /// Figures for metrics.
    pub fn stats(&self) -> LogStats {
        self.appender.stats()
    }
}

impl EventLog for SqliteLog {
    fn capabilities(&self) -> Capabilities {
        Capabilities { atomic_batch: true, guards: true, shared: false }
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
            let stored = read::stream(&self.reader.readers, stream.to_string(), from, None).await?;
            stored.into_iter().map(decode).collect()
        })
    }

    fn answered(
        &self,
        command: CommandId,
    ) -> Pending<'_, Result<Option<AnsweredCommand>, ReadError>> {
        Box::pin(read::answered(&self.reader.readers, command))
    }
}

/// Reads as anybody does; only where the log ends is known here without looking.
impl Feed for SqliteLog {
    fn head(&self) -> Pending<'_, Result<LogHead, ReadError>> {
        let position = *self.appender.head().borrow();
        Box::pin(async move { Ok(LogHead { position, epoch: self.reader.epoch }) })
    }

    fn page(&self, after: Position, limit: usize) -> Pending<'_, Result<Vec<Recorded>, ReadError>> {
        self.reader.page(after, limit)
    }

    fn changed(&self, after: Position) -> Pending<'_, ()> {
        let mut head = self.appender.head().subscribe();
        Box::pin(async move {
            // The sender lives as long as the log that is borrowed here: after a close this waits
            // for ever instead of calling a reader to a log that does not change.
            let _closed = head.wait_for(|head| *head > after).await;
        })
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
