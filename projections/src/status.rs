//! How far the views are, for health, metrics and the operators' topic. The measure is the head of
//! the log, not the runner's own mark: a runner that reads nothing is not up to date.

use std::time::Instant;

use holdfast_domain::log::Position;

/// Where the views that a node shows come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// Nobody has looked yet.
    Unknown,
    /// This node folds the log and commits them.
    Log,
    /// Another node does; this one follows the store.
    Store,
}

/// A node's own account of the views that it shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// How far the active views are.
    pub position: Position,
    /// Where the log ends, when it was last looked at.
    pub head: Option<Position>,
    /// How many keys are parked.
    pub parked: u64,
    /// Why it stopped for good; only a restart helps.
    pub halted: Option<String>,
    /// What it is trying again after, while it is.
    pub trouble: Option<String>,
    /// When it last committed a page, or saw that there was none.
    pub last_progress: Instant,
    /// Views that are being filled before they can be read, with how far they are.
    pub building: Vec<(String, Position)>,
    /// Where they come from.
    pub source: Source,
    /// Counts signs of work: pages that a runner committed, live or of a view that it fills, its looks
    /// at the log that found nothing new, and a watcher's looks that reached store and log. Stands
    /// still while these fail or are stuck.
    pub worked: u64,
    /// The views that a newer release has built here, or may have: this one cannot go on with them.
    pub ahead: Vec<String>,
}

impl Status {
    /// Before the first look.
    pub fn starting() -> Self {
        Self {
            position: Position::START,
            head: None,
            parked: 0,
            halted: None,
            trouble: None,
            last_progress: Instant::now(),
            building: vec![],
            source: Source::Unknown,
            worked: 0,
            ahead: vec![],
        }
    }

    /// Notes a sign of work.
    pub const fn work(&mut self) {
        self.worked = self.worked.wrapping_add(1);
    }

    /// How far behind the head, in positions; none while the head is not known.
    pub fn lag(&self) -> Option<u64> {
        self.head.map(|head| head.0.saturating_sub(self.position.0))
    }

    /// Whether it runs, and nothing is in its way.
    pub fn is_running(&self) -> bool {
        self.halted.is_none() && self.trouble.is_none() && self.head.is_some()
    }
}
