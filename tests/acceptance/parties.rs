//! Who acts, who was promised what, and what a key belongs to.

use holdfast_domain::actor::Role;
use holdfast_tests::answer::text;
use holdfast_tests::caller::{Caller, confirm_path, confirmation, krw};
use holdfast_tests::world::{World, monday};
use reqwest::Method;
use serde_json::{Value, json};

fn quote_path(booking: &Value) -> String {
    format!("/v1/reservations/{}/cancellation-quote", text(booking, "id"))
}

fn cancel_path(booking: &Value) -> String {
    format!("/v1/reservations/{}/cancel", text(booking, "id"))
}

async fn bought(customer: &Caller, offering: &str, start: &str) -> Value {
    let held = customer.reserve(offering, start).await;
    customer.confirm(held.created(), "sim_approve_1").await.ok().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancellation_promises_no_more_than_is_left_and_leaves_nothing_due() {
    let world = World::new().await;
    let mentor = world.mentor().await;
    let owner = world.customer(1);
    let booking = bought(&owner, &mentor.o60, &monday("14:00")).await;
    mentor.caller.refund(&booking, 50_000).await.created();
    world.rest().await;
    let cancelled = owner.cancel(&booking).await;
    assert_eq!(cancelled.ok()["cancellation"]["refund"]["amount"], krw(0));
    // Comes to rest only when no deadline is due.
    world.advance(60).await;
    assert_eq!(world.history().await.count("payment.refund_requested"), 1);
    assert_eq!(owner.payment(&booking).await["refunded"], krw(50_000));
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancellation_returns_its_share_of_what_is_still_paid() {
    let world = World::new().await;
    let mentor = world.mentor().await;
    let owner = world.customer(1);
    // Beyond the grace, between a day and two hours before the start: half of it.
    let booking = bought(&owner, &mentor.o60, &monday("14:00")).await;
    mentor.caller.refund(&booking, 30_000).await.created();
    world.advance(31 * 60).await;
    let cancelled = owner.cancel(&booking).await;
    let refund = &cancelled.ok()["cancellation"]["refund"];
    assert_eq!((&refund["amount"], &refund["kept"]), (&krw(10_000), &krw(10_000)));
    world.rest().await;
    assert_eq!(owner.payment(&booking).await["refunded"], krw(40_000));
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancellation_quote_binds_the_party_it_was_given_to() {
    let world = World::new().await;
    let mentor = world.mentor().await;
    let owner = world.customer(1);
    let booking = bought(&owner, &mentor.o60, &monday("14:00")).await;
    world.advance(31 * 60).await;
    let mine = owner.bid(&quote_path(&booking)).await;
    let theirs = mentor.caller.bid(&quote_path(&booking)).await;
    assert_eq!(mine.ok()["refund"]["amount"], krw(25_000));
    assert_eq!(theirs.ok()["refund"]["amount"], krw(50_000));
    let stolen = json!({ "quote_id": theirs.body["quote_id"] });
    owner.post(&cancel_path(&booking), &stolen).await.refused(409, "quote_not_valid");
    // The provider's quote did not void the customer's.
    let own = json!({ "quote_id": mine.body["quote_id"] });
    let cancelled = owner.post(&cancel_path(&booking), &own).await;
    assert_eq!(cancelled.ok()["cancellation"]["refund"]["amount"], krw(25_000));
    world.rest().await;
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_key_of_a_confirmation_belongs_to_its_request_before_there_is_an_answer() {
    let world = World::new().await;
    let mentor = world.mentor().await;
    let owner = world.customer(1);
    let held = owner.reserve(&mentor.o60, &monday("14:00")).await;
    let booking = held.created();
    let (path, body) = (confirm_path(booking), confirmation(booking, "sim_lost_after_capture_1"));
    let ask = || owner.ask(Method::POST, &path).key("K");
    let first = ask().json(&body).send().await;
    assert_eq!(first.expect(202)["status"], "checking");
    assert!(first.position() > 0, "a read can wait for what is known so far");
    let other = confirmation(booking, "sim_approve_2");
    ask().json(&other).send().await.refused(422, "idempotency_key_reused");
    let again = ask().json(&body).send().await;
    assert_eq!(again.expect(202)["status"], "checking");
    assert!(again.is_replay());
    world.advance(3).await;
    assert_eq!(ask().json(&body).send().await.ok()["status"], "confirmed");
    assert_eq!(world.movements().count(), 1);
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_audit_names_the_role_that_carried_a_decision() {
    let world = World::new().await;
    let mentor = world.mentor().await;
    let booking = bought(&world.customer(1), &mentor.o60, &monday("14:00")).await;
    let operator = world.caller(&[Role::Customer, Role::Admin], 77);
    operator.cancel(&booking).await.ok();
    let path = format!("/v1/reservations/{}/history", text(&booking, "id"));
    let history = world.auditor().get(&path).await;
    let items = history.ok()["items"].as_array().unwrap();
    let cancelled = items.iter().find(|event| event["type"] == "reservation.cancelled").unwrap();
    assert_eq!(cancelled["data"]["by"], "system");
    assert_eq!(cancelled["metadata"]["actor"]["role"], "admin");
    world.rest().await;
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trial_is_judged_on_what_is_there_now() {
    let world = World::new().await;
    let mentor = world.mentor().await;
    let owner = world.customer(1);
    owner.reserve(&mentor.o60, &monday("14:00")).await.created();
    mentor.caller.bid(&format!("/v1/offerings/{}/pause", mentor.o60)).await.ok();
    let wish = json!({ "offering_id": mentor.o60, "starts_at": monday("16:00") });
    let path = "/v1/reservations?dry_run=true";
    owner.post(path, &wish).await.refused(409, "offer_not_open");
    world.close().await;
}
