//! G14: how soon a node is ready on a long log in PostgreSQL whose views were kept, and how soon the
//! work of a node that was killed is another's.

use std::time::{Duration, Instant};

use holdfast_domain::actor::Role;
use sqlx::{Connection as _, PgConnection};

use crate::database::Database;
use crate::edge::person;
use crate::measure::{Line, micros, resident_memory};
use crate::served;
use crate::size::Size;
use crate::stage::Stage;

/// All live views, and eight parts of what falls due.
const SHARES: i64 = 9;
/// How long a start may take, and how long work may lie idle, in milliseconds.
const READY_MAX: u64 = 2_000;
const TAKEN_MAX: u64 = 10_000;
const PATIENCE: Duration = Duration::from_mins(1);
const LOOK: Duration = Duration::from_millis(20);
const HELD: &str = "SELECT count(*) FROM leases WHERE until > clock_timestamp() \
    AND split_part(holder, '/', 1) = $1 AND name NOT LIKE 'worker/%'";

pub(crate) async fn on_a_long_log(size: Size) {
    let Some(database) = Database::start("restart").await else { return };
    let stage = Stage::open(&database).await;
    let began = Instant::now();
    stage.fill(size.longest).await;
    let (filled_in, events) = (began.elapsed(), stage.events().await);
    let (schema, folder) = stage.close().await;
    let admin = person(folder.path(), Role::Admin);
    // The first start fills the views.
    let began = Instant::now();
    let first = served::start(folder.path(), &schema, &["--node-name", "first"]);
    served::until_shown(first.address, &admin, events).await;
    let views_in = began.elapsed();
    served::end(first);
    let began = Instant::now();
    let second = served::start(folder.path(), &schema, &["--node-name", "second"]);
    served::until_ready(second.address).await;
    let ready = millis(began.elapsed());
    served::until_shown(second.address, &admin, events).await;
    let shown = millis(began.elapsed());
    Line::new("G14", "a node starts again on a long log in PostgreSQL")
        .number("events", events)
        .number("filled_in_ms", millis(filled_in))
        .number("views_filled_in_ms", millis(views_in))
        .number("listens_in_ms", millis(second.started_in))
        .number("ready_in_ms", ready)
        .number("views_shown_in_ms", shown)
        .number("resident_kib", resident_memory(second.id()))
        .number("goal_at_most_ms", READY_MAX)
        .text("verdict", size.verdict(false, ready.max(shown) <= READY_MAX))
        .print();
    let mut connection = PgConnection::connect(schema.url()).await.unwrap();
    until(&mut connection, "second", |held| held == SHARES).await;
    let third = served::start(folder.path(), &schema, &["--node-name", "third"]);
    until(&mut connection, "third", |held| held > 0).await;
    until(&mut connection, "second", |held| held < SHARES).await;
    let began = Instant::now();
    drop(second);
    until(&mut connection, "third", |held| held == SHARES).await;
    let taken = millis(began.elapsed());
    Line::new("G14", "all shares of a worker that was killed are another's")
        .number("taken_in_ms", taken)
        .number("goal_at_most_ms", TAKEN_MAX)
        .text("verdict", size.verdict(false, taken <= TAKEN_MAX))
        .print();
    connection.close().await.unwrap();
    served::end(third);
}

fn millis(span: Duration) -> u64 {
    micros(span).div_euclid(1_000)
}

/// Returns when the worker of this name has so many shares, by the database's own record.
async fn until(connection: &mut PgConnection, name: &str, wanted: impl Fn(i64) -> bool) {
    let began = Instant::now();
    loop {
        let held = sqlx::query_scalar(HELD).bind(name).fetch_one(&mut *connection).await.unwrap();
        if wanted(held) {
            return;
        }
        assert!(began.elapsed() < PATIENCE, "{name} has {held} shares");
        tokio::time::sleep(LOOK).await;
    }
}
