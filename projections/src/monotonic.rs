//! A clock that only goes forward, for what is judged by how much time has passed: leases. The
//! engine's clock does not do, because it can be set.

use std::fmt;
use std::time::{Duration, Instant};

use holdfast_domain::log::Pending;

/// Tells how much time has passed.
pub trait Monotonic: Send + Sync + fmt::Debug {
    /// Since any start, the same for all calls.
    fn now(&self) -> Duration;

    /// Returns at this instant by the same clock, or earlier when the clock was moved: look again.
    fn sleep_until(&self, instant: Duration) -> Pending<'_, ()>;
}

/// The machine's.
#[derive(Debug, Clone, Copy)]
pub struct Steady {
    start: Instant,
}

impl Steady {
    /// Starts at zero.
    pub fn new() -> Self {
        Self { start: Instant::now() }
    }
}

impl Default for Steady {
    fn default() -> Self {
        Self::new()
    }
}

impl Monotonic for Steady {
    fn now(&self) -> Duration {
        self.start.elapsed()
    }

    fn sleep_until(&self, instant: Duration) -> Pending<'_, ()> {
        Box::pin(tokio::time::sleep(instant.saturating_sub(self.now())))
    }
}
