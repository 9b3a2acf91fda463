//! Event logs behind the domain's two ports: SQLite, the embedded default, PostgreSQL for several
//! nodes, and memory. Bytes,
//! hashes and transactions live here; what an append means stands in `holdfast_domain::log`.
//!
//! The stores share everything that is not storage: the codec, the chain, the judgement of a
//! group of decisions, the append task of group commit, and the conformance suite.
#![warn(missing_docs, clippy::future_not_send)]

mod append;
mod batch;
pub mod chain;
pub mod codec;
#[cfg(feature = "conformance")]
pub mod conformance;
pub mod export;
#[cfg(feature = "kurrentdb")]
pub mod kurrentdb;
mod memory;
pub mod postgres;
pub mod sqlite;
mod store;
pub mod verify;
pub mod walk;

pub use append::{LogStats, SIZE_BOUNDS};
#[cfg(feature = "kurrentdb")]
pub use kurrentdb::{AddressError, KurrentLog, KurrentLogReader};
pub use memory::MemoryLog;
pub use postgres::{PostgresLog, PostgresLogReader};
pub use sqlite::{OpenError, Renewal, SqliteLog, SqliteLogReader};
