//! How many events are taken at once. Few while little waits, so that what is new is shown soon; more
//! while much waits, because a document that changes again and again is then written once.

use std::time::Duration;

/// A stride is at most so many times the smallest.
const LONGEST: usize = 8;
/// Under this a page was quick, and the next one may have twice as many events.
const QUICK: Duration = Duration::from_millis(250);
/// Over this it was slow: a store gives a page up that takes much longer.
const SLOW: Duration = Duration::from_millis(750);

/// How many events the next page has at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stride {
    smallest: usize,
    now: usize,
}

impl Stride {
    /// Begins with the smallest.
    pub const fn new(smallest: usize) -> Self {
        Self { smallest, now: smallest }
    }

    /// So many events.
    pub const fn limit(self) -> usize {
        self.now
    }

    /// A page of so many events was read and committed in this time.
    pub fn took(&mut self, events: usize, time: Duration) {
        self.now = if events < self.now {
            self.smallest
        } else if time < QUICK {
            self.now.saturating_mul(2).min(self.smallest.saturating_mul(LONGEST))
        } else if time > SLOW {
            self.now.div_euclid(2).max(self.smallest)
        } else {
            self.now
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_grows_while_pages_are_full_and_quick_and_ends_with_the_log() {
        let mut stride = Stride::new(512);
        let mut limits = Vec::new();
        for (events, millis) in [
            (512, 10),
            (1_024, 10),
            (2_048, 10),
            (4_096, 10),
            (4_096, 500),
            (4_096, 1_000),
            (2_048, 1_000),
            (1_024, 1_000),
            (512, 1_000),
            (512, 10),
            // An append may go beyond the limit.
            (1_030, 10),
            (100, 10),
        ] {
            stride.took(events, Duration::from_millis(millis));
            limits.push(stride.limit());
        }
        let expected =
            [1_024, 2_048, 4_096, 4_096, 4_096, 2_048, 1_024, 512, 512, 1_024, 2_048, 512];
        assert_eq!(limits, expected);
    }
}
