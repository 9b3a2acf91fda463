//! Whether a worker gets on, judged by the account that its runner and its watcher of the views give
//! of themselves. Pure: the clock is an argument. What follows from it is the keeper's business.

use std::time::Duration;

use crate::presence::Presence;
use crate::status::Status;

/// What a worker is good for, judged by the views.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fitness {
    /// It keeps the views and gets on, or could keep them.
    Able,
    /// It should not have the views while another could keep them; why.
    Bystander(&'static str),
    /// It gets nothing done: its stores are out of its reach, or it is stuck. It should have no share
    /// while another gets on.
    Stalled,
}

/// The last sign of work.
#[derive(Debug, Clone, Copy)]
struct Sign {
    tenure: Option<u64>,
    count: u64,
    seen: Duration,
}

/// Remembers what was seen of the work.
#[derive(Debug)]
pub struct Effort {
    /// How long the work may go on without a sign of it.
    patience: Duration,
    /// How long one who gave the views back is no candidate for them.
    rest: Duration,
    sign: Option<Sign>,
    rests_until: Duration,
}

impl Fitness {
    /// As what a worker shows itself to others.
    pub const fn presence(self) -> Presence {
        match self {
            Self::Able => Presence::Able,
            Self::Bystander(_) => Presence::Bystander,
            Self::Stalled => Presence::Stalled,
        }
    }
}

impl Effort {
    /// Nothing was seen yet.
    pub const fn new(patience: Duration, rest: Duration) -> Self {
        Self { patience, rest, sign: None, rests_until: Duration::ZERO }
    }

    /// Judges the account at this instant. `tenure` is the number of the lease of the views while
    /// this worker has it. One that moves is able however slow it is, and however far behind.
    pub fn judge(&mut self, status: &Status, tenure: Option<u64>, now: Duration) -> Fitness {
        let fresh = Sign { tenure, count: status.worked, seen: now };
        // A tenure begins with all its patience. One that ends leaves whatever was seen.
        let same =
            |sign: &Sign| sign.count == fresh.count && (tenure.is_none() || sign.tenure == tenure);
        let seen = self.sign.filter(same).map_or(now, |sign| sign.seen);
        let sign = *self.sign.insert(Sign { seen, ..fresh });
        if now >= sign.seen.saturating_add(self.patience) {
            return Fitness::Stalled;
        }
        let watches = tenure.is_none();
        let reasons = [
            (status.halted.is_some(), "its views have halted"),
            (!status.ahead.is_empty(), "the views are of a newer release"),
            (watches && now < self.rests_until, "it gave them back a moment ago"),
            // A runner's trouble may pass with its next try. One who watches has not begun to try.
            (watches && status.trouble.is_some(), "it cannot follow them"),
        ];
        let found = reasons.into_iter().find(|(holds, _)| *holds);
        found.map_or(Fitness::Able, |(_, why)| Fitness::Bystander(why))
    }

    /// When it will have stood still for too long, unless it moves.
    pub fn patience_ends(&self) -> Option<Duration> {
        self.sign.map(|sign| sign.seen.saturating_add(self.patience))
    }

    /// The views were given back because of what was judged.
    pub fn gave_back(&mut self, now: Duration) {
        self.rests_until = now.saturating_add(self.rest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: u64 = 7;

    fn effort() -> Effort {
        Effort::new(Duration::from_secs(PATIENCE), Duration::from_secs(30))
    }

    fn is_able(effort: &mut Effort, status: &Status, tenure: Option<u64>, second: u64) -> bool {
        effort.judge(status, tenure, Duration::from_secs(second)) == Fitness::Able
    }

    fn worked(count: u64) -> Status {
        Status { worked: count, ..Status::starting() }
    }

    #[test]
    fn one_who_moves_is_able_however_slow_and_one_who_stands_still_is_not() {
        let mut effort = effort();
        for step in 0..10 {
            assert!(is_able(&mut effort, &worked(step), Some(1), step * (PATIENCE - 1)));
        }
        let last = 9 * (PATIENCE - 1);
        assert_eq!(effort.patience_ends(), Some(Duration::from_secs(last + PATIENCE)));
        assert!(is_able(&mut effort, &worked(9), Some(1), last + PATIENCE - 1));
        let late = Duration::from_secs(last + PATIENCE);
        assert_eq!(effort.judge(&worked(9), Some(1), late), Fitness::Stalled);
        assert!(is_able(&mut effort, &worked(10), Some(1), last + PATIENCE), "it moved at last");
    }

    #[test]
    fn a_tenure_begins_with_all_its_patience() {
        let mut effort = effort();
        assert!(is_able(&mut effort, &worked(4), Some(1), 0));
        assert!(is_able(&mut effort, &worked(4), Some(2), 100), "another tenure");
        assert!(!is_able(&mut effort, &worked(4), None, 200), "it watches, and sees nothing");
        assert!(is_able(&mut effort, &worked(5), None, 300));
        assert!(is_able(&mut effort, &worked(5), Some(2), 400), "after a time without");
    }

    #[test]
    fn trouble_counts_against_who_watches_and_not_against_a_runner_that_tries_again() {
        let troubled = Status { trouble: Some("the log is away".to_owned()), ..worked(1) };
        assert!(is_able(&mut effort(), &troubled, Some(1), 0));
        assert!(!is_able(&mut effort(), &troubled, None, 0));
        let halted = Status { halted: Some("another log".to_owned()), ..worked(1) };
        let ahead = Status { ahead: vec!["seats".to_owned()], ..worked(1) };
        for status in [halted, ahead] {
            for tenure in [None, Some(1)] {
                assert!(!is_able(&mut effort(), &status, tenure, 0), "{status:?}");
            }
        }
    }

    #[test]
    fn one_who_gave_the_views_back_rests() {
        let mut effort = effort();
        effort.gave_back(Duration::from_secs(10));
        assert!(!is_able(&mut effort, &worked(1), None, 39));
        assert!(is_able(&mut effort, &worked(2), None, 40));
        effort.gave_back(Duration::from_secs(50));
        assert!(is_able(&mut effort, &worked(1), Some(3), 51), "it was the only one who could");
    }
}
