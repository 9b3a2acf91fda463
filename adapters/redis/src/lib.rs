//! What the adapters over Redis share: a connection that is never waited for long, hints between
//! nodes, and rate limits that nodes share. Redis holds no truth: whoever asks it has another way to
//! go on when it is gone, and takes it at once.
#![warn(missing_docs, clippy::future_not_send)]

mod connection;
mod hints;
mod limits;

pub use connection::{AddressError, Gone, Redis, script};
pub use hints::hear;
pub use limits::{Limits, Verdict};
pub use redis::{Script, ScriptInvocation};
