//! Decisions on their way into the log: encoded where they were taken, judged by the append task.

mod judge;
mod prepare;

#[cfg(feature = "kurrentdb")]
pub(crate) use judge::base;
pub(crate) use judge::{Judge, Outcome, Written, suspects, wanted};
pub(crate) use prepare::{EVENTS_MAX, Prepared, PreparedWrite, prepare};
