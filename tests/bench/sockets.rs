//! G9: many sockets on one topic. First at a steady pace a little above ten thousand deliveries a
//! second, for the time from an append to each socket; then as fast as the node goes. Every socket
//! must hear the same changes in the same order, one for each hold, and a cursor must lead to the
//! rest of them.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use holdfast_domain::actor::Role;
use serde_json::json;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::edge::{Room, expect, hold, person, room};
use crate::http::Connection;
use crate::measure::{Latencies, Line, peak_memory, processor, rate};
use crate::node::Node;
use crate::size::Size;
use crate::socket::Socket;

/// Deliveries in a second at the steady pace.
const PACE: u32 = 12_000;
/// Who holds as fast as the node goes.
const CALLERS: u32 = 4;
/// So many holds may be on their way to the slowest socket. Far more would overflow its mailbox,
/// which is another promise.
const AHEAD: u32 = 64;
/// So many listeners come back with a cursor.
const RETURNING: u32 = 3;

/// A hold that was accepted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Held {
    /// The position of its last event.
    pub(crate) position: u64,
    pub(crate) asked: Instant,
    pub(crate) answered: Instant,
}

/// What one socket heard: which position, when.
pub(crate) type Told = Vec<(u64, Instant)>;

/// A socket that listens to one topic.
#[derive(Debug)]
struct Listener {
    token: String,
    socket: Socket,
    told: Told,
    /// Whether it comes back; then it keeps the cursors of what was told.
    returns: bool,
    cursors: Vec<String>,
}

pub(crate) async fn fan_out(size: Size) {
    let data = tempfile::tempdir().unwrap();
    let provider = person(data.path(), Role::Provider);
    let node = Node::start(data.path(), &[], &[]).unwrap();
    let mut connection = Connection::open(node.address).await.unwrap();
    let room = room(&mut connection, &provider).await;
    let topic = format!("offering:{}:slots", room.offering);
    let mut listeners = Vec::new();
    for number in 0..size.sockets {
        let returns = number < RETURNING;
        listeners.push(listener(&node, data.path(), &topic, returns).await);
    }
    let customer = person(data.path(), Role::Customer);
    let (steady, flat_out) = (size.steady, size.flat_out);

    let mut hearing = hear(listeners, steady, None);
    let before = processor(node.id());
    let mut held = Vec::new();
    let pause = Duration::from_secs(1).saturating_mul(size.sockets).checked_div(PACE).unwrap();
    let mut beats = tokio::time::interval(pause);
    for place in 0..steady {
        beats.tick().await;
        held.push(one(&mut connection, &room, place, &customer).await);
    }
    let listeners = all(&mut hearing).await;
    let spent = processor(node.id()).saturating_sub(before);
    verify_all(&held, &listeners);
    report_steady(&held, &listeners, spent);

    let (began, before) = (Instant::now(), processor(node.id()));
    let ahead = Arc::new(Semaphore::new(permits(AHEAD, size.sockets)));
    let mut hearing = hear(listeners, steady.saturating_add(flat_out), Some(&ahead));
    held.extend(rush(&node, &room, &customer, size, &ahead).await);
    let listeners = all(&mut hearing).await;
    let (took, spent) = (began.elapsed(), processor(node.id()).saturating_sub(before));
    held.sort_unstable_by_key(|held| held.position);
    verify_all(&held, &listeners);
    let deliveries = u64::from(flat_out).saturating_mul(u64::from(size.sockets));
    Line::new("G9", "the same sockets, as fast as the node goes")
        .number("count", deliveries)
        .number("per_second", rate(deliveries, took))
        .cost(spent, deliveries)
        .number("peak_kib", peak_memory(node.id()))
        .print();
    come_back(&node, &topic, listeners).await;
    let (status, _, said) = node.terminate();
    assert!(status.success(), "{said}");
}

async fn listener(node: &Node, data: &Path, topic: &str, returns: bool) -> Listener {
    let token = person(data, Role::Customer);
    let mut socket = Socket::open(node.address, &token).await.unwrap();
    assert_eq!(socket.subscribe(topic, None).await.unwrap().op, "subscribed");
    Listener { token, socket, told: Told::new(), returns, cursors: Vec::new() }
}

/// Lets each hear until it has heard so many changes in all.
fn hear(listeners: Vec<Listener>, count: u32, ahead: Option<&Arc<Semaphore>>) -> JoinSet<Listener> {
    let mut hearing = JoinSet::new();
    for mut listener in listeners {
        let ahead = ahead.map(Arc::clone);
        hearing.spawn(async move {
            while listener.told.len() < usize::try_from(count).unwrap() {
                let said = listener.socket.said().await.unwrap();
                assert_eq!(said.op, "change");
                listener.told.push((said.position.unwrap(), Instant::now()));
                if listener.returns {
                    listener.cursors.push(said.cursor.unwrap());
                }
                if let Some(ahead) = &ahead {
                    ahead.add_permits(1);
                }
            }
            listener
        });
    }
    hearing
}

async fn all(hearing: &mut JoinSet<Listener>) -> Vec<Listener> {
    let mut listeners = Vec::new();
    while let Some(listener) = hearing.join_next().await {
        listeners.push(listener.unwrap());
    }
    listeners
}

fn permits(holds: u32, sockets: u32) -> usize {
    usize::try_from(holds.saturating_mul(sockets)).unwrap()
}

/// Holds a place of its own, none at midnight: such a one changes two dates.
pub(crate) async fn one(
    connection: &mut Connection,
    room: &Room,
    number: u32,
    customer: &str,
) -> Held {
    let (day, hour) = (number.checked_div(40).unwrap(), number.checked_rem(40).unwrap());
    let place = day.saturating_mul(48).saturating_add(hour).saturating_add(4);
    let request = hold(room, place, customer);
    let asked = Instant::now();
    let position = expect(connection.call(&request).await, 201).position;
    Held { position, asked, answered: Instant::now() }
}

/// Holds as fast as the slowest socket allows.
async fn rush(
    node: &Node,
    room: &Room,
    customer: &str,
    size: Size,
    ahead: &Arc<Semaphore>,
) -> Vec<Held> {
    let mut callers = JoinSet::new();
    for caller in 0..CALLERS {
        let (address, room, customer) = (node.address, room.clone(), customer.to_owned());
        let ahead = Arc::clone(ahead);
        callers.spawn(async move {
            let mut connection = Connection::open(address).await.unwrap();
            let mut held = Vec::new();
            let mut number = caller;
            while number < size.flat_out {
                ahead.acquire_many(size.sockets).await.unwrap().forget();
                let place = size.steady.saturating_add(number);
                held.push(one(&mut connection, &room, place, &customer).await);
                number = number.saturating_add(CALLERS);
            }
            held
        });
    }
    let mut held = Vec::new();
    while let Some(some) = callers.join_next().await {
        held.extend(some.unwrap());
    }
    held
}

fn verify_all(held: &[Held], listeners: &[Listener]) {
    for listener in listeners {
        verify(held, &listener.told);
    }
}

/// Who hears this has heard one change for each hold, in the order of the log.
pub(crate) fn verify(held: &[Held], told: &[(u64, Instant)]) {
    assert_eq!(told.len(), held.len());
    let mut before = 0;
    for (held, (position, _)) in held.iter().zip(told) {
        assert!(before < *position && *position <= held.position, "{position}: {held:?}");
        before = held.position;
    }
}

fn report_steady(held: &[Held], listeners: &[Listener], spent: Duration) {
    let (mut from_append, mut from_answer) = (Latencies::default(), Latencies::default());
    let began = held.first().unwrap().asked;
    let mut ended = began;
    for listener in listeners {
        for (held, (_, heard)) in held.iter().zip(&listener.told) {
            from_append.add(heard.saturating_duration_since(held.asked));
            from_answer.add(heard.saturating_duration_since(held.answered));
            ended = ended.max(*heard);
        }
    }
    let count = from_append.count();
    Line::new("G9", "a change on every socket of one topic, from the request to the socket")
        .number("sockets", u64::try_from(listeners.len()).unwrap())
        .timed(ended.saturating_duration_since(began), &mut from_append)
        .number("from_answer_p50_us", from_answer.at(50))
        .number("from_answer_p99_us", from_answer.at(99))
        .cost(spent, count)
        .print();
}

/// Whoever comes back with the cursor from the middle hears the rest, and nothing else.
async fn come_back(node: &Node, topic: &str, listeners: Vec<Listener>) {
    let returning = listeners.into_iter().filter(|listener| listener.returns);
    for listener in returning {
        let middle = listener.cursors.len().div_euclid(2);
        drop(listener.socket);
        let mut back = Socket::open(node.address, &listener.token).await.unwrap();
        let from = listener.cursors.get(middle).map(String::as_str);
        assert_eq!(back.subscribe(topic, from).await.unwrap().op, "subscribed");
        for (position, _) in listener.told.iter().skip(middle).skip(1) {
            let said = back.said().await.unwrap();
            assert_eq!((said.op.as_str(), said.position), ("change", Some(*position)));
        }
        back.say(&json!({"op": "ping"})).await.unwrap();
        assert_eq!(back.said().await.unwrap().op, "pong", "that was the rest");
    }
}
