//! Another amount was taken than was asked for: a person decides, and the money has an end.

use holdfast_tests::answer::{Answer, text};
use holdfast_tests::caller::{Caller, krw};
use holdfast_tests::world::{World, monday};
use serde_json::{Value, json};

/// A hold whose payment was taken with one won too little.
async fn under_review(world: &World) -> (Caller, Value) {
    let mentor = world.mentor().await;
    let owner = world.customer(1);
    let held = owner.reserve(&mentor.o60, &monday("14:00")).await;
    owner.confirm(held.created(), "sim_amount_differs_1").await.refused(409, "under_review");
    (owner, held.body)
}

fn path(booking: &Value) -> String {
    format!("/v1/payments/{}/resolve-review", text(&booking["payment"], "order_id"))
}

async fn resolve(world: &World, booking: &Value, decision: &str) -> Answer {
    world.admin().post(&path(booking), &json!({"decision": decision})).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_taken_is_shown_to_whoever_has_to_decide() {
    let world = World::new().await;
    let (owner, booking) = under_review(&world).await;
    let shown = owner.payment(&booking).await;
    assert_eq!(shown["review"]["observed"], krw(49_999));
    assert!(shown["review"]["transaction"].is_string());
    assert_eq!(shown["review"]["decision"], Value::Null);
    let order = text(&booking["payment"], "order_id");
    let part = json!({"amount": krw(1)});
    let refund = world.admin().post(&format!("/v1/payments/{order}/refunds"), &part).await;
    assert_eq!(refund.refused(409, "invalid_refund_amount")["refundable"], krw(0));
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn returned_money_goes_back_once_and_the_seat_is_free_at_once() {
    let world = World::new().await;
    let (owner, booking) = under_review(&world).await;
    let told = resolve(&world, &booking, "return").await;
    assert_eq!(told.ok()["status"], "expired");
    assert_eq!(told.body["payment"]["refund_pending"], krw(49_999));
    // The same word again changes nothing; the other one comes too late.
    resolve(&world, &booking, "return").await.ok();
    resolve(&world, &booking, "accept").await.refused(409, "not_under_review");
    world.rest().await;
    let shown = owner.payment(&booking).await;
    assert_eq!((&shown["captured"], &shown["refunded"]), (&krw(49_999), &krw(49_999)));
    assert_eq!(shown["review"]["decision"], "return");
    assert_eq!(world.movements().count(), 2, "taken once, returned once");
    let offering = text(&booking, "offering_id");
    world.customer(2).reserve(&offering, &monday("14:00")).await.created();
    // The money went back: neither that authorisation nor another one pays for this any more.
    for payment_key in ["sim_amount_differs_1", "sim_approve_2"] {
        let again = owner.confirm(&booking, payment_key).await;
        assert_eq!(again.refused(409, "payment_returned")["refunded"], krw(49_999));
    }
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn money_can_be_returned_long_after_the_seat_is_gone() {
    let world = World::new().await;
    let (owner, booking) = under_review(&world).await;
    world.clock_to(&monday("17:00")).await;
    assert_eq!(owner.reservation(&booking).await["status"], "expired");
    resolve(&world, &booking, "accept").await.refused(409, "seat_not_held");
    resolve(&world, &booking, "return").await.ok();
    world.rest().await;
    assert_eq!(owner.payment(&booking).await["refunded"], krw(49_999));
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn accepted_money_sells_the_seat_for_what_was_taken() {
    let world = World::new().await;
    let (owner, booking) = under_review(&world).await;
    let told = resolve(&world, &booking, "accept").await;
    assert_eq!(told.ok()["status"], "confirmed");
    assert_eq!(told.body["payment"]["captured"], krw(49_999));
    world.rest().await;
    let shown = owner.payment(&booking).await;
    assert_eq!(
        (&shown["status"], &shown["review"]["decision"]),
        (&json!("captured"), &json!("accept"))
    );
    let id = text(&booking, "id");
    let history = world.auditor().get(&format!("/v1/reservations/{id}/history")).await;
    let decided = history.ok()["items"]
        .as_array()
        .unwrap()
        .iter()
        .find(|event| event["type"] == "payment.review_resolved");
    let admin = world.admin().id.to_string();
    assert_eq!(decided.unwrap()["data"]["by"], admin.as_str());
    // What was not paid is not returned.
    let cancelled = owner.post(&format!("/v1/reservations/{id}/cancel"), &json!({})).await;
    assert_eq!(cancelled.ok()["cancellation"]["refund"]["amount"], krw(49_999));
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn there_is_nothing_to_decide_about_other_payments() {
    let world = World::new().await;
    let mentor = world.mentor().await;
    let owner = world.customer(1);
    let held = owner.reserve(&mentor.o60, &monday("14:00")).await;
    resolve(&world, held.created(), "return").await.refused(409, "not_under_review");
    owner.confirm(&held.body, "sim_approve_1").await.ok();
    for decision in ["return", "accept"] {
        resolve(&world, &held.body, decision).await.refused(409, "not_under_review");
    }
    assert_eq!(world.movements().count(), 1);
    world.close().await;
}

/// F22: what the provider of payments will not return is owed, and both documents say so.
#[tokio::test(flavor = "multi_thread")]
async fn a_refused_return_is_owed_and_the_booking_shows_it() {
    let world = World::new().await;
    let mentor = world.mentor().await;
    let owner = world.customer(1);
    let held = owner.reserve(&mentor.o60, &monday("14:00")).await;
    owner.confirm(held.created(), "sim_approve_refund_refused_1").await.ok();
    let id = text(&held.body, "id");
    let cancel = format!("/v1/reservations/{id}/cancel");
    let told = owner.post(&cancel, &json!({})).await;
    assert_eq!(told.ok()["payment"]["refund_owed"], krw(0));
    world.rest().await;
    let owed = krw(50_000);
    assert_eq!(owner.reservation(&held.body).await["payment"]["refund_owed"], owed);
    assert_eq!(owner.payment(&held.body).await["refund_owed"], owed);
    // The command's own answer is made from the aggregates, and says the same.
    assert_eq!(owner.post(&cancel, &json!({})).await.ok()["payment"]["refund_owed"], owed);
    world.close().await;
}
