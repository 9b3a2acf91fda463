//! What Holdfast promises, tried over HTTP against a real node: the scenarios of the design, the
//! habits of its API, and the contract itself. A node of its own for each test, and after each
//! scenario the invariants of seats, money and streams.

mod bodies;
mod boundaries;
mod cancellations;
mod classes;
mod conditions;
mod contention;
mod daylight;
mod expiry;
mod holds;
mod keys;
mod payment_keys;
mod payments;
mod rebuild;
