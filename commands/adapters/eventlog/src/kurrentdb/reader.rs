//! The log for those who only look: audits, exports, replays. It begins no log where there is none,
//! and finishes nothing that broke off. Deliberately not here: appending.

use std::sync::Arc;

use holdfast_domain::log::{
    Feed, Hash, LogHead, Pending, Position, ReadError, Recorded, Revision, StoredBatch, StoredEvent,
};
use tokio::runtime::Handle;

use super::address::Address;
use super::follow::Following;
use super::link::Failure;
use super::{Core, META, OpenError, feed};
use crate::codec::decode;

/// A log in a cluster, to read.
#[derive(Debug)]
pub struct KurrentLogReader {
    pub(super) core: Arc<Core>,
    pub(super) following: Following,
}

impl KurrentLogReader {
    /// Opens the log that is at `address`. Its tasks run on `handle`.
    pub async fn open(address: &str, handle: &Handle) -> Result<Self, OpenError> {
        let address = Address::parse(address)?;
        let core = Arc::new(Core::at(address.clone(), "", None, handle));
        match core.link.last(META).await {
            Ok(Some(_)) => Ok(Self::over(core, handle)),
            Ok(None) => Err(OpenError::Absent { address: address.to_string() }),
            Err(why) => Err(OpenError::Unread(why.why())),
        }
    }

    pub(super) fn over(core: Arc<Core>, handle: &Handle) -> Self {
        let following = Following::start(Arc::clone(&core), handle);
        Self { core, following }
    }

    /// Lets go of the cluster.
    pub async fn close(&self) {
        self.following.end().await;
    }
}

impl Feed for KurrentLogReader {
    fn head(&self) -> Pending<'_, Result<LogHead, ReadError>> {
        Box::pin(async move {
            let unavailable = |why: Failure| ReadError::Unavailable(why.why());
            let epoch = self.core.epoch().await.map_err(unavailable)?;
            let position = self.core.end().await.map_err(unavailable)?;
            self.core.seen(position);
            Ok(LogHead { position, epoch })
        })
    }

    fn page(&self, after: Position, limit: usize) -> Pending<'_, Result<Vec<Recorded>, ReadError>> {
        Box::pin(async move {
            self.core.behind(after, limit, true).await?.into_iter().map(decode).collect()
        })
    }

    fn changed(&self, after: Position) -> Pending<'_, ()> {
        Box::pin(self.core.changed(after))
    }

    fn hash_at(&self, position: Position) -> Pending<'_, Result<Option<Hash>, ReadError>> {
        Box::pin(self.core.hash_at(position))
    }

    fn stored(
        &self,
        after: Position,
        limit: usize,
    ) -> Pending<'_, Result<Vec<StoredEvent>, ReadError>> {
        Box::pin(self.core.behind(after, limit, false))
    }

    fn stored_stream(
        &self,
        stream: String,
        from: Revision,
        limit: usize,
    ) -> Pending<'_, Result<Vec<StoredEvent>, ReadError>> {
        Box::pin(async move {
            let mut found = feed::with_ends(self.core.of_stream(&stream, from, limit).await?);
            found.truncate(limit);
            Ok(found)
        })
    }

    fn batches(
        &self,
        _after: u64,
        _limit: usize,
    ) -> Pending<'_, Result<Vec<StoredBatch>, ReadError>> {
        // Nothing here commits across streams, so there is nothing to chain.
        Box::pin(std::future::ready(Ok(Vec::new())))
    }
}
