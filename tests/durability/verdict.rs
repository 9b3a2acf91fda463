//! All checkers at once, and how a test fails by what they find.

use crate::evidence::Evidence;
use crate::world::World;
use crate::{checker, memory, money};

/// Everything that is wrong with the disk.
pub(crate) fn violations(world: &World, evidence: &Evidence, settled: bool) -> Vec<String> {
    let mut found = checker::violations(&evidence.events);
    found.extend(evidence.chains.failure.iter().map(|failure| format!("chains: {failure:?}")));
    found.extend(memory::violations(&world.history(), evidence));
    found.extend(money::reconcile(&evidence.events, &evidence.movements, settled));
    found
}

#[track_caller]
pub(crate) fn assert_holds(occasion: &str, violations: &[String]) {
    let first: Vec<_> = violations.iter().take(10).cloned().collect();
    assert!(
        violations.is_empty(),
        "{occasion}: {} violations:\n{}",
        violations.len(),
        first.join("\n")
    );
}
