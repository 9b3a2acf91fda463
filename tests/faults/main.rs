//! The fault table: each store of a node is refused, killed, paused, slow, reset in the middle of an
//! answer and half-open, while customers hold, pay and read and a provider listens. Nothing wrong is
//! answered, nobody waits for long, and a healed store is used again at once.
//!
//! `HOLDFAST_FAULTS=long` takes faults of ten seconds instead of short ones; `HOLDFAST_FAULTS_TABLE`
//! names a file that the table is written to.

mod cell;
mod controls;
mod customer;
mod judge;
mod listener;
#[allow(dead_code, clippy::allow_attributes, reason = "other tests use the rest of it")]
#[path = "../support/node.rs"]
mod node;
mod notes;
mod site;
#[allow(dead_code, clippy::allow_attributes, reason = "other tests use the rest of it")]
#[path = "../support/socket.rs"]
mod socket;
mod starts;
mod table;
mod trouble;
mod truth;

/// One at a time: what is measured is how soon there is an answer.
static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
