//! The port through which nodes tell one another that the views moved. Hints only: they may be
//! lost, doubled or late, and nothing but speed depends on them. Whoever listens looks by itself
//! now and then all the same.

use std::fmt;

use holdfast_domain::log::{Pending, Position};

/// Tells, and is told, that there may be something new in the store.
pub trait Hints: Send + Sync + fmt::Debug {
    /// The live views have come to `position`; called after each commit, and never waited for by
    /// anybody who reads. Must return soon, whatever the state of the other side.
    fn announce(&self, position: Position) -> Pending<'_, ()>;

    /// Returns when the views may be beyond `after`, and never for some adapters.
    fn changed(&self, after: Position) -> Pending<'_, ()>;
}
