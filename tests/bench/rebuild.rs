//! A view is rebuilt while a node serves, by the commands that an operator gives: a new generation is
//! filled beside the one that is read, compared with it, switched to, and the switch is taken back.
//! Holds go on meanwhile, and reads are answered.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use holdfast_domain::actor::Role;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::database::Database;
use crate::edge::{Room, expect, hold, person, room};
use crate::http::Connection;
use crate::measure::{Latencies, Line, micros, rate};
use crate::operator::{Operator, Said};
use crate::served;
use crate::size::Size;
use crate::stage::Stage;

/// The view with the largest documents.
const VIEW: &str = "reservations";
/// Who reads without a pause, and who holds at a steady pace.
const READERS: u32 = 2;
const PAUSE: Duration = Duration::from_millis(20);
/// How long a switch may take, in milliseconds, from its plan to the word that it is done.
const SWITCH_MAX: u64 = 1_000;

/// What was asked of the node meanwhile.
#[derive(Debug, Default)]
struct Asked {
    holds: Latencies,
    reads: Latencies,
    /// Reads without an answer, because the view was just switched.
    unanswered: u64,
}

impl Asked {
    fn join(&mut self, other: Self) {
        self.holds.join(other.holds);
        self.reads.join(other.reads);
        self.unanswered = self.unanswered.saturating_add(other.unanswered);
    }
}

pub(crate) async fn while_serving(size: Size) {
    let Some(database) = Database::start("rebuild").await else { return };
    let stage = Stage::open(&database).await;
    stage.fill(size.long).await;
    let events = stage.events().await;
    let (schema, folder) = stage.close().await;
    let node = served::start(folder.path(), &schema, &[]);
    let admin = person(folder.path(), Role::Admin);
    served::until_shown(node.address, &admin, events).await;
    let mut connection = Connection::open(node.address).await.unwrap();
    let room = room(&mut connection, &person(folder.path(), Role::Provider)).await;
    let (stop, mut asking) = (CancellationToken::new(), JoinSet::new());
    let customer = person(folder.path(), Role::Customer);
    asking.spawn(holds(node.address, room.clone(), customer.clone(), stop.clone()));
    for _ in 0..READERS {
        asking.spawn(reads(node.address, admin.clone(), stop.clone()));
    }
    let operator = Operator { data: folder.path(), schema: &schema, view: VIEW };
    let began = Instant::now();
    let told = Told {
        filled: operator.says("rebuild", &["--output", "json"]),
        compared: operator.says("compare", &["--output", "json"]),
        switched: operator.says("switch", &["--yes"]),
        undone: operator.says("undo", &["--yes"]),
    };
    let took = began.elapsed();
    stop.cancel();
    let mut asked = Asked::default();
    while let Some(one) = asking.join_next().await {
        asked.join(one.unwrap());
    }
    // Whatever was switched, what is read is up to date.
    connection = Connection::open(node.address).await.unwrap();
    let last = expect(connection.call(&hold(&room, 0, &customer)).await, 201);
    served::until_shown(node.address, &admin, last.position).await;
    served::end(node);

    told.report((events, took), asked, size);
}

/// What the operator was told.
#[derive(Debug)]
struct Told {
    filled: Said,
    compared: Said,
    switched: Said,
    undone: Said,
}

impl Told {
    fn report(&self, (events, took): (u64, Duration), mut asked: Asked, size: Size) {
        let (filled, compared) = (self.filled.json(), self.compared.json());
        let position = filled["position"].as_u64().unwrap();
        assert!(position >= events, "{position} of {events}");
        assert_eq!((&compared["different"], &filled["parked"]), (&0.into(), &0.into()));
        let (held, read) = (asked.holds.count(), asked.reads.count());
        assert!(held > 0 && read > 0, "nobody asked anything meanwhile");
        let longest = self.switched.after_plan.max(self.undone.after_plan);
        Line::new("rebuild", "a view is rebuilt on PostgreSQL while a node serves")
            .number("events", position)
            .number("filled_in_ms", millis(self.filled.took))
            .number("events_per_second", rate(position, self.filled.took))
            .number("documents", compared["documents"].as_u64().unwrap())
            .number("compared_in_ms", millis(self.compared.took))
            .number("switched_in_ms", millis(self.switched.after_plan))
            .number("switch_command_ms", millis(self.switched.took))
            .number("undone_in_ms", millis(self.undone.after_plan))
            .number("undo_command_ms", millis(self.undone.took))
            .number("reads", read)
            .number("reads_per_second", rate(read, took))
            .number("reads_unanswered", asked.unanswered)
            .number("read_p50_us", asked.reads.at(50))
            .number("read_p99_us", asked.reads.at(99))
            .number("holds_per_second", rate(held, took))
            .number("hold_p50_us", asked.holds.at(50))
            .number("hold_p99_us", asked.holds.at(99))
            .number("goal_switch_at_most_ms", SWITCH_MAX)
            .text("verdict", size.verdict(false, millis(longest) <= SWITCH_MAX))
            .print();
    }
}

fn millis(span: Duration) -> u64 {
    micros(span).div_euclid(1_000)
}

/// Holds one time after the other, at a steady pace.
async fn holds(
    address: SocketAddr,
    room: Room,
    customer: String,
    stop: CancellationToken,
) -> Asked {
    let mut connection = Connection::open(address).await.unwrap();
    let (mut asked, mut beats) = (Asked::default(), tokio::time::interval(PAUSE));
    for place in 1.. {
        if stop.run_until_cancelled(beats.tick()).await.is_none() {
            break;
        }
        let one = Instant::now();
        expect(connection.call(&hold(&room, place, &customer)).await, 201);
        asked.holds.add(one.elapsed());
    }
    asked
}

/// Reads a page of the view again and again.
async fn reads(address: SocketAddr, token: String, stop: CancellationToken) -> Asked {
    let mut connection = Connection::open(address).await.unwrap();
    let page = served::get("/v1/reservations?limit=20", &token);
    let mut asked = Asked::default();
    while !stop.is_cancelled() {
        let one = Instant::now();
        let answer = connection.call(&page).await.unwrap();
        assert!(matches!(answer.status, 200 | 503), "status {}", answer.status);
        if answer.status == 200 {
            asked.reads.add(one.elapsed());
        } else {
            asked.unanswered = asked.unanswered.saturating_add(1);
        }
    }
    asked
}
