//! The log as a test reads it: all of it, in order.

use holdfast_commands::state::Known;
use holdfast_domain::log::{Category, Feed, Position, Recorded, StreamId};

/// Everything that was written, oldest first.
#[derive(Debug, Clone)]
pub struct History(pub Vec<Recorded>);

impl History {
    /// Reads a log to its end.
    pub async fn read(feed: &dyn Feed) -> Self {
        let (mut events, mut after) = (Vec::new(), Position::START);
        loop {
            let page = feed.page(after, 1_000).await.unwrap();
            let Some(last) = page.last() else { return Self(events) };
            after = last.position;
            events.extend(page);
        }
    }

    /// How often an event of this stored name was written.
    pub fn count(&self, name: &str) -> usize {
        self.0.iter().filter(|event| event.event.name() == name).count()
    }

    /// The stored names of what was written after a position, in order.
    pub fn names_after(&self, position: Position) -> Vec<String> {
        let later = self.0.iter().filter(|event| event.position > position);
        later.map(|event| event.event.name()).collect()
    }

    /// Every stream of a kind.
    pub fn streams(&self, category: Category) -> Vec<StreamId> {
        let mut streams: Vec<_> = self.0.iter().map(|event| event.stream).collect();
        streams.retain(|stream| stream.category() == category);
        streams.sort_unstable();
        streams.dedup();
        streams
    }

    /// A stream, folded.
    pub fn fold(&self, stream: StreamId) -> Known {
        let events: Vec<_> =
            self.0.iter().filter(|event| event.stream == stream).cloned().collect();
        Known::fold(stream, &events)
    }
}
