//! The two hash chains, exactly as `docs/event-log-format.md` writes them down: one per stream
//! over its events, one over the whole log by commits. Pure; the bytes come in as they are stored.

use holdfast_domain::log::{Hash, Position, Revision, StoredEvent};
use holdfast_domain::time::Timestamp;
use sha2::{Digest, Sha256};

const EVENT: [u8; 1] = [0x00];
const BATCH: [u8; 1] = [0x01];

/// Everything that an event's hash covers.
#[derive(Debug, Clone, Copy)]
pub struct Link<'a> {
    /// The stream's name.
    pub stream: &'a str,
    /// Its number in the stream.
    pub revision: Revision,
    /// The stored name.
    pub name: &'a str,
    /// The version of the payload's shape.
    pub schema: u32,
    /// When the command was accepted.
    pub accepted_at: Timestamp,
    /// JSON of the metadata.
    pub metadata: &'a [u8],
    /// JSON of the fact.
    pub payload: &'a [u8],
}

impl<'a> Link<'a> {
    /// What the hash of a stored event covers.
    pub fn of(event: &'a StoredEvent) -> Self {
        Self {
            stream: &event.stream,
            revision: event.revision,
            name: &event.name,
            schema: event.schema,
            accepted_at: event.accepted_at,
            metadata: &event.metadata,
            payload: &event.payload,
        }
    }

    /// The event's hash, after its predecessor's in the same stream.
    pub fn hash(&self, previous: Hash) -> Hash {
        let mut digest = Sha256::new();
        digest.update(EVENT);
        sized(&mut digest, self.stream.as_bytes());
        digest.update(self.revision.0.to_be_bytes());
        sized(&mut digest, self.name.as_bytes());
        digest.update(self.schema.to_be_bytes());
        digest.update(self.accepted_at.micros().to_be_bytes());
        sized(&mut digest, self.metadata);
        sized(&mut digest, self.payload);
        digest.update(previous.0);
        Hash(digest.finalize().into())
    }
}

/// One event as a commit's hash covers it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Member {
    /// Its place.
    pub position: Position,
    /// Where its append ended.
    pub append_end: Position,
    /// Its own hash.
    pub hash: Hash,
}

/// The hash of a commit, after its predecessor's in the log.
pub fn batch_hash(
    previous: Hash,
    number: u64,
    first: Position,
    last: Position,
    members: impl IntoIterator<Item = Member>,
) -> Hash {
    let mut digest = Sha256::new();
    digest.update(BATCH);
    digest.update(previous.0);
    digest.update(number.to_be_bytes());
    digest.update(first.0.to_be_bytes());
    digest.update(last.0.to_be_bytes());
    for member in members {
        digest.update(member.position.0.to_be_bytes());
        digest.update(member.append_end.0.to_be_bytes());
        digest.update(member.hash.0);
    }
    Hash(digest.finalize().into())
}

/// A field after its length: what moves from one field to the next changes the hash.
fn sized(digest: &mut Sha256, field: &[u8]) {
    digest.update(u64::try_from(field.len()).unwrap_or(u64::MAX).to_be_bytes());
    digest.update(field);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link<'a>(name: &'a str, metadata: &'a [u8], payload: &'a [u8]) -> Link<'a> {
        Link {
            stream: "payment-018f2a10-7c5e-7000-8000-000000000001",
            revision: Revision(3),
            name,
            schema: 1,
            accepted_at: Timestamp::from_micros(1_767_225_600_000_000),
            metadata,
            payload,
        }
    }

    #[test]
    fn the_published_vectors_hold() {
        // The same values stand in docs/event-log-format.md for other implementations.
        let hash = link("payment.captured", b"{\"m\":1}", b"{\"p\":2}").hash(Hash::ZERO);
        assert_eq!(
            hash.to_string(),
            "98f5ddb5135c2d8eca2fa2f2939f4fae07cb95280fff9ec978de34b4c0ce0448"
        );
        let member = Member { position: Position(1), append_end: Position(1), hash };
        let batch = batch_hash(Hash::ZERO, 1, Position(1), Position(1), [member]);
        assert_eq!(
            batch.to_string(),
            "523e9099cb29e81af4d424a143c6d32d444eeafb6c1d413c6e6746d80d3c4e35"
        );
    }

    #[test]
    fn bytes_that_move_to_the_next_field_change_the_hash() {
        let one = link("payment.captured", b"ab", b"c").hash(Hash::ZERO);
        assert_ne!(one, link("payment.captured", b"a", b"bc").hash(Hash::ZERO));
        assert_ne!(one, link("payment.capture", b"dab", b"c").hash(Hash::ZERO));
        assert_ne!(one, link("payment.captured", b"ab", b"c").hash(one));
    }
}
