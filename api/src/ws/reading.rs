//! What is read for a group, from the views and from the log. What it means is the group's.

use holdfast_domain::log::{Position, ReadError, StoredEvent};
use holdfast_projections::reader::{News, ReadFailure};
use holdfast_projections::topic::Cursor;

use super::group::Work;
use crate::node::Node;

/// So much is read, or taken from the mailbox, at once.
pub(super) const PAGE: usize = 64;

/// What was read.
pub(super) enum Found {
    /// Where one stands who has read all changes.
    Now(Cursor),
    /// Changes, or that they are not kept any more.
    Changes(News),
    /// Where the log ends.
    Head(Position),
    /// Events.
    Events(Vec<StoredEvent>),
}

/// Why something could not be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unread {
    #[error(transparent)]
    Views(#[from] ReadFailure),
    #[error(transparent)]
    Log(#[from] ReadError),
}

/// Does a piece of work.
pub(super) async fn read(node: &Node, work: &Work) -> Result<Found, Unread> {
    Ok(match work {
        Work::Now => Found::Now(node.reader.now().await?),
        Work::Changes(topics, after) => {
            let limit = u32::try_from(PAGE).unwrap_or(u32::MAX);
            let topics = Some(topics.clone());
            Found::Changes(node.reader.changes(topics, *after, limit).await?)
        }
        Work::Head => Found::Head(node.feed.head().await?.position),
        Work::Events(after) => Found::Events(node.feed.stored(*after, PAGE).await?),
    })
}
