//! Classes: seats, parties, and the last instant for booking.

use futures_util::future::join;
use holdfast_tests::caller::{Caller, Class, krw};
use holdfast_tests::fixtures::{Studio, slot_offering};
use holdfast_tests::world::World;
use serde_json::{Value, json};

/// A session as its list shows it.
async fn session(caller: &Caller, class: &Class) -> Value {
    let path = format!("/v1/offerings/{}/sessions", class.offering);
    let page = caller.see(&path).await.ok().clone();
    let items = page["items"].as_array().unwrap();
    items.iter().find(|item| item["id"] == class.session.as_str()).unwrap().clone()
}

async fn sold(world: &World, studio: &Studio, seats: u32) {
    let customer = world.customer(100);
    let held = customer.reserve_seats(&studio.s1, seats).await;
    customer.confirm(held.created(), "sim_approve_sold").await.ok();
}

/// A14.
#[tokio::test(flavor = "multi_thread")]
async fn a_party_that_does_not_fit_is_refused_and_the_last_two_seats_go_to_one() {
    let world = World::new().await;
    let studio = world.studio().await;
    sold(&world, &studio, 8).await;
    let three = world.customer(1).reserve_seats(&studio.s1, 3).await;
    assert_eq!(three.refused(409, "capacity_exceeded")["left"], 2);
    let (one, other) = (world.customer(2), world.customer(3));
    let both = join(one.reserve_seats(&studio.s1, 2), other.reserve_seats(&studio.s1, 2)).await;
    let (winner, loser) = if both.0.status == 201 { (both.0, both.1) } else { (both.1, both.0) };
    assert_eq!(winner.created()["payment"]["amount"], krw(80_000));
    assert_eq!(loser.refused(409, "capacity_exceeded")["left"], 0);
    world.close().await;
}

/// A14, without a limit.
#[tokio::test(flavor = "multi_thread")]
async fn a_class_without_a_limit_takes_two_hundred() {
    let world = World::new().await;
    let studio = world.studio().await;
    let offering = studio
        .caller
        .offers(&json!({
            "resource_id": studio.resource, "title": "C0", "kind": "class",
            "duration_minutes": 60, "price": krw(1_000),
        }))
        .await;
    let date = json!({"starts_at": "2026-03-15T12:00:00+09:00", "zone": "Asia/Seoul"});
    let class = studio.caller.schedules(&offering, &date).await;
    let held = world.customer(1).reserve_seats(&class, 200).await;
    assert_eq!(held.created()["payment"]["amount"], krw(200_000));
    let shown = session(&studio.caller, &class).await;
    assert_eq!((&shown["capacity"], &shown["seats_held"]), (&Value::Null, &json!(200)));
    world.close().await;
}

/// A15, by card.
#[tokio::test(flavor = "multi_thread")]
async fn a_party_of_no_persons_is_none_and_takes_no_seat() {
    let world = World::new().await;
    let studio = world.studio().await;
    let (customer, before) = (world.customer(1), world.head().await);
    for size in [json!(0), json!(-5), json!(1.5), json!(100_001), json!(4_294_967_296_u64)] {
        let mut wish = studio.s1.wish(1);
        wish["party_size"] = size;
        let problem = customer.post("/v1/reservations", &wish).await;
        problem.refused(422, "invalid_party_size");
        assert_eq!(problem.body["errors"][0]["pointer"], "/party_size");
    }
    let many = customer.reserve_seats(&studio.s1, 11).await;
    assert_eq!(many.refused(409, "capacity_exceeded")["left"], 10);
    assert_eq!(world.head().await, before);
    let shown = session(&customer, &studio.s1).await;
    assert_eq!((&shown["seats_taken"], &shown["seats_held"]), (&json!(0), &json!(0)));
    world.close().await;
}

/// A16; to the microsecond it is `boundaries`' subject.
#[tokio::test(flavor = "multi_thread")]
async fn a_class_is_booked_until_its_deadline_and_not_after() {
    let world = World::new().await;
    let studio = world.studio().await;
    world.clock_to("2026-03-13T18:59:50+09:00").await;
    world.customer(1).reserve_seats(&studio.s1, 1).await.created();
    world.clock_to("2026-03-13T19:00:00.001+09:00").await;
    let late = world.customer(2).reserve_seats(&studio.s1, 1).await;
    assert_eq!(late.refused(409, "booking_closed")["closed_at"], "2026-03-13T10:00:00Z");
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_booked_through_its_own_offering_only() {
    let world = World::new().await;
    let studio = world.studio().await;
    let other = studio
        .caller
        .offers(&json!({
            "resource_id": studio.resource, "title": "C2", "kind": "class",
            "duration_minutes": 90, "price": krw(90_000), "capacity": 5,
        }))
        .await;
    let crossed = Class { offering: other, session: studio.s1.session.clone() };
    let refused = world.customer(1).reserve_seats(&crossed, 1).await;
    refused.refused(409, "session_not_in_offer");
    world.close().await;
}

/// A class takes the room: its time is not sold to anyone else.
#[tokio::test(flavor = "multi_thread")]
async fn a_class_and_a_slot_of_one_room_do_not_overlap() {
    let world = World::new().await;
    let studio = world.studio().await;
    let slot = slot_offering(&studio.resource, 60, 10_000);
    let slot = studio.caller.offers(&slot).await;
    let customer = world.customer(1);
    let during = customer.reserve(&slot, "2026-03-14T20:00:00+09:00").await;
    during.refused(409, "slot_taken");
    customer.reserve(&slot, "2026-03-14T18:00:00+09:00").await.created();
    let date = json!({"starts_at": "2026-03-14T18:30:00+09:00", "zone": "Asia/Seoul"});
    let path = format!("/v1/offerings/{}/sessions", studio.c1);
    studio.caller.post(&path, &date).await.refused(409, "slot_taken");
    world.close().await;
}

/// A class whose rules are stricter than usual, and its session on Sunday at noon.
async fn strict(studio: &Studio) -> Class {
    let class = json!({
        "resource_id": studio.resource, "title": "C3", "kind": "class", "duration_minutes": 60,
        "price": krw(40_000), "min_notice_minutes": 1_440, "booking_window_days": 7,
        "buffers": {"before_minutes": 30, "after_minutes": 15},
    });
    let class = studio.caller.offers(&class).await;
    studio.caller.schedules(&class, &at("2026-03-15T12:00:00+09:00")).await
}

fn at(start: &str) -> Value {
    json!({"starts_at": start, "zone": "Asia/Seoul"})
}

/// The rules of booking are one set: a class keeps its notice and its window.
#[tokio::test(flavor = "multi_thread")]
async fn a_class_is_booked_within_its_window_and_before_its_notice() {
    let world = World::new().await;
    let studio = world.studio().await;
    let near = strict(&studio).await;
    let far = studio.caller.schedules(&near.offering, &at("2026-03-22T12:00:00+09:00")).await;
    let early = world.customer(1).reserve_seats(&far, 1).await;
    assert_eq!(early.refused(409, "too_early")["not_before"], "2026-03-15T03:00:00Z");
    world.clock_to("2026-03-14T11:59:50+09:00").await;
    world.customer(1).reserve_seats(&near, 1).await.created();
    world.clock_to("2026-03-14T12:00:00.001+09:00").await;
    let late = world.customer(2).reserve_seats(&near, 1).await;
    assert_eq!(late.refused(409, "booking_closed")["closed_at"], "2026-03-14T03:00:00Z");
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_class_keeps_its_buffers_free() {
    let world = World::new().await;
    let studio = world.studio().await;
    strict(&studio).await;
    let half_hour = slot_offering(&studio.resource, 30, 10_000);
    let half_hour = studio.caller.offers(&half_hour).await;
    let customer = world.customer(1);
    for (start, free) in [("11:00", true), ("11:15", false), ("13:00", false), ("13:15", true)] {
        let slot = customer.reserve(&half_hour, &format!("2026-03-15T{start}:00+09:00")).await;
        assert_eq!(slot.status == 201, free, "{start}: {}", slot.text());
    }
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_class_that_nobody_could_book_is_not_scheduled() {
    let world = World::new().await;
    let studio = world.studio().await;
    let path = format!("/v1/offerings/{}/sessions", studio.c1);
    let tonight = studio.caller.post(&path, &at("2026-03-09T20:00:00+09:00")).await;
    tonight.refused(409, "in_the_past");
    studio.caller.post(&path, &at("2026-03-10T20:00:00+09:00")).await.created();
    world.close().await;
}
