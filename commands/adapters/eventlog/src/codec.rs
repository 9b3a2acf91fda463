//! Typed facts to stored bytes and back. The bytes written here are what is hashed and kept for
//! ever; they are never serialised again. Deliberately not here: hashes and positions.

use holdfast_domain::event::{Event, Unreadable};
use holdfast_domain::ids::EventId;
use holdfast_domain::log::{NewEvent, Position, ReadError, Recorded, StoredEvent};
use holdfast_domain::time::Timestamp;

/// A fact in the bytes that will be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoded {
    /// The event's id, also inside the metadata.
    pub event_id: EventId,
    /// The stored name.
    pub name: String,
    /// The version of the payload's shape.
    pub schema: u32,
    /// When the command was accepted, also inside the metadata.
    pub accepted_at: Timestamp,
    /// JSON of the metadata.
    pub metadata: Vec<u8>,
    /// JSON of the fact.
    pub payload: Vec<u8>,
}

impl Encoded {
    /// How much it adds to a commit.
    pub fn size(&self) -> usize {
        self.metadata.len().saturating_add(self.payload.len())
    }
}

/// Writes a fact.
pub fn encode(new: &NewEvent) -> Result<Encoded, serde_json::Error> {
    let mut payload = Vec::with_capacity(256);
    new.event.serialize_payload(&mut serde_json::Serializer::new(&mut payload))?;
    let mut metadata = Vec::with_capacity(384);
    serde_json::to_writer(&mut metadata, &new.metadata)?;
    Ok(Encoded {
        event_id: new.metadata.event_id,
        name: new.event.name(),
        schema: new.event.kind().1,
        accepted_at: new.metadata.accepted_at,
        metadata,
        payload,
    })
}

/// Reads a payload of any version that was ever stored.
pub fn decode_payload(
    name: &str,
    schema: u32,
    payload: &[u8],
    position: Position,
) -> Result<Event, ReadError> {
    let mut reader = serde_json::Deserializer::from_slice(payload);
    let malformed =
        |why: serde_json::Error| ReadError::Malformed { position, why: why.to_string() };
    let event = Event::deserialize_payload(name, schema, &mut reader).map_err(|why| match why {
        Unreadable::Unknown => ReadError::UnknownEvent { name: name.to_owned(), schema, position },
        Unreadable::Malformed(why) => malformed(why),
    })?;
    reader.end().map_err(malformed)?;
    Ok(event)
}

/// Reads a stored fact, in today's shape.
#[expect(clippy::needless_pass_by_value, reason = "it maps over what a store gives out")]
pub fn decode(stored: StoredEvent) -> Result<Recorded, ReadError> {
    let position = stored.position;
    let malformed = |why: String| ReadError::Malformed { position, why };
    let event = decode_payload(&stored.name, stored.schema, &stored.payload, position)?;
    let stream = stored.stream.parse().map_err(|_not_a_name| {
        malformed(format!("{:?} is not the name of a stream", stored.stream))
    })?;
    let metadata = serde_json::from_slice(&stored.metadata)
        .map_err(|why| malformed(format!("metadata: {why}")))?;
    Ok(Recorded {
        stream,
        revision: stored.revision,
        position,
        append_end: stored.append_end,
        event,
        metadata,
        hash: stored.hash,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: &str, schema: u32, payload: &str) -> Result<Event, ReadError> {
        decode_payload(name, schema, payload.as_bytes(), Position(7))
    }

    #[test]
    fn an_unknown_name_or_version_is_named_with_its_place() {
        for (name, schema) in [
            ("reservation.expired", 99),
            ("reservation.teleported", 1),
            ("nothing.expired", 1),
            ("expired", 1),
        ] {
            assert_eq!(
                read(name, schema, "{}"),
                Err(ReadError::UnknownEvent {
                    name: name.to_owned(),
                    schema,
                    position: Position(7)
                })
            );
        }
    }

    #[test]
    fn a_payload_that_breaks_its_promise_is_malformed() {
        assert!(read("reservation.expired", 1, "{}").is_ok());
        for wrong in ["", "{", "[]x", "{} {}", r#"{"more":1}"#, "null", "\u{0}"] {
            assert!(
                matches!(
                    read("reservation.expired", 1, wrong),
                    Err(ReadError::Malformed { position: Position(7), .. })
                ),
                "{wrong:?}"
            );
        }
    }
}
