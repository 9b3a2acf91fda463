//! A clock that shows what a test sets it to, backwards as well, and stands still in between.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use holdfast_commands::ports::Clock;
use holdfast_domain::log::Pending;
use holdfast_domain::time::Timestamp;
use tokio::sync::watch;

/// Set by hand.
#[derive(Debug)]
pub(crate) struct HandClock {
    shows: Mutex<Timestamp>,
    moved: watch::Sender<()>,
}

impl HandClock {
    /// A clock that shows this instant.
    pub(crate) fn at(instant: Timestamp) -> Self {
        Self { shows: Mutex::new(instant), moved: watch::Sender::new(()) }
    }

    /// Sets it, and wakes who sleeps by it.
    pub(crate) fn set(&self, instant: Timestamp) {
        *self.shows.lock().unwrap_or_else(PoisonError::into_inner) = instant;
        self.moved.send_replace(());
    }

    /// Puts it forward.
    pub(crate) fn forward(&self, step: Duration) {
        self.set(self.now().plus(step));
    }
}

impl Clock for HandClock {
    fn now(&self) -> Timestamp {
        *self.shows.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn sleep_until(&self, instant: Timestamp) -> Pending<'_, ()> {
        Box::pin(async move {
            let mut moved = self.moved.subscribe();
            while self.now() < instant {
                // The sender lives as long as the clock that is borrowed here.
                let _closed = moved.changed().await;
            }
        })
    }
}
