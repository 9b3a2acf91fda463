//! The log: streams of events, their revisions and positions, and the two ports through which the
//! engine reaches it: [`EventLog`] to decide and append, [`Feed`] to follow and audit.
//!
//! Adapters own bytes, hashes and transactions. This file owns the meaning.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use serde::{Deserialize, Serialize};

use crate::actor::Actor;
use crate::event::Event;
use crate::ids::{CommandId, CorrelationId, Epoch, EventId};
pub use crate::stream::{Category, StreamId};
use crate::time::Timestamp;

/// A future that a port returns; boxed, so that ports are objects and adapters can be chosen at
/// start-up.
pub type Pending<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The number of an event in its stream, from 0, without gaps.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Revision(pub u64);

impl Revision {
    /// The revision after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The place of an event in the whole log, in commit order, below 2^53. Ordered, but not
/// necessarily dense: nobody may look for gaps. Zero is before the first event.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Position(pub u64);

impl Position {
    /// Before the first event.
    pub const START: Self = Self(0);
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A SHA-256 digest that chains an event, or a committed batch, to its predecessor.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hash(pub [u8; 32]);

impl Hash {
    /// The predecessor of the first link.
    pub const ZERO: Self = Self([0; 32]);
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What stands beside a fact: who, when, and because of what. No personal data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Metadata {
    /// The event's id, the same on each retry of its command.
    pub event_id: EventId,
    /// The command that wrote it.
    pub command_id: CommandId,
    /// The event that led to the command, when a process took the step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub causation_id: Option<EventId>,
    /// What it belongs to across streams.
    pub correlation_id: CorrelationId,
    /// Who acted.
    pub actor: Actor,
    /// When the command was accepted, by the node's clock. All rules were judged at this instant.
    pub accepted_at: Timestamp,
    /// W3C trace context of the request, as it came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
}

/// A fact about to be appended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEvent {
    /// What happened.
    pub event: Event,
    /// Its circumstances.
    pub metadata: Metadata,
}

/// A fact as it stands in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// Its stream.
    pub stream: StreamId,
    /// Its number in the stream.
    pub revision: Revision,
    /// Its place in the log.
    pub position: Position,
    /// The position of the last event of the same append: what was written together is read
    /// together.
    pub append_end: Position,
    /// What happened, in today's shape.
    pub event: Event,
    /// Its circumstances.
    pub metadata: Metadata,
    /// Its link in the stream's chain.
    pub hash: Hash,
}

/// A fact as it is stored: the bytes that were hashed, not interpreted. For audits and exports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredEvent {
    /// The stream's name.
    pub stream: String,
    /// Its number in the stream.
    pub revision: Revision,
    /// Its place in the log.
    pub position: Position,
    /// The position of the last event of the same append.
    pub append_end: Position,
    /// The stored name, for example `calendar.hold_placed`.
    pub name: String,
    /// The version of the payload's shape.
    pub schema: u32,
    /// When the command was accepted.
    pub accepted_at: Timestamp,
    /// JSON of [`Metadata`].
    pub metadata: Vec<u8>,
    /// JSON of the fact.
    pub payload: Vec<u8>,
    /// Its link in the stream's chain.
    pub hash: Hash,
}

/// One committed batch in the global chain: it shows a cut tail, a missing stream, a swap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoredBatch {
    /// Its number, from 1, without gaps.
    pub number: u64,
    /// The position of its first event.
    pub first: Position,
    /// The position of its last event.
    pub last: Position,
    /// Its link in the global chain.
    pub hash: Hash,
}

/// The last event of a stream, as a decision saw it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Its number.
    pub revision: Revision,
    /// Its link in the chain: a stream that was cut and regrown to the same length differs.
    pub hash: Hash,
}

/// What the decision knew of a stream. There is no "any".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// Nothing was there.
    NoStream,
    /// Its last event was this.
    Head(Head),
    /// Its last event is this one, which an earlier batch of the same group writes.
    InGroup(Revision),
}

/// Events for one stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Write {
    /// Where to.
    pub stream: StreamId,
    /// What the decision knew of it.
    pub expected: Expected,
    /// At least one.
    pub events: Vec<NewEvent>,
}

/// A stream that was read for the decision, and must not have changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Guard {
    /// Which.
    pub stream: StreamId,
    /// What the decision knew of it.
    pub expected: Expected,
}

/// The remembered answer to a command, stored in the transaction of its events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandRecord {
    /// Which command.
    pub id: CommandId,
    /// Digest of what was asked: the same id with another request is a mistake of the client.
    pub fingerprint: Hash,
    /// The answer's status, as the edge will give it.
    pub status: u16,
    /// The answer's body.
    pub body: Vec<u8>,
    /// The revision that the answer shows, for its `ETag`.
    pub revision: Option<Revision>,
    /// When it was accepted.
    pub accepted_at: Timestamp,
}

/// One decision: everything in it is appended, or nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// The facts, per stream. Declared order counts where the store cannot write atomically:
    /// the scarce thing first.
    pub writes: Vec<Write>,
    /// What must not have changed.
    pub guards: Vec<Guard>,
    /// The answer to remember. A refusal is a batch without writes.
    pub command: Option<CommandRecord>,
}

/// What an append did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Appended {
    /// The position of the last event; of the log's head when nothing was written.
    pub position: Position,
    /// The new heads of the streams written, in the order of the writes.
    pub heads: Vec<(StreamId, Head)>,
}

/// Why a batch was not appended.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// A stream had moved on since the decision read it: load it again, decide again.
    #[error("stream {stream} is not as expected")]
    Conflict {
        /// Which stream.
        stream: StreamId,
        /// What the decision knew.
        expected: Expected,
        /// What is there; `None` is no stream.
        actual: Option<Head>,
    },
    /// A batch of this command was appended before; this is what it answered.
    #[error("the command was answered before")]
    Answered(Box<AnsweredCommand>),
    /// Nothing was written, and the store cannot be written now.
    #[error("the log is unavailable: {0}")]
    Unavailable(String),
    /// It may or may not have been written: look for the command before deciding again.
    #[error("the outcome of the append is unknown: {0}")]
    Ambiguous(String),
    /// This store cannot do it (guards, atomic batches), or the batch is beyond its limits.
    #[error("the log does not support this: {0}")]
    Unsupported(String),
}

/// A remembered answer, and where its append ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnsweredCommand {
    /// What was answered to what.
    pub record: CommandRecord,
    /// The position of the answer.
    pub position: Position,
}

/// Why a read failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// The store cannot be read now.
    #[error("the log is unavailable: {0}")]
    Unavailable(String),
    /// An event that this build does not know: a newer release wrote it. Nothing may skip it.
    #[error("unknown event {name} version {schema} at position {position}")]
    UnknownEvent {
        /// Its stored name.
        name: String,
        /// Its version.
        schema: u32,
        /// Where it stands.
        position: Position,
    },
    /// A stored event does not have the shape that its name and version promise.
    #[error("the event at position {position} cannot be read: {why}")]
    Malformed {
        /// Where it stands.
        position: Position,
        /// What is wrong with it.
        why: String,
    },
}

/// What a store can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capabilities {
    /// Writes to several streams are one transaction.
    pub atomic_batch: bool,
    /// Streams that are only read can be checked in the transaction.
    pub guards: bool,
    /// Several processes may write at once.
    pub shared: bool,
}

/// Where the log ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogHead {
    /// The position of the last event.
    pub position: Position,
    /// The life of the log.
    pub epoch: Epoch,
}

/// The first port: read a stream to decide, append the decision.
pub trait EventLog: Send + Sync + fmt::Debug {
    /// What this store can do.
    fn capabilities(&self) -> Capabilities;

    /// Appends a group of decisions that were taken one upon the other, in order. Each is judged
    /// by itself; one that fails takes those with it that expected its events. Answers one result
    /// per batch, in order, after the commit is durable.
    fn append(&self, group: Vec<Batch>) -> Pending<'_, Vec<Result<Appended, AppendError>>>;

    /// The events of a stream from `from` on, oldest first; empty when there are none.
    fn load(
        &self,
        stream: StreamId,
        from: Revision,
    ) -> Pending<'_, Result<Vec<Recorded>, ReadError>>;

    /// The remembered answer of a command, if it has one.
    fn answered(
        &self,
        command: CommandId,
    ) -> Pending<'_, Result<Option<AnsweredCommand>, ReadError>>;
}

/// The second port: the whole log in order, for projections, processes and audits.
pub trait Feed: Send + Sync + fmt::Debug {
    /// Where the log ends now.
    fn head(&self) -> Pending<'_, Result<LogHead, ReadError>>;

    /// Up to `limit` events after `after`, and the rest of the last one's append: a page never
    /// splits what was written together.
    fn page(&self, after: Position, limit: usize) -> Pending<'_, Result<Vec<Recorded>, ReadError>>;

    /// Returns when there may be something after `after`. A hint: look, do not believe.
    fn changed(&self, after: Position) -> Pending<'_, ()>;

    /// The link of the last event at or before `position`, to recognise the log by; `None` when
    /// there is no event there.
    fn hash_at(&self, position: Position) -> Pending<'_, Result<Option<Hash>, ReadError>>;

    /// Stored bytes after `after`, uninterpreted.
    fn stored(
        &self,
        after: Position,
        limit: usize,
    ) -> Pending<'_, Result<Vec<StoredEvent>, ReadError>>;

    /// Stored bytes of one stream from `from` on, uninterpreted; `stream` is its name.
    fn stored_stream(
        &self,
        stream: String,
        from: Revision,
        limit: usize,
    ) -> Pending<'_, Result<Vec<StoredEvent>, ReadError>>;

    /// Committed batches after number `after`, for the global chain. Empty on a store that keeps
    /// none.
    fn batches(&self, after: u64, limit: usize)
    -> Pending<'_, Result<Vec<StoredBatch>, ReadError>>;
}
