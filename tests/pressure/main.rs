//! What one caller may cost: the real binary under requests that are too large, too deep, too slow
//! or never finished. Each is refused in time, the node's memory stays where it was, and others are
//! answered meanwhile (P17).

mod bodies;
#[path = "../support/http.rs"]
mod http;
#[path = "../support/node.rs"]
mod node;
mod scene;
mod slow;
