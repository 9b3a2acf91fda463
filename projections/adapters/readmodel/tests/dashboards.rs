//! The SQL views that dashboards read show what the documents say: of the active generation, and no
//! key that is parked. Their columns are a contract, told in docs/operations/dashboards.md.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/stage.rs"]
mod stage;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use holdfast_domain::log::Position;
use holdfast_domain::money::Money;
use holdfast_domain::time::Timestamp;
use holdfast_projections::Projections;
use holdfast_projections::document::{Document, Indexes, Key};
use holdfast_projections::ports::{Page, Parked, ReadStore, RowWrite, Target};
use holdfast_projections::registry::Alteration;
use holdfast_projections::views::calendar::AllocationDocument;
use holdfast_projections::views::due::DueDocument;
use holdfast_projections::views::offerings::OfferingDocument;
use holdfast_projections::views::payments::PaymentDocument;
use holdfast_projections::views::reservations::ReservationDocument;
use holdfast_projections::views::resources::ResourceDocument;
use holdfast_projections::views::sessions::SessionDocument;
use holdfast_readmodel::conformance::{MemoryFeed, history};
use holdfast_test_stores::postgres;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection as _};

use stage::{in_postgres, run_to_head};

/// Every document of a view that reads as a `T`, by key.
async fn documents<T: DeserializeOwned>(store: &dyn ReadStore, view: &str) -> BTreeMap<String, T> {
    let active = store.registry().await.unwrap().active(view).unwrap().id;
    let rows = store.scan(active, None, 1_000_000).await.unwrap().value;
    let read =
        rows.into_iter().filter(|(key, ..)| view != "sessions" || !key.as_str().contains('/'));
    read.map(|(key, document, _)| (key.to_string(), document.read().unwrap())).collect()
}

/// What a select shows, a line for each row, in order.
async fn shown(connection: &mut PgConnection, select: &str) -> Vec<String> {
    let text = format!(
        "SELECT concat_ws('|', VARIADIC array(SELECT coalesce(v, '-') FROM \
        json_each_text(row_to_json(q)) WITH ORDINALITY AS e (k, v, n) ORDER BY n)) FROM ({select}) q"
    );
    let mut lines: Vec<String> =
        sqlx::query_scalar(AssertSqlSafe(text)).fetch_all(connection).await.unwrap();
    lines.sort_unstable();
    lines
}

/// The microseconds of an instant, as `micros` gives them.
fn at(instant: Timestamp) -> String {
    instant.micros().to_string()
}

fn maybe<T: ToString>(value: Option<T>) -> String {
    value.map_or("-".to_owned(), |value| value.to_string())
}

/// The word that stands for a value in the documents.
fn word<T: Serialize>(value: &T) -> String {
    serde_json::to_value(value).unwrap().as_str().unwrap_or("-").to_owned()
}

fn money(amount: Money) -> String {
    let mut text = String::new();
    write!(text, "{}|{}", amount.minor(), word(&amount.currency())).unwrap();
    text
}

fn sorted(lines: impl Iterator<Item = String>) -> Vec<String> {
    let mut lines: Vec<_> = lines.collect();
    lines.sort_unstable();
    assert!(lines.len() > 1, "there is too little to compare");
    lines
}

fn line<const N: usize>(columns: &[String; N]) -> String {
    columns.join("|")
}

const MICROS: &str = "CREATE FUNCTION micros(timestamptz) RETURNS bigint LANGUAGE sql \
    RETURN (extract(epoch FROM $1) * 1000000)::bigint";

/// What a view shall show: the columns that are looked at, and a line for each row.
type Claim = (&'static str, Vec<String>);

async fn reservations(store: &dyn ReadStore) -> Claim {
    let all = documents::<ReservationDocument>(store, "reservations").await;
    let lines = all.values().map(|one| {
        let (of, resource) = (one.offering_id.to_string(), one.resource_id.to_string());
        let who = line(&[one.id.to_string(), word(&one.status), one.customer.to_string()]);
        let what = line(&[one.provider.to_string(), of, resource, maybe(one.session_id)]);
        let when = line(&[at(one.starts_at), at(one.ends_at), one.zone.clone()]);
        let until = at(one.hold_expires_at);
        let sold = line(&[one.party_size.to_string(), until, money(one.quote.total)]);
        line(&[who, what, when, sold, one.revision.to_string()])
    });
    let select = "SELECT reservation_id, status, customer, provider, offering_id, resource_id, \
        session_id, micros(lower(booked)) AS a, micros(ends_at) AS b, zone, party_size, \
        micros(hold_expires_at) AS c, total_minor, currency, revision FROM reservations";
    (select, sorted(lines))
}

async fn money_of_reservations(store: &dyn ReadStore) -> Claim {
    let all = documents::<ReservationDocument>(store, "reservations").await;
    let lines = all.values().map(|one| {
        let (paid, off) = (one.payment.as_ref(), one.cancellation.as_ref());
        line(&[
            maybe(paid.map(|paid| paid.order_id)),
            maybe(paid.map(|paid| word(&paid.status))),
            maybe(paid.map(|paid| money(paid.captured))),
            maybe(paid.map(|paid| paid.refunded.minor())),
            maybe(paid.map(|paid| paid.refund_pending.minor())),
            maybe(paid.map(|paid| paid.refund_owed.minor())),
            maybe(paid.and_then(|paid| paid.last_decline.clone())),
            maybe(off.map(|off| word(&off.by))),
            maybe(off.and_then(|off| off.reason).map(|reason| word(&reason))),
        ])
    });
    let select = "SELECT order_id, payment_status, captured_minor, captured_currency, \
        refunded_minor, refund_pending_minor, refund_owed_minor, last_decline, cancelled_by, \
        cancellation_reason FROM reservations";
    (select, sorted(lines))
}

async fn payments(store: &dyn ReadStore) -> Claim {
    let all = documents::<PaymentDocument>(store, "payments").await;
    let lines = all.values().map(|one| {
        let (last, review) = (one.attempts.last(), one.review.as_ref());
        let who = line(&[one.order_id.to_string(), one.reservation_id.to_string()]);
        let pending = one.refund_pending.minor().to_string();
        let (back, owed) = (one.refunded.minor().to_string(), one.refund_owed.minor().to_string());
        let sums = line(&[money(one.amount), money(one.captured), back, pending, owed]);
        let attempts = line(&[
            one.attempts.len().to_string(),
            maybe(last.and_then(|last| last.code.clone())),
            maybe(last.and_then(|last| last.next_try_at).map(at)),
        ]);
        let review = line(&[
            review.map_or("-|-".to_owned(), |review| money(review.observed)),
            maybe(review.and_then(|review| review.decision).map(|decision| word(&decision))),
        ]);
        let (customer, revision) = (one.customer.to_string(), one.revision.to_string());
        line(&[who, customer, word(&one.status), sums, attempts, review, revision])
    });
    let select = "SELECT order_id, reservation_id, customer, status, amount_minor, currency, \
        captured_minor, captured_currency, refunded_minor, refund_pending_minor, \
        refund_owed_minor, attempts, last_code, micros(next_try_at) AS a, observed_minor, \
        observed_currency, review_decision, revision FROM payments";
    (select, sorted(lines))
}

async fn refunds(store: &dyn ReadStore) -> Claim {
    let all = documents::<PaymentDocument>(store, "payments").await;
    let lines = all.values().flat_map(|one| {
        one.refunds.iter().map(|(id, refund)| {
            let (code, whose) = (maybe(refund.code.clone()), one.order_id.to_string());
            let (status, reason) = (word(&refund.status), word(&refund.reason));
            line(&[id.to_string(), whose, status, reason, money(refund.amount), code])
        })
    });
    let select = "SELECT refund_id, order_id, status, reason, amount_minor, currency, code \
        FROM refunds";
    (select, sorted(lines))
}

async fn calendar(store: &dyn ReadStore, now: Timestamp) -> Claim {
    let all = documents::<AllocationDocument>(store, "calendar").await;
    let lines = all.values().map(|one| {
        let booked = line(&[at(one.starts_at), at(one.ends_at)]);
        let blocked = line(&[at(one.blocked_from), at(one.blocked_until)]);
        let whose = line(&[maybe(one.reservation_id), maybe(one.session_id), word(&one.status)]);
        let until = line(&[maybe(one.expires_at.map(at)), maybe(one.pinned_until.map(at))]);
        let counts = one.is_live(now).to_string();
        let (resource, hold) = (one.resource_id.to_string(), one.hold_id.to_string());
        line(&[resource, hold, whose, booked, blocked, one.weight.to_string(), until, counts])
    });
    let select = "SELECT resource_id, hold_id, reservation_id, session_id, status, \
        micros(lower(booked)) AS a, micros(upper(booked)) AS b, micros(lower(blocked)) AS c, \
        micros(upper(blocked)) AS d, weight, micros(expires_at) AS e, micros(pinned_until) AS f, \
        counts_now FROM calendar";
    (select, sorted(lines))
}

async fn resources(store: &dyn ReadStore) -> Claim {
    let all = documents::<ResourceDocument>(store, "resources").await;
    let lines = all.values().map(|one| {
        let (capacity, version) = (one.capacity.to_string(), one.schedule_version.to_string());
        let (name, zone) = (one.display_name.clone(), one.zone.clone());
        let hours = one.schedule.weekly.len().to_string();
        line(&[one.id.to_string(), one.owner.to_string(), name, zone, capacity, version, hours])
    });
    let select = "SELECT resource_id, owner, display_name, zone, capacity, schedule_version, \
        jsonb_array_length(schedule -> 'weekly') AS a FROM resources";
    (select, sorted(lines))
}

async fn offerings(store: &dyn ReadStore) -> Claim {
    let all = documents::<OfferingDocument>(store, "offerings").await;
    let lines = all.values().map(|one| {
        let provider = one.provider.to_string();
        let ids = line(&[one.id.to_string(), provider, one.resource_id.to_string()]);
        let words = line(&[one.title.clone(), word(&one.kind), word(&one.status)]);
        let numbers = [
            one.version,
            one.duration_minutes,
            one.min_notice_minutes,
            one.booking_window_days,
            one.booking_deadline_minutes,
            one.hold_minutes,
        ];
        let numbers = line(&numbers.map(|number| number.to_string()));
        line(&[ids, words, numbers, maybe(one.capacity), money(one.price)])
    });
    let select = "SELECT offering_id, provider, resource_id, title, kind, status, version, \
        duration_minutes, min_notice_minutes, booking_window_days, booking_deadline_minutes, \
        hold_minutes, capacity, price_minor, currency FROM offerings";
    (select, sorted(lines))
}

async fn sessions(store: &dyn ReadStore) -> Claim {
    let all = documents::<SessionDocument>(store, "sessions").await;
    let lines = all.values().map(|one| {
        let of = line(&[one.offering_id.to_string(), one.resource_id.to_string()]);
        let held = line(&[at(one.starts_at), at(one.ends_at), at(one.booking_closes_at)]);
        let room = line(&[maybe(one.capacity), maybe(one.min_capacity), maybe(one.seats_left)]);
        let taken = line(&[one.seats_taken.to_string(), one.seats_held.to_string()]);
        line(&[one.id.to_string(), of, held, room, taken])
    });
    let select = "SELECT session_id, offering_id, resource_id, micros(starts_at) AS a, \
        micros(upper(held)) AS b, micros(booking_closes_at) AS c, capacity, min_capacity, \
        seats_left, seats_taken, seats_held FROM sessions";
    (select, sorted(lines))
}

async fn due(store: &dyn ReadStore) -> Claim {
    let all = documents::<DueDocument>(store, "due").await;
    let of = |(key, one): (&String, &DueDocument)| {
        line(&[key.clone(), one.reservation_id.to_string(), at(one.due_at)])
    };
    let select = "SELECT key, reservation_id, micros(due_at) AS a FROM due";
    // A document that only remembers something is no deadline.
    let remembers = |one: &DueDocument| one.due_at == Timestamp::MAX;
    assert!(all.values().any(remembers), "a weak history");
    let deadlines = all.iter().filter(|(_, one)| !remembers(one));
    (select, sorted(deadlines.map(of)))
}

async fn projection_status(store: &dyn ReadStore) -> Claim {
    let head = store.registry().await.unwrap().position().to_string();
    let lines = Projections::all().into_iter().map(|view| {
        let (name, version) = (view.name().to_owned(), view.version().to_string());
        line(&[name, version, "active".to_owned(), head.clone(), "0".to_owned()])
    });
    let select = "SELECT view, version, state, position, parked FROM projection_status";
    (select, sorted(lines))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_sql_view_shows_what_the_documents_say() {
    let Some(schema) = postgres("dashboards").await else { return };
    let store: Arc<dyn ReadStore> = Arc::new(in_postgres(&schema).await);
    let feed = MemoryFeed::new(history(41, 2_500));
    run_to_head(&feed, &store, Projections::all(), 500).await;
    let mut sql = PgConnection::connect(schema.url()).await.unwrap();
    sqlx::query(MICROS).execute(&mut sql).await.unwrap();
    let now: i64 = sqlx::query_scalar("SELECT micros(now())").fetch_one(&mut sql).await.unwrap();
    let store = store.as_ref();
    for (select, expected) in [
        reservations(store).await,
        money_of_reservations(store).await,
        payments(store).await,
        refunds(store).await,
        calendar(store, Timestamp::from_micros(now)).await,
        resources(store).await,
        offerings(store).await,
        sessions(store).await,
        due(store).await,
        projection_status(store).await,
    ] {
        assert_eq!(shown(&mut sql, select).await, expected, "{select}");
    }
}

const NAMES: &str = "SELECT display_name FROM resources";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_what_readers_may_see_is_shown_and_no_character_breaks_a_dashboard() {
    let Some(schema) = postgres("dashboards").await else { return };
    let store = in_postgres(&schema).await;
    let mut sql = PgConnection::connect(schema.url()).await.unwrap();
    let mut generations = Vec::new();
    for version in [1, 2] {
        let revision = store.registry().await.unwrap().revision;
        let build = Alteration::Build { view: "resources".to_owned(), version };
        let registry = store.alter(revision, build).await.unwrap();
        generations.push(registry.generations.last().unwrap().id);
    }
    let [active, building] = generations[..] else { panic!("two were built") };
    let revision = store.registry().await.unwrap().revision;
    let activate = Alteration::Activate { generation: active, at: None };
    let registry = store.alter(revision, activate).await.unwrap();
    let strange = "a\0b\0\0 \\u0000 \\\0 \"\u{1}\u{7f}\u{10ffff}";
    let write = |generation, key: &str, name: &str| {
        let document = serde_json::json!({ "display_name": name });
        let row = Some((Document::of(&document).unwrap(), Indexes::default()));
        RowWrite { generation, key: Key::new(key), position: Position(1), row }
    };
    let writes = vec![
        write(active, "strange", strange),
        write(active, "parked", "parked"),
        write(building, "building", "building"),
    ];
    let parked = Parked {
        generation: active,
        key: Key::new("parked"),
        first: Position(1),
        last: Position(1),
        events: 1,
        reason: "it says \0".to_owned(),
    };
    let next = holdfast_projections::registry::Checkpoint {
        position: Position(1),
        epoch: holdfast_domain::ids::Epoch::from_uuid(uuid::Uuid::from_u128(1)),
        hash: holdfast_domain::log::Hash::ZERO,
    };
    let page = Page {
        target: Target::Live,
        registry: registry.revision,
        expected: None,
        next,
        writes: writes.clone(),
        changes: vec![],
        parked: vec![parked],
    };
    store.commit(page).await.unwrap();
    let names: Vec<String> = sqlx::query_scalar(NAMES).fetch_all(&mut sql).await.unwrap();
    assert_eq!(names, [strange.replace('\0', "\u{fffd}")]);
    // The document itself is as it was written.
    let loaded = store.load(vec![(active, Key::new("strange"))]).await.unwrap();
    assert_eq!(Some(&loaded[0].1), writes[0].row.as_ref().map(|(document, _)| document));
    assert_eq!(store.parked().await.unwrap()[0].reason, "it says \u{fffd}");
    let select = "SELECT version, state, position, parked FROM projection_status";
    assert_eq!(shown(&mut sql, select).await, ["1|active|1|1", "2|building|0|0"]);
}
