//! What is booked through one node is told by another, while Redis is lost and found again, and while
//! the worker that keeps the views is killed. What can be read stays the same.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use holdfast_test_stores::{postgres, redis_server};
use serde_json::json;

use crate::clients::get;
use crate::cluster::{Cluster, runtime, views};
use crate::history::{self, Kind, Known};
use crate::http::Connection;
use crate::listening::{Listening, faults};
use crate::world::Catalogue;

/// So many are booked between one event and the next.
const BOOKED: u64 = 4;
/// Within this the views have a new keeper, and everything was told.
const TAKEN_OVER_MAX: Duration = Duration::from_secs(10);
/// An answer takes no longer without a cache.
const ANSWER_MAX: Duration = Duration::from_secs(2);

#[test]
fn what_is_booked_on_one_node_is_told_by_another_whatever_dies_between_them() {
    const SUITE: &str = "cluster, news";
    runtime().block_on(async {
        let Some(schema) = postgres(SUITE).await else { return };
        let Some(mut redis) = redis_server(SUITE) else { return };
        let cluster = Cluster::on(schema.url(), &redis.url(), 2);
        let keeper = cluster.start("keeper", "worker", &[]);
        cluster.until_shares("keeper", views).await;
        let [near, far] =
            [("near", "api"), ("far", "all")].map(|it| cluster.start(it.0, it.1, &[]));
        let catalogue = cluster.open_business(&far).await;
        let provider = &cluster.world.provider;
        let mut listening = Listening::open(near.address, provider, None).await;
        let mut booked = Vec::new();
        book(&cluster, &catalogue, far.address, &mut booked).await;
        listening.hear(&booked).await;
        // The cache goes, and comes back empty.
        let before = read(&cluster, &catalogue, [near.address, far.address]).await;
        redis.kill();
        let without = read(&cluster, &catalogue, [near.address, far.address]).await;
        assert_eq!(before, without, "other answers without the cache");
        book(&cluster, &catalogue, far.address, &mut booked).await;
        listening.hear(&booked).await;
        let before = read(&cluster, &catalogue, [near.address, far.address]).await;
        redis.restart();
        let with = read(&cluster, &catalogue, [near.address, far.address]).await;
        assert_eq!(before, with, "other answers with an empty cache");
        book(&cluster, &catalogue, far.address, &mut booked).await;
        listening.hear(&booked).await;
        // The worker goes, and does not come back.
        cluster.until_shares("keeper", views).await;
        drop(keeper);
        let killed = Instant::now();
        book(&cluster, &catalogue, far.address, &mut booked).await;
        listening.hear(&booked).await;
        let gap = killed.elapsed();
        println!("news: the views had a new keeper after {gap:?}");
        assert!(gap < TAKEN_OVER_MAX, "the views stood still for {gap:?}");
        book(&cluster, &catalogue, near.address, &mut booked).await;
        listening.hear(&booked).await;
        assert_eq!(faults(&listening.heard, &booked), Vec::<String>::new());
        listening.compare(far.address, provider).await;
        cluster.judge("after all of it", false).await;
    });
}

/// Books through this node, one after the other.
async fn book(
    cluster: &Cluster,
    catalogue: &Catalogue,
    address: SocketAddr,
    booked: &mut Vec<String>,
) {
    let (world, person) = (&cluster.world, &cluster.world.customers[0]);
    let mut connection = Connection::open(address).await.unwrap();
    for _ in 0..BOOKED {
        let hours = u64::try_from(booked.len()).unwrap().saturating_add(24);
        let starts_at = catalogue.first.plus(Duration::from_hours(hours)).to_string();
        let body = json!({"offering_id": catalogue.slots, "starts_at": starts_at});
        let path = ("POST", "/v1/reservations".to_owned());
        let entry = world.command(Kind::Creates, person, path, &body);
        let Known::Acknowledged(answer) = world.send(&mut connection, entry).await else {
            panic!("not booked: {:?}", world.history().last())
        };
        booked.push(history::json(&answer.body)["id"].as_str().unwrap().to_owned());
    }
}

/// Free times and lists, as new as the newest booking, from each node.
async fn read(
    cluster: &Cluster,
    catalogue: &Catalogue,
    nodes: [SocketAddr; 2],
) -> Vec<(String, String)> {
    let newest = cluster.number("SELECT coalesce(max(last), 0) FROM batch").await;
    let (from, to) = (catalogue.first, catalogue.first.plus(Duration::from_hours(72)));
    let slots = format!("/v1/offerings/{}/slots?from={from}&to={to}", catalogue.slots);
    let mut found = Vec::new();
    for address in nodes {
        for path in [&slots, "/v1/reservations?limit=50", "/v1/offerings?limit=50"] {
            let (asked, began) = (format!("{path}&min_position={newest}"), Instant::now());
            let answer = get(address, &cluster.world.customers[0], &asked).await;
            let body = String::from_utf8(answer.body).unwrap();
            assert_eq!(answer.status, 200, "{path}: {body}");
            assert!(began.elapsed() < ANSWER_MAX, "{path} took {:?}", began.elapsed());
            found.push((asked, body));
        }
    }
    found
}
