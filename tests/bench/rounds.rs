//! Ours and its reference in turn, and what their ratio says about a goal. A verdict is one only at
//! size full, and only where the reference itself held still.

use crate::measure::{Line, differ, median};
use crate::size::Size;

/// What is asked of the median of the ratios.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Goal {
    /// At least so many percent of the reference.
    AtLeast(u64),
    /// At most so many percent of the reference.
    AtMost(u64),
}

/// What was measured, round by round.
#[derive(Debug, Default)]
pub(crate) struct Rounds {
    ours: Vec<u64>,
    reference: Vec<u64>,
}

impl Rounds {
    /// One round. A reference that is absent is absent in each of them.
    pub(crate) fn add(&mut self, ours: u64, reference: Option<u64>) {
        self.ours.push(ours);
        self.reference.extend(reference);
    }

    /// Median of each, of the ratios, and the verdict. `unit` names what was measured.
    pub(crate) fn on(&self, line: Line, unit: &str, goal: Goal, size: Size) -> Line {
        let (percent, least) = match goal {
            Goal::AtLeast(percent) => (percent, true),
            Goal::AtMost(percent) => (percent, false),
        };
        let bound = if least { "at_least" } else { "at_most" };
        let line = line
            .number(&format!("median_{unit}"), median(&self.ours))
            .number(&format!("goal_{bound}_percent_of_reference"), percent);
        if self.reference.is_empty() {
            return line.text("verdict", "none: the reference is absent");
        }
        let pairs = self.ours.iter().zip(&self.reference);
        let ratios: Vec<u64> = pairs
            .map(|(ours, reference)| {
                ours.saturating_mul(100).checked_div(*reference).unwrap_or(u64::MAX)
            })
            .collect();
        let (ratio, noisy) = (median(&ratios), differ(&self.reference));
        let met = if least { ratio >= percent } else { ratio <= percent };
        line.number(&format!("reference_median_{unit}"), median(&self.reference))
            .number("median_percent_of_reference", ratio)
            .flag("noisy", noisy)
            .text("verdict", size.verdict(noisy, met))
    }
}
