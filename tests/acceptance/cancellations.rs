//! Calling a booking off, and money that goes back.

use futures_util::future::join;
use holdfast_tests::answer::text;
use holdfast_tests::caller::{Caller, krw};
use holdfast_tests::fixtures::slot_offering;
use holdfast_tests::world::{World, monday};
use serde_json::{Value, json};

async fn bought(customer: &Caller, offering: &str, start: &str, payment_key: &str) -> Value {
    let held = customer.reserve(offering, start).await;
    customer.confirm(held.created(), payment_key).await.ok().clone()
}

/// A23.
#[tokio::test(flavor = "multi_thread")]
async fn a_refund_whose_answer_was_lost_is_made_once_and_ends_refunded() {
    let mut world = World::new().await;
    let mentor = world.mentor().await;
    let owner = world.customer(1);
    let key = "sim_approve_refund_lost_1";
    let booking = bought(&owner, &mentor.o60, &monday("14:00"), key).await;
    let cancelled = owner.cancel(&booking).await;
    assert_eq!(cancelled.ok()["status"], "cancelled");
    assert_eq!(cancelled.body["cancellation"]["refund"]["amount"], krw(50_000));
    // The seat is free at once, whatever becomes of the money.
    world.customer(2).reserve(&mentor.o60, &monday("14:00")).await.created();
    world.rest().await;
    let payment = owner.payment(&booking).await;
    assert_eq!((&payment["refund_pending"], &payment["refunded"]), (&krw(50_000), &krw(0)));
    world.stop().await;
    world.start_again_at(&monday("09:05")).await;
    world.rest().await;
    let payment = owner.payment(&booking).await;
    assert_eq!((&payment["refund_pending"], &payment["refunded"]), (&krw(0), &krw(50_000)));
    let movements = world.movements();
    assert_eq!(movements.count(), 2, "one capture and one return");
    let history = world.history().await;
    assert_eq!(history.count("payment.refund_requested"), 1);
    assert_eq!(history.count("payment.refund_succeeded"), 1);
    world.close().await;
}

/// Hard one 10 and F20.
#[tokio::test(flavor = "multi_thread")]
async fn of_two_partial_refunds_beyond_the_rest_one_is_refused() {
    let world = World::new().await;
    let mentor = world.mentor().await;
    let offering = mentor.caller.offers(&slot_offering(&mentor.resource, 60, 10_000)).await;
    let owner = world.customer(1);
    // The answer to the refund is lost as well, and found by asking again.
    let key = "sim_approve_refund_lost_1";
    let booking = bought(&owner, &offering, &monday("14:00"), key).await;
    let provider = &mentor.caller;
    let both = join(provider.refund(&booking, 6_000), provider.refund(&booking, 6_000)).await;
    let (accepted, refused) =
        if both.0.status == 201 { (both.0, both.1) } else { (both.1, both.0) };
    assert_eq!(accepted.created()["status"], "pending");
    assert_eq!(refused.refused(409, "invalid_refund_amount")["refundable"], krw(4_000));
    world.rest().await;
    world.advance(3).await;
    let payment = owner.payment(&booking).await;
    assert_eq!((&payment["refund_pending"], &payment["refunded"]), (&krw(0), &krw(6_000)));
    let movements = world.movements();
    let order = movements.orders.values().next().unwrap();
    assert_eq!(order.balance().unwrap().minor(), 4_000);
    assert_eq!(owner.reservation(&booking).await["status"], "confirmed");
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refund_that_the_provider_of_payments_refuses_is_owed_and_the_seat_is_free() {
    let world = World::new().await;
    let mentor = world.mentor().await;
    let owner = world.customer(1);
    let key = "sim_approve_refund_refused_1";
    let booking = bought(&owner, &mentor.o60, &monday("14:00"), key).await;
    assert_eq!(owner.cancel(&booking).await.ok()["status"], "cancelled");
    world.rest().await;
    let payment = owner.payment(&booking).await;
    assert_eq!((&payment["refund_owed"], &payment["refunded"]), (&krw(50_000), &krw(0)));
    world.customer(2).reserve(&mentor.o60, &monday("14:00")).await.created();
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hold_that_is_given_back_costs_nothing_and_frees_the_time() {
    let world = World::new().await;
    let mentor = world.mentor().await;
    let owner = world.customer(1);
    let held = owner.reserve(&mentor.o60, &monday("14:00")).await;
    assert_eq!(owner.cancel(held.created()).await.ok()["status"], "abandoned");
    owner.confirm(&held.body, "sim_approve_1").await.refused(409, "invalid_state");
    world.customer(2).reserve(&mentor.o60, &monday("14:00")).await.created();
    assert_eq!(world.movements().count(), 0);
    world.close().await;
}

/// Whoever provides the service returns everything; half is all that a late customer gets.
#[tokio::test(flavor = "multi_thread")]
async fn what_goes_back_depends_on_who_calls_it_off_and_when() {
    let world = World::new().await;
    let mentor = world.mentor().await;
    let owner = world.customer(1);
    let first = bought(&owner, &mentor.o60, &monday("14:00"), "sim_approve_1").await;
    let second = bought(&owner, &mentor.o60, &monday("15:00"), "sim_approve_2").await;
    world.clock_to(&monday("11:00")).await;
    let offer = owner
        .bid(&format!("/v1/reservations/{}/cancellation-quote", text(&first, "id")))
        .await
        .ok()
        .clone();
    assert_eq!(offer["refund"]["amount"], krw(25_000));
    let accepted = json!({"quote_id": offer["quote_id"], "reason": "illness"});
    let path = format!("/v1/reservations/{}/cancel", text(&first, "id"));
    let cancelled = owner.post(&path, &accepted).await;
    let terms = &cancelled.ok()["cancellation"];
    assert_eq!((&terms["by"], &terms["refund"]["kept"]), (&json!("customer"), &krw(25_000)));
    let called_off = mentor.caller.cancel(&second).await;
    assert_eq!(called_off.ok()["cancellation"]["by"], "provider");
    assert_eq!(called_off.body["cancellation"]["refund"]["amount"], krw(50_000));
    world.rest().await;
    assert_eq!(owner.payment(&first).await["refunded"], krw(25_000));
    assert_eq!(owner.payment(&second).await["refunded"], krw(50_000));
    world.close().await;
}

/// Whoever gives an unpaid hold back is named: a customer is not said to have given up when the
/// provider could not come.
#[tokio::test(flavor = "multi_thread")]
async fn a_hold_that_is_given_back_says_by_whom_and_why() {
    let world = World::new().await;
    let mentor = world.mentor().await;
    let owner = world.customer(1);
    let held = owner.reserve(&mentor.o60, &monday("14:00")).await;
    let path = format!("/v1/reservations/{}/cancel", text(held.created(), "id"));
    let told = mentor.caller.post(&path, &json!({"reason": "provider_unavailable"})).await;
    assert_eq!(told.ok()["status"], "abandoned");
    let shown = owner.reservation(&held.body).await;
    for cancellation in [&told.body["cancellation"], &shown["cancellation"]] {
        assert_eq!(cancellation["by"], "provider");
        assert_eq!(cancellation["reason"], "provider_unavailable");
        assert_eq!(cancellation["refund"]["amount"], krw(0));
        assert_eq!(cancellation["refund"]["because"]["rule"], "nothing_paid");
    }
    world.close().await;
}

/// A document that shows every refund stays small, and what is left can still be returned.
#[tokio::test(flavor = "multi_thread")]
async fn goodwill_is_returned_in_a_hundred_parts_at_most() {
    let world = World::new().await;
    let mentor = world.mentor().await;
    let owner = world.customer(1);
    let paid = bought(&owner, &mentor.o60, &monday("14:00"), "sim_approve_1").await;
    let path = format!("/v1/payments/{}/refunds", text(&paid["payment"], "order_id"));
    let part = json!({"amount": krw(1)});
    for _ in 0..100 {
        mentor.caller.post(&path, &part).await.created();
    }
    let more = mentor.caller.post(&path, &part).await;
    assert_eq!(more.refused(409, "too_many_refunds")["max"], 100);
    let cancel = format!("/v1/reservations/{}/cancel", text(&paid, "id"));
    mentor.caller.post(&cancel, &json!({})).await.ok();
    world.rest().await;
    assert_eq!(owner.payment(&paid).await["refunded"], krw(50_000));
    world.close().await;
}
