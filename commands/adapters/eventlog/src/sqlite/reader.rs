//! The log for those who only look: audits, exports, replays. It takes no lock and writes nothing,
//! so it may be opened while a node runs on the same folder. Deliberately not here: appending, and
//! a call when something new is there; another process's log is looked at now and then.

use std::path::Path;
use std::time::Duration;

use holdfast_domain::ids::Epoch;
use holdfast_domain::log::{
    Feed, Hash, LogHead, Pending, Position, ReadError, Recorded, Revision, StoredBatch, StoredEvent,
};
use sqlx::sqlite::SqlitePool;

use super::connect::{self, OpenError};
use super::migrations::{self, StepState};
use super::read;
use crate::codec::decode;

/// How long until the next look at a log that another process writes.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// The log in a data folder, to read.
#[derive(Debug)]
pub struct SqliteLogReader {
    pub(super) epoch: Epoch,
    pub(super) readers: SqlitePool,
}

impl SqliteLogReader {
    /// Opens the log that is in `folder`.
    pub async fn open(folder: &Path) -> Result<Self, OpenError> {
        if !connect::file(folder).exists() {
            return Err(OpenError::Absent { folder: folder.to_owned() });
        }
        let steps = migrations::steps(folder).await?;
        if steps.iter().any(|step| step.state != StepState::Applied) {
            return Err(OpenError::OtherShape { folder: folder.to_owned() });
        }
        let readers = connect::readers(folder).await?;
        let epoch = connect::epoch(&mut *readers.acquire().await?).await?;
        Ok(Self { epoch, readers })
    }

    /// Lets go of the file.
    pub async fn close(&self) {
        self.readers.close().await;
    }
}

impl Feed for SqliteLogReader {
    fn head(&self) -> Pending<'_, Result<LogHead, ReadError>> {
        Box::pin(async move {
            let position = read::end(&self.readers).await?;
            Ok(LogHead { position, epoch: self.epoch })
        })
    }

    fn page(&self, after: Position, limit: usize) -> Pending<'_, Result<Vec<Recorded>, ReadError>> {
        Box::pin(async move {
            let stored = read::page(&self.readers, after, limit).await?;
            stored.into_iter().map(decode).collect()
        })
    }

    fn changed(&self, after: Position) -> Pending<'_, ()> {
        Box::pin(async move {
            // An error is no reason to wait on: the caller's next read will tell it.
            while matches!(read::end(&self.readers).await, Ok(end) if end <= after) {
                tokio::time::sleep(LOOK_AGAIN).await;
            }
        })
    }

    fn hash_at(&self, position: Position) -> Pending<'_, Result<Option<Hash>, ReadError>> {
        Box::pin(read::hash_at(&self.readers, position))
    }

    fn stored(
        &self,
        after: Position,
        limit: usize,
    ) -> Pending<'_, Result<Vec<StoredEvent>, ReadError>> {
        Box::pin(read::stored(&self.readers, after, limit))
    }

    fn stored_stream(
        &self,
        stream: String,
        from: Revision,
        limit: usize,
    ) -> Pending<'_, Result<Vec<StoredEvent>, ReadError>> {
        Box::pin(read::stream(&self.readers, stream, from, Some(limit)))
    }

    fn batches(
        &self,
        after: u64,
        limit: usize,
    ) -> Pending<'_, Result<Vec<StoredBatch>, ReadError>> {
        Box::pin(read::batches(&self.readers, after, limit))
    }
}
