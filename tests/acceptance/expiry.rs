//! The end of a hold, to the second over HTTP; to the microsecond it is `boundaries`' subject.

use holdfast_tests::fixtures::slot_offering;
use holdfast_tests::world::{World, instant, monday};
use serde_json::json;

/// A05.
#[tokio::test(flavor = "multi_thread")]
async fn a_hold_ends_at_its_deadline_and_the_next_customer_has_the_time() {
    let world = World::new().await;
    let mentor = world.mentor().await;
    world.clock_to(&monday("12:00")).await;
    let held = world.customer(1).reserve(&mentor.o60, &monday("14:00")).await;
    let booking = held.created();
    let ends = instant(booking["hold_expires_at"].as_str().unwrap());
    let second = world.customer(2);
    world.clock_to("2026-03-09T12:09:55+09:00").await;
    second.reserve(&mentor.o60, &monday("14:00")).await.refused(409, "slot_taken");
    world.clock_to(&ends.to_string()).await;
    let history = world.history().await;
    assert_eq!(history.count("calendar.hold_expired"), 1);
    assert_eq!(history.count("reservation.expired"), 1);
    assert_eq!(world.customer(1).reservation(booking).await["status"], "expired");
    second.reserve(&mentor.o60, &monday("14:00")).await.created();
    world.close().await;
}

/// A05, with nobody there when the deadline passed.
#[tokio::test(flavor = "multi_thread")]
async fn a_hold_ends_although_the_node_was_down_at_its_deadline() {
    let mut world = World::new().await;
    let mentor = world.mentor().await;
    world.clock_to(&monday("12:00")).await;
    let first = world.customer(1);
    let held = first.reserve(&mentor.o60, &monday("14:00")).await;
    world.clock_to(&monday("12:05")).await;
    world.stop().await;
    world.start_again_at(&monday("12:20")).await;
    world.rest().await;
    assert_eq!(first.reservation(held.created()).await["status"], "expired");
    let history = world.history().await;
    assert_eq!(history.count("calendar.hold_expired"), 1);
    assert_eq!(history.count("reservation.expired"), 1);
    world.customer(2).reserve(&mentor.o60, &monday("14:00")).await.created();
    world.close().await;
}

/// A09, first half.
#[tokio::test(flavor = "multi_thread")]
async fn a_hold_paid_late_is_refused_and_the_provider_of_payments_never_hears_of_it() {
    let world = World::new().await;
    let mentor = world.mentor().await;
    world.clock_to(&monday("12:00")).await;
    let (first, second) = (world.customer(1), world.customer(2));
    let held = first.reserve(&mentor.o60, &monday("14:00")).await;
    world.clock_to(&monday("12:11")).await;
    let taken = second.reserve(&mentor.o60, &monday("14:00")).await;
    first.confirm(held.created(), "sim_approve_1").await.refused(409, "hold_expired");
    assert_eq!(world.history().await.count("payment.confirm_started"), 0);
    assert_eq!(world.movements().count(), 0);
    assert_eq!(second.reservation(taken.created()).await["status"], "held");
    world.close().await;
}

/// F3: also while nobody else wants the time.
#[tokio::test(flavor = "multi_thread")]
async fn a_hold_paid_late_is_refused_although_the_time_is_still_free() {
    let world = World::new().await;
    let mentor = world.mentor().await;
    let customer = world.customer(1);
    let held = customer.reserve(&mentor.o60, &monday("14:00")).await;
    world.clock_to(&monday("09:11")).await;
    let late = customer.confirm(held.created(), "sim_approve_1").await;
    assert_eq!(late.refused(409, "hold_expired")["expired_at"], held.body["hold_expires_at"]);
    assert_eq!(world.movements().count(), 0);
    let again = customer.reserve(&mentor.o60, &monday("14:00")).await;
    customer.confirm(again.created(), "sim_approve_2").await.ok();
    world.close().await;
}

/// The pin for a payment in flight lasts an hour; a hold that was promised for longer stands longer.
#[tokio::test(flavor = "multi_thread")]
async fn a_payment_in_doubt_does_not_shorten_a_long_hold() {
    let world = World::new().await;
    let mentor = world.mentor().await;
    let mut offering = slot_offering(&mentor.resource, 60, 50_000);
    offering["hold_minutes"] = json!(240);
    let offering = mentor.caller.offers(&offering).await;
    let (first, second) = (world.customer(1), world.customer(2));
    let held = first.reserve(&offering, &monday("15:00")).await;
    let ends = instant(held.created()["hold_expires_at"].as_str().unwrap());
    world.clock_to(&monday("09:05")).await;
    first.confirm(&held.body, "sim_amount_differs_1").await.refused(409, "under_review");
    world.clock_to("2026-03-09T12:59:59+09:00").await;
    assert_eq!(first.reservation(&held.body).await["status"], "payment_in_flight");
    second.reserve(&offering, &monday("15:00")).await.refused(409, "slot_taken");
    world.clock_to(&ends.to_string()).await;
    assert_eq!(first.reservation(&held.body).await["status"], "expired");
    second.reserve(&offering, &monday("15:00")).await.created();
    world.close().await;
}
