//! Whether the log is the one that the read models follow.

use std::sync::Arc;

use holdfast_domain::log::{Feed, Position};

use crate::follower::FollowError;
use crate::ports::ReadStore;
use crate::registry::Checkpoint;

/// Recognises the log: its epoch, and the event at the checkpoint.
pub async fn recognise(feed: &dyn Feed, known: Option<Checkpoint>) -> Result<(), FollowError> {
    let Some(known) = known else { return Ok(()) };
    let head = feed.head().await?;
    if head.epoch != known.epoch {
        return Err(FollowError::AnotherLog(format!(
            "the views were built from the log's epoch {}, but the log is at epoch {}: it was \
             restored or replaced. `holdfast projections clear` empties the views; they fill \
             again from it",
            known.epoch, head.epoch
        )));
    }
    if known.position == Position::START {
        return Ok(());
    }
    let found = feed.hash_at(known.position).await?;
    if head.position < known.position || found != Some(known.hash) {
        return Err(FollowError::AnotherLog(format!(
            "the views stand at position {} with hash {}, but the log has {} there and ends at \
             {}: it lost or changed events. `holdfast projections clear` empties the views; \
             they fill again from it",
            known.position,
            known.hash,
            found.map_or("nothing".to_owned(), |hash| hash.to_string()),
            head.position
        )));
    }
    Ok(())
}

/// Whose read models a store holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Nobody has folded anything into them yet: they are anybody's.
    NoViews,
    /// Those of this log.
    ThisLog,
    /// Those of another log, or of another life of it; with both epochs.
    AnotherLog(String),
}

/// Compares the epoch that the read models follow with the log's own.
pub async fn origin(
    feed: &Arc<dyn Feed>,
    store: &Arc<dyn ReadStore>,
) -> Result<Origin, FollowError> {
    let registry = store.registry().await?;
    let Some(live) = registry.live else { return Ok(Origin::NoViews) };
    if feed.head().await?.epoch == live.epoch {
        // Whether it lost events is judged by who folds it.
        return Ok(Origin::ThisLog);
    }
    match recognise(feed.as_ref(), Some(live)).await {
        Ok(()) => Ok(Origin::ThisLog),
        Err(FollowError::AnotherLog(why)) => Ok(Origin::AnotherLog(why)),
        Err(why) => Err(why),
    }
}
