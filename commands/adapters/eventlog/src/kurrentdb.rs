//! The log in a KurrentDB cluster: one stream per aggregate, `$all` for the order. Several processes
//! may write at once; the expected revision decides between them.
//!
//! The store writes one stream at a time. So the first write of a batch is its commit and carries
//! what follows; see [`mod@write`]. There is no transaction over streams, no guard on a stream that is
//! only read, and no chain over the whole log.

mod address;
mod calls;
mod envelope;
mod feed;
mod finish;
mod follow;
mod link;
mod rest;
mod write;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use eventstore::EventData;
use holdfast_domain::ids::{CommandId, Epoch};
use holdfast_domain::log::{
    AnsweredCommand, AppendError, Appended, Batch, Capabilities, EventLog, Feed, Hash, Head,
    LogHead, Pending, Position, ReadError, Recorded, Revision, StoredBatch, StoredEvent, StreamId,
};
use tokio::runtime::Handle;
use tokio::sync::{OnceCell, watch};
use tokio::task::JoinHandle;

use crate::append::{Counters, LogStats};
use crate::batch::prepare;
use crate::codec::decode;
use address::Address;
pub use address::AddressError;
use link::{Failure, Link};

/// How many events are read in one request.
const PAGE: usize = 512;
/// How many heads, and how many finished batches, are remembered.
const REMEMBERED_MAX: usize = 16_384;
/// Where the log's own name stands.
const META: &str = "holdfast_meta-log";
/// What its one event is called.
const BEGUN: &str = "holdfast_meta.log_begun";

/// A log in a cluster.
#[derive(Debug)]
pub struct KurrentLog {
    core: Arc<Core>,
    follower: Mutex<Option<JoinHandle<()>>>,
}

/// What the requests of this process share.
#[derive(Debug)]
struct Core {
    link: Link,
    epoch: OnceCell<Epoch>,
    if_new: Epoch,
    /// Up to where the log is known to reach.
    head: watch::Sender<Position>,
    closed: watch::Sender<bool>,
    /// Heads that this process has seen; an older one is only of no use.
    heads: Mutex<BTreeMap<StreamId, Head>>,
    /// First writes whose rest stands.
    settled: Mutex<BTreeSet<Hash>>,
    counters: Counters,
}

impl KurrentLog {
    /// The log at `address`, `kurrentdb://host:2113`; `if_new` becomes its epoch when there is none
    /// yet. Does not wait for the cluster: until it can be reached, reads and appends say that it is
    /// unavailable. Its tasks run on `handle`.
    pub fn open(address: &str, if_new: Epoch, handle: &Handle) -> Result<Arc<Self>, AddressError> {
        Self::opened(address, "", if_new, handle)
    }

    /// Like [`KurrentLog::open`], in a part of the cluster of its own: its streams' names begin with
    /// `prefix`. For tests, which share a server.
    #[cfg(feature = "conformance")]
    pub fn open_within(
        address: &str,
        prefix: &str,
        if_new: Epoch,
        handle: &Handle,
    ) -> Result<Arc<Self>, AddressError> {
        Self::opened(address, prefix, if_new, handle)
    }

    fn opened(
        address: &str,
        prefix: &str,
        if_new: Epoch,
        handle: &Handle,
    ) -> Result<Arc<Self>, AddressError> {
        let address = Address::parse(address)?;
        let core = Arc::new(Core {
            link: Link::new(address, prefix, handle.clone()),
            epoch: OnceCell::new(),
            if_new,
            head: watch::Sender::new(Position::START),
            closed: watch::Sender::new(false),
            heads: Mutex::default(),
            settled: Mutex::default(),
            counters: Counters::default(),
        });
        let follower = Mutex::new(Some(handle.spawn(Box::pin(Arc::clone(&core).follow()))));
        Ok(Arc::new(Self { core, follower }))
    }

    /// Takes no more appends, and lets those under way come to their end.
    pub async fn close(&self) {
        self.core.closed.send_replace(true);
        let follower = self.follower.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(follower) = follower {
            follower.abort();
            let _aborted = follower.await;
        }
    }

    /// Figures for metrics. There is no queue: the server puts appends in order.
    pub fn stats(&self) -> LogStats {
        self.core.counters.read(0)
    }

    /// How often the connection to the cluster had to be made anew.
    pub fn reconnections(&self) -> u64 {
        self.core.link.replaced()
    }
}

impl Drop for KurrentLog {
    fn drop(&mut self) {
        if let Some(follower) = self.follower.lock().unwrap_or_else(PoisonError::into_inner).take()
        {
            follower.abort();
        }
    }
}

impl Core {
    /// The life of the log: what its first process wrote down.
    async fn epoch(&self) -> Result<Epoch, Failure> {
        let read = Box::pin(async {
            for _ in 0..2 {
                if let Some(found) = self.link.last(META).await? {
                    let epoch = serde_json::from_slice(&found.data);
                    return epoch.map_err(|why| Failure::Refused(format!("{META}: {why}")));
                }
                let begun = EventData::json(BEGUN, &self.if_new);
                let begun = begun.map_err(|why| Failure::Refused(why.to_string()))?;
                let begun = begun.id(*self.if_new.as_uuid());
                match self.link.append(META, None, &[begun]).await {
                    Ok(_) | Err(Failure::WrongRevision) => {}
                    Err(why) => return Err(why),
                }
            }
            Err(Failure::Refused(format!("{META} cannot be read back")))
        });
        self.epoch.get_or_try_init(|| read).await.copied()
    }

    /// Moves the mark of what is known forward.
    fn seen(&self, position: Position) {
        self.head.send_if_modified(|head| {
            let later = position > *head;
            *head = position.max(*head);
            later
        });
    }

    fn known(&self, stream: StreamId) -> Option<Head> {
        self.heads.lock().unwrap_or_else(PoisonError::into_inner).get(&stream).copied()
    }

    fn note(&self, stream: StreamId, head: Head) {
        let mut heads = self.heads.lock().unwrap_or_else(PoisonError::into_inner);
        if heads.len() >= REMEMBERED_MAX {
            heads.clear();
        }
        heads.insert(stream, head);
    }

    fn is_settled(&self, first: Hash) -> bool {
        self.settled.lock().unwrap_or_else(PoisonError::into_inner).contains(&first)
    }

    fn note_settled(&self, first: Hash) {
        let mut settled = self.settled.lock().unwrap_or_else(PoisonError::into_inner);
        if settled.len() >= REMEMBERED_MAX {
            settled.clear();
        }
        settled.insert(first);
    }

    async fn load(&self, stream: StreamId, from: Revision) -> Result<Vec<Recorded>, ReadError> {
        let found = self.of_stream(&stream.to_string(), from, usize::MAX).await?;
        if let Some(last) = found.last() {
            self.note(stream, last.head());
        }
        // Who decides on a stream must find what its last write promised.
        self.finish(&found).await?;
        feed::with_ends(found).into_iter().map(decode).collect()
    }
}

impl EventLog for KurrentLog {
    fn capabilities(&self) -> Capabilities {
        Capabilities { atomic_batch: false, guards: false, shared: true }
    }

    fn append(&self, group: Vec<Batch>) -> Pending<'_, Vec<Result<Appended, AppendError>>> {
        if *self.core.closed.borrow() {
            let closed = || Err(AppendError::Unavailable("the log is closed".to_owned()));
            let answers = group.iter().map(|_| closed()).collect();
            return Box::pin(std::future::ready(answers));
        }
        let group = group.into_iter().map(prepare).collect();
        Box::pin(self.core.append(group))
    }

    fn load(
        &self,
        stream: StreamId,
        from: Revision,
    ) -> Pending<'_, Result<Vec<Recorded>, ReadError>> {
        Box::pin(self.core.load(stream, from))
    }

    fn answered(
        &self,
        command: CommandId,
    ) -> Pending<'_, Result<Option<AnsweredCommand>, ReadError>> {
        Box::pin(self.core.answered(command))
    }
}

impl Feed for KurrentLog {
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
