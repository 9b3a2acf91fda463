//! What the append task needs of a store: one transaction at a time, read in bulk, written in
//! bulk. Everything else about an append is the same for every store and is not here.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;

use holdfast_domain::ids::{CommandId, EventId};
use holdfast_domain::log::{
    AnsweredCommand, CommandRecord, Hash, Head, Position, Revision, StoredBatch, StreamId,
};

use crate::codec::Encoded;

/// Why a store did not do it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum StoreError {
    /// Nothing was written; the store cannot be had now.
    #[error("{0}")]
    Busy(String),
    /// Nothing was written, because somebody else was in the way for a moment.
    #[error("{0}")]
    Again(String),
    /// Nothing was written, because one of the rows cannot be: a value that must be unique is not.
    #[error("{0}")]
    Rejected(String),
    /// The answer to a commit was lost; it may be looked up.
    #[error("{0}")]
    Lost(String),
    /// The medium failed. Nothing that comes after it can be trusted.
    #[error("{0}")]
    Failed(String),
}

/// Where the log ends, under the lock that the transaction holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tail {
    pub(crate) position: Position,
    pub(crate) batch: u64,
    pub(crate) hash: Hash,
}

/// A part of a stream, both ends inside.
pub(crate) type Stretch = (StreamId, Revision, Revision);

/// An event that stands, as far as a repeated append is recognised by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Standing {
    /// None when it was not read, because only its hash matters.
    pub(crate) event_id: Option<EventId>,
    pub(crate) hash: Hash,
    pub(crate) position: Position,
}

/// What is to be read before a commit is judged.
#[derive(Debug, Default)]
pub(crate) struct Wanted {
    pub(crate) streams: BTreeSet<StreamId>,
    pub(crate) commands: BTreeSet<CommandId>,
}

/// What was read; what is absent does not exist.
#[derive(Debug, Default)]
pub(crate) struct Known {
    pub(crate) heads: BTreeMap<StreamId, Head>,
    pub(crate) answered: BTreeMap<CommandId, AnsweredCommand>,
}

/// What stands in the stretches that were asked for.
pub(crate) type Stood = BTreeMap<(StreamId, Revision), Standing>;

/// What a commit takes for granted: of each stream its head, or that it is not there.
pub(crate) type Claims = BTreeMap<StreamId, Option<Head>>;

/// One event to be written.
#[derive(Debug, Clone, Copy)]
pub(crate) struct EventRow<'a> {
    pub(crate) stream: StreamId,
    pub(crate) revision: Revision,
    pub(crate) position: Position,
    pub(crate) append_end: Position,
    pub(crate) event: &'a Encoded,
    pub(crate) hash: Hash,
}

/// One answer to be remembered.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AnswerRow<'a> {
    pub(crate) record: &'a CommandRecord,
    pub(crate) position: Position,
}

/// Everything that one transaction writes.
#[derive(Debug)]
pub(crate) struct Commit<'a> {
    pub(crate) events: Vec<EventRow<'a>>,
    pub(crate) heads: BTreeMap<StreamId, Head>,
    pub(crate) answers: Vec<AnswerRow<'a>>,
    /// The link in the global chain; none when no event is written.
    pub(crate) batch: Option<StoredBatch>,
}

/// A way to write to a store, which belongs to one append task. After an error the task rolls back.
pub(crate) trait Store: Send + 'static {
    /// Whether [`Store::at_once`] is worth asking.
    const AT_ONCE: bool = false;

    /// Makes a commit durable in one visit, if all that it claims is true and none of its commands
    /// was answered; answers the tail after it. Otherwise writes nothing and answers none. The
    /// positions in the commit count from the tail. The answer may be lost.
    fn at_once(
        &mut self,
        _claims: &Claims,
        _commit: &Commit<'_>,
    ) -> impl Future<Output = Result<Option<Tail>, StoreError>> + Send {
        std::future::ready(Ok(None))
    }

    /// Takes the lock under which everything until the commit happens, and reads heads and
    /// answers under it.
    fn begin(
        &mut self,
        wanted: &Wanted,
    ) -> impl Future<Output = Result<(Tail, Known), StoreError>> + Send;

    /// Reads what stands in parts of streams.
    fn stood(
        &mut self,
        stretches: &BTreeSet<Stretch>,
    ) -> impl Future<Output = Result<Stood, StoreError>> + Send;

    /// Writes all of it.
    fn write(&mut self, commit: &Commit<'_>)
    -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Makes it durable.
    fn commit(&mut self) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Takes everything since `begin` back, as far as that is possible.
    fn rollback(&mut self) -> impl Future<Output = ()> + Send;
}
