//! Whether requests may be sent to a node: it says no, and which part it is about, when its log does
//! not commit or cannot be read, although both look well from outside.

use std::time::{Duration, Instant};

use futures_util::future::join;
use holdfast_api::config::stores::LogStore;
use holdfast_tests::answer::Answer;
use holdfast_tests::caller::Caller;
use holdfast_tests::fixtures::Mentor;
use holdfast_tests::stores::on_postgres;
use holdfast_tests::world::{World, monday};
use sqlx::postgres::PgConnection;
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
    if on_postgres() {
        return occupied_database(&world, &mentor, &customer).await;
    }
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

/// In a database that others write as well, nobody waits for long: the command is refused, and may
/// be sent again.
async fn occupied_database(world: &World, mentor: &Mentor, customer: &Caller) {
    let LogStore::Postgres(address) = &world.node().state().config.log else {
        panic!("a database")
    };
    let mut other = PgConnection::connect(address.expose()).await.unwrap();
    other.execute("BEGIN; SELECT log_take_tail()").await.unwrap();
    let began = Instant::now();
    let refused = customer.reserve(&mentor.o60, &monday("14:00")).await;
    assert_eq!(refused.status, 503, "{}", refused.text());
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    other.execute("ROLLBACK").await.unwrap();
    customer.reserve(&mentor.o60, &monday("14:00")).await.created();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_whose_last_event_cannot_be_read_is_not_ready() {
    let mut world = World::new().await;
    world.mentor().await;
    world.rest().await;
    ready(&world.nobody(), 200).await;
    // Its readers are gone; where it ends is still known from the last commit.
    world.node().state().node.writer.clone().unwrap().close().await;
    let answer = world.nobody().get("/health/ready").await;
    assert_eq!(answer.status, 503, "{}", answer.text());
    assert!(failing(&answer).contains(&"log"), "{}", answer.text());
    world.stop().await;
}
