//! Several nodes on one PostgreSQL and one Redis, as processes of the real binary that are killed,
//! stopped and woken up, and whose stores are killed under them. What was acknowledged is there, once;
//! whoever listens misses nothing; what a dead worker had to do is done by another.
//!
//! Counts are small here and larger by the environment: `HOLDFAST_RACES=20` rounds of races,
//! `HOLDFAST_SLEEPS=5` workers that sleep, `HOLDFAST_FAILOVERS=5` primaries that are lost,
//! `HOLDFAST_CLUSTER_RESETS=3000` commands whose connections are reset. `HOLDFAST_SEED` repeats a
//! run's customers.

#[path = "../durability/checker.rs"]
mod checker;
#[path = "../durability/claims.rs"]
mod claims;
mod clients;
mod cluster;
#[path = "../durability/evidence.rs"]
mod evidence;
mod failover;
#[path = "../durability/history.rs"]
#[expect(dead_code, reason = "the rest of it is of the suite on the embedded stores")]
mod history;
#[path = "../support/http.rs"]
mod http;
#[path = "../durability/listener.rs"]
mod listener;
mod listening;
#[path = "../durability/load.rs"]
#[expect(dead_code, reason = "the rest of it is of the suite on the embedded stores")]
mod load;
#[path = "../durability/memory.rs"]
mod memory;
#[path = "../durability/money.rs"]
mod money;
mod news;
#[path = "../support/node.rs"]
#[expect(dead_code, reason = "the rest of it is of the suite on the embedded stores")]
mod node;
mod race;
mod resets;
mod sleeper;
#[path = "../support/socket.rs"]
mod socket;
mod takeover;
#[path = "../durability/verdict.rs"]
mod verdict;
#[path = "../durability/world.rs"]
#[expect(dead_code, reason = "the rest of it is of the suite on the embedded stores")]
mod world;
