//! Where the views are kept. [`SqliteReadStore`] is the default, [`PostgresReadStore`] is for
//! several nodes, and [`MemoryReadStore`] is an adapter like any other; all pass the same suite.
//! [`redis::RedisCache`] is a cache in front of them, which nodes share. Deliberately not here: what
//! a view is.
#![warn(missing_docs, clippy::future_not_send)]

#[cfg(feature = "conformance")]
pub mod conformance;
pub mod hints;
pub mod leases;
pub mod memory;
pub mod postgres;
pub mod redis;
pub mod sqlite;

pub use hints::LocalHints;
pub use leases::{MemoryLeases, OnlyNode};
pub use memory::MemoryReadStore;
pub use postgres::{PostgresHints, PostgresLeases, PostgresReadStore};
pub use sqlite::SqliteReadStore;
