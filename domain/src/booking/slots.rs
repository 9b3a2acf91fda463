//! Free-slot search: which times of an offering are offered, from the opening hours of its resource
//! and what is taken of them. A computation over what the caller loaded; it promises nothing. The
//! calendar decides when somebody books.
//!
//! Times are counted from the opening on, in steps of the duration, in elapsed minutes; after
//! something that is in the way they are counted from its end on. So a start that the clock skips
//! is never offered, and one that it shows twice is offered once per instant.

mod hours;
#[cfg(test)]
mod tests;

use std::time::Duration;

pub use self::hours::{is_open, open_ranges};

use self::hours::{Run, runs, whole_minute};
use crate::booking::calendar::Calendar;
use crate::booking::offering::Terms;
use crate::booking::resource::Registered;
use crate::time::{Interval, Timestamp, minutes};

/// What is asked.
#[derive(Debug, Clone, Copy)]
pub struct Search<'a> {
    /// Whose time it takes.
    pub resource: &'a Registered,
    /// What is booked.
    pub terms: &'a Terms,
    /// What is taken of that time.
    pub calendar: &'a Calendar,
    /// The first start of interest.
    pub from: Timestamp,
    /// The first start that is not.
    pub to: Timestamp,
    /// The instant of judgement: what has expired by then is free.
    pub now: Timestamp,
    /// For how many there must be room; at least one.
    pub seats: u32,
    /// How many to find at most.
    pub limit: usize,
}

/// A time that can be booked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slot {
    /// What would be booked, half-open.
    pub interval: Interval,
    /// How many more could have it; at least as many as asked for.
    pub seats_left: u32,
}

/// The times that are offered, by start; at most as many as asked for.
pub fn free_slots(search: &Search<'_>) -> Vec<Slot> {
    let (earliest, latest) = search.terms.bookable(search.now);
    let window = Window {
        from: search.from.max(earliest),
        // The last instant of the booking window can still be booked.
        to: search.to.min(latest.plus(Duration::from_micros(1))),
    };
    let mut found = Vec::new();
    if window.from < window.to {
        let (schedule, zone) = (&search.resource.schedule, &search.resource.zone);
        let last_end = window.to.plus(minutes(search.terms.duration_minutes));
        for run in runs(schedule, zone, window.from, last_end) {
            search.walk(&run, window, &mut found);
        }
    }
    found
}

/// The free times nearest to `start`, nearest first; at most as many as asked for. Both directions
/// are searched from there, so that what is free far away hides no neighbour.
pub fn nearest(search: &Search<'_>, start: Timestamp) -> Vec<Slot> {
    // A start is a whole minute, which bounds what lies before.
    let before = free_slots(&Search { to: start, limit: usize::MAX, ..*search });
    let after = free_slots(&Search { from: start, ..*search });
    let mut near: Vec<_> = before.into_iter().rev().take(search.limit).chain(after).collect();
    near.sort_by_key(|slot| {
        let found = slot.interval.start();
        found.since(start).max(start.since(found))
    });
    near.truncate(search.limit);
    near
}

/// Which starts are wanted, half-open.
#[derive(Clone, Copy)]
struct Window {
    from: Timestamp,
    to: Timestamp,
}

/// What stands at a candidate.
enum Finding {
    Free { seats_left: u32 },
    Taken { try_next: Timestamp },
}

impl Search<'_> {
    /// Adds the free times of one run.
    fn walk(&self, run: &Run, window: Window, found: &mut Vec<Slot>) {
        let next_anchors = run.anchors.iter().skip(1).copied().chain([run.open.end()]);
        for (anchor, next) in run.anchors.iter().copied().zip(next_anchors) {
            let mut start = whole_minute(anchor);
            while start < next.min(window.to) && found.len() < self.limit {
                let inside = self.terms.booked(start).filter(|it| run.open.contains(it));
                let Some(interval) = inside else { break };
                match self.look(interval) {
                    Finding::Free { seats_left } => {
                        if start >= window.from {
                            found.push(Slot { interval, seats_left });
                        }
                        start = interval.end();
                    }
                    Finding::Taken { try_next } => start = try_next,
                }
            }
        }
    }

    fn look(&self, booked: Interval) -> Finding {
        let blocks = self.terms.blocks(booked);
        let load = self.calendar.load(blocks, self.now);
        let seats_left = self.resource.capacity.saturating_sub(load);
        if seats_left >= self.seats.max(1) {
            return Finding::Free { seats_left };
        }
        // No start before this can do: whatever is in the way here would still be in the way.
        let free_again = self.calendar.first_end(blocks, self.now);
        let buffer = minutes(self.terms.buffers.before_minutes);
        let try_next = free_again.map_or(booked.end(), |end| whole_minute(end.plus(buffer)));
        Finding::Taken { try_next }
    }
}
