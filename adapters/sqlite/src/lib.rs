//! What the adapters over SQLite share: inserts of many rows, and where migrations stand. Knows no
//! table, no port and no fact.
#![warn(missing_docs, clippy::future_not_send)]

pub mod insert;
pub mod migrations;
