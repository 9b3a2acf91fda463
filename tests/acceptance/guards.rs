//! A booking is decided on the rules as they stand, also by an owner who knows older ones: the rules
//! are written through other owners, and the append is what notices.

use holdfast_tests::fixtures::hours;
use holdfast_tests::world::{World, monday};
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_offering_is_not_booked_by_an_owner_who_has_it_open() {
    let world = World::new().await;
    let mentor = world.mentor().await;
    let customer = world.customer(1);
    // From here on the calendar's owner keeps the offering as it is now.
    customer.reserve(&mentor.o60, &monday("14:00")).await.created();
    mentor.caller.bid(&format!("/v1/offerings/{}/pause", mentor.o60)).await.ok();
    customer.reserve(&mentor.o60, &monday("15:00")).await.refused(409, "offer_not_open");
    mentor.caller.bid(&format!("/v1/offerings/{}/publish", mentor.o60)).await.ok();
    customer.reserve(&mentor.o60, &monday("15:00")).await.created();
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn opening_hours_that_were_replaced_do_not_count_for_an_owner_who_has_the_old_ones() {
    let world = World::new().await;
    let mentor = world.mentor().await;
    let customer = world.customer(1);
    customer.reserve(&mentor.o60, &monday("14:00")).await.created();
    let shorter = json!({
        "weekly": [hours("mon", "10:00", "12:00")], "overrides": [], "time_off": [],
    });
    let path = format!("/v1/resources/{}/schedule", mentor.resource);
    mentor.caller.put(&path, &shorter).await.ok();
    customer.reserve(&mentor.o60, &monday("15:00")).await.refused(409, "outside_schedule");
    customer.reserve(&mentor.o60, &monday("10:00")).await.created();
    world.close().await;
}
