//! A clock that tests move. It starts where it is told to, runs on from there with real time, and
//! can be put forward; it never runs back, as no node's clock does within a stream.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use holdfast_commands::ports::Clock;
use holdfast_domain::log::Pending;
use holdfast_domain::time::Timestamp;
use tokio::sync::watch;

/// The longest sleep without a look at the clock.
const SLICE: Duration = Duration::from_secs(1);

/// A clock that is set by hand and runs on by itself.
#[derive(Debug)]
pub struct TestClock {
    hands: Mutex<Hands>,
    moved: watch::Sender<()>,
}

/// What the clock showed, and when it did.
#[derive(Debug, Clone, Copy)]
struct Hands {
    showed: Timestamp,
    at: Instant,
}

impl Hands {
    fn now(self) -> Timestamp {
        self.showed.plus(self.at.elapsed())
    }
}

impl TestClock {
    /// A clock that shows `instant` now.
    pub fn starting_at(instant: Timestamp) -> Self {
        let hands = Hands { showed: instant, at: Instant::now() };
        Self { hands: Mutex::new(hands), moved: watch::Sender::new(()) }
    }

    /// Puts the clock forward to `instant` and wakes who sleeps by it. An instant that has passed
    /// changes nothing: the clock never runs back.
    pub fn set(&self, instant: Timestamp) {
        self.put_forward(|_now| instant);
    }

    /// Puts the clock forward by `step` and wakes who sleeps by it.
    pub fn advance(&self, step: Duration) {
        self.put_forward(|now| now.plus(step));
    }

    fn put_forward(&self, target: impl FnOnce(Timestamp) -> Timestamp) {
        {
            let mut hands = self.hands();
            let now = hands.now();
            *hands = Hands { showed: target(now).max(now), at: Instant::now() };
        }
        self.moved.send_replace(());
    }

    fn hands(&self) -> MutexGuard<'_, Hands> {
        // Nothing inside can panic half-way; a poisoned lock still holds a whole value.
        self.hands.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        self.hands().now()
    }

    fn sleep_until(&self, instant: Timestamp) -> Pending<'_, ()> {
        Box::pin(async move {
            // Subscribed before the first look, so that a move between look and sleep is not lost.
            let mut moved = self.moved.subscribe();
            loop {
                let left = instant.since(self.now());
                if left.is_zero() {
                    return;
                }
                // Either way the clock is looked at again.
                drop(tokio::time::timeout(left.min(SLICE), moved.changed()).await);
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    const HOUR: Duration = Duration::from_hours(1);

    fn noon() -> Timestamp {
        "2026-03-09T12:00:00Z".parse().unwrap()
    }

    #[test]
    fn it_starts_where_it_is_told_and_runs_on() {
        let clock = TestClock::starting_at(noon());
        let first = clock.now();
        assert!(first >= noon() && first < noon().plus(HOUR));
        let later = loop {
            let now = clock.now();
            if now > first {
                break now;
            }
        };
        assert!(later < noon().plus(HOUR));
    }

    #[test]
    fn it_never_runs_back() {
        let clock = TestClock::starting_at(noon());
        clock.advance(HOUR);
        clock.set(noon());
        assert!(clock.now() >= noon().plus(HOUR));
        clock.set(noon().plus(HOUR * 2));
        assert!(clock.now() >= noon().plus(HOUR * 2));
        assert!(clock.now() < noon().plus(HOUR * 3));
    }

    #[tokio::test]
    async fn putting_it_forward_wakes_a_sleeper_at_once() {
        let clock = Arc::new(TestClock::starting_at(noon()));
        let (asleep, deadline) = (Arc::clone(&clock), noon().plus(HOUR));
        let mut sleep = Box::pin(async move {
            asleep.sleep_until(deadline).await;
            asleep.now()
        });
        // The first poll puts it to sleep; the move then has to wake it.
        let still_asleep = std::future::poll_fn(|context| {
            std::task::Poll::Ready(sleep.as_mut().poll(context).is_pending())
        });
        assert!(still_asleep.await);
        clock.advance(HOUR);
        let woken = tokio::time::timeout(Duration::from_millis(900), sleep).await;
        assert!(woken.expect("woken by the move, before a slice of real time is over") >= deadline);
    }

    #[tokio::test]
    async fn a_move_short_of_the_deadline_does_not_end_the_sleep() {
        let clock = TestClock::starting_at(noon());
        let mut sleep = clock.sleep_until(noon().plus(HOUR));
        let mut poll = async || {
            std::future::poll_fn(|context| {
                std::task::Poll::Ready(sleep.as_mut().poll(context).is_ready())
            })
            .await
        };
        assert!(!poll().await);
        clock.advance(HOUR / 2);
        assert!(!poll().await);
        clock.advance(HOUR / 2);
        assert!(poll().await);
    }
}
