//! Clients who know several nodes: who gets no clear answer asks another one under the same key, until
//! there is one.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::cluster::Cluster;
use crate::history::{self, Entry, Kind, Known, judge};
use crate::http::{Answer, Asked, Connection};
use crate::load::{Dice, Own, hold};
use crate::world::{Catalogue, Person, World, ask};

/// Nobody has to ask for longer.
const PATIENCE: Duration = Duration::from_mins(1);
/// How long a client waits before it asks again.
const BACK_OFF: Duration = Duration::from_millis(25);

/// Where the nodes are. One that is started again is elsewhere.
#[derive(Debug)]
pub(crate) struct Addresses(Mutex<Vec<SocketAddr>>);

impl Addresses {
    pub(crate) fn new(all: &[SocketAddr]) -> Self {
        Self(Mutex::new(all.to_vec()))
    }

    pub(crate) fn moved(&self, which: usize, to: SocketAddr) {
        self.0.lock().unwrap()[which] = to;
    }

    /// One after the other, and from the start again.
    pub(crate) fn turn(&self, number: usize) -> SocketAddr {
        let all = self.0.lock().unwrap();
        all[number.checked_rem(all.len()).unwrap()]
    }
}

/// Asks now here, now there, until somebody gives a clear answer, and remembers it.
pub(crate) async fn insist(
    world: &World,
    addresses: &Addresses,
    first: usize,
    entry: Entry,
) -> Known {
    let connection = Connection::open(addresses.turn(first)).await;
    insist_over(connection, world, addresses, first, entry).await
}

/// The same; the first time over this connection.
pub(crate) async fn insist_over(
    mut connection: std::io::Result<Connection>,
    world: &World,
    addresses: &Addresses,
    first: usize,
    mut entry: Entry,
) -> Known {
    entry.began = Instant::now();
    let mut turn = first;
    loop {
        entry.known = match connection {
            Ok(mut connection) => ask(&mut connection, &entry.asked).await,
            Err(why) => judge(Err(why)),
        };
        entry.ended = Instant::now();
        if !entry.is_unknown() {
            break;
        }
        let waited = entry.began.elapsed();
        assert!(waited < PATIENCE, "{} is not answered: {:?}", entry.asked.path, entry.known);
        entry.was_unclear = true;
        turn = turn.wrapping_add(1);
        tokio::time::sleep(BACK_OFF).await;
        connection = Connection::open(addresses.turn(turn)).await;
    }
    let known = entry.known.clone();
    world.remember(entry);
    known
}

/// A customer who holds, pays and calls off until she is told to stop; `told` counts the clear
/// answers.
async fn live(
    (world, catalogue): (&World, &Catalogue),
    addresses: &Addresses,
    person: &Person,
    mut dice: Dice,
    (told, stop): (&watch::Sender<u64>, &watch::Receiver<bool>),
) {
    let mut owns: Vec<Own> = Vec::new();
    while !*stop.borrow() {
        let own = if dice.below(2) == 0 { owns.pop() } else { None };
        let wish = match own {
            None => hold(world, catalogue, person, &mut dice),
            Some(own) if dice.below(3) == 0 => {
                let path = format!("/v1/reservations/{}/cancel", own.id);
                world.command(Kind::Changes, person, ("POST", path), &json!({}))
            }
            Some(own) => pay(world, person, &own, "approve"),
        };
        let turn = usize::try_from(dice.below(64)).unwrap();
        if let Known::Acknowledged(answer) = insist(world, addresses, turn, wish).await {
            owns.extend(Own::of(&history::json(&answer.body)));
        }
        told.send_modify(|told| *told = told.saturating_add(1));
    }
}

/// All customers at once, until they are told to stop.
pub(crate) fn crowd(
    cluster: &Arc<Cluster>,
    catalogue: &Arc<Catalogue>,
    addresses: &Arc<Addresses>,
    (told, stop): (&watch::Sender<u64>, &watch::Sender<bool>),
) -> JoinSet<()> {
    let mut clients = JoinSet::new();
    for (person, number) in cluster.world.customers.clone().into_iter().zip(1_u64..) {
        let (cluster, catalogue) = (Arc::clone(cluster), Arc::clone(catalogue));
        let (addresses, dice) =
            (Arc::clone(addresses), Dice::new(cluster.seed.wrapping_add(number)));
        let (told, stop) = (told.clone(), stop.subscribe());
        clients.spawn(async move {
            live((&cluster.world, &catalogue), &addresses, &person, dice, (&told, &stop)).await;
        });
    }
    clients
}

/// Returns when so many more clear answers came.
pub(crate) async fn more(told: &watch::Sender<u64>, count: u64) {
    let mut told = told.subscribe();
    let until = told.borrow().saturating_add(count);
    drop(told.wait_for(|told| *told >= until).await.unwrap());
}

/// The payment of a reservation, with this luck.
pub(crate) fn pay(world: &World, person: &Person, own: &Own, luck: &str) -> Entry {
    let payment_key = format!("sim_{luck}_{}", own.id);
    let body = json!({"payment_key": payment_key, "amount": own.amount});
    let path = format!("/v1/payments/{}/confirm", own.order);
    world.command(Kind::Pays, person, ("POST", path), &body)
}

/// Reads.
pub(crate) async fn get(address: SocketAddr, person: &Person, path: &str) -> Answer {
    let asked = Asked {
        method: "GET",
        path: path.to_owned(),
        token: person.token.clone(),
        key: String::new(),
        body: String::new(),
    };
    let mut connection = Connection::open(address).await.unwrap();
    connection.call(&asked).await.unwrap()
}

/// Lets time pass for a node that has a clock which can be moved. That not everything has come to
/// rest with it is no failure here.
pub(crate) async fn put_forward(address: SocketAddr, time: Duration) {
    let asked = Asked {
        method: "POST",
        path: "/test/clock".to_owned(),
        token: String::new(),
        key: String::new(),
        body: json!({"advance_seconds": time.as_secs()}).to_string(),
    };
    let mut connection = Connection::open(address).await.unwrap();
    let answer: Answer = connection.call(&asked).await.unwrap();
    let shown: Value = history::json(&answer.body);
    assert!(answer.status == 200 || answer.status == 503, "{shown}");
}
