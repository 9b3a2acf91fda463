//! What the adapters over PostgreSQL share: connections that are looked at before they are handed
//! out, and settings without which nothing may be acknowledged. Knows no table, no port and no fact.
#![warn(missing_docs, clippy::future_not_send)]

mod connect;
mod database;
mod durable;
mod listen;
pub mod migrations;
mod spelling;

pub use connect::{Address, AddressError};
pub use database::{Database, DatabaseError, PATIENCE, told};
pub use durable::NotDurable;
pub use listen::Listener;
