//! A stored event for people and for programs. Payload and metadata are shown as the bytes that are
//! stored, not as this release would write them.

use holdfast_domain::log::StoredEvent;
use serde::Serialize;
use serde_json::value::RawValue;

/// An event as it is shown.
#[derive(Debug, Serialize)]
pub struct Shown {
    /// Its place in the log.
    pub position: u64,
    /// Its stream.
    pub stream: String,
    /// Its number in the stream.
    pub revision: u64,
    /// The stored name.
    pub name: String,
    /// The version of the payload's shape.
    pub schema: u32,
    /// When its command was accepted.
    pub accepted_at: String,
    /// Who, and because of what.
    pub metadata: Stored,
    /// What happened.
    pub payload: Stored,
    /// Its link in the stream's chain.
    pub hash: String,
}

/// Stored bytes.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Stored {
    /// They are JSON, as they should be.
    Json(Box<RawValue>),
    /// They are not.
    Other(String),
}

impl Stored {
    fn of(bytes: &[u8]) -> Self {
        let text = String::from_utf8_lossy(bytes).into_owned();
        RawValue::from_string(text.clone()).map_or(Self::Other(text), Self::Json)
    }

    fn text(&self) -> &str {
        match self {
            Self::Json(json) => json.get(),
            Self::Other(text) => text,
        }
    }
}

impl Shown {
    /// Of a stored event.
    pub fn of(event: &StoredEvent) -> Self {
        Self {
            position: event.position.0,
            stream: event.stream.clone(),
            revision: event.revision.0,
            name: event.name.clone(),
            schema: event.schema,
            accepted_at: event.accepted_at.to_string(),
            metadata: Stored::of(&event.metadata),
            payload: Stored::of(&event.payload),
            hash: event.hash.to_string(),
        }
    }

    /// One line for a person.
    pub fn text(&self) -> String {
        let Self { position, accepted_at, name, stream, revision, payload, .. } = self;
        let payload = payload.text();
        format!("{position:>8}  {accepted_at:<27}  {name:<32} {stream}@{revision}  {payload}")
    }
}
