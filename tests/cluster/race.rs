//! Many clients of two nodes for one thing of which there is little, while one of the nodes is killed:
//! as many win as there is room for, and each of them has it.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::{Barrier, watch};
use tokio::task::JoinSet;

use crate::clients::{Addresses, insist_over, more};
use crate::cluster::{Cluster, count, runtime};
use crate::history::{Kind, Known};
use crate::http::Connection;
use crate::node::Node;
use crate::verdict::violations;
use crate::world::Catalogue;

const CLIENTS: usize = 300;
/// How many are wanted of what there is so little of.
const ROOMS: [usize; 3] = [1, 7, 30];
/// How many rounds, unless `HOLDFAST_RACES` says otherwise.
const RACES: u64 = 3;
/// After so many clear answers a node is killed.
const KILL_AFTER: u64 = 60;

#[test]
fn no_more_win_a_race_over_two_nodes_than_there_is_room_for_when_one_of_them_is_killed() {
    runtime().block_on(async {
        let Some(cluster) = Cluster::shared("cluster, race", CLIENTS).await else { return };
        let mut nodes = ["a", "b"].map(|name| Some(cluster.start(name, "all", &[])));
        let at = nodes.each_ref().map(|node| node.as_ref().unwrap().address);
        let addresses = Arc::new(Addresses::new(&at));
        let catalogue = cluster.open_business(nodes[0].as_ref().unwrap()).await;
        for round in 0..usize::try_from(count("HOLDFAST_RACES", RACES)).unwrap() {
            let room = ROOMS[round % ROOMS.len()];
            let wish = wish(&cluster, &catalogue, &addresses, (round, room)).await;
            let victim = round % nodes.len();
            let before = cluster.world.history().len();
            race(&cluster, &addresses, &wish, victim, &mut nodes).await;
            assert_won(&cluster, before, room).await;
        }
        let history = cluster.world.history();
        let unclear = history.iter().filter(|entry| entry.was_unclear).count();
        println!("race: {} commands, {unclear} unclear at first", history.len());
        assert!(unclear > 0, "nobody was in the middle of anything");
        // Planted: one more has won than the log knows of, and one has won twice.
        let mut evidence = cluster.evidence().await;
        let held = |name: &str| name == "session.seats_held";
        let last = evidence.events.iter().rposition(|it| held(&it.event.name())).unwrap();
        let end = evidence.events[last].append_end;
        let gone: Vec<_> = evidence.events.extract_if(.., |it| it.append_end == end).collect();
        assert!(!violations(&cluster.world, &evidence, false).is_empty(), "a lost win is seen");
        evidence.events.extend(gone.iter().chain(&gone).cloned());
        assert!(!violations(&cluster.world, &evidence, false).is_empty(), "a second win is seen");
    });
}

/// What all of them want: an hour of the room, or a seat in a class of so many.
async fn wish(
    cluster: &Cluster,
    catalogue: &Catalogue,
    addresses: &Addresses,
    (round, room): (usize, usize),
) -> Value {
    let hours = u64::try_from(round).unwrap().saturating_mul(2).saturating_add(100);
    let starts_at = catalogue.first.plus(Duration::from_hours(hours)).to_string();
    if room == 1 {
        return json!({"offering_id": catalogue.slots, "starts_at": starts_at});
    }
    let mut connection = Connection::open(addresses.turn(0)).await.unwrap();
    let body = json!({"starts_at": starts_at, "zone": "UTC", "capacity": room});
    let path = format!("/v1/offerings/{}/sessions", catalogue.class);
    let session = cluster.world.provide(&mut connection, ("POST", path), &body).await;
    json!({"offering_id": catalogue.class, "session_id": session, "party_size": 1})
}

/// Everybody at once, half of them here, half of them there; the victim is killed in the middle of it
/// and started again.
async fn race(
    cluster: &Cluster,
    addresses: &Arc<Addresses>,
    wish: &Value,
    victim: usize,
    nodes: &mut [Option<Node>; 2],
) {
    let told = watch::Sender::new(0_u64);
    // All have a connection before the first one asks.
    let start = Arc::new(Barrier::new(CLIENTS));
    let mut clients = JoinSet::new();
    for (number, person) in cluster.world.customers.iter().enumerate() {
        let path = ("POST", "/v1/reservations".to_owned());
        let entry = cluster.world.command(Kind::Creates, person, path, wish);
        let (world, addresses) = (Arc::clone(&cluster.world), Arc::clone(addresses));
        let (told, start) = (told.clone(), Arc::clone(&start));
        clients.spawn(async move {
            let connection = Connection::open(addresses.turn(number)).await;
            start.wait().await;
            insist_over(connection, &world, &addresses, number, entry).await;
            told.send_modify(|told| *told = told.saturating_add(1));
        });
    }
    more(&told, KILL_AFTER).await;
    drop(nodes[victim].take());
    let again = cluster.start(["a", "b"][victim], "all", &[]);
    addresses.moved(victim, again.address);
    nodes[victim] = Some(again);
    while let Some(ended) = clients.join_next().await {
        ended.unwrap();
    }
}

/// As many have won as there was room for, the others were told why not, and all of it is in the log.
async fn assert_won(cluster: &Cluster, before: usize, room: usize) {
    cluster.judge(&format!("a race for {room}"), false).await;
    let history = cluster.world.history();
    let round = || history[before..].iter().filter(|entry| entry.asked.path == "/v1/reservations");
    assert_eq!(round().count(), CLIENTS);
    let won = round().filter(|entry| matches!(entry.known, Known::Acknowledged(_))).count();
    assert_eq!(won, room.min(CLIENTS));
    for entry in round() {
        if let Known::Refused { status, code } = &entry.known {
            let why = if room == 1 { "slot_taken" } else { "capacity_exceeded" };
            assert_eq!((*status, &**code), (409, why));
        }
    }
}
