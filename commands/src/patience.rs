//! How long a caller waits for stores that other machines have: each call to them has a bound, but a
//! command makes several, and may stand behind others that wait for the same store. What is given
//! up here goes on to its end, and the same command again is answered from what became of it.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

/// How long a command may wait for its stores, before its caller is told to come back. What it waits
/// for the provider of payments is not counted.
pub const STORES_MAX: Duration = Duration::from_secs(2);

/// Says for whom a command waits.
#[derive(Debug)]
pub struct Waits {
    elsewhere: watch::Sender<bool>,
}

impl Waits {
    /// One that waits for stores, and what shows it.
    pub fn new() -> (Self, watch::Receiver<bool>) {
        let (elsewhere, shown) = watch::channel(false);
        (Self { elsewhere }, shown)
    }

    /// What shows it.
    pub fn shown(&self) -> watch::Receiver<bool> {
        self.elsewhere.subscribe()
    }

    /// From now on it waits for somebody else, or for stores again.
    pub fn elsewhere(&self, elsewhere: bool) {
        self.elsewhere.send_replace(elsewhere);
    }
}

/// The answer, unless it waits for its stores longer than `most`.
pub async fn within<T>(
    most: Duration,
    mut elsewhere: watch::Receiver<bool>,
    answer: impl Future<Output = T>,
) -> Option<T> {
    let mut answer = std::pin::pin!(answer);
    let mut left = most;
    loop {
        let (waits_elsewhere, since) = (*elsewhere.borrow_and_update(), Instant::now());
        tokio::select! {
            biased;
            answer = &mut answer => return Some(answer),
            Ok(()) = elsewhere.changed() => {
                if !waits_elsewhere {
                    left = left.saturating_sub(since.elapsed());
                }
            }
            () = tokio::time::sleep(left), if !waits_elsewhere => return None,
            else => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOST: Duration = Duration::from_millis(300);
    const LONGER: Duration = Duration::from_millis(600);

    /// Whether one who waits so for stores, a provider and stores again is told in time.
    async fn is_answered(before: Duration, call: Duration, after: Duration) -> bool {
        let (waits, shown) = Waits::new();
        let answer = async move {
            tokio::time::sleep(before).await;
            waits.elsewhere(true);
            tokio::time::sleep(call).await;
            waits.elsewhere(false);
            tokio::time::sleep(after).await;
        };
        within(MOST, shown, answer).await.is_some()
    }

    #[tokio::test]
    async fn only_the_wait_for_stores_counts() {
        let (none, for_ever) = (Duration::ZERO, Duration::MAX);
        assert!(is_answered(none, LONGER, none).await);
        assert!(!is_answered(for_ever, none, none).await);
        assert!(!is_answered(none, LONGER, for_ever).await);
    }

    #[tokio::test]
    async fn one_who_never_waits_elsewhere_is_bounded_too() {
        let (_, shown) = Waits::new();
        let never = std::future::pending::<()>();
        assert_eq!(within(MOST, shown, never).await, None);
    }
}
