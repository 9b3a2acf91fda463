//! Nights on which the clock is set, in New York: rules are wall clock, bookings are instants.

use holdfast_tests::answer::text;
use holdfast_tests::caller::krw;
use holdfast_tests::fixtures::{hours, slot_offering};
use holdfast_tests::world::World;
use serde_json::{Value, json};

const NEW_YORK: &str = "America/New_York";

/// Hard one 12: the wall clock jumps from 02:00 to 03:00 on 2026-03-08.
#[tokio::test(flavor = "multi_thread")]
async fn in_the_spring_gap_afternoons_keep_their_wall_clock_and_no_slot_starts_in_it() {
    let world = World::starting_at("2026-03-07T12:00:00Z").await;
    let (provider, customer) = (world.provider(1), world.customer(1));
    let week = [hours("sun", "02:00", "04:00"), hours("sun", "13:00", "18:00")];
    let resource = provider.opens(NEW_YORK, &week).await;
    let offering = provider.offers(&slot_offering(&resource, 60, 1_000)).await;
    let half = provider.offers(&slot_offering(&resource, 30, 1_000)).await;
    let (from, to) = ("2026-03-08T05:00:00Z", "2026-03-09T04:00:00Z");
    let starts = customer.free_starts(&offering, from, to).await;
    let afternoon = ["17", "18", "19", "20", "21"].map(|hour| format!("2026-03-08T{hour}:00:00Z"));
    assert_eq!(starts.first().map(String::as_str), Some("2026-03-08T07:00:00Z"));
    assert_eq!(starts.get(1..), Some(&afternoon[..]));
    let night: Vec<_> = customer.free_starts(&half, from, "2026-03-08T12:00:00Z").await;
    assert_eq!(night, ["2026-03-08T07:00:00Z", "2026-03-08T07:30:00Z"]);
    let gone = customer.reserve(&half, "2026-03-08T06:30:00Z").await;
    gone.refused(409, "outside_schedule");
    world.close().await;
}

/// Hard one 13, first half: 01:00 to 02:00 happens twice on 2026-11-01.
#[tokio::test(flavor = "multi_thread")]
async fn in_the_autumn_fold_a_time_that_comes_twice_is_offered_twice_and_sold_once_each() {
    let world = World::starting_at("2026-10-30T12:00:00Z").await;
    let provider = world.provider(1);
    let resource = provider.opens(NEW_YORK, &[hours("sun", "00:30", "03:00")]).await;
    let offering = provider.offers(&slot_offering(&resource, 30, 1_000)).await;
    let (from, to) = ("2026-11-01T04:00:00Z", "2026-11-01T12:00:00Z");
    let slots = world.customer(1).slots(&offering, from, to).await;
    let shown: Vec<_> =
        slots.iter().map(|slot| (text(slot, "starts_at"), text(slot, "offset"))).collect();
    let expected = [
        ("2026-11-01T04:30:00Z", "-04:00"),
        ("2026-11-01T05:00:00Z", "-04:00"),
        ("2026-11-01T05:30:00Z", "-04:00"),
        ("2026-11-01T06:00:00Z", "-05:00"),
        ("2026-11-01T06:30:00Z", "-05:00"),
        ("2026-11-01T07:00:00Z", "-05:00"),
        ("2026-11-01T07:30:00Z", "-05:00"),
    ];
    assert_eq!(shown, expected.map(|(start, offset)| (start.to_owned(), offset.to_owned())));
    for (number, (start, _)) in (1..).zip(expected) {
        world.customer(number).reserve(&offering, start).await.created();
        world.customer(99).reserve(&offering, start).await.refused(409, "slot_taken");
    }
    world.close().await;
}

/// Hard one 13, second half: 23:00 to 02:30 lasts four and a half hours that night.
#[tokio::test(flavor = "multi_thread")]
async fn a_booking_over_the_autumn_fold_blocks_every_hour_that_passes() {
    let world = World::starting_at("2026-10-30T12:00:00Z").await;
    let (provider, customer) = (world.provider(1), world.customer(1));
    let week = [hours("sat", "23:00", "02:30"), hours("sun", "00:30", "03:00")];
    let resource = provider.opens(NEW_YORK, &week).await;
    let night = provider.offers(&slot_offering(&resource, 270, 1_000)).await;
    let half = provider.offers(&slot_offering(&resource, 30, 1_000)).await;
    let booking = customer.reserve(&night, "2026-11-01T03:00:00Z").await;
    assert_eq!(booking.created()["ends_at"], "2026-11-01T07:30:00Z");
    let left = customer.free_starts(&half, "2026-11-01T00:00:00Z", "2026-11-01T12:00:00Z").await;
    assert_eq!(left, ["2026-11-01T07:30:00Z"]);
    world.close().await;
}

async fn quoted(world: &World, offering: &str, number: u32) -> Value {
    let customer = world.customer(number);
    let held = customer.reserve(offering, "2026-03-08T14:00:00Z").await;
    customer.confirm(held.created(), &format!("sim_approve_{number}")).await.ok();
    let path = format!("/v1/reservations/{}/cancellation-quote", text(&held.body, "id"));
    world.clock_to("2026-03-07T14:30:00Z").await;
    let offer = customer.bid(&path).await.ok().clone();
    customer.cancel(&held.body).await.ok();
    offer["refund"].clone()
}

/// Hard one 14: a day on the wall is 23 hours long that night.
#[tokio::test(flavor = "multi_thread")]
async fn a_day_before_is_not_24_hours_before_on_the_night_the_clock_is_set() {
    let world = World::starting_at("2026-03-06T12:00:00Z").await;
    let provider = world.provider(1);
    let mut refunds = Vec::new();
    for (number, notice) in (1..).zip(["P1D", "PT24H"]) {
        let resource = provider.opens(NEW_YORK, &[hours("sun", "09:00", "18:00")]).await;
        let mut offering = slot_offering(&resource, 60, 10_000);
        let tiers = [json!({"notice": notice, "refund_bps": 10_000})];
        offering["cancellation_policy"] = json!({"grace": null, "tiers": tiers});
        let offering = provider.offers(&offering).await;
        // The second customer books when the clock shows 14:30 already, which changes nothing.
        refunds.push(quoted(&world, &offering, number).await);
    }
    assert_eq!(refunds[0]["amount"], krw(10_000), "{}", refunds[0]);
    assert_eq!(refunds[1]["amount"], krw(0), "{}", refunds[1]);
    world.close().await;
}
