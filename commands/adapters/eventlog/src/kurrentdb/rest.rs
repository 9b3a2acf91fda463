//! The rest of a batch, which its first event carries: the writes to other streams and the answer to
//! remember. Streams are written one after the other; whoever finds the first write finds here what
//! has to follow, so a crash in between leaves nothing that is not finished by the next look.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use holdfast_domain::ids::CommandId;
use holdfast_domain::log::{CommandRecord, Head, Position, Revision};
use holdfast_domain::time::Timestamp;
use serde::{Deserialize, Serialize};

use super::envelope::{Piece, hash};
use crate::codec::Encoded;

/// What follows a first write.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Rest {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    writes: Vec<Following>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    answer: Option<Answer>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Following {
    stream: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    base: Option<Base>,
    events: Vec<Fact>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Base {
    revision: u64,
    hash: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Fact {
    id: String,
    name: String,
    schema: u32,
    accepted_at_us: i64,
    metadata: String,
    payload: String,
}

/// A remembered answer, without its position or with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Answer {
    id: String,
    fingerprint: String,
    status: u16,
    body: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    revision: Option<u64>,
    accepted_at_us: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    position: Option<u64>,
}

/// What is written here cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the rest of a batch cannot be read")]
pub(super) struct Unreadable;

impl Rest {
    /// None when nothing follows.
    pub(super) fn of(pieces: &[Piece], command: Option<&CommandRecord>) -> Option<Self> {
        if pieces.is_empty() && command.is_none() {
            return None;
        }
        let writes = pieces.iter().map(Following::of).collect();
        Some(Self { writes, answer: command.map(|record| Answer::of(record, None)) })
    }

    /// The writes that follow, in order.
    pub(super) fn pieces(&self) -> Result<Vec<Piece>, Unreadable> {
        self.writes.iter().map(Following::piece).collect()
    }

    /// The answer to remember.
    pub(super) fn command(&self) -> Result<Option<CommandRecord>, Unreadable> {
        self.answer.as_ref().map(Answer::record).transpose()
    }
}

impl Following {
    fn of(piece: &Piece) -> Self {
        let base = |head: Head| Base { revision: head.revision.0, hash: head.hash.to_string() };
        Self {
            stream: piece.stream.to_string(),
            base: piece.base.map(base),
            events: piece.events.iter().map(Fact::of).collect(),
        }
    }

    fn piece(&self) -> Result<Piece, Unreadable> {
        let head = |base: &Base| {
            let hash = hash(&base.hash).ok_or(Unreadable)?;
            Ok(Head { revision: Revision(base.revision), hash })
        };
        Ok(Piece {
            stream: self.stream.parse().map_err(|_not_a_name| Unreadable)?,
            base: self.base.as_ref().map(head).transpose()?,
            events: self.events.iter().map(Fact::encoded).collect::<Result<_, _>>()?,
        })
    }
}

impl Fact {
    fn of(event: &Encoded) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self {
            id: event.event_id.to_string(),
            name: event.name.clone(),
            schema: event.schema,
            accepted_at_us: event.accepted_at.micros(),
            metadata: text(&event.metadata),
            payload: text(&event.payload),
        }
    }

    fn encoded(&self) -> Result<Encoded, Unreadable> {
        Ok(Encoded {
            event_id: self.id.parse().map_err(|_not_an_id| Unreadable)?,
            name: self.name.clone(),
            schema: self.schema,
            accepted_at: Timestamp::from_micros(self.accepted_at_us),
            metadata: self.metadata.clone().into_bytes(),
            payload: self.payload.clone().into_bytes(),
        })
    }
}

impl Answer {
    pub(super) fn of(record: &CommandRecord, position: Option<Position>) -> Self {
        Self {
            id: record.id.to_string(),
            fingerprint: record.fingerprint.to_string(),
            status: record.status,
            body: STANDARD.encode(&record.body),
            revision: record.revision.map(|revision| revision.0),
            accepted_at_us: record.accepted_at.micros(),
            position: position.map(|position| position.0),
        }
    }

    pub(super) fn record(&self) -> Result<CommandRecord, Unreadable> {
        let id: CommandId = self.id.parse().map_err(|_not_an_id| Unreadable)?;
        Ok(CommandRecord {
            id,
            fingerprint: hash(&self.fingerprint).ok_or(Unreadable)?,
            status: self.status,
            body: STANDARD.decode(&self.body).map_err(|_not_base64| Unreadable)?,
            revision: self.revision.map(Revision),
            accepted_at: Timestamp::from_micros(self.accepted_at_us),
        })
    }

    pub(super) fn position(&self) -> Result<Position, Unreadable> {
        self.position.map(Position).ok_or(Unreadable)
    }
}
