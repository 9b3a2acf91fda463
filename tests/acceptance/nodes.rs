//! Several nodes on shared stores: what is booked through one is told by the others, in order and
//! without a gap, also while the views change hands because a node dies.
//!
//! The stores are in memory, shared within this process; the nodes have runtimes of their own, so
//! that one of them can die without a word.

use std::sync::Arc;
use std::time::{Duration, Instant};

use holdfast_api::app::{App, Running};
use holdfast_api::auth::mint::{Grant, mint};
use holdfast_api::config::role::NodeRole;
use holdfast_api::config::{Config, TestClock};
use holdfast_api::stores::Stores;
use holdfast_api::wall_clock::unix_seconds;
use holdfast_domain::actor::Role;
use holdfast_domain::ids::Epoch;
use holdfast_domain::time::Timestamp;
use holdfast_eventlog::MemoryLog;
use holdfast_readmodel::{LocalHints, MemoryLeases, MemoryReadStore};
use holdfast_tests::answer::text;
use holdfast_tests::caller::{Caller, Wire};
use holdfast_tests::world::{MONDAY_NINE, instant, monday};
use serde_json::Value;
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};
use uuid::Uuid;

use crate::socket::{Heard, Socket};

/// Nothing that is waited for takes longer.
const PATIENCE: Duration = Duration::from_secs(30);

/// What several nodes share.
struct Cluster {
    stores: Stores,
    data: TempDir,
}

/// One of them.
struct Node {
    running: Running,
    /// Its own, when it is one that dies.
    runtime: Option<Runtime>,
}

impl Cluster {
    fn new() -> Self {
        let start = Instant::now();
        let log = Arc::new(MemoryLog::new(Epoch::from_uuid(Uuid::from_u128(1))));
        let stores = Stores {
            feed: Arc::<MemoryLog>::clone(&log),
            log,
            views: Arc::new(MemoryReadStore::new()),
            leases: Arc::new(MemoryLeases::new(Arc::new(move || start.elapsed()))),
            hints: Arc::new(LocalHints::new()),
            clock: None,
            writer: None,
            shared: None,
            redis: None,
        };
        Self { stores, data: tempfile::tempdir().unwrap() }
    }

    fn config(&self, role: NodeRole, now: Timestamp) -> Config {
        let mut config = Config::in_folder(self.data.path()).unwrap();
        config.role = role;
        config.test_clock = Some(TestClock::At(now));
        config.limits.address_rate = "1000000/1s".parse().unwrap();
        config.limits.principal_rate = "1000000/1s".parse().unwrap();
        config
    }

    /// A node in this test's runtime.
    async fn start(&self, role: NodeRole, now: Timestamp) -> Node {
        let (config, stores) = (self.config(role, now), self.stores.clone());
        Node { running: App::start_on(config, stores).await.unwrap(), runtime: None }
    }

    /// A node in a runtime that can be taken from it.
    async fn start_mortal(&self, role: NodeRole, now: Timestamp) -> Node {
        let (config, stores) = (self.config(role, now), self.stores.clone());
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let start = runtime.spawn(async move { App::start_on(config, stores).await.unwrap() });
        Node { running: start.await.unwrap(), runtime: Some(runtime) }
    }
}

impl Node {
    fn caller(&self, role: Role, number: u32) -> Caller {
        let state = self.running.state();
        let id = format!("018f2a10-7c5e-7000-8000-{number:012x}").parse().unwrap();
        let lifetime = Duration::from_hours(1);
        let tokens = &state.config.tokens;
        let roles = &[role];
        let grant = Grant { tokens, principal: id, roles, from: unix_seconds(), lifetime };
        let token = mint(&state.keys.signing, &grant).unwrap();
        Caller::with_token(id, token, Arc::new(Wire::new(self.running.address())))
    }

    fn now(&self) -> Timestamp {
        self.running.state().node.clock.now()
    }

    /// Returns when the node says that it has so many shares of the work.
    async fn holds(&self, shares: usize) {
        let mut held = self.running.state().node.division.held();
        let held = held.wait_for(|held| held.len() == shares);
        drop(tokio::time::timeout(PATIENCE, held).await.unwrap().unwrap());
    }

    /// Ends without a word: nothing is given back.
    fn die(self) {
        self.runtime.expect("a mortal node").shutdown_background();
    }
}

/// Hears of all of these reservations; answers them in the order in which each came first.
async fn hear(socket: &mut Socket, wanted: &[String]) -> Vec<String> {
    let (mut order, mut last) = (Vec::<String>::new(), 0);
    let all = async {
        while order.len() < wanted.len() {
            let Heard::Text(frame) = socket.next().await.unwrap() else { panic!("it ended") };
            let said: Value = serde_json::from_str(&frame).unwrap();
            assert_ne!(said["op"], "resync", "nothing was lost that had to be read again");
            if said["op"] != "change" {
                continue;
            }
            let position = said["position"].as_u64().unwrap();
            assert!(position >= last, "told out of order: {position} after {last}");
            last = position;
            let key = text(&said, "key");
            if wanted.contains(&key) && !order.contains(&key) {
                order.push(key);
            }
        }
    };
    tokio::time::timeout(PATIENCE, all).await.unwrap_or_else(|_late| panic!("not all was told"));
    order
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_tells_what_is_booked_through_others_while_the_views_change_hands() {
    let (cluster, monday_nine) = (Cluster::new(), instant(MONDAY_NINE));
    let keeper = cluster.start_mortal(NodeRole::Worker, monday_nine).await;
    keeper.holds(9).await;
    let api = cluster.start(NodeRole::Api, keeper.now()).await;
    let other = cluster.start(NodeRole::All, api.now()).await;
    let provider = other.caller(Role::Provider, 1);
    let mentor = provider.clone().mentors().await;
    // The views are there, on the node that never folds an event.
    api.caller(Role::Customer, 7).see(&format!("/v1/offerings/{}", mentor.o30)).await.ok();
    let mut socket = Socket::open(
        api.running.address(),
        &format!("Bearer {}", api.caller(Role::Provider, 1).token().unwrap()),
    )
    .await
    .unwrap();
    assert_eq!(socket.subscribe("me", None).await.unwrap().op, "subscribed");
    let mut booked = Vec::new();
    let mut keeper = Some(keeper);
    for number in 0..8_u32 {
        if number == 3 {
            // In the middle, without a word; the views stand still until another takes them over.
            keeper.take().unwrap().die();
        }
        // Now through the one node, now through the other.
        let node = if number % 2 == 0 { &other } else { &api };
        let customer = node.caller(Role::Customer, 100 + number);
        let start = monday(&format!("{:02}:{:02}", 14 + number / 2, 30 * (number % 2)));
        booked.push(text(customer.reserve(&mentor.o30, &start).await.created(), "id"));
    }
    assert_eq!(hear(&mut socket, &booked).await, booked);
    other.holds(9).await;
    // Whatever was answered by one node is seen on the other.
    let last = booked.last().unwrap();
    provider.see(&format!("/v1/reservations/{last}")).await.ok();
    api.running.stop().await;
    other.running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_without_workers_says_so_and_goes_on_as_soon_as_there_is_one() {
    let (cluster, monday_nine) = (Cluster::new(), instant(MONDAY_NINE));
    let api = cluster.start(NodeRole::Api, monday_nine).await;
    let nobody = api.caller(Role::Admin, 9);
    let ready = nobody.get("/health/ready").await;
    assert_eq!(
        (ready.status, &ready.body["status"]),
        (200, &"degraded".into()),
        "{}",
        ready.text()
    );
    let checks = ready.body["checks"].as_array().unwrap();
    let workers = checks.iter().find(|check| check["name"] == "workers").unwrap();
    assert!(text(workers, "detail").contains("nobody keeps the views"), "{workers}");
    let metrics = nobody.get("/metrics").await;
    assert!(String::from_utf8_lossy(&metrics.bytes).contains("holdfast_views_kept 0"));
    // Commands need no worker.
    let provider = api.caller(Role::Provider, 1);
    let mentor = provider.clone().mentors().await;
    let worker = cluster.start(NodeRole::Worker, api.now()).await;
    worker.holds(9).await;
    provider.see(&format!("/v1/offerings/{}", mentor.o30)).await.ok();
    assert_eq!(nobody.get("/health/ready").await.ok()["status"], "ok");
    // A worker is asked by operators only.
    let operator = worker.caller(Role::Admin, 9);
    assert_eq!(operator.get("/health/ready").await.ok()["status"], "ok");
    assert!(
        String::from_utf8_lossy(&operator.get("/metrics").await.bytes)
            .contains("holdfast_shares_held 9")
    );
    operator.get("/problems/unavailable").await.ok();
    let turned_away = operator.get("/v1/offerings").await;
    assert_eq!(turned_away.status, 503);
    assert!(text(&turned_away.body, "detail").contains("is a worker"), "{}", turned_away.text());
    // What falls due is the worker's: it is seen on the node that serves.
    let customer = api.caller(Role::Customer, 2);
    let held = customer.reserve(&mentor.o30, &monday("14:00")).await;
    let path = format!("/v1/reservations/{}", text(held.created(), "id"));
    customer.see(&path).await.ok();
    for node in [&api, &worker] {
        let clock = node.running.state().node.test_clock.as_ref().unwrap();
        clock.advance(Duration::from_mins(11));
    }
    let expired = async {
        let mut moved = api.running.state().node.reader.watch();
        while customer.get(&path).await.ok()["status"] != "expired" {
            moved.changed().await.unwrap();
        }
    };
    tokio::time::timeout(PATIENCE, expired).await.expect("it never expires");
    worker.running.stop().await;
    api.running.stop().await;
}
