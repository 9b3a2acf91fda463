//! What came of what was asked for: how often each thing was made, and how often each answer came.

use std::collections::BTreeMap;

use serde::Serialize;

/// Counts by name.
#[derive(Debug, Default, Serialize)]
pub(super) struct Tally {
    counts: BTreeMap<String, u64>,
}

impl Tally {
    /// One more.
    pub(super) fn count(&mut self, name: &str) {
        let count = self.counts.entry(name.to_owned()).or_default();
        *count = count.saturating_add(1);
    }

    /// How many.
    pub(super) fn of(&self, name: &str) -> u64 {
        self.counts.get(name).copied().unwrap_or(0)
    }

    /// For a person.
    pub(super) fn text(&self) -> String {
        let lines = self.counts.iter().map(|(name, count)| format!("{count:>8}  {name}"));
        lines.collect::<Vec<_>>().join("\n")
    }

    /// In one line.
    pub(super) fn short(&self) -> String {
        let of = |name| self.of(name);
        let (made, sold) = (of("bookings made"), of("bookings confirmed"));
        format!("{made} booked, {sold} confirmed, {} refused", of("bookings refused"))
    }
}
