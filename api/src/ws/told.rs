//! A change as it is told: all of its frame that is the same for everybody is written once, however
//! many hear it. Only the topic's name and the cursor differ from one subscriber to the next.

use holdfast_projections::ports::Change;
use holdfast_projections::topic::{Cursor, Topic};
use serde_json::value::RawValue;

use super::frames::Written;

/// A change and its words.
#[derive(Debug)]
pub struct Told {
    /// Its place.
    pub cursor: Cursor,
    /// The topics it belongs to.
    pub topics: Vec<Topic>,
    /// What its frames have in common.
    pub written: Written,
}

impl From<Change> for Told {
    fn from(change: Change) -> Self {
        let data = change
            .data
            .as_ref()
            .and_then(|document| serde_json::from_str::<&RawValue>(document.as_str()).ok());
        let written = Written::new(change.key.as_str(), change.cursor.position, data);
        Self { cursor: change.cursor, topics: change.topics, written }
    }
}
