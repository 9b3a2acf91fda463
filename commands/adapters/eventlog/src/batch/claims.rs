//! What a commit can be judged on without looking: each expectation says what its stream was when the
//! decision was taken, and usually still is. The store compares while it writes.

use std::collections::btree_map::Entry;

use super::judge::{Written, base};
use super::{Outcome, Prepared};
use crate::store::Claims;
use holdfast_domain::log::{AppendError, Position};

/// Of each stream what the first batch that names it expects; what later ones expect of it follows
/// from what is written before them. None when an expectation means nothing.
pub(crate) fn claims<'a>(
    parts: impl IntoIterator<Item = (&'a [Prepared], &'a Written)>,
) -> Option<Claims> {
    let mut claims = Claims::new();
    for (batches, written) in parts {
        for batch in batches.iter().filter(|batch| batch.fault.is_none()) {
            let writes = batch.writes.iter().map(|write| (write.stream, write.expected));
            let guards = batch.guards.iter().map(|guard| (guard.stream, guard.expected));
            for (stream, expected) in writes.chain(guards) {
                if let Entry::Vacant(unnamed) = claims.entry(stream) {
                    unnamed.insert(base(stream, expected, written).ok()?);
                }
            }
        }
    }
    Some(claims)
}

/// Whether an outcome that was judged on claims is one when the claims are true: a conflict may be a
/// repetition of what stands, and that has to be looked at.
pub(crate) fn holds(outcome: &Outcome) -> bool {
    matches!(outcome, Ok(_) | Err(AppendError::Unsupported(_)))
}

/// An outcome whose position counts from the tail, at its place in the log.
pub(crate) fn placed(outcome: Outcome, tail: Position) -> Outcome {
    let mut appended = outcome?;
    appended.position = Position(tail.0.saturating_add(appended.position.0));
    Ok(appended)
}
