//! A node of the release binary on a log in PostgreSQL, and what is asked of it beside bookings.

use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use holdfast_test_stores::Schema;

use crate::http::{Answer, Asked, Connection};
use crate::node::Node;

/// Nothing that is waited for takes longer.
const PATIENCE: Duration = Duration::from_mins(20);
/// How often is looked where nobody calls.
const LOOK: Duration = Duration::from_millis(5);

/// Starts one; log, views and leases are in this schema.
pub(crate) fn start(data: &Path, schema: &Schema, flags: &[&str]) -> Node {
    let started = Node::start(data, flags, &[("HOLDFAST_LOG_URL", schema.url())]);
    started.unwrap_or_else(|why| panic!("the node does not start: {}", why.0))
}

/// Ends it as an operator would.
pub(crate) fn end(node: Node) {
    let (status, _, said) = node.terminate();
    assert!(status.success(), "{said}");
}

/// A read with this token, or by anybody.
pub(crate) fn get(path: &str, token: &str) -> Asked {
    Asked {
        method: "GET",
        path: path.to_owned(),
        token: token.to_owned(),
        key: String::new(),
        body: String::new(),
    }
}

/// Asks again and again until the answer is 200.
pub(crate) async fn until_answered(address: SocketAddr, asked: &Asked) -> Answer {
    let began = Instant::now();
    let mut connection = Connection::open(address).await.unwrap();
    loop {
        let answer = connection.call(asked).await.unwrap();
        if answer.status == 200 {
            return answer;
        }
        let body = String::from_utf8_lossy(&answer.body);
        assert!(began.elapsed() < PATIENCE, "{} is still {}: {body}", asked.path, answer.status);
        tokio::time::sleep(LOOK).await;
    }
}

/// Returns when the views show this position, as `token` sees them.
pub(crate) async fn until_shown(address: SocketAddr, token: &str, position: u64) {
    let path = format!("/v1/reservations?limit=1&min_position={position}");
    until_answered(address, &get(&path, token)).await;
}

/// Returns when the node says that it is ready.
pub(crate) async fn until_ready(address: SocketAddr) {
    until_answered(address, &get("/health/ready", "")).await;
}
