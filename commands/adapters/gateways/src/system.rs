//! The machine's own clock and source of ids. The one place that asks the machine what time it is;
//! everything else is told. Deliberately without a correction for a clock that is wrong: a node
//! whose clock is wrong must be seen as such, not made up for.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use holdfast_commands::ports::{Clock, Ids};
use holdfast_domain::log::Pending;
use holdfast_domain::time::Timestamp;
use uuid::Uuid;

/// The longest sleep without a look at the clock: somebody may have set it meanwhile.
const SLICE: Duration = Duration::from_secs(1);

/// The machine's wall clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the port's one real clock")]
    fn now(&self) -> Timestamp {
        // A machine that believes to be before 1970 gets the earliest instant there is.
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_micros(i64::try_from(since_1970.as_micros()).unwrap_or(i64::MAX))
    }

    fn sleep_until(&self, instant: Timestamp) -> Pending<'_, ()> {
        Box::pin(async move {
            loop {
                let left = instant.since(self.now());
                if left.is_zero() {
                    return;
                }
                tokio::time::sleep(left.min(SLICE)).await;
            }
        })
    }
}

/// The machine's source of ids: UUIDv7, rising within a process.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemIds;

impl Ids for SystemIds {
    #[expect(clippy::disallowed_methods, reason = "this is the port's one real source of ids")]
    fn fresh(&self) -> Uuid {
        Uuid::now_v7()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn fresh_ids_are_of_version_7_and_never_given_out_twice() {
        let ids: Vec<_> = (0..10_000).map(|_| SystemIds.fresh()).collect();
        assert!(ids.iter().all(|id| id.get_version_num() == 7));
        assert!(ids.is_sorted(), "ids of one process rise");
        assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len());
    }

    #[tokio::test]
    async fn a_sleep_never_ends_before_its_instant() {
        let instant = SystemClock.now().plus(Duration::from_millis(20));
        SystemClock.sleep_until(instant).await;
        assert!(SystemClock.now() >= instant);
    }

    #[tokio::test]
    async fn an_instant_that_has_passed_is_not_waited_for() {
        let past = SystemClock.now().minus(Duration::from_hours(1));
        // A poll, not a wait: the future must be ready the first time it is asked.
        let mut sleep = SystemClock.sleep_until(past);
        let ready = std::future::poll_fn(|context| {
            std::task::Poll::Ready(sleep.as_mut().poll(context).is_ready())
        });
        assert!(ready.await);
    }
}
