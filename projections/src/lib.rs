//! The read side: pure projectors that turn facts into documents, the runner that follows the log
//! and commits what they say, and the reads that the edge asks for. Deliberately not here: how
//! documents are stored (adapters), HTTP and sockets (api), and any decision about a booking.
#![warn(missing_docs, clippy::future_not_send)]

pub mod cache;
pub mod document;
pub mod dump;
pub mod effort;
pub mod folding;
pub mod follower;
pub mod hints;
pub mod housekeeping;
pub mod keeper;
pub mod leases;
pub mod monotonic;
pub mod opening;
pub mod ports;
pub mod presence;
pub mod projector;
pub mod published;
pub mod reader;
pub mod rebuild;
pub mod recognise;
pub mod recognised;
pub mod registry;
pub mod runner;
pub mod shared;
pub mod shift;
pub mod status;
pub mod stride;
pub mod topic;
pub mod typed;
pub mod views;
pub mod watcher;

pub use reader::Reader;
pub use runner::Runner;
pub use shift::Shift;
pub use views::Projections;
pub use watcher::Watcher;
