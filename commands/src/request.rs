//! What comes with every command, and what goes back.

use holdfast_domain::actor::Actor;
use holdfast_domain::event::Event;
use holdfast_domain::ids::{CommandId, CorrelationId, EventId};
use holdfast_domain::log::{Hash, Position, Revision, StreamId};

use crate::refusal::Refusal;

/// The circumstances of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The same for each retry of it.
    pub command_id: CommandId,
    /// The id under which the answer is remembered, when a later step of the command gives it.
    pub remembered_as: Option<CommandId>,
    /// Digest of what is asked; the same id with another digest is the client's mistake.
    pub fingerprint: Hash,
    /// Who asks.
    pub actor: Actor,
    /// What it belongs to, when that is known before the decision.
    pub correlation: Option<CorrelationId>,
    /// The event that led to it, when a process asks.
    pub causation: Option<EventId>,
    /// W3C trace context, as it came.
    pub traceparent: Option<String>,
    /// The path that was called, for the problem document.
    pub path: String,
    /// The edge's name for this very call, for the problem document.
    pub request_id: String,
    /// The revision that the client believes to be current.
    pub if_match: Option<Revision>,
    /// Decide, but append nothing.
    pub dry_run: bool,
}

/// A fact that a dry run would write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WouldWrite {
    /// Where to.
    pub stream: StreamId,
    /// What.
    pub event: Event,
}

/// The answer to a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Its status, as the edge gives it.
    pub status: u16,
    /// Its body: the resource as the command left it, or a problem document.
    pub body: Vec<u8>,
    /// The revision that the body shows.
    pub revision: Option<Revision>,
    /// Where its append ended.
    pub position: Position,
    /// Whether it was remembered from an earlier copy of the command.
    pub replayed: bool,
    /// What a dry run would write.
    pub would_write: Option<Vec<WouldWrite>>,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// Refused, and not remembered.
    #[error(transparent)]
    Refused(Box<Refusal>),
    /// The command's id was used for another request.
    #[error("the idempotency key was used for another request")]
    KeyReused,
    /// A copy of the command is still under way after the longest wait.
    #[error("a copy of this command is still under way")]
    InFlight,
    /// The node's clock is behind what was written.
    #[error("the clock of this node is behind the log")]
    ClockBehind,
    /// Too many streams move under this command; nothing was written.
    #[error("the command met too many concurrent changes")]
    Contended,
    /// More waits than can be served.
    #[error("too many commands are waiting")]
    Overloaded,
    /// The log cannot be read or written, or its answer was lost; the same command again is safe.
    #[error("the log is unavailable: {0}")]
    Unavailable(String),
}

impl From<Refusal> for CommandError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(Box::new(refusal))
    }
}
