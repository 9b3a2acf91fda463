//! A real node in this process: a folder of its own, a free port, real keys, and a clock that the
//! test moves. It can be stopped and started again on the same folder.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use holdfast_api::app::{App, Running};
use holdfast_api::auth::mint::{Grant, mint};
use holdfast_api::config::{Config, TestClock};
use holdfast_api::wall_clock::unix_seconds;
use holdfast_domain::actor::Role;
use holdfast_domain::ids::PrincipalId;
use holdfast_domain::log::{Feed, Position};
use holdfast_domain::time::Timestamp;
use holdfast_gateways::simulator::{Movements, Simulator};
use holdfast_projections::status::Source;
use reqwest::Method;
use serde_json::json;
use tempfile::TempDir;

use crate::answer::Answer;
use crate::caller::{Caller, Wire};
use crate::history::History;
use crate::invariants;
use crate::stores::Stores;

/// Monday morning in Seoul, before any scenario begins.
pub const MONDAY_NINE: &str = "2026-03-09T09:00:00+09:00";

/// A node and everything that a test needs of it.
#[derive(Debug)]
pub struct World {
    running: Option<Running>,
    data: TempDir,
    stores: Stores,
    wire: Arc<Wire>,
}

fn config(data: &TempDir, stores: &Stores, now: Timestamp) -> Config {
    let mut config = Config::in_folder(data.path()).unwrap();
    stores.put_into(&mut config);
    config.test_clock = Some(TestClock::At(now));
    // Scenarios measure rules, not patience.
    config.limits.address_rate = "1000000/1s".parse().unwrap();
    config.limits.principal_rate = "1000000/1s".parse().unwrap();
    config
}

/// A node that is sent requests once its views can be read, as by any proxy.
async fn started(config: Config) -> Running {
    let running = App::start(config).await.unwrap();
    let mut status = running.state().node.reader.watch_status();
    let ready = status.wait_for(|status| status.is_running() && status.source == Source::Log);
    tokio::time::timeout(Duration::from_secs(30), ready).await.unwrap().unwrap();
    running
}

/// A time on the Monday of the scenarios, in Seoul.
pub fn monday(time: &str) -> String {
    format!("2026-03-09T{time}:00+09:00")
}

/// Reads an instant.
#[track_caller]
pub fn instant(text: &str) -> Timestamp {
    text.parse().unwrap_or_else(|why| panic!("{text}: {why}"))
}

impl World {
    /// A fresh node on the Monday of the scenarios.
    pub async fn new() -> Self {
        Self::starting_at(MONDAY_NINE).await
    }

    /// A fresh node whose clock starts at this instant.
    pub async fn starting_at(now: &str) -> Self {
        Self::on(Stores::of_this_run().await, now).await
    }

    /// A node on these stores, whose clock starts at this instant.
    pub async fn on(stores: Stores, now: &str) -> Self {
        let data = tempfile::tempdir().unwrap();
        let running = started(config(&data, &stores, instant(now))).await;
        let wire = Arc::new(Wire::new(running.address()));
        Self { running: Some(running), data, stores, wire }
    }

    /// The node that runs.
    pub fn node(&self) -> &Running {
        self.running.as_ref().expect("the node is stopped")
    }

    /// The folder that the node keeps its data in.
    pub fn folder(&self) -> &Path {
        self.data.path()
    }

    /// Stops the node; its folder stays.
    pub async fn stop(&mut self) {
        let running = self.running.take().expect("the node is stopped already");
        assert!(running.stop().await, "the node did not end in time");
    }

    /// Starts it again on the same folder, with its clock at this instant.
    pub async fn start_again_at(&mut self, now: &str) {
        assert!(self.running.is_none(), "the node still runs");
        let running = started(config(&self.data, &self.stores, instant(now))).await;
        self.wire.moved_to(running.address());
        self.running = Some(running);
    }

    /// Number so and so of those with these roles.
    pub fn caller(&self, roles: &[Role], number: u32) -> Caller {
        let kind =
            roles.first().map_or(0, |role| Role::ALL.iter().position(|one| one == role).unwrap());
        let id: PrincipalId =
            format!("018f2a10-7c5e-7000-8{kind:03x}-{number:012x}").parse().unwrap();
        let state = self.node().state();
        let grant = Grant {
            tokens: &state.config.tokens,
            principal: id,
            roles,
            from: unix_seconds(),
            lifetime: Duration::from_hours(1),
        };
        let token = Some(mint(&state.keys.signing, &grant).unwrap());
        Caller { id, token, wire: Arc::clone(&self.wire) }
    }

    /// Customer number so and so: U1, U2 and so on.
    pub fn customer(&self, number: u32) -> Caller {
        self.caller(&[Role::Customer], number)
    }

    /// Provider number so and so.
    pub fn provider(&self, number: u32) -> Caller {
        self.caller(&[Role::Provider], number)
    }

    /// An auditor.
    pub fn auditor(&self) -> Caller {
        self.caller(&[Role::Auditor], 1)
    }

    /// An admin.
    pub fn admin(&self) -> Caller {
        self.caller(&[Role::Admin], 1)
    }

    /// Somebody without a token.
    pub fn nobody(&self) -> Caller {
        Caller { token: None, ..self.customer(0) }
    }

    /// Puts the clock forward to this instant; answers when everything that follows has happened.
    pub async fn clock_to(&self, now: &str) {
        self.move_clock(json!({"now": instant(now)})).await.ok();
    }

    /// Puts the clock forward by so many seconds.
    pub async fn advance(&self, seconds: u32) {
        self.move_clock(json!({"advance_seconds": seconds})).await.ok();
    }

    async fn move_clock(&self, body: serde_json::Value) -> Answer {
        let nobody = self.nobody();
        nobody.ask(Method::POST, "/test/clock").json(&body).send().await
    }

    /// Lets everything happen that is due now.
    pub async fn rest(&self) {
        self.advance(0).await;
    }

    /// What the node's clock shows.
    pub fn now(&self) -> Timestamp {
        self.node().state().node.clock.now()
    }

    /// The log that the node writes.
    pub fn feed(&self) -> Arc<dyn Feed> {
        Arc::clone(&self.node().state().node.feed)
    }

    /// Where the log ends.
    pub async fn head(&self) -> Position {
        self.feed().head().await.unwrap().position
    }

    /// Everything that was written.
    pub async fn history(&self) -> History {
        History::read(&*self.feed()).await
    }

    /// The payment simulator's own ledger, read from its file.
    pub fn movements(&self) -> Movements {
        Simulator::open(self.data.path()).unwrap().movements().unwrap()
    }

    /// Ends a scenario: what must hold after each of them holds.
    pub async fn close(self) {
        self.rest().await;
        invariants::hold(&self.history().await, &self.movements());
    }
}
