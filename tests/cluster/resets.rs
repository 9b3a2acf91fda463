//! Clients that reset their connection in the middle of a command, on a database: what is acknowledged
//! to one is seen by another session at once, and no session is left behind in a transaction, where
//! what it acknowledges later would be seen by nobody.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use holdfast_domain::log::EventLog as _;
use holdfast_eventlog::PostgresLog;
use holdfast_test_stores::{redis, server};
use sqlx::{Connection as _, PgConnection};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::cluster::{Cluster, LOOK, count, runtime};
use crate::history::{Entry, Known};
use crate::http::Connection;
use crate::load::{Dice, hold};
use crate::world::{CUSTOMERS, Catalogue, Person};

/// How many commands, unless `HOLDFAST_CLUSTER_RESETS` says otherwise.
const RESETS: u64 = 600;
/// Sessions of a node are in a transaction only while they do something.
const AT_REST_MAX: Duration = Duration::from_secs(5);
/// Sessions that wait within a transaction for somebody to go on.
const WAITING: &str = "SELECT count(*) FROM pg_stat_activity \
    WHERE state LIKE 'idle in transaction%' AND pid <> pg_backend_pid()";

#[test]
fn a_reset_connection_leaves_no_session_in_a_transaction_and_hides_nothing() {
    const SUITE: &str = "cluster, resets";
    runtime().block_on(async {
        let Some(redis) = redis(SUITE) else { return };
        let Some(server) = server(SUITE).await else { return };
        let cluster = Arc::new(Cluster::on(&server.url(), &redis, CUSTOMERS));
        let node = cluster.start("node", "all", &[]);
        let catalogue = cluster.open_business(&node).await;
        let log = cluster.log().await;
        let each = count("HOLDFAST_CLUSTER_RESETS", RESETS).div_ceil(CUSTOMERS.try_into().unwrap());
        let mut clients = JoinSet::new();
        for (person, number) in cluster.world.customers.clone().into_iter().zip(1_u64..) {
            let (cluster, catalogue) = (Arc::clone(&cluster), Arc::clone(&catalogue));
            let (log, address) = (Arc::clone(&log), node.address);
            clients.spawn(async move {
                let dice = Dice::new(cluster.seed.wrapping_add(number));
                customer((&cluster, &catalogue, &log), &person, address, (each, dice)).await
            });
        }
        let mut seen = 0_u64;
        while let Some(ended) = clients.join_next().await {
            seen = seen.saturating_add(ended.unwrap());
        }
        assert!(nobody_waits(&cluster).await, "a session is left in a transaction");
        assert_eq!(cluster.world.resolve(node.address).await, 0, "all keys find their answer");
        assert!(nobody_waits(&cluster).await, "a session is left in a transaction");
        log.close().await;
        cluster.judge("after the resets", false).await;
        let history = cluster.world.history();
        let unclear = history.iter().filter(|entry| entry.was_unclear).count();
        println!("resets: {} commands, {unclear} reset, {seen} seen at once", history.len());
        assert!(seen > 40 && unclear > 40, "the resets came all too early or all too late");
        // Planted: a session that begins and does nothing.
        let mut left = PgConnection::connect(&server.url()).await.unwrap();
        sqlx::raw_sql("BEGIN").execute(&mut left).await.unwrap();
        assert!(cluster.number(WAITING).await > 0, "a session in a transaction is seen");
    });
}

/// One after the other; after every second one waits for the answer, and looks for it elsewhere.
/// Answers how often it was there.
async fn customer(
    (cluster, catalogue, log): (&Cluster, &Catalogue, &PostgresLog),
    person: &Person,
    address: SocketAddr,
    (commands, mut dice): (u64, Dice),
) -> u64 {
    let mut seen = 0_u64;
    for number in 0..commands {
        let entry = hold(&cluster.world, catalogue, person, &mut dice);
        if number % 2 == 0 {
            cluster.world.remember(reset(entry, address, &mut dice).await);
            continue;
        }
        let command = entry.command();
        let mut connection = Connection::open(address).await.unwrap();
        if let Known::Acknowledged(answer) = cluster.world.send(&mut connection, entry).await {
            let found = log.answered(command).await.unwrap();
            let found = found.unwrap_or_else(|| panic!("{command} is seen by nobody else"));
            assert_eq!(found.record.body, answer.body);
            seen = seen.saturating_add(1);
        }
    }
    seen
}

/// Sends a command and resets the connection a little later.
async fn reset(mut entry: Entry, address: SocketAddr, dice: &mut Dice) -> Entry {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(&entry.asked.bytes()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(dice.below(61))).await;
    stream.set_zero_linger().unwrap();
    drop(stream);
    entry.was_unclear = true;
    entry
}

/// Whether all sessions come out of their transactions.
async fn nobody_waits(cluster: &Cluster) -> bool {
    let began = Instant::now();
    while cluster.number(WAITING).await > 0 {
        if began.elapsed() > AT_REST_MAX {
            return false;
        }
        tokio::time::sleep(LOOK).await;
    }
    true
}
