//! The world outside, behind the ports of `holdfast-commands`: the machine's clock and fresh ids,
//! a clock that tests move, and a provider of payments that lives beside the data. Deliberately
//! not here: what any of it means for a booking.
#![warn(missing_docs, clippy::future_not_send)]

pub mod simulator;
pub mod system;
pub mod test_clock;

pub use simulator::Simulator;
pub use system::{SystemClock, SystemIds};
pub use test_clock::TestClock;
