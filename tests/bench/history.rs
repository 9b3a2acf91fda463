//! G6, G7 and a part of G15 on PostgreSQL, each beside a peer: a long log as typed events, and all read models from
//! nothing, at a short log and at a long one.

use std::sync::Arc;
use std::time::Duration;

use holdfast_domain::log::{Feed as _, Position};
use holdfast_eventlog::PostgresLog;
use holdfast_readmodel::postgres::PostgresReadStore;

use crate::bytes;
use crate::catch_up::Following;
use crate::database::{Database, Spent};
use crate::measure::{Line, per_thousand, rate};
use crate::peer::{Load, Peer};
use crate::replay::replay;
use crate::rounds::{Goal, Rounds};
use crate::size::Size;
use crate::stage::Stage;

/// A peer makes its log by commands first: as few as there can be.
const FEW: u32 = 64;

/// G6.
pub(crate) async fn read_again(size: Size) {
    let Some(database) = Database::start("replay").await else { return };
    let peer = Peer::find("peer-cqrs-es");
    let stage = Stage::open(&database).await;
    stage.fill(size.long).await;
    let what = "bytes of log for an event of real holds and releases, with their answers";
    bytes::report(what, &[bytes::of(&stage.schema).await], size);
    let (mut rates, mut spent, mut events) = (Rounds::default(), Spent::default(), 0_u64);
    for _ in 0..size.rounds {
        let before = database.spent();
        let (count, took) = replay(&*stage.log).await;
        spent = spent.plus(database.spent().since(before));
        assert_eq!(count, stage.events().await);
        events = events.saturating_add(count);
        let theirs = match &peer {
            Some(peer) => Some(peer.run(&database, load(count)).await.per_second("replay_all")),
            None => None,
        };
        rates.add(rate(count, took), theirs);
    }
    stage.close().await;
    let line = Line::new("G6", "replay of the whole log to typed events, PostgreSQL");
    let line = costs(line.number("count", events), spent, events);
    rates.on(line, "per_second", Goal::AtLeast(200), size).print();
}

/// G7.
pub(crate) async fn catch_up(size: Size) {
    let Some(database) = Database::start("catchup").await else { return };
    let peer = Peer::find("peer-disintegrate");
    let (short, long) = (Stage::open(&database).await, Stage::open(&database).await);
    short.fill(size.short).await;
    long.fill(size.long).await;
    let (mut beside, mut growth) = (Rounds::default(), Rounds::default());
    let (mut spent, mut events) = (Spent::default(), 0_u64);
    for _ in 0..size.rounds {
        let early = from_nothing(&database, &short.log).await;
        let before = database.spent();
        let late = from_nothing(&database, &long.log).await;
        spent = spent.plus(database.spent().since(before));
        let count = long.events().await;
        events = events.saturating_add(count);
        let (early, late) = (rate(short.events().await, early), rate(count, late));
        growth.add(late, Some(early));
        let theirs = match &peer {
            Some(peer) => {
                Some(peer.run(&database, load(count)).await.per_second("listener_catch_up"))
            }
            None => None,
        };
        beside.add(late, theirs);
    }
    short.close().await;
    long.close().await;
    let line = Line::new("G7", "all read models from nothing, beside a listener that does nothing");
    let line = costs(line.number("count", events), spent, events);
    beside.on(line, "per_second", Goal::AtLeast(200), size).print();
    let line = Line::new("G7", "all read models from nothing: a long log beside a short one")
        .number("long", size.long)
        .number("short", size.short);
    growth.on(line, "per_second", Goal::AtLeast(80), size).print();
}

fn load(replayed: u64) -> Load {
    Load { callers: FEW, commands: FEW, contended: 0, replayed }
}

fn costs(line: Line, spent: Spent, events: u64) -> Line {
    line.cost(spent.ours, events)
        .number("database_cpu_us_per_1000", per_thousand(spent.database, events))
}

/// How long until empty read models show everything.
async fn from_nothing(database: &Database, log: &Arc<PostgresLog>) -> Duration {
    let schema = database.schema().await;
    let store = PostgresReadStore::open(schema.url().parse().unwrap()).await.unwrap();
    let store = Arc::new(store);
    let head: Position = log.head().await.unwrap().position;
    let feed = Arc::<PostgresLog>::clone(log);
    let following = Following::start(feed, Arc::<PostgresReadStore>::clone(&store));
    let took = following.shown(head).await;
    following.end().await;
    store.close().await;
    took
}
