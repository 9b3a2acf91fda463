//! What was acknowledged survives, what was refused is absent, what is unclear resolves to one
//! effect: the real binary is killed, asked to end and left by its clients in the middle of things,
//! and its folder is held against what the clients remember.
//!
//! `HOLDFAST_KILLS=50` makes the rounds of kills longer, `HOLDFAST_STOPS=100` those of orderly ends;
//! `HOLDFAST_SEED` repeats a run's customers.

mod checker;
mod claims;
mod controls;
mod disk;
mod evidence;
mod failpoints;
mod history;
#[path = "../support/http.rs"]
mod http;
mod kills;
mod listener;
mod listeners;
mod lives;
mod load;
mod memory;
mod money;
#[path = "../support/node.rs"]
mod node;
mod poison;
mod resets;
#[path = "../support/socket.rs"]
mod socket;
mod stops;
mod verdict;
mod world;
