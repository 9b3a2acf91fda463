//! G8: how long after a command was acknowledged the views show it, at half of what engine and views
//! do together at most. Both in this process, as they are in a node, on PostgreSQL.

use std::sync::Arc;
use std::time::{Duration, Instant};

use holdfast_commands::ports::Ids as _;
use holdfast_domain::ids::PrincipalId;
use holdfast_domain::log::Position;
use holdfast_eventlog::PostgresLog;
use holdfast_gateways::system::SystemIds;
use holdfast_projections::Reader;
use holdfast_readmodel::postgres::PostgresReadStore;
use tokio::task::JoinSet;
use tokio::time::{Instant as Beat, sleep_until};

use crate::business::Business;
use crate::catch_up::Following;
use crate::database::Database;
use crate::measure::{Latencies, Line, rate};
use crate::rooms::Room;
use crate::size::Size;
use crate::stage::Stage;

const CALLERS: u32 = 64;
/// What half of them and nearly all of them wait at most, in microseconds.
const P50_MAX: u64 = 10_000;
const P99_MAX: u64 = 50_000;
const PATIENCE: Duration = Duration::from_mins(1);

pub(crate) async fn at_half_load(size: Size) {
    let Some(database) = Database::start("lag").await else { return };
    let stage = Stage::open(&database).await;
    let address = stage.schema.url().parse().unwrap();
    let store = Arc::new(PostgresReadStore::open(address).await.unwrap());
    let log = Arc::<PostgresLog>::clone(&stage.log);
    let following = Following::start(log, Arc::<PostgresReadStore>::clone(&store));
    let rush = Holders::new(&stage, &following).await;
    let began = Instant::now();
    rush.hold(size.watched, Duration::ZERO).await;
    let most = rate(u64::from(size.watched), began.elapsed());
    // Each caller holds at a steady pace, all of them together at half of that.
    let pause = Duration::from_secs(u64::from(CALLERS).saturating_mul(2));
    let pause = pause.checked_div(u32::try_from(most).unwrap()).unwrap();
    let steady = Holders::new(&stage, &following).await;
    let began = Instant::now();
    let mut seen = steady.hold(size.watched, pause).await;
    let took = began.elapsed();
    following.end().await;
    store.close().await;
    stage.close().await;
    let met = seen.at(50) <= P50_MAX && seen.at(99) <= P99_MAX;
    Line::new("G8", "from the acknowledgement of a hold to its views, at half load, PostgreSQL")
        .number("most_per_second", most)
        .timed(took, &mut seen)
        .number("goal_at_most_p50_us", P50_MAX)
        .number("goal_at_most_p99_us", P99_MAX)
        .text("verdict", size.verdict(false, met))
        .print();
}

/// Who holds, each in a room of its own.
struct Holders {
    business: Arc<Business>,
    reader: Reader,
    rooms: Vec<Room>,
}

impl Holders {
    /// Their rooms are open, and the views show them.
    async fn new(stage: &Stage, following: &Following) -> Self {
        let rooms = stage.business.rooms(CALLERS).await;
        following.shown(Position(stage.events().await)).await;
        Self { business: Arc::clone(&stage.business), reader: following.reader.clone(), rooms }
    }

    /// So many holds, each caller one in `pause`; ends when the views show them all.
    async fn hold(self, count: u32, pause: Duration) -> Latencies {
        let (began, mut callers) = (Beat::now(), JoinSet::new());
        let each = count.div_ceil(CALLERS);
        for (caller, room) in (0_u32..).zip(self.rooms) {
            // Spread over the pause, so that they do not come in one crowd.
            let offset = pause.saturating_mul(caller).checked_div(CALLERS).unwrap();
            let (business, reader) = (Arc::clone(&self.business), self.reader.clone());
            let beats = (began.checked_add(offset).unwrap(), pause, each);
            callers.spawn(async move { holder(&business, &reader, room, beats).await });
        }
        let mut all = Latencies::default();
        while let Some(seen) = callers.join_next().await {
            all.join(seen.unwrap());
        }
        all
    }
}

async fn holder(
    business: &Business,
    reader: &Reader,
    room: Room,
    (first, pause, count): (Beat, Duration, u32),
) -> Latencies {
    let customer = PrincipalId::from_uuid(SystemIds.fresh());
    let mut shown = JoinSet::new();
    for turn in 0..count {
        sleep_until(first.checked_add(pause.saturating_mul(turn)).unwrap()).await;
        let answer = business.hold_room(customer, room, turn).await.1.unwrap();
        assert_eq!(answer.status, 201);
        // The next hold does not wait for the views of this one.
        let (reader, acknowledged) = (reader.clone(), Instant::now());
        shown.spawn(async move {
            let late = tokio::time::sleep(PATIENCE);
            reader.wait_for(answer.position, late).await.unwrap();
            acknowledged.elapsed()
        });
    }
    let mut latencies = Latencies::default();
    while let Some(took) = shown.join_next().await {
        latencies.add(took.unwrap());
    }
    latencies
}
