//! G6 and G7: how fast a log is read as typed events, and how fast the read models follow it from
//! nothing, early and late in a long log.

use std::sync::Arc;

use holdfast_commands::ports::Ids as _;
use holdfast_domain::ids::PrincipalId;
use holdfast_domain::log::{Feed as _, Position};
use holdfast_eventlog::SqliteLog;
use holdfast_gateways::system::SystemIds;
use holdfast_readmodel::sqlite::SqliteReadStore;
use tokio::runtime::Handle;
use tokio::task::JoinSet;

use crate::business::{Business, Class};
use crate::catch_up::Following;
use crate::measure::{Line, processor, rate};
use crate::replay::replay;
use crate::size::Size;

/// How many hold seats at once while the log is filled.
const CALLERS: u32 = 64;
/// Classes among which they choose.
const CLASSES: u32 = 64;
/// Where the rate is looked at first.
const EARLY: u64 = 20_000;

pub(crate) async fn replay_and_catch_up(size: Size) {
    let folder = tempfile::tempdir().unwrap();
    let log = SqliteLog::open(folder.path(), Handle::current()).await.unwrap();
    let business = Arc::new(Business::open(Arc::<SqliteLog>::clone(&log), folder.path()).await);
    fill(&business, &log, size.events).await;
    report_replay(&log).await;
    let views = tempfile::tempdir().unwrap();
    catch_up(&log, views.path()).await;
    log.close().await;
}

/// Holds and releases, until there are so many events.
async fn fill(business: &Arc<Business>, log: &Arc<SqliteLog>, events: u64) {
    let mut classes = Vec::new();
    for hour in 1..=CLASSES {
        classes.push(business.class(hour, 100_000).await);
    }
    let mut callers = JoinSet::new();
    for caller in 0..CALLERS {
        let class = classes.get(usize::try_from(caller).unwrap()).copied().unwrap();
        callers.spawn(books(Arc::clone(business), Arc::clone(log), class, events));
    }
    while let Some(ended) = callers.join_next().await {
        ended.unwrap();
    }
}

async fn books(business: Arc<Business>, log: Arc<SqliteLog>, class: Class, events: u64) {
    let customer = PrincipalId::from_uuid(SystemIds.fresh());
    let mut turn: u32 = 0;
    while log.head().await.unwrap().position < Position(events) {
        turn = turn.saturating_add(1);
        let (reservation, answer) = business.hold(customer, class).await;
        assert_eq!(answer.unwrap().status, 201);
        if turn.checked_rem(2) == Some(0) {
            business.release(customer, reservation).await.unwrap();
        }
    }
}

async fn report_replay(log: &SqliteLog) {
    let before = processor(std::process::id());
    let (count, took) = replay(log).await;
    Line::new("G6", "replay of the whole log to typed events, SQLite")
        .number("count", count)
        .number("per_second", rate(count, took))
        .cost(processor(std::process::id()).saturating_sub(before), count)
        .print();
}

async fn catch_up(log: &Arc<SqliteLog>, folder: &std::path::Path) {
    let head = log.head().await.unwrap().position;
    let store = Arc::new(SqliteReadStore::open(folder).await.unwrap());
    let before = processor(std::process::id());
    let feed = Arc::<SqliteLog>::clone(log);
    let following = Following::start(feed, Arc::<SqliteReadStore>::clone(&store));
    let early = following.shown(Position(EARLY).min(head)).await;
    let late = head.0.saturating_sub(EARLY);
    let before_late = following.shown(Position(late)).await;
    let all = following.shown(head).await;
    let spent = processor(std::process::id()).saturating_sub(before);
    following.end().await;
    store.close().await;
    let mut line = Line::new("G7", "all read models catch up from nothing, SQLite to SQLite")
        .number("count", head.0)
        .number("per_second", rate(head.0, all))
        .cost(spent, head.0);
    if late >= EARLY {
        let last = rate(EARLY, all.saturating_sub(before_late));
        line = line
            .number("first_20k_per_second", rate(EARLY, early))
            .number("last_20k_per_second", last);
    }
    line.print();
}
