//! What every store of read models must do, whatever it keeps them in; with a generated history and
//! a log in memory to fold it from. For tests only: it fails by panicking.
#![expect(
    clippy::unwrap_used,
    clippy::cognitive_complexity,
    clippy::missing_panics_doc,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a suite fails by panicking, on histories of its own making, and each assertion counts as a branch"
)]

mod booked;
mod bookings;
pub mod feed;
pub mod history;
mod suite;
mod world;

pub use feed::MemoryFeed;
pub use history::history;
pub use suite::passes;
