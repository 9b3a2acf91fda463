//! What the adapters over SQLite share: inserts of many rows, and where migrations stand. Knows no
//! table, no port and no fact.

pub mod insert;
pub mod migrations;
