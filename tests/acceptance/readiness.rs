//! Whether requests may be sent to a node: it says no, and which part it is about, when its log does
//! not commit or cannot be read, although both look well from outside.

use std::time::Duration;

use futures_util::future::join;
use holdfast_tests::answer::Answer;
use holdfast_tests::caller::Caller;
use holdfast_tests::world::{World, monday};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{Connection as _, Executor as _};

/// Longer than a part may take to be found out.
const PATIENCE: Duration = Duration::from_secs(30);

/// Asks until the node's readiness has this status.
async fn ready(nobody: &Caller, status: u16) -> Answer {
    let asked = async {
        loop {
            let answer = nobody.get("/health/ready").await;
            if answer.status == status {
                return answer;
            }
        }
    };
    tokio::time::timeout(PATIENCE, asked).await.expect("readiness does not change")
}

/// The parts that do not work.
fn failing(answer: &Answer) -> Vec<&str> {
    let checks = answer.body["checks"].as_array().unwrap();
    let failing = checks.iter().filter(|check| check["ok"] == false);
    failing.map(|check| check["name"].as_str().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_takes_no_commit_is_not_ready_until_it_does() {
    let world = World::new().await;
    let mentor = world.mentor().await;
    let (nobody, customer) = (world.nobody(), world.customer(1));
    ready(&nobody, 200).await;
    let options = SqliteConnectOptions::new().filename(world.folder().join("log.db"));
    let mut other = SqliteConnection::connect_with(&options).await.unwrap();
    other.execute("BEGIN IMMEDIATE").await.unwrap();
    let found_out = async {
        let answer = ready(&nobody, 503).await;
        other.execute("ROLLBACK").await.unwrap();
        answer
    };
    // One command is enough: nothing waits behind the commit that does not end.
    let start = monday("14:00");
    let (held, answer) = join(customer.reserve(&mentor.o60, &start), found_out).await;
    assert_eq!(failing(&answer), ["log"], "{}", answer.text());
    held.created();
    ready(&nobody, 200).await;
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_whose_last_event_cannot_be_read_is_not_ready() {
    let mut world = World::new().await;
    world.mentor().await;
    world.rest().await;
    ready(&world.nobody(), 200).await;
    // Its readers are gone; where it ends is still known from the last commit.
    world.node().state().node.sqlite.as_ref().unwrap().close().await;
    let answer = world.nobody().get("/health/ready").await;
    assert_eq!(answer.status, 503, "{}", answer.text());
    assert_eq!(failing(&answer), ["log"], "{}", answer.text());
    world.stop().await;
}
