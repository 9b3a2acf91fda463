//! What readiness asks of a part of the node.

use std::fmt;

use holdfast_domain::log::Pending;

/// A part of the node that can tell whether it works.
pub trait Check: Send + Sync + fmt::Debug {
    /// Its name, for example `event_log`.
    fn name(&self) -> &'static str;

    /// Whether no request may be sent here while it fails. What is not vital only degrades the node.
    fn is_vital(&self) -> bool {
        true
    }

    /// Whether it works, and what a person should know about it either way.
    fn check(&self) -> Pending<'_, Result<String, String>>;
}
