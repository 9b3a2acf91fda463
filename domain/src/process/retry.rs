//! When a provider that gave no definite answer is asked again, and how. The same key is sent
//! again soon, because that settles most cases; then the provider is read, ever more rarely. A
//! customer's authorisation lives ten minutes at Toss Payments, so what was not taken within the
//! hour will not be.

use std::time::Duration;

use crate::time::Timestamp;

/// How to ask again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ask {
    /// The same request under the same key.
    Again,
    /// What became of it; when there is no trace of it, the same request under the same key.
    Read,
    /// What became of it; no trace of a capture now means that it never arrived and never will.
    ReadFinally,
}

/// Seconds after the previous try, and the way to ask.
const SCHEDULE: [(u64, Ask); 8] = [
    (2, Ask::Again),
    (8, Ask::Again),
    (5, Ask::Read),
    (15, Ask::Again),
    (30, Ask::Read),
    (240, Ask::Read),
    (600, Ask::Read),
    (2_700, Ask::ReadFinally),
];

/// After these many vain tries a person should look: a quarter of an hour has passed.
pub const ALARM_AFTER_TRIES: u32 = 7;

/// When to ask after the vain try number `tries` (from 1) at `now`.
pub fn next_try_at(tries: u32, now: Timestamp) -> Timestamp {
    let day = 86_400;
    let seconds = entry(tries).map_or(day, |(seconds, _)| seconds);
    now.plus(Duration::from_secs(seconds))
}

/// How to ask after `tries` vain tries.
pub fn ask(tries: u32) -> Ask {
    if tries == 0 { Ask::Again } else { entry(tries).map_or(Ask::ReadFinally, |(_, ask)| ask) }
}

fn entry(tries: u32) -> Option<(u64, Ask)> {
    let index = usize::try_from(tries.checked_sub(1)?).ok()?;
    SCHEDULE.get(index).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_key_is_sent_again_at_2_10_and_30_seconds_and_read_in_between() {
        let mut now = Timestamp::MIN;
        let mut asked = Vec::new();
        for tries in 1..=9 {
            now = next_try_at(tries, now);
            asked.push((now.since(Timestamp::MIN).as_secs(), ask(tries)));
        }
        assert_eq!(
            asked,
            [
                (2, Ask::Again),
                (10, Ask::Again),
                (15, Ask::Read),
                (30, Ask::Again),
                (60, Ask::Read),
                (300, Ask::Read),
                (900, Ask::Read),
                (3_600, Ask::ReadFinally),
                (90_000, Ask::ReadFinally),
            ]
        );
    }
}
