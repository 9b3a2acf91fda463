//! P17: sockets that never read, beside some that do, while the node is busy. The deaf ones must
//! all be gone soon, the others must hear everything in order, and the node's memory must stay
//! within its bound. How long the others wait is reported beside what it was without the deaf.

use std::time::{Duration, Instant};

use holdfast_domain::actor::Role;
use tokio::net::TcpSocket;
use tokio::task::JoinSet;

use crate::edge::{Room, expect, person, room};
use crate::http::{Asked, Connection};
use crate::measure::{Latencies, Line, resident_memory};
use crate::node::Node;
use crate::size::Size;
use crate::socket::{Heard, Socket};
use crate::sockets::{Held, Told, one, verify};

/// Who listens and reads.
const ATTENTIVE: u32 = 10;
/// Rooms that are booked and whose calendars everybody hears.
const ROOMS: usize = 16;
/// Who books, each a quarter of the rooms.
const CALLERS: usize = 4;
/// Holds of each caller in a second.
const PACE: u32 = 125;
/// Changes of the views that a hold makes: the booking, its payment, the calendar, the free times.
const CHANGES: u32 = 4;
/// By how much the node may grow.
const GROWTH_KIB_MAX: u64 = 64 << 10;
/// The deaf ones must be gone so long after the last change was told.
const GONE_MAX: Duration = Duration::from_secs(20);
const LOOK: Duration = Duration::from_millis(100);

/// The node and those who use it.
struct Scene {
    node: Node,
    provider: String,
    customer: String,
    rooms: Vec<Room>,
    /// How many places of each room are taken.
    taken: u32,
}

/// What a node did under the load.
struct Trial {
    latencies: Latencies,
    gone: Duration,
    told_why: u64,
    cut: u64,
    /// By how much it grew when the deaf ones came, and in all, in KiB.
    connected: u64,
    grown: u64,
}

pub(crate) async fn beside_the_deaf(size: Size) {
    // The same load on two nodes: a node grows by what it is used for, too.
    let mut quiet = trial(size, 0).await;
    let mut busy = trial(size, size.deaf).await;
    let by_the_deaf = busy.grown.saturating_sub(quiet.grown);
    Line::new("P17", "from the request to sockets that read, beside many that never do")
        .number("deaf", u64::from(size.deaf))
        .number("changes", u64::from(size.changes))
        .number("count", busy.latencies.count())
        .number("p50_us", busy.latencies.at(50))
        .number("p99_us", busy.latencies.at(99))
        .number("without_the_deaf_p50_us", quiet.latencies.at(50))
        .number("without_the_deaf_p99_us", quiet.latencies.at(99))
        .number("all_gone_after_ms", u64::try_from(busy.gone.as_millis()).unwrap())
        .number("told_why", busy.told_why)
        .number("cut_off", busy.cut)
        .number("grown_by_connecting_kib", busy.connected)
        .number("grown_in_all_kib", busy.grown)
        .number("without_the_deaf_grown_kib", quiet.grown)
        .number("grown_by_the_deaf_kib", by_the_deaf)
        .print();
    assert_eq!(busy.told_why.saturating_add(busy.cut), u64::from(size.deaf));
    assert!(by_the_deaf <= GROWTH_KIB_MAX, "the node grew by {by_the_deaf} KiB");
}

async fn trial(size: Size, deaf: u32) -> Trial {
    let data = tempfile::tempdir().unwrap();
    let mut scene = Scene::open(data.path()).await;
    let holds = size.changes.div_ceil(CHANGES);
    let mut attentive = scene.sockets(ATTENTIVE, false).await;
    drop(scene.busy(&mut attentive, holds.div_ceil(20)).await);
    let mut watch = Watch::begin(&scene.node).await;
    let deaf = scene.sockets(deaf, true).await;
    let connected = resident_memory(scene.node.id()).saturating_sub(watch.before);
    watch.began = Instant::now();
    let latencies = tokio::select! {
        latencies = scene.busy(&mut attentive, holds) => latencies,
        () = watch.keep_looking() => Latencies::default(),
    };
    let gone = watch.all_gone().await;
    let (told_why, cut) = ends(deaf).await;
    let grown = watch.most.saturating_sub(watch.before);
    let (status, _, said) = scene.node.terminate();
    assert!(status.success(), "{said}");
    Trial { latencies, gone, told_why, cut, connected, grown }
}

impl Scene {
    async fn open(data: &std::path::Path) -> Self {
        let (provider, customer) = (person(data, Role::Provider), person(data, Role::Customer));
        let node = Node::start(data, &["--sockets-per-principal-max", "1000"], &[]).unwrap();
        let mut connection = Connection::open(node.address).await.unwrap();
        let mut rooms = Vec::new();
        for _ in 0..ROOMS {
            rooms.push(room(&mut connection, &provider).await);
        }
        Self { node, provider, customer, rooms, taken: 0 }
    }

    /// Sockets of the provider on all calendars; deaf ones have room for little.
    async fn sockets(&self, count: u32, deaf: bool) -> Vec<Socket> {
        let mut sockets = Vec::new();
        for _ in 0..count {
            let line = TcpSocket::new_v4().unwrap();
            if deaf {
                line.set_recv_buffer_size(4_096).unwrap();
            }
            let stream = line.connect(self.node.address).await.unwrap();
            let mut socket = Socket::over(stream, &self.provider).await.unwrap();
            for room in &self.rooms {
                let topic = format!("resource:{}:calendar", room.resource);
                assert_eq!(socket.subscribe(&topic, None).await.unwrap().op, "subscribed");
            }
            sockets.push(socket);
        }
        sockets
    }

    /// Books at a steady pace, and answers how long each change took to each of those who read.
    async fn busy(&mut self, attentive: &mut Vec<Socket>, holds: u32) -> Latencies {
        let callers = u32::try_from(CALLERS).unwrap();
        let each = holds.div_ceil(callers);
        let mut hearing = JoinSet::new();
        for socket in attentive.drain(..) {
            hearing.spawn(hears(socket, each.saturating_mul(callers)));
        }
        let mut booking = JoinSet::new();
        for rooms in self.rooms.chunks(ROOMS.div_euclid(CALLERS)) {
            let mine = Books { rooms: rooms.to_vec(), from: self.taken, count: each };
            booking.spawn(mine.run(self.node.address, self.customer.clone()));
        }
        self.taken = self.taken.saturating_add(each);
        let mut held: Vec<Held> = booking.join_all().await.into_iter().flatten().collect();
        held.sort_unstable_by_key(|held| held.position);
        let mut latencies = Latencies::default();
        for (socket, told) in hearing.join_all().await {
            verify(&held, &told);
            for (held, (_, heard)) in held.iter().zip(&told) {
                latencies.add(heard.saturating_duration_since(held.asked));
            }
            attentive.push(socket);
        }
        latencies
    }
}

/// Reads so many changes.
async fn hears(mut socket: Socket, count: u32) -> (Socket, Told) {
    let mut told = Told::new();
    while told.len() < usize::try_from(count).unwrap() {
        let said = socket.said().await.unwrap();
        assert_eq!(said.op, "change");
        told.push((said.position.unwrap(), Instant::now()));
    }
    (socket, told)
}

/// Who books places of some rooms in turn.
struct Books {
    rooms: Vec<Room>,
    from: u32,
    count: u32,
}

impl Books {
    async fn run(self, address: std::net::SocketAddr, customer: String) -> Vec<Held> {
        let mut connection = Connection::open(address).await.unwrap();
        let mut beats = tokio::time::interval(Duration::from_secs(1).checked_div(PACE).unwrap());
        let mut held = Vec::new();
        for number in self.from..self.from.saturating_add(self.count) {
            beats.tick().await;
            let rooms = u32::try_from(self.rooms.len()).unwrap();
            let (place, room) = (number.div_euclid(rooms), number.rem_euclid(rooms));
            let room = &self.rooms[usize::try_from(room).unwrap()];
            held.push(one(&mut connection, room, place, &customer).await);
        }
        held
    }
}

/// An eye on the node.
struct Watch {
    connection: Connection,
    node: u32,
    began: Instant,
    /// Its memory before, and the most since.
    before: u64,
    most: u64,
    gone: Option<Duration>,
}

impl Watch {
    async fn begin(node: &Node) -> Self {
        let connection = Connection::open(node.address).await.unwrap();
        let before = resident_memory(node.id());
        Self {
            connection,
            node: node.id(),
            began: Instant::now(),
            before,
            most: before,
            gone: None,
        }
    }

    async fn look(&mut self) {
        self.most = self.most.max(resident_memory(self.node));
        let (path, nothing) = ("/metrics".to_owned(), String::new);
        let asked =
            Asked { method: "GET", path, token: nothing(), key: nothing(), body: nothing() };
        let metrics = expect(self.connection.call(&asked).await, 200).body;
        let metrics = String::from_utf8(metrics).unwrap();
        let open = metrics.lines().find_map(|line| line.strip_prefix("holdfast_sockets_open "));
        if open.unwrap() == ATTENTIVE.to_string() {
            self.gone.get_or_insert(self.began.elapsed());
        }
    }

    async fn keep_looking(&mut self) {
        let mut beats = tokio::time::interval(LOOK);
        loop {
            beats.tick().await;
            self.look().await;
        }
    }

    /// When all deaf ones were gone.
    async fn all_gone(&mut self) -> Duration {
        let patience = Instant::now();
        loop {
            self.look().await;
            if let Some(gone) = self.gone {
                return gone;
            }
            assert!(patience.elapsed() < GONE_MAX, "deaf ones are still served");
            tokio::time::sleep(LOOK).await;
        }
    }
}

/// How the deaf ones ended, who listen at last: told that they were too slow, or cut off.
async fn ends(deaf: Vec<Socket>) -> (u64, u64) {
    let (mut told_why, mut cut) = (0_u64, 0_u64);
    for mut socket in deaf {
        loop {
            match socket.next().await.unwrap() {
                Heard::Text(_) => {}
                Heard::Closed(code) => {
                    assert_eq!(code, 1013);
                    told_why = told_why.saturating_add(1);
                    break;
                }
                Heard::Cut => {
                    cut = cut.saturating_add(1);
                    break;
                }
            }
        }
    }
    (told_why, cut)
}
