//! G10, G12 and G13: the real binary over HTTP, with tokens, validation and idempotency, the load
//! on the same machine.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use holdfast_commands::ports::{Clock as _, Ids as _};
use holdfast_domain::actor::Role;
use holdfast_domain::ids::PrincipalId;
use holdfast_domain::time::{Timestamp, minutes};
use holdfast_gateways::system::{SystemClock, SystemIds};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::http::{Answer, Asked, Connection};
use crate::measure::{Latencies, Line, peak_memory, processor};
use crate::node::{Node, token};
use crate::size::Size;

const CONNECTIONS: u32 = 64;
/// Resources that the load is spread over.
const ROOMS: u32 = 16;
/// Bookings in the month that is searched.
const BOOKINGS: u32 = 500;
/// How long a booking takes, in minutes.
const LONG: u32 = 30;

/// What can be booked, and when it opens.
#[derive(Debug, Clone)]
pub(crate) struct Room {
    pub(crate) resource: String,
    pub(crate) offering: String,
    opens: Timestamp,
}

pub(crate) async fn over_http(size: Size) {
    let data = tempfile::tempdir().unwrap();
    let provider = person(data.path(), Role::Provider);
    let node = Node::start(data.path(), &[], &[]).unwrap();
    let mut connection = Connection::open(node.address).await.unwrap();
    let rooms = rooms(&mut connection, &provider).await;
    let customer = person(data.path(), Role::Customer);
    let idle = room(&mut connection, &provider).await;
    alone(&node, &mut connection, &idle, &customer, size).await;
    load(&node, data.path(), rooms, size).await;
    // The first connection stood idle for longer than a server keeps one.
    connection = Connection::open(node.address).await.unwrap();
    let month = room(&mut connection, &provider).await;
    search(&node, &mut connection, &month, &customer, size).await;
    Line::new("memory", "the node after all of it")
        .number("peak_kib", peak_memory(node.id()))
        .number("started_in_ms", u64::try_from(node.started_in.as_millis()).unwrap())
        .print();
    let (status, _, said) = node.terminate();
    assert!(status.success(), "{said}");
}

/// G13.
async fn alone(node: &Node, connection: &mut Connection, room: &Room, customer: &str, size: Size) {
    let (began, before) = (Instant::now(), processor(node.id()));
    let mut latencies = one_by_one(connection, room, customer, size.alone).await;
    let spent = processor(node.id()).saturating_sub(before);
    let count = latencies.count();
    Line::new("G13", "holds by one idle client over HTTP")
        .timed(began.elapsed(), &mut latencies)
        .cost(spent, count)
        .print();
}

/// Holds one after the other, by one client.
pub(crate) async fn one_by_one(
    connection: &mut Connection,
    room: &Room,
    customer: &str,
    count: u32,
) -> Latencies {
    let mut latencies = Latencies::default();
    for place in 0..count {
        let asked = hold(room, place, customer);
        let one = Instant::now();
        expect(connection.call(&asked).await, 201);
        latencies.add(one.elapsed());
    }
    latencies
}

/// G10.
async fn load(node: &Node, data: &Path, rooms: Arc<Vec<Room>>, size: Size) {
    let (began, before) = (Instant::now(), processor(node.id()));
    let mut all = booked(node.address, data, &rooms, size.holds).await;
    let took = began.elapsed();
    let spent = processor(node.id()).saturating_sub(before);
    let count = all.count();
    Line::new("G10", "holds over HTTP, 64 connections, JWT, the load on the same processors")
        .timed(took, &mut all)
        .cost(spent, count)
        .number("peak_kib", peak_memory(node.id()))
        .print();
}

/// So many holds over all connections at once, in rooms in which nothing is taken.
pub(crate) async fn booked(
    address: SocketAddr,
    data: &Path,
    rooms: &Arc<Vec<Room>>,
    holds: u32,
) -> Latencies {
    let each = holds.div_ceil(CONNECTIONS);
    let mut customers = JoinSet::new();
    for number in 0..CONNECTIONS {
        let (rooms, customer) = (Arc::clone(rooms), person(data, Role::Customer));
        customers.spawn(books(address, rooms, customer, (number, each)));
    }
    let mut all = Latencies::default();
    while let Some(latencies) = customers.join_next().await {
        all.join(latencies.unwrap());
    }
    all
}

/// The rooms that a load is spread over.
pub(crate) async fn rooms(connection: &mut Connection, provider: &str) -> Arc<Vec<Room>> {
    let mut rooms = Vec::new();
    for _ in 0..ROOMS {
        rooms.push(room(connection, provider).await);
    }
    Arc::new(rooms)
}

/// Holds every time that is this customer's: nobody meets anybody.
async fn books(
    address: SocketAddr,
    rooms: Arc<Vec<Room>>,
    customer: String,
    (number, count): (u32, u32),
) -> Latencies {
    let mut connection = Connection::open(address).await.unwrap();
    let mut latencies = Latencies::default();
    for turn in 0..count {
        let all = turn.saturating_mul(CONNECTIONS).saturating_add(number);
        let room = &rooms[usize::try_from(all.checked_rem(ROOMS).unwrap()).unwrap()];
        let asked = hold(room, all.checked_div(ROOMS).unwrap(), &customer);
        let one = Instant::now();
        expect(connection.call(&asked).await, 201);
        latencies.add(one.elapsed());
    }
    latencies
}

/// G12.
async fn search(node: &Node, connection: &mut Connection, room: &Room, customer: &str, size: Size) {
    let mut position = 0;
    for place in 0..BOOKINGS {
        // Every second place: 500 bookings leave gaps all over three weeks.
        let held =
            expect(connection.call(&hold(room, place.saturating_mul(2), customer)).await, 201);
        let held: Value = serde_json::from_slice(&held.body).unwrap();
        let order = held["payment"]["order_id"].as_str().unwrap();
        let body = json!({
            "payment_key": format!("sim_approve_{order}"),
            "amount": held["payment"]["amount"],
        });
        let path = format!("/v1/payments/{order}/confirm");
        let paid = connection.call(&command("POST", path, customer, &body)).await;
        position = expect(paid, 200).position;
    }
    let to = room.opens.plus(Duration::from_hours(24 * 30));
    let path = format!("/v1/offerings/{}/slots?from={}&to={to}", room.offering, room.opens);
    let asked = |path: String| Asked {
        method: "GET",
        path,
        token: customer.to_owned(),
        key: String::new(),
        body: String::new(),
    };
    expect(connection.call(&asked(format!("{path}&min_position={position}"))).await, 200);
    let (mut latencies, before) = (Latencies::default(), processor(node.id()));
    let (began, mut bytes) = (Instant::now(), 0);
    for _ in 0..size.alone {
        let one = Instant::now();
        bytes = expect(connection.call(&asked(path.clone())).await, 200).body.len();
        latencies.add(one.elapsed());
    }
    let (took, spent) = (began.elapsed(), processor(node.id()).saturating_sub(before));
    let count = latencies.count();
    Line::new("G12", "free starts of one month with 500 bookings over HTTP")
        .timed(took, &mut latencies)
        .cost(spent, count)
        .number("answer_bytes", u64::try_from(bytes).unwrap())
        .print();
}

pub(crate) fn person(data: &Path, role: Role) -> String {
    token(data, PrincipalId::from_uuid(SystemIds.fresh()), role)
}

fn command(method: &'static str, path: String, token: &str, body: &Value) -> Asked {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    Asked { method, path, token: token.to_owned(), key: SystemIds.fresh().to_string(), body }
}

pub(crate) fn hold(room: &Room, place: u32, customer: &str) -> Asked {
    let starts_at = room.opens.plus(minutes(place.saturating_mul(LONG)));
    let body = json!({"offering_id": room.offering, "starts_at": starts_at.to_string()});
    command("POST", "/v1/reservations".to_owned(), customer, &body)
}

/// A room that is always open, from the next day on.
pub(crate) async fn room(connection: &mut Connection, provider: &str) -> Room {
    let post = |path: String, body: &Value| command("POST", path, provider, body);
    let body = json!({"display_name": "Room", "zone": "UTC"});
    let resource = id(connection.call(&post("/v1/resources".to_owned(), &body)).await);
    let days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
    let hours = days.iter().flat_map(|day| {
        let halves = [("00:00", "12:00"), ("12:00", "00:00")];
        halves.map(|(from, to)| json!({"day": day, "from": from, "to": to}))
    });
    let body = json!({"weekly": hours.collect::<Vec<_>>()});
    let path = format!("/v1/resources/{resource}/schedule");
    expect(connection.call(&command("PUT", path, provider, &body)).await, 200);
    let body = json!({
        "resource_id": resource,
        "title": "Half an hour",
        "kind": "slot",
        "duration_minutes": LONG,
        "hold_minutes": 600,
        "price": {"amount": 10_000, "currency": "KRW"},
    });
    let offering = id(connection.call(&post("/v1/offerings".to_owned(), &body)).await);
    let publish = post(format!("/v1/offerings/{offering}/publish"), &Value::Null);
    expect(connection.call(&publish).await, 200);
    let day = i64::try_from(Duration::from_hours(24).as_micros()).unwrap();
    let today = SystemClock.now().micros().div_euclid(day);
    let opens = Timestamp::from_micros(today.saturating_add(1).saturating_mul(day));
    Room { resource, offering, opens }
}

fn id(answer: std::io::Result<Answer>) -> String {
    let shown: Value = serde_json::from_slice(&expect(answer, 201).body).unwrap();
    shown["id"].as_str().unwrap().to_owned()
}

#[track_caller]
pub(crate) fn expect(answer: std::io::Result<Answer>, status: u16) -> Answer {
    let answer = answer.unwrap();
    assert_eq!(answer.status, status, "{}", String::from_utf8_lossy(&answer.body));
    answer
}
