//! The work of a worker that was killed: what falls due, and money whose fate is unknown, is taken
//! care of by another, soon and once.

use std::time::{Duration, Instant};

use holdfast_commands::shares;
use holdfast_domain::ids::ReservationId;
use holdfast_domain::log::Feed as _;
use serde_json::json;

use crate::checker::stranded;
use crate::clients::{pay, put_forward};
use crate::cluster::{Cluster, PATIENCE, runtime, views};
use crate::evidence::Evidence;
use crate::history::{self, Kind, Known};
use crate::http::Connection;
use crate::load::Own;
use crate::world::Catalogue;

/// So many hold and do not pay, and so many pay and are not told what came of it.
const HELD: u64 = 12;
const LOST: u64 = 6;
/// All of it is done after so long.
const DONE_MAX: Duration = Duration::from_secs(12);
/// Longer than a hold.
const HOLD: Duration = Duration::from_mins(11);

#[test]
fn what_a_killed_worker_had_to_do_is_done_by_another_once() {
    runtime().block_on(async {
        let Some(cluster) = Cluster::shared("cluster, takeover", 2).await else { return };
        let clock = ["--test-clock", "now"];
        let dying = cluster.start("dying", "worker", &clock);
        cluster.until_shares("dying", views).await;
        let other = cluster.start("other", "all", &clock);
        cluster.until_shares("other", |shares| shares.len() == 4).await;
        cluster.until_shares("dying", |shares| shares.len() == 5).await;
        let catalogue = cluster.open_business(&other).await;
        let mut connection = Connection::open(other.address).await.unwrap();
        let mut held = Vec::new();
        for hour in 0..HELD.saturating_add(LOST) {
            held.push(hold(&cluster, &catalogue, &mut connection, hour).await);
        }
        let theirs = cluster.shares("dying").await;
        // Some of either kind is the dead worker's, however few of all are.
        held.sort_by_key(|own| !theirs.contains(&share(own)));
        held.rotate_left(1);
        let lost = held.split_off(usize::try_from(HELD).unwrap());
        drop(dying);
        let killed = Instant::now();
        for own in &lost {
            let person = &cluster.world.customers[0];
            let entry = pay(&cluster.world, person, own, "lost_after_capture");
            cluster.world.send(&mut connection, entry).await;
        }
        for all in [&held, &lost] {
            let orphans = all.iter().filter(|own| theirs.contains(&share(own))).count();
            assert!(orphans > 0, "nothing of it was the dead worker's: {theirs:?}");
        }
        // A clock that stands still would never let anything fall due. The customers' time is over
        // only after the provider of payments was asked again.
        put_forward(other.address, Duration::from_mins(1)).await;
        until(&cluster, "payment.captured", LOST).await;
        put_forward(other.address, HOLD).await;
        until(&cluster, "reservation.expired", HELD).await;
        let took = killed.elapsed();
        println!("takeover: everything was done after {took:?}");
        assert!(took < DONE_MAX, "it took {took:?}");
        cluster.world.resolve(other.address).await;
        let evidence = cluster.judge("after the takeover", true).await;
        assert_eq!(stranded(&evidence.events), Vec::<String>::new());
        for (name, times) in [
            ("payment.captured", LOST),
            ("reservation.confirmed", LOST),
            ("reservation.expired", HELD),
        ] {
            assert_eq!(count(&evidence, name), times, "{name}");
        }
    });
}

fn share(own: &Own) -> String {
    shares::of(own.id.parse::<ReservationId>().unwrap())
}

fn count(evidence: &Evidence, name: &str) -> u64 {
    let found = evidence.events.iter().filter(|recorded| recorded.event.name() == name);
    u64::try_from(found.count()).unwrap()
}

/// Returns when so many events of this name were written.
async fn until(cluster: &Cluster, name: &str, times: u64) {
    let log = cluster.log().await;
    let written = async {
        loop {
            let head = log.head().await.unwrap().position;
            if count(&cluster.evidence().await, name) >= times {
                return;
            }
            log.changed(head).await;
        }
    };
    let late = tokio::time::timeout(PATIENCE, written).await.is_err();
    log.close().await;
    assert!(!late, "{name} is not written {times} times");
}

async fn hold(
    cluster: &Cluster,
    catalogue: &Catalogue,
    connection: &mut Connection,
    hour: u64,
) -> Own {
    let (world, person) = (&cluster.world, &cluster.world.customers[0]);
    let starts_at = catalogue.first.plus(Duration::from_hours(hour.saturating_add(24)));
    let body = json!({"offering_id": catalogue.slots, "starts_at": starts_at.to_string()});
    let path = ("POST", "/v1/reservations".to_owned());
    let entry = world.command(Kind::Creates, person, path, &body);
    let Known::Acknowledged(answer) = world.send(connection, entry).await else {
        panic!("not held: {:?}", world.history().last())
    };
    Own::of(&history::json(&answer.body)).unwrap()
}
