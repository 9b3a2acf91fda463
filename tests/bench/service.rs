//! G10 and G13 on PostgreSQL: the real binary over HTTP, with tokens, validation and idempotency, the
//! load on the same processors; beside a peer that runs in its own process, without HTTP.

use std::time::{Duration, Instant};

use holdfast_domain::actor::Role;

use crate::database::{Database, Spent};
use crate::edge::{booked, one_by_one, person, room, rooms};
use crate::http::Connection;
use crate::measure::{Latencies, Line, peak_memory, per_thousand, processor, rate};
use crate::node::Node;
use crate::peer::{Load, Peer};
use crate::rounds::{Goal, Rounds};
use crate::served;
use crate::size::Size;

/// Connections of ours, callers of the peer.
const CALLERS: u32 = 64;
/// How long one idle client waits at most, in microseconds, half of the time.
const ALONE_MAX: u64 = 3_000;

pub(crate) async fn over_http(size: Size) {
    let Some(database) = Database::start("service").await else { return };
    let peer = Peer::find("peer-cqrs-es");
    let (data, schema) = (tempfile::tempdir().unwrap(), database.schema().await);
    let provider = person(data.path(), Role::Provider);
    let node = served::start(data.path(), &schema, &[]);
    let mut connection = Connection::open(node.address).await.unwrap();
    let idle = room(&mut connection, &provider).await;
    let customer = person(data.path(), Role::Customer);
    let (began, before) = (Instant::now(), spent(&database, &node));
    let mut alone = one_by_one(&mut connection, &idle, &customer, size.alone).await;
    let line = Line::new("G13", "holds by one idle client over HTTP, PostgreSQL");
    let line = costs(line.timed(began.elapsed(), &mut alone), &node, &database, before, &alone);
    let met = alone.at(50) <= ALONE_MAX;
    line.number("goal_at_most_p50_us", ALONE_MAX).text("verdict", size.verdict(false, met)).print();

    let (mut all, mut rates, mut total) = (Latencies::default(), Rounds::default(), Duration::ZERO);
    let mut used = Spent::default();
    for _ in 0..size.rounds {
        // What stood idle during a round is closed by the server.
        let mut connection = Connection::open(node.address).await.unwrap();
        let rooms = rooms(&mut connection, &provider).await;
        let (began, before) = (Instant::now(), spent(&database, &node));
        let seen = booked(node.address, data.path(), &rooms, size.holds).await;
        let took = began.elapsed();
        used = used.plus(spent(&database, &node).since(before));
        let load = Load { callers: CALLERS, commands: size.commands, contended: 0, replayed: 0 };
        let theirs = match &peer {
            Some(peer) => Some(peer.run(&database, load).await.per_second("distinct")),
            None => None,
        };
        rates.add(rate(seen.count(), took), theirs);
        total = total.saturating_add(took);
        all.join(seen);
    }
    let count = all.count();
    let line =
        Line::new("G10", "holds over HTTP, 64 connections, PostgreSQL, beside a peer without HTTP")
            .timed(total, &mut all)
            .cost(used.ours, count)
            .number("database_cpu_us_per_1000", per_thousand(used.database, count))
            .number("peak_kib", peak_memory(node.id()));
    rates.on(line, "per_second", Goal::AtLeast(200), size).print();
    served::end(node);
}

/// What node and database have spent until now; not what the load did.
fn spent(database: &Database, node: &Node) -> Spent {
    Spent { ours: processor(node.id()), database: database.processor() }
}

fn costs(line: Line, node: &Node, database: &Database, before: Spent, seen: &Latencies) -> Line {
    let spent = spent(database, node).since(before);
    line.cost(spent.ours, seen.count())
        .number("database_cpu_us_per_1000", per_thousand(spent.database, seen.count()))
}
