//! The log in a KurrentDB cluster: one stream per aggregate, `$all` for the order. Several processes
//! may write at once; the expected revision decides between them.
//!
//! The store writes one stream at a time. So the first write of a batch is its commit and carries
//! what follows; see `write.rs`. There is no transaction over streams, no guard on a stream that is
//! only read, and no chain over the whole log.

mod address;
mod calls;
mod envelope;
mod feed;
mod finish;
mod follow;
mod link;
mod reader;
mod renewal;
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

use crate::append::{Counters, LogStats};
use crate::batch::prepare;
use crate::codec::decode;
use address::Address;
pub use address::AddressError;
use link::{Failure, Link};
pub use reader::KurrentLogReader;
pub use renewal::Renewal;

/// How many events are read in one request.
const PAGE: usize = 512;
/// How many heads, and how many finished batches, are remembered.
const REMEMBERED_MAX: usize = 16_384;
/// Where the log's own name stands.
const META: &str = "holdfast_meta-log";
/// What its one event is called.
const BEGUN: &str = "holdfast_meta.log_begun";

/// Why a log was not opened, or no new life of it begun.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Not an address.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// There is none to be read.
    #[error("there is no log in {address}; `holdfast serve` begins one")]
    Absent {
        /// Where, without its password.
        address: String,
    },
    /// The cluster gave no answer that would help.
    #[error("the log's cluster cannot be used: {0}")]
    Unread(String),
    /// Somebody else was faster.
    #[error("another epoch was begun meanwhile; look at it with --dry-run")]
    Renewed,
    /// The new epoch may have begun.
    #[error("whether the epoch was begun is not known, look at it with --dry-run: {0}")]
    Unclear(String),
    /// What is stored contradicts itself.
    #[error("the log is damaged: {0}")]
    Damaged(String),
}

/// A log in a cluster.
#[derive(Debug)]
pub struct KurrentLog {
    reader: KurrentLogReader,
}

/// What the requests of this process share.
#[derive(Debug)]
struct Core {
    link: Link,
    epoch: OnceCell<Epoch>,
    /// The epoch of a log that begins here; none for those who only look, and write nothing.
    if_new: Option<Epoch>,
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
        let core = Arc::new(Core::at(address, prefix, Some(if_new), handle));
        Ok(Arc::new(Self { reader: KurrentLogReader::over(core, handle) }))
    }

    /// Takes no more appends, and lets those under way come to their end.
    pub async fn close(&self) {
        self.reader.core.closed.send_replace(true);
        self.reader.close().await;
    }

    /// Figures for metrics. There is no queue: the server puts appends in order.
    pub fn stats(&self) -> LogStats {
        self.reader.core.counters.read()
    }

    /// How often the connection to the cluster had to be made anew.
    pub fn reconnections(&self) -> u64 {
        self.reader.core.link.replaced()
    }
}

impl Core {
    fn at(address: Address, prefix: &str, if_new: Option<Epoch>, handle: &Handle) -> Self {
        Self {
            link: Link::new(address, prefix, handle.clone()),
            epoch: OnceCell::new(),
            if_new,
            head: watch::Sender::new(Position::START),
            closed: watch::Sender::new(false),
            heads: Mutex::default(),
            settled: Mutex::default(),
            counters: Counters::default(),
        }
    }

    /// The life of the log: what its first process wrote down, or whoever began another one last.
    async fn epoch(&self) -> Result<Epoch, Failure> {
        let read = Box::pin(async {
            for _ in 0..2 {
                if let Some(found) = self.link.last(META).await? {
                    let epoch = serde_json::from_slice(&found.data);
                    return epoch.map_err(|why| Failure::Refused(format!("{META}: {why}")));
                }
                let Some(if_new) = self.if_new else { break };
                let begun = EventData::json(BEGUN, &if_new);
                let begun = begun.map_err(|why| Failure::Refused(why.to_string()))?;
                let begun = begun.id(*if_new.as_uuid());
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
        if *self.reader.core.closed.borrow() {
            let closed = || Err(AppendError::Unavailable("the log is closed".to_owned()));
            let answers = group.iter().map(|_| closed()).collect();
            return Box::pin(std::future::ready(answers));
        }
        let group = group.into_iter().map(prepare).collect();
        Box::pin(self.reader.core.append(group))
    }

    fn load(
        &self,
        stream: StreamId,
        from: Revision,
    ) -> Pending<'_, Result<Vec<Recorded>, ReadError>> {
        Box::pin(self.reader.core.load(stream, from))
    }

    fn answered(
        &self,
        command: CommandId,
    ) -> Pending<'_, Result<Option<AnsweredCommand>, ReadError>> {
        Box::pin(self.reader.core.answered(command))
    }
}

impl Feed for KurrentLog {
    fn head(&self) -> Pending<'_, Result<LogHead, ReadError>> {
        self.reader.head()
    }

    fn page(&self, after: Position, limit: usize) -> Pending<'_, Result<Vec<Recorded>, ReadError>> {
        self.reader.page(after, limit)
    }

    fn changed(&self, after: Position) -> Pending<'_, ()> {
        self.reader.changed(after)
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
