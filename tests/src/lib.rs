//! What the suites share that look at Holdfast from outside of a single crate: a running node, a
//! client that speaks like its scenarios, the people and places of those scenarios, and what must
//! hold after each of them. The suites themselves are test targets.
#![warn(missing_docs)]
#![expect(clippy::missing_panics_doc, reason = "what is not as it should be fails a test")]

pub mod answer;
pub mod caller;
pub mod dice;
pub mod fixtures;
pub mod history;
pub mod invariants;
pub mod stores;
pub mod views;
pub mod world;
