//! Two small clocks of a socket: how much it may still say, and whether anybody is there. Pure:
//! instants arrive as arguments.

use tokio::time::Instant;

/// Beats without a sign of life after which nobody is there.
const UNANSWERED_MAX: u32 = 2;

/// Messages per second, with one second's worth at once.
#[derive(Debug)]
pub struct Allowance {
    each_second: u32,
    left: u32,
    since: Instant,
}

impl Allowance {
    /// A full one.
    pub const fn new(each_second: u32, now: Instant) -> Self {
        Self { each_second, left: each_second, since: now }
    }

    /// Takes one, if there is one left.
    pub fn take(&mut self, now: Instant) -> bool {
        let micros = now.saturating_duration_since(self.since).as_micros();
        let earned = micros.saturating_mul(u128::from(self.each_second)).div_euclid(1_000_000);
        if earned > 0 {
            let earned = u32::try_from(earned).unwrap_or(u32::MAX);
            self.left = self.left.saturating_add(earned).min(self.each_second);
            self.since = now;
        }
        let some = self.left > 0;
        self.left = self.left.saturating_sub(1);
        some
    }
}

/// Whether anybody is there.
#[derive(Debug, Default)]
pub struct Heartbeat {
    unanswered: u32,
}

impl Heartbeat {
    /// A sign of life.
    pub const fn alive(&mut self) {
        self.unanswered = 0;
    }

    /// Time for a ping. `false`: nobody has answered for too long.
    pub const fn beat(&mut self) -> bool {
        if self.unanswered >= UNANSWERED_MAX {
            return false;
        }
        self.unanswered = self.unanswered.saturating_add(1);
        true
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn one_seconds_worth_may_be_said_at_once_and_then_one_at_a_time() {
        let start = Instant::now();
        let mut allowance = Allowance::new(20, start);
        assert_eq!((0..30).filter(|_| allowance.take(start)).count(), 20);
        let soon = start + Duration::from_millis(50);
        assert!(allowance.take(soon) && !allowance.take(soon));
        let later = start + Duration::from_mins(1);
        assert_eq!((0..30).filter(|_| allowance.take(later)).count(), 20);
    }

    #[test]
    fn two_unanswered_pings_are_the_end_and_any_sign_of_life_is_not() {
        let mut heart = Heartbeat::default();
        assert!(heart.beat() && heart.beat() && !heart.beat());
        let mut heart = Heartbeat::default();
        for _ in 0..9 {
            assert!(heart.beat());
            heart.alive();
        }
    }
}
