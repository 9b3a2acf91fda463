//! Figures of the append task, for metrics. Counted, never read back by the task itself.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Upper bounds of the counts of batches by which commits are counted; one more count is for
/// larger commits.
pub const SIZE_BOUNDS: [u64; 10] = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512];

/// What the log has done since it was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LogStats {
    /// Groups that wait now, without those of the commit under way.
    pub queue_depth: u64,
    /// How long the commit under way has taken so far, the oldest of several; none when all wait for
    /// work.
    pub committing_for: Option<Duration>,
    /// Commits that wrote something.
    pub commits: u64,
    /// Batches judged in them, refused ones included.
    pub batches: u64,
    /// Events written.
    pub events: u64,
    /// Batches that met a conflict.
    pub conflicts: u64,
    /// Commits by how many batches they held; see [`SIZE_BOUNDS`]. Not cumulative.
    pub commit_sizes: [u64; 11],
}

impl LogStats {
    /// What two tasks have done together.
    #[must_use]
    pub(crate) fn plus(self, other: Self) -> Self {
        let mut commit_sizes = self.commit_sizes;
        for (all, more) in commit_sizes.iter_mut().zip(other.commit_sizes) {
            *all = all.saturating_add(more);
        }
        Self {
            queue_depth: self.queue_depth.saturating_add(other.queue_depth),
            committing_for: self.committing_for.max(other.committing_for),
            commits: self.commits.saturating_add(other.commits),
            batches: self.batches.saturating_add(other.batches),
            events: self.events.saturating_add(other.events),
            conflicts: self.conflicts.saturating_add(other.conflicts),
            commit_sizes,
        }
    }
}

/// Of one task.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    commits: AtomicU64,
    batches: AtomicU64,
    events: AtomicU64,
    conflicts: AtomicU64,
    sizes: [AtomicU64; 11],
    /// When the commit under way began.
    began: Mutex<Option<Instant>>,
}

impl Counters {
    /// The task has taken groups and begins to commit them.
    pub(super) fn begin(&self) {
        *self.began.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    /// It has come to an end with them, whichever.
    pub(super) fn end(&self) {
        *self.began.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    pub(crate) fn committed(&self, batches: usize, events: usize, conflicts: usize) {
        let number = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        // A round of many small commits is no commit that does not end.
        self.begin();
        self.commits.fetch_add(1, Ordering::Relaxed);
        self.batches.fetch_add(number(batches), Ordering::Relaxed);
        self.events.fetch_add(number(events), Ordering::Relaxed);
        self.conflicts.fetch_add(number(conflicts), Ordering::Relaxed);
        let bucket = SIZE_BOUNDS.partition_point(|bound| *bound < number(batches));
        if let Some(count) = self.sizes.get(bucket) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(crate) fn read(&self) -> LogStats {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let began = *self.began.lock().unwrap_or_else(PoisonError::into_inner);
        LogStats {
            queue_depth: 0,
            committing_for: began.map(|began| began.elapsed()),
            commits: read(&self.commits),
            batches: read(&self.batches),
            events: read(&self.events),
            conflicts: read(&self.conflicts),
            commit_sizes: self.sizes.each_ref().map(read),
        }
    }
}
