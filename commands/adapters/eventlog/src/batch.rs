//! Decisions on their way into the log: encoded where they were taken, judged by the append task.

mod claims;
mod judge;
mod prepare;

pub(crate) use claims::{claims, holds, placed};
#[cfg(feature = "kurrentdb")]
pub(crate) use judge::base;
pub(crate) use judge::{Judge, Outcome, Written, suspects, wanted};
pub(crate) use prepare::{EVENTS_MAX, Prepared, PreparedWrite, prepare};
