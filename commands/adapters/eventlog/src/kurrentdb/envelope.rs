//! An event of ours as KurrentDB keeps it. The fact is the event's data, byte for byte; everything
//! else that the format of the log knows stands in the event's own metadata, around our metadata,
//! which is kept byte for byte as a text. The place in its append stands there too, so that a reader
//! can tell where an append ends; none of that is hashed.

use eventstore::{EventData, RecordedEvent};
use holdfast_domain::ids::EventId;
use holdfast_domain::log::{Hash, Head, Position, ReadError, Revision, StoredEvent, StreamId};
use holdfast_domain::time::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use uuid::{Builder, Uuid};

use super::rest::Rest;
use crate::chain::Link;
use crate::codec::Encoded;

/// Positions above are not exact in the numbers that JSON readers use.
const POSITION_MAX: u64 = 1 << 53;

#[derive(Serialize, Deserialize)]
struct Envelope {
    schema: u32,
    accepted_at_us: i64,
    hash: String,
    /// Which event of its append it is, from 0, and of how many.
    ordinal: u64,
    count: u64,
    metadata: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rest: Option<Rest>,
}

/// A part of our metadata.
#[derive(Deserialize)]
struct Named {
    event_id: EventId,
}

/// One stream's part of a batch, with the place that it is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) stream: StreamId,
    pub(super) base: Option<Head>,
    pub(super) events: Vec<Encoded>,
}

impl Piece {
    /// The head of the stream after each event.
    pub(super) fn heads(&self) -> Vec<Head> {
        let name = self.stream.to_string();
        let mut head = self.base;
        let mut heads = Vec::with_capacity(self.events.len());
        for event in &self.events {
            let revision = head.map_or(Revision(0), |head| head.revision.next());
            let link = Link {
                stream: &name,
                revision,
                name: &event.name,
                schema: event.schema,
                accepted_at: event.accepted_at,
                metadata: &event.metadata,
                payload: &event.payload,
            };
            let next =
                Head { revision, hash: link.hash(head.map_or(Hash::ZERO, |head| head.hash)) };
            heads.push(next);
            head = Some(next);
        }
        heads
    }

    /// The events as they are sent; the first one carries the rest of the batch.
    pub(super) fn sealed(&self, mut rest: Option<Rest>) -> Result<Vec<EventData>, String> {
        let count = u64::try_from(self.events.len()).unwrap_or(u64::MAX);
        let heads = self.heads();
        let numbered = (0..).zip(self.events.iter().zip(&heads));
        let one = |(ordinal, (event, head)): (u64, (&Encoded, &Head))| {
            let envelope = Envelope {
                schema: event.schema,
                accepted_at_us: event.accepted_at.micros(),
                hash: head.hash.to_string(),
                ordinal,
                count,
                metadata: text(&event.metadata)?,
                rest: rest.take(),
            };
            let payload = RawValue::from_string(text(&event.payload)?);
            payload
                .and_then(|payload| EventData::json(&event.name, &payload))
                .and_then(|data| data.id(wire_id(head.hash)).metadata_as_json(&envelope))
                .map_err(|why| format!("an event cannot be sent: {why}"))
        };
        numbered.map(one).collect()
    }
}

fn text(bytes: &[u8]) -> Result<String, String> {
    String::from_utf8(bytes.to_vec()).map_err(|why| format!("an event cannot be sent: {why}"))
}

/// The id under which the server knows the event. It follows from the event's hash and so from every
/// byte of it and of the stream before it: a server that says "it stands already" says that of these
/// very bytes, and a command that was decided another time is no repetition to it.
pub(super) fn wire_id(hash: Hash) -> Uuid {
    let mut bytes = [0; 16];
    bytes.iter_mut().zip(hash.0).for_each(|(to, from)| *to = from);
    Builder::from_custom_bytes(bytes).into_uuid()
}

/// An event as it was found.
#[derive(Debug, Clone)]
pub(super) struct Found {
    /// Where its append ends is not filled in.
    pub(super) event: StoredEvent,
    pub(super) id: EventId,
    /// How many events of its append come after it.
    pub(super) left: u64,
    pub(super) rest: Option<Rest>,
}

impl Found {
    pub(super) const fn head(&self) -> Head {
        Head { revision: self.event.revision, hash: self.event.hash }
    }
}

/// Opens an event.
#[expect(clippy::needless_pass_by_value, reason = "it maps over what a read gives out")]
pub(super) fn open(prefix: &str, recorded: RecordedEvent) -> Result<Found, ReadError> {
    // The place of the event's own record: one event, one position, rising with the log.
    let position = Position(recorded.position.prepare);
    let malformed = |why: String| ReadError::Malformed { position, why };
    if position.0 >= POSITION_MAX {
        return Err(malformed("the position is beyond 2^53".to_owned()));
    }
    let envelope: Envelope = serde_json::from_slice(&recorded.custom_metadata)
        .map_err(|why| malformed(format!("not written by this engine: {why}")))?;
    let hash = hash(&envelope.hash).ok_or_else(|| malformed("its hash is none".to_owned()))?;
    let named: Named = serde_json::from_str(&envelope.metadata)
        .map_err(|why| malformed(format!("metadata: {why}")))?;
    let stream = recorded.stream_id();
    let left = envelope.count.checked_sub(envelope.ordinal.saturating_add(1));
    let event = StoredEvent {
        stream: stream.strip_prefix(prefix).unwrap_or(stream).to_owned(),
        revision: Revision(recorded.revision),
        position,
        append_end: position,
        name: recorded.event_type.clone(),
        schema: envelope.schema,
        accepted_at: Timestamp::from_micros(envelope.accepted_at_us),
        metadata: envelope.metadata.into_bytes(),
        payload: recorded.data.to_vec(),
        hash,
    };
    Ok(Found { event, id: named.event_id, left: left.unwrap_or(0), rest: envelope.rest })
}

/// Reads a hash from its digits.
pub(super) fn hash(digits: &str) -> Option<Hash> {
    let mut bytes = [0; 32];
    if digits.len() != 64 {
        return None;
    }
    for (index, byte) in bytes.iter_mut().enumerate() {
        let from = index.checked_mul(2)?;
        *byte = u8::from_str_radix(digits.get(from..from.checked_add(2)?)?, 16).ok()?;
    }
    Some(Hash(bytes))
}
