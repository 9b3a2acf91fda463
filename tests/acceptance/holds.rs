//! Holding a time: what is free, who gets it, and what is refused before anything is written.

use futures_util::future::join_all;
use holdfast_domain::actor::Role;
use holdfast_tests::answer::text;
use holdfast_tests::caller::krw;
use holdfast_tests::fixtures::{hours, slot_offering};
use holdfast_tests::world::{World, instant, monday};
use serde_json::json;

fn at(times: &[&str]) -> Vec<String> {
    times.iter().map(|time| instant(&monday(time)).to_string()).collect()
}

/// A01.
#[tokio::test(flavor = "multi_thread")]
async fn a_booked_time_is_not_offered_and_neither_is_what_is_left_too_short() {
    let (world, customer) = (World::new().await, 1);
    let (mentor, customer) = (world.mentor().await, world.customer(customer));
    let held = customer.reserve(&mentor.o30, &monday("11:00")).await;
    customer.confirm(held.created(), "sim_approve_1").await.ok();
    let (from, to) = (monday("00:00"), "2026-03-10T00:00:00+09:00");
    let hours = customer.free_starts(&mentor.o60, &from, to).await;
    assert_eq!(hours, at(&["10:00", "14:00", "15:00", "16:00", "17:00"]));
    let halves = customer.free_starts(&mentor.o30, &from, to).await;
    assert_eq!(halves.get(..3), Some(&*at(&["10:00", "10:30", "11:30"])));
    assert!(!halves.contains(&at(&["11:00"])[0]));
    world.close().await;
}

/// A02.
#[tokio::test(flavor = "multi_thread")]
async fn of_fifty_callers_for_one_time_one_has_it() {
    let mut world = World::new().await;
    let mentor = world.mentor().await;
    let callers: Vec<_> = (1..=50).map(|number| world.customer(number)).collect();
    let start = monday("14:00");
    let answers = join_all(callers.iter().map(|caller| caller.reserve(&mentor.o60, &start))).await;
    let winners: Vec<_> = answers.iter().filter(|answer| answer.status == 201).collect();
    assert_eq!(winners.len(), 1);
    for loser in answers.iter().filter(|answer| answer.status != 201) {
        let problem = loser.refused(409, "slot_taken");
        assert!(!problem["alternatives"].as_array().unwrap().is_empty());
    }
    let history = world.history().await;
    assert_eq!(history.count("calendar.hold_placed"), 1);
    assert_eq!(history.count("reservation.requested"), 1);
    // The same winner once the node has read its log again.
    let now = world.now().to_string();
    world.stop().await;
    world.start_again_at(&now).await;
    let auditor = world.auditor();
    let path = format!("/v1/reservations/{}", text(&winners[0].body, "id"));
    let folded = auditor.get(&format!("{path}?as_of={}", world.head().await)).await;
    assert_eq!(folded.ok(), &winners[0].body);
    let late = world.customer(51).reserve(&mentor.o60, &start).await;
    late.refused(409, "slot_taken");
    world.close().await;
}

/// A03.
#[tokio::test(flavor = "multi_thread")]
async fn times_that_touch_do_not_overlap() {
    let world = World::new().await;
    let mentor = world.mentor().await;
    world.customer(1).reserve(&mentor.o60, &monday("14:00")).await.created();
    world.customer(2).reserve(&mentor.o60, &monday("15:00")).await.created();
    let before = world.customer(3).reserve(&mentor.o60, &monday("13:00")).await;
    before.refused(409, "outside_schedule");
    world.close().await;
}

/// A04.
#[tokio::test(flavor = "multi_thread")]
async fn a_time_that_cannot_be_booked_says_why_and_writes_nothing() {
    let world = World::new().await;
    let mentor = world.mentor().await;
    let draft = slot_offering(&mentor.resource, 60, 50_000);
    let draft = mentor.caller.post("/v1/offerings", &draft).await;
    let draft = text(draft.created(), "id");
    world.clock_to(&monday("12:00")).await;
    let (before, customer) = (world.head().await, world.customer(1));
    for (time, code) in
        [("12:30", "outside_schedule"), ("17:30", "outside_schedule"), ("10:00", "in_the_past")]
    {
        customer.reserve(&mentor.o60, &monday(time)).await.refused(409, code);
    }
    let short = json!({
        "offering_id": mentor.o60, "starts_at": monday("14:00"), "ends_at": monday("14:45"),
    });
    customer.post("/v1/reservations", &short).await.refused(409, "duration_mismatch");
    customer.reserve(&draft, &monday("14:00")).await.refused(409, "offer_not_open");
    let herself = world.caller(&[Role::Provider, Role::Customer], 1);
    assert_eq!(herself.id, mentor.caller.id);
    herself.reserve(&mentor.o60, &monday("14:00")).await.refused(409, "self_booking");
    let dearer = json!({
        "offering_id": mentor.o60, "starts_at": monday("14:00"), "expected_total": krw(49_999),
    });
    let dearer = customer.post("/v1/reservations", &dearer).await;
    assert_eq!(dearer.refused(409, "amount_mismatch")["due"], krw(50_000));
    assert_eq!(world.head().await, before, "a refusal is no event");
    customer.reserve(&mentor.o60, &monday("14:00")).await.created();
    world.close().await;
}

/// Hard one 2, first half: offerings of one person share her time, buffers included.
#[tokio::test(flavor = "multi_thread")]
async fn a_buffer_keeps_another_offering_away() {
    let world = World::new().await;
    let mentor = world.mentor().await;
    let mut buffered = slot_offering(&mentor.resource, 60, 50_000);
    buffered["buffers"] = json!({"before_minutes": 0, "after_minutes": 10});
    let buffered = mentor.caller.offers(&buffered).await;
    world.customer(1).reserve(&buffered, &monday("10:00")).await.created();
    let second = world.customer(2);
    second.reserve(&mentor.o30, &monday("11:00")).await.refused(409, "slot_taken");
    second.reserve(&mentor.o30, &monday("11:10")).await.created();
    world.close().await;
}

/// A free time closes at the stricter of its notice and its deadline, in its list too.
#[tokio::test(flavor = "multi_thread")]
async fn a_free_time_closes_at_its_booking_deadline() {
    let world = World::new().await;
    let mentor = world.mentor().await;
    let mut strict = slot_offering(&mentor.resource, 60, 50_000);
    strict["min_notice_minutes"] = json!(60);
    strict["booking_deadline_hours"] = json!(24);
    let strict = mentor.caller.offers(&strict).await;
    let customer = world.customer(1);
    let late = customer.reserve(&strict, &monday("14:00")).await;
    assert_eq!(late.refused(409, "booking_closed")["closed_at"], "2026-03-08T05:00:00Z");
    let free = customer.free_starts(&strict, &monday("00:00"), "2026-03-12T00:00:00+09:00").await;
    assert_eq!(free.first().map(String::as_str), Some("2026-03-11T04:00:00Z"));
    customer.reserve(&strict, "2026-03-11T13:00:00+09:00").await.created();
    world.close().await;
}

/// What cannot mean anything is refused when it is written down, not ignored later.
#[tokio::test(flavor = "multi_thread")]
async fn free_times_with_a_capacity_of_their_own_are_not_written_down() {
    let world = World::new().await;
    let mentor = world.mentor().await;
    let mut seats = slot_offering(&mentor.resource, 60, 50_000);
    seats["capacity"] = json!(3);
    let seats = mentor.caller.post("/v1/offerings", &seats).await;
    assert_eq!(seats.refused(422, "invalid_capacity")["errors"][0]["pointer"], "/capacity");
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_price_is_nothing_or_can_be_charged() {
    let world = World::new().await;
    let mentor = world.mentor().await;
    for (price, currency, least) in [(1, "KRW", 100), (99, "KRW", 100), (29, "GBP", 30)] {
        let mut cheap = slot_offering(&mentor.resource, 60, 0);
        cheap["price"] = json!({"amount": price, "currency": currency});
        let cheap = mentor.caller.post("/v1/offerings", &cheap).await;
        assert_eq!(cheap.refused(422, "price_too_low")["least"]["amount"], least);
    }
    for price in [0, 100] {
        let offering = slot_offering(&mentor.resource, 60, price);
        mentor.caller.post("/v1/offerings", &offering).await.created();
    }
    world.close().await;
}

/// The neighbours are offered, and only where the whole party fits.
#[tokio::test(flavor = "multi_thread")]
async fn the_alternatives_are_the_nearest_that_the_party_fits_in() {
    let world = World::new().await;
    let provider = world.provider(1);
    let room = json!({"display_name": "Two", "zone": "Asia/Seoul", "capacity": 2});
    let room = text(provider.post("/v1/resources", &room).await.created(), "id");
    let week = json!({"weekly": [hours("mon", "10:00", "18:00")], "overrides": [], "time_off": []});
    provider.put(&format!("/v1/resources/{room}/schedule"), &week).await.ok();
    let minute = provider.offers(&slot_offering(&room, 1, 1_000)).await;
    let party = |time: &str, size: u32| json!({"offering_id": minute, "starts_at": monday(time), "party_size": size});
    let customer = world.customer(1);
    customer.post("/v1/reservations", &party("14:00", 2)).await.created();
    customer.post("/v1/reservations", &party("14:01", 1)).await.created();
    let taken = world.customer(2).post("/v1/reservations", &party("14:00", 2)).await;
    let near = taken.refused(409, "slot_taken")["alternatives"].as_array().unwrap();
    let starts: Vec<_> = near.iter().map(|free| text(free, "starts_at")).collect();
    let expected = ["04:59", "04:58", "05:02", "04:57", "05:03"];
    assert_eq!(starts, expected.map(|time| format!("2026-03-09T{time}:00Z")));
    world.close().await;
}
