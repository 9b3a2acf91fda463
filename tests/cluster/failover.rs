//! A primary that is lost under load, and its standby that becomes one: what was acknowledged is on
//! the other disk, and the node finds it by itself.

use std::sync::Arc;
use std::time::{Duration, Instant};

use holdfast_test_stores::{Server, redis, server};
use tokio::sync::watch;

use crate::clients::{Addresses, crowd, more};
use crate::cluster::{Cluster, count, runtime};
use crate::verdict::violations;
use crate::world::CUSTOMERS;

/// How many primaries are lost, unless `HOLDFAST_FAILOVERS` says otherwise.
const FAILOVERS: u64 = 1;
/// So many commands before the primary is lost, and after.
const COMMANDS: u64 = 80;
/// After so long the node acknowledges again, by itself.
const RECOVERED_MAX: Duration = Duration::from_secs(10);

#[test]
fn a_primary_that_is_lost_under_load_takes_nothing_along_that_was_acknowledged() {
    const SUITE: &str = "cluster, failover";
    for _ in 0..count("HOLDFAST_FAILOVERS", FAILOVERS) {
        runtime().block_on(async {
            let Some(redis) = redis(SUITE) else { return };
            let Some(mut primary) = server(SUITE).await else { return };
            let standby = primary.standby().await;
            lose(&mut primary, &standby, &redis).await;
        });
    }
}

async fn lose(primary: &mut Server, standby: &Server, redis: &str) {
    let cluster = Arc::new(Cluster::on(&primary.url_with(standby), redis, CUSTOMERS));
    let node = cluster.start("node", "all", &[]);
    let catalogue = cluster.open_business(&node).await;
    let (told, stop) = (watch::Sender::new(0), watch::Sender::new(false));
    let addresses = Arc::new(Addresses::new(&[node.address]));
    let mut clients = crowd(&cluster, &catalogue, &addresses, (&told, &stop));
    more(&told, COMMANDS).await;
    primary.kill();
    let killed = Instant::now();
    standby.promote().await;
    let promoted = killed.elapsed();
    // Each customer has one command under way: one more than those was begun afterwards.
    more(&told, u64::try_from(CUSTOMERS).unwrap().saturating_add(1)).await;
    let recovered = killed.elapsed();
    println!("failover: a new primary after {promoted:?}, used after {recovered:?}");
    assert!(recovered.saturating_sub(promoted) < RECOVERED_MAX, "{recovered:?}: {}", node.said());
    more(&told, COMMANDS).await;
    stop.send_replace(true);
    while let Some(ended) = clients.join_next().await {
        ended.unwrap();
    }
    // It is the same process, which nobody started again.
    let (status, _, said) = node.terminate();
    assert!(status.success(), "{said}");
    let mut evidence = cluster.judge("after the failover", false).await;
    let history = cluster.world.history();
    let unclear = history.iter().filter(|entry| entry.was_unclear).count();
    println!("failover: {} commands, {unclear} unclear at first", history.len());
    assert!(unclear > 0, "nobody was in the middle of anything");
    // Planted: an append that was acknowledged did not come to the other disk.
    let requested = |name: &str| name == "reservation.requested";
    let lost = evidence.events.iter().rposition(|it| requested(&it.event.name())).unwrap();
    let end = evidence.events[lost].append_end;
    evidence.events.retain(|recorded| recorded.append_end != end);
    assert!(!violations(&cluster.world, &evidence, false).is_empty(), "a lost append is seen");
}
