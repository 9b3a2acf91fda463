//! Up to where: a position, or an instant. An instant stands for what was in the log before the
//! first event that was accepted later: clocks differ, and a prefix is always something that was
//! once the whole.

use std::str::FromStr;

use holdfast_domain::log::{Feed, Position, StoredEvent};
use holdfast_domain::time::Timestamp;

use crate::cli::Failure;

const PAGE: usize = 2_048;

/// Up to where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AsOf {
    /// Up to and with this position.
    Position(Position),
    /// Up to and with this instant.
    Instant(Timestamp),
}

impl FromStr for AsOf {
    type Err = &'static str;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Ok(position) = text.parse() {
            return Ok(Self::Position(Position(position)));
        }
        let instant = text.parse().map(Self::Instant);
        instant.map_err(|_why| "a position, or an instant like 2026-11-01T09:00:00+09:00")
    }
}

impl AsOf {
    /// Whether an event of a stream was there already.
    pub fn covers(self, event: &StoredEvent) -> bool {
        match self {
            Self::Position(position) => event.position <= position,
            Self::Instant(instant) => event.accepted_at <= instant,
        }
    }

    /// The last position that was there already, but at most the head.
    pub async fn position(self, feed: &dyn Feed) -> Result<Position, Failure> {
        let head = feed.head().await?.position;
        let instant = match self {
            Self::Position(position) => return Ok(position.min(head)),
            Self::Instant(instant) => instant,
        };
        let mut at = Position::START;
        while at < head {
            let page = feed.stored(at, PAGE).await?;
            if page.is_empty() {
                break;
            }
            for event in page {
                if event.accepted_at > instant {
                    return Ok(at);
                }
                at = event.position;
            }
        }
        Ok(at)
    }
}
