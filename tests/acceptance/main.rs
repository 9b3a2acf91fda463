//! What Holdfast promises, tried over HTTP against a real node: the scenarios of the design, the
//! habits of its API, and the contract itself. A node of its own for each test, and after each
//! scenario the invariants of seats, money and streams.

mod bad_inputs;
mod bodies;
mod boundaries;
mod cancellations;
mod catalogue;
mod classes;
mod conditions;
mod contention;
mod contract;
mod daylight;
mod exercised;
mod expiry;
mod foreign;
mod guards;
mod holds;
mod junk;
mod keys;
mod nodes;
mod pages;
mod parties;
mod payment_keys;
mod payments;
mod readiness;
mod rebuild;
mod reviews;
mod roles;
#[allow(dead_code, clippy::allow_attributes, reason = "other tests use the rest of it")]
#[path = "../support/socket.rs"]
mod socket;
