//! Use cases: how a command travels from a request to an append, and how processes take their
//! next steps. Knows the log and the world only through ports.
#![warn(missing_docs, clippy::future_not_send)]

pub mod failpoint;
pub mod ports;
