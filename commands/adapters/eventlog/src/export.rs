//! The export: one JSON object per line, events and commits in the order in which they verify.
//! Stored bytes survive exactly: as text where they are text, else in base64. Deliberately not
//! here: files and sockets; lines come and go as strings.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use holdfast_domain::log::{Hash, Position, Revision, StoredBatch, StoredEvent};
use holdfast_domain::time::Timestamp;
use serde::{Deserialize, Serialize};

/// One line of an export.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    /// A fact as it is stored.
    Event(StoredEvent),
    /// The commit of the events before it.
    Batch(StoredBatch),
}

/// Why a line was not read.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// It is not one of the two shapes.
    #[error("not a line of an export: {0}")]
    NotALine(#[from] serde_json::Error),
    /// A field does not hold what it promises.
    #[error("the field {0} is not readable")]
    Field(&'static str),
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Shape {
    Event(EventShape),
    Batch(BatchShape),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct EventShape {
    position: u64,
    append_end: u64,
    stream: String,
    revision: u64,
    name: String,
    schema: u32,
    accepted_at_us: i64,
    metadata: Bytes,
    payload: Bytes,
    hash: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct BatchShape {
    number: u64,
    first: u64,
    last: u64,
    hash: String,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Bytes {
    Text(String),
    Base64(String),
}

impl From<&[u8]> for Bytes {
    fn from(bytes: &[u8]) -> Self {
        match std::str::from_utf8(bytes) {
            Ok(text) => Self::Text(text.to_owned()),
            Err(_not_text) => Self::Base64(STANDARD.encode(bytes)),
        }
    }
}

impl Bytes {
    fn read(self, field: &'static str) -> Result<Vec<u8>, ExportError> {
        match self {
            Self::Text(text) => Ok(text.into_bytes()),
            Self::Base64(text) => {
                STANDARD.decode(text).map_err(|_not_base64| ExportError::Field(field))
            }
        }
    }
}

impl Line {
    /// Writes the line, without its end.
    pub fn write(&self) -> Result<String, ExportError> {
        let shape = match self {
            Self::Event(event) => Shape::Event(EventShape {
                position: event.position.0,
                append_end: event.append_end.0,
                stream: event.stream.clone(),
                revision: event.revision.0,
                name: event.name.clone(),
                schema: event.schema,
                accepted_at_us: event.accepted_at.micros(),
                metadata: Bytes::from(event.metadata.as_slice()),
                payload: Bytes::from(event.payload.as_slice()),
                hash: event.hash.to_string(),
            }),
            Self::Batch(batch) => Shape::Batch(BatchShape {
                number: batch.number,
                first: batch.first.0,
                last: batch.last.0,
                hash: batch.hash.to_string(),
            }),
        };
        Ok(serde_json::to_string(&shape)?)
    }

    /// Reads a line.
    pub fn read(line: &str) -> Result<Self, ExportError> {
        Ok(match serde_json::from_str(line)? {
            Shape::Event(event) => Self::Event(StoredEvent {
                stream: event.stream,
                revision: Revision(event.revision),
                position: Position(event.position),
                append_end: Position(event.append_end),
                name: event.name,
                schema: event.schema,
                accepted_at: instant(event.accepted_at_us)?,
                metadata: event.metadata.read("metadata")?,
                payload: event.payload.read("payload")?,
                hash: hash(&event.hash)?,
            }),
            Shape::Batch(batch) => Self::Batch(StoredBatch {
                number: batch.number,
                first: Position(batch.first),
                last: Position(batch.last),
                hash: hash(&batch.hash)?,
            }),
        })
    }
}

/// An instant is clamped elsewhere; here a value out of range is a changed value.
fn instant(micros: i64) -> Result<Timestamp, ExportError> {
    let instant = Timestamp::from_micros(micros);
    if instant.micros() == micros { Ok(instant) } else { Err(ExportError::Field("accepted_at_us")) }
}

/// Reads the one accepted spelling of a hash: 64 lower-case hexadecimal digits.
pub fn hash(text: &str) -> Result<Hash, ExportError> {
    let wrong = || ExportError::Field("hash");
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte.wrapping_sub(b'0')),
        b'a'..=b'f' => Some(byte.wrapping_sub(b'a').wrapping_add(10)),
        _ => None,
    };
    let (pairs, []) = text.as_bytes().as_chunks::<2>() else { return Err(wrong()) };
    let bytes: Option<Vec<u8>> = pairs
        .iter()
        .map(|[high, low]| Some(digit(*high)?.wrapping_shl(4) | digit(*low)?))
        .collect();
    let bytes = bytes.and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
    bytes.map(Hash).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(payload: &[u8]) -> StoredEvent {
        StoredEvent {
            stream: "calendar-018f2a10-7c5e-7000-8000-000000000001".to_owned(),
            revision: Revision(0),
            position: Position(1),
            append_end: Position(2),
            name: "calendar.hold_released".to_owned(),
            schema: 1,
            accepted_at: Timestamp::from_micros(5),
            metadata: b"{ \"spaces\" : 1.0 }".to_vec(),
            payload: payload.to_vec(),
            hash: Hash([0xa7; 32]),
        }
    }

    #[test]
    fn bytes_survive_a_line_exactly() {
        for payload in
            [&b"{\"a\": 1e0}"[..], b"", b"\n\"\\\x00", "\u{d55c}".as_bytes(), b"\xff\xfe"]
        {
            let line = Line::Event(event(payload));
            let text = line.write().unwrap();
            assert!(!text.contains('\n'), "{text}");
            assert_eq!(Line::read(&text).unwrap(), line);
        }
    }

    #[test]
    fn a_changed_line_is_not_read() {
        let text = Line::Event(event(b"{}")).write().unwrap();
        for (from, to) in [("a7a7", "A7A7"), ("a7a7", ""), ("position", "place"), ("\"r", "\"q")] {
            assert!(Line::read(&text.replacen(from, to, 1)).is_err(), "{from} to {to}");
        }
        assert!(Line::read(&text.replace("_us\":5", "_us\":-5")).is_err());
    }
}
