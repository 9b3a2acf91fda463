//! An index of deadlines that shows what a test lists, whatever was done about it: the worst case
//! of one that is behind.

use std::sync::{Mutex, PoisonError};

use holdfast_commands::ports::{Due, DueIndex, DuePage, DuePlace, DueUnavailable};
use holdfast_domain::log::Pending;
use holdfast_domain::time::Timestamp;
use tokio::sync::Notify;

/// A list of deadlines.
#[derive(Debug, Default)]
pub(crate) struct Listed {
    entries: Mutex<Vec<Due>>,
    changed: Notify,
}

impl Listed {
    /// Shows these from now on.
    pub(crate) fn show(&self, mut entries: Vec<Due>) {
        entries.sort_by_key(|entry| (entry.at, entry.reservation));
        *self.entries.lock().unwrap_or_else(PoisonError::into_inner) = entries;
        self.changed.notify_one();
    }
}

fn place(entry: &Due) -> DuePlace {
    DuePlace { at: entry.at.micros(), key: entry.reservation.to_string() }
}

impl DueIndex for Listed {
    fn due(
        &self,
        now: Timestamp,
        after: Option<DuePlace>,
        limit: usize,
    ) -> Pending<'_, Result<DuePage, DueUnavailable>> {
        Box::pin(async move {
            let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner).clone();
            let behind = |entry: &&Due| {
                let here = place(entry);
                after.as_ref().is_none_or(|after| (here.at, &here.key) > (after.at, &after.key))
            };
            let mut found = entries.iter().filter(behind);
            let due: Vec<_> =
                found.by_ref().take_while(|it| it.at <= now).take(limit).copied().collect();
            let full = due.len() == limit;
            let after = due.last().filter(|_| full).map(place);
            let next = entries.iter().map(|entry| entry.at).find(|at| *at > now);
            Ok(DuePage { due, after, next: next.filter(|_| !full) })
        })
    }

    fn changed(&self) -> Pending<'_, ()> {
        Box::pin(self.changed.notified())
    }
}
