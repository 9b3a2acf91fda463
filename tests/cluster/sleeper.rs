//! A worker that stands still for longer than its leases, and wakes up in the belief that it still
//! has them: the views are what the log says, and no money moves twice.

use std::sync::Arc;

use holdfast_domain::log::Position;
use holdfast_eventlog::PostgresLog;
use holdfast_readmodel::PostgresReadStore;
use holdfast_tests::views::{dumps, rebuilt};
use tokio::sync::watch;

use crate::clients::{Addresses, crowd, get, more};
use crate::cluster::{Cluster, count, runtime, views};
use crate::world::CUSTOMERS;

/// How many workers sleep, unless `HOLDFAST_SLEEPS` says otherwise.
const SLEEPS: u64 = 1;
/// So many commands before it wakes up, after it lost everything, and after it woke up.
const COMMANDS: u64 = 60;

/// One document is not there any more.
const CHANGE: &str = "DELETE FROM documents WHERE ctid = (SELECT ctid FROM documents \
    WHERE owner IS NOT NULL ORDER BY key LIMIT 1)";

#[test]
fn a_worker_that_slept_longer_than_its_leases_does_no_harm_when_it_wakes_up() {
    runtime().block_on(async {
        let Some(cluster) = Cluster::shared("cluster, sleeper", CUSTOMERS).await else { return };
        let cluster = Arc::new(cluster);
        let sleeper = cluster.start("sleeper", "worker", &[]);
        cluster.until_shares("sleeper", views).await;
        let awake = cluster.start("awake", "all", &[]);
        let catalogue = cluster.open_business(&awake).await;
        let (told, stop) = (watch::Sender::new(0), watch::Sender::new(false));
        let addresses = Arc::new(Addresses::new(&[awake.address]));
        let mut clients = crowd(&cluster, &catalogue, &addresses, (&told, &stop));
        for _ in 0..count("HOLDFAST_SLEEPS", SLEEPS) {
            more(&told, COMMANDS).await;
            sleeper.signal("STOP");
            cluster.until_shares("awake", |shares| shares.len() == 9).await;
            more(&told, COMMANDS).await;
            sleeper.signal("CONT");
            more(&told, COMMANDS).await;
            cluster.until_shares("sleeper", |shares| !shares.is_empty()).await;
        }
        stop.send_replace(true);
        while let Some(ended) = clients.join_next().await {
            ended.unwrap();
        }
        // The views have come to the end.
        let end = cluster.number("SELECT coalesce(max(last), 0) FROM batch").await;
        let path = format!("/v1/offerings?min_position={end}");
        let answer = get(awake.address, &cluster.world.provider, &path).await;
        assert_eq!(answer.status, 200);
        for node in [sleeper, awake] {
            let (status, _, said) = node.terminate();
            assert!(status.success(), "{said}");
        }
        let evidence = cluster.judge("after the sleep", false).await;
        let end = evidence.events.last().unwrap().position;
        println!("sleeper: {} commands, {end} events", cluster.world.history().len());
        assert!(shown(&cluster, end).await, "the views are not what the log says");
        // Planted: one document is not what the log says.
        assert_eq!(cluster.execute(CHANGE).await, 1);
        assert!(!shown(&cluster, end).await, "a changed document is seen");
    });
}

/// Whether the stored views are those that the log gives anew.
async fn shown(cluster: &Cluster, end: Position) -> bool {
    let store = PostgresReadStore::open(cluster.address()).await.unwrap();
    let stored = dumps(&store, end).await;
    store.close().await;
    let log = cluster.log().await;
    let anew = rebuilt(Arc::<PostgresLog>::clone(&log), end, 500).await;
    log.close().await;
    stored == anew
}
