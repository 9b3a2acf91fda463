//! The pure core of Holdfast: what may be booked, held, paid and refunded, as decisions over
//! events. No IO, no clock, no randomness, no async runtime; time, ids and money come in as
//! arguments. Deliberately not here: bytes, hashes, transactions (adapters), and HTTP (api).
#![warn(missing_docs)]

pub mod actor;
pub mod booking;
pub mod decider;
pub mod event;
pub mod ids;
pub mod log;
pub mod money;
pub mod payment;
pub mod policy;
pub mod process;
pub mod stream;
pub mod time;
