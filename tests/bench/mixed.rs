//! G3: takes, returns and refusals on one hot slot, on PostgreSQL. The reference is what one would
//! write without a log: in one transaction, a counter that is moved only while it stays at nought or
//! above, and a row that says what happened.

use std::sync::Arc;
use std::time::Instant;

use holdfast_commands::ports::Ids as _;
use holdfast_domain::actor::Role;
use holdfast_domain::ids::{PrincipalId, ReservationId, ResourceId};
use holdfast_gateways::system::SystemIds;
use sqlx::{Connection as _, PgConnection};
use uuid::Uuid;

use crate::business::{Business, request};
use crate::claim::{GiveBack, Take};
use crate::commands::{CALLERS, PLACES};
use crate::crowd::{Seen, together};
use crate::database::Database;
use crate::measure::{Line, median, rate};
use crate::rounds::{Goal, Rounds};
use crate::size::Size;
use crate::stage::Stage;

/// Nobody keeps more places: 64 callers then want twice as many as there are.
const OWN_MAX: usize = 6;
const TABLES: &str = "CREATE TABLE slot (id int PRIMARY KEY, seats int NOT NULL); \
    CREATE TABLE booking (id uuid PRIMARY KEY, slot int NOT NULL, customer uuid NOT NULL, \
    seats int NOT NULL, note text NOT NULL); INSERT INTO slot VALUES (1, 200)";
const MOVE: &str = "UPDATE slot SET seats = seats - $1 WHERE id = 1 AND seats >= $1";
const NOTE: &str = "INSERT INTO booking VALUES ($1, 1, $2, $3, $4)";

pub(crate) async fn one_hot_slot(size: Size) {
    let Some(database) = Database::start("mixed").await else { return };
    let (mut all, mut rates, mut refused) = (Seen::default(), Rounds::default(), Vec::new());
    let each = size.hot_commands.div_ceil(CALLERS);
    for _ in 0..size.rounds {
        let stage = Stage::open(&database).await;
        let slot = ResourceId::from_uuid(SystemIds.fresh());
        let seen = together(&database, CALLERS, |_| {
            comes_and_goes(Arc::clone(&stage.business), slot, each)
        });
        let seen = seen.await;
        let seen = seen.saying_again(stage.business.said_again());
        stage.close().await;
        assert!(seen.refused > 0, "nobody was ever refused: there was no contention");
        let counter = counter(&database, each).await;
        assert!(counter.refused > 0, "the reference refused nobody");
        rates.add(seen.per_second(), Some(counter.per_second()));
        refused.push(rate(u64::from(seen.refused), seen.took));
        all.join(seen);
    }
    let line = Line::new("G3", "takes, returns and refusals of 64 callers on one slot, PostgreSQL");
    let line = all.on(line).number("refused_per_second", median(&refused));
    let met = all.latencies.at(99) <= 50_000;
    let line = line.text("verdict_of_p99_at_most_50_ms", size.verdict(false, met));
    rates.on(line, "per_second", Goal::AtLeast(300), size).print();
}

/// Whether this turn gives a place back, when there is one.
fn gives_back(own: usize, turn: u32) -> bool {
    own >= OWN_MAX || turn.checked_rem(3) == Some(2)
}

async fn comes_and_goes(business: Arc<Business>, slot: ResourceId, commands: u32) -> Seen {
    let customer = PrincipalId::from_uuid(SystemIds.fresh());
    let (mut seen, mut own) = (Seen::default(), Vec::new());
    for turn in 0..commands {
        let (began, request) = (Instant::now(), request(customer, Role::Customer));
        let back = if gives_back(own.len(), turn) { own.pop() } else { None };
        if let Some(reservation) = back {
            let answer = business.execute(GiveBack { slot, reservation }, request).await;
            assert!(seen.note(began, &answer), "who has a place can give it back");
            continue;
        }
        let reservation = ReservationId::from_uuid(SystemIds.fresh());
        let take = Take { slot, capacity: PLACES, reservation };
        if seen.note(began, &business.execute(take, request).await) {
            own.push(reservation);
        }
    }
    seen
}

/// The same by a counter.
async fn counter(database: &Database, each: u32) -> Seen {
    let schema = database.schema().await;
    let mut connection = PgConnection::connect(schema.url()).await.unwrap();
    sqlx::raw_sql(TABLES).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    let mut connections = Vec::new();
    for _ in 0..CALLERS {
        connections.push(PgConnection::connect(schema.url()).await.unwrap());
    }
    let connections = std::sync::Mutex::new(connections);
    together(database, CALLERS, |_| counts(connections.lock().unwrap().pop().unwrap(), each)).await
}

async fn counts(mut connection: PgConnection, commands: u32) -> Seen {
    let (mut seen, mut own, customer) = (Seen::default(), 0_usize, SystemIds.fresh());
    for turn in 0..commands {
        let began = Instant::now();
        let back = own > 0 && gives_back(own, turn);
        let seats = if back { -1 } else { 1 };
        let moved = moves(&mut connection, seats, customer).await;
        own = match (moved, back) {
            (true, true) => own.saturating_sub(1),
            (true, false) => own.saturating_add(1),
            (false, _) => own,
        };
        seen.count(began, moved);
    }
    connection.close().await.unwrap();
    seen
}

/// One transaction; whether there were seats enough.
async fn moves(connection: &mut PgConnection, seats: i32, customer: Uuid) -> bool {
    let mut transaction = connection.begin().await.unwrap();
    let moved = sqlx::query(MOVE).bind(seats).execute(&mut *transaction).await.unwrap();
    if moved.rows_affected() == 0 {
        transaction.rollback().await.unwrap();
        return false;
    }
    let row = sqlx::query(NOTE).bind(SystemIds.fresh()).bind(customer).bind(seats);
    let row = row.bind("x".repeat(120));
    row.execute(&mut *transaction).await.unwrap();
    transaction.commit().await.unwrap();
    true
}
