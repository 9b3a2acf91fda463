//! The port to leases: which worker does what, so that the same work is not done twice. A lease
//! never makes anything correct: checkpoints and the streams' revisions do that. It may be held by
//! two for a moment, and whoever believes to hold one may be wrong.
//!
//! Everything is judged by the store's clock, and only durations cross the port: no node's clock
//! has a say.

use std::fmt;
use std::time::Duration;

use holdfast_domain::log::Pending;

/// A lease as it stands in the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// What it is for.
    pub name: String,
    /// Who has it.
    pub holder: String,
    /// Counts its tenures: grows each time that it is taken anew, and stays while it is renewed.
    pub fence: u64,
    /// How long it still stands, unless it is renewed.
    pub remaining: Duration,
}

/// What became of an attempt to take or renew a lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Taken {
    /// The caller has it for the whole term from now on. With another number than before, it had
    /// run out in between, and somebody else may have had it.
    Held {
        /// The number of this tenure.
        fence: u64,
    },
    /// Somebody else has it.
    ByAnother(Lease),
}

/// Why the store did not answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the leases are unavailable: {0}")]
pub struct LeasesUnavailable(pub String);

/// Where leases stand.
pub trait Leases: Send + Sync + fmt::Debug {
    /// Takes a lease that is free or has run out, or renews one that `holder` has, in one atomic
    /// step; it then stands for `term` from now by the store's clock. One that would stand longer
    /// than `term` counts as run out: the store's clock went back, and nobody shall have to wait
    /// until it has caught up. (All nodes use the same term.)
    fn take(
        &self,
        name: String,
        holder: String,
        term: Duration,
    ) -> Pending<'_, Result<Taken, LeasesUnavailable>>;

    /// Gives a lease back, if `holder` still has it.
    fn release(&self, name: String, holder: String) -> Pending<'_, Result<(), LeasesUnavailable>>;

    /// Forgets those whose names begin with `prefix` and that have not stood for so long, with their
    /// numbers: only for names that nobody takes twice, or of which nobody looks at the number.
    fn forget(
        &self,
        prefix: String,
        unused: Duration,
    ) -> Pending<'_, Result<(), LeasesUnavailable>>;

    /// Those that stand, by name. One that was released, or has run out, is not among them. A store
    /// may forget it, as long as the numbers of its later tenures go on growing. The reader leaves
    /// out what stands longer than a term: see [`Leases::take`].
    fn list(&self) -> Pending<'_, Result<Vec<Lease>, LeasesUnavailable>>;
}
