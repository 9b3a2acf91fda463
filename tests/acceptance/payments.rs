//! Paying for a hold: whose it is, what it costs, twice, declined.

use futures_util::future::join;
use holdfast_tests::caller::{confirm_path, confirmation, krw};
use holdfast_tests::world::{World, monday};
use reqwest::Method;
use serde_json::json;

/// A06.
#[tokio::test(flavor = "multi_thread")]
async fn a_strangers_try_and_a_wrong_amount_do_not_prevent_the_right_payment() {
    let world = World::new().await;
    let mentor = world.mentor().await;
    let (owner, stranger) = (world.customer(1), world.customer(2));
    let held = owner.reserve(&mentor.o60, &monday("14:00")).await;
    let booking = held.created();
    let before = world.head().await;
    stranger.confirm(booking, "sim_approve_1").await.refused(404, "not_found");
    let less = json!({"payment_key": "sim_approve_1", "amount": krw(40_000)});
    let less = owner.post(&confirm_path(booking), &less).await;
    assert_eq!(less.refused(409, "amount_mismatch")["due"], krw(50_000));
    assert_eq!(world.head().await, before, "neither left an event or an attempt");
    let paid = owner.confirm(booking, "sim_approve_1").await;
    assert_eq!(paid.ok()["status"], "confirmed");
    assert_eq!(paid.body["payment"]["captured"], krw(50_000));
    world.close().await;
}

/// F19: what the redirect says is not what was quoted.
#[tokio::test(flavor = "multi_thread")]
async fn another_amount_or_currency_is_refused_before_the_provider_of_payments_is_asked() {
    let world = World::new().await;
    let mentor = world.mentor().await;
    let owner = world.customer(1);
    let held = owner.reserve(&mentor.o60, &monday("14:00")).await;
    let path = confirm_path(held.created());
    for amount in [krw(0), krw(1), krw(50_001), json!({"amount": 50_000, "currency": "JPY"})] {
        let body = json!({"payment_key": "sim_approve_1", "amount": amount});
        owner.post(&path, &body).await.refused(409, "amount_mismatch");
    }
    let history = world.history().await;
    assert_eq!(history.count("payment.confirm_started"), 0);
    assert_eq!(history.count("calendar.hold_pinned"), 0);
    world.close().await;
}

/// A07.
#[tokio::test(flavor = "multi_thread")]
async fn a_double_click_pays_once_and_a_third_call_shows_the_same_receipt() {
    let world = World::new().await;
    let mentor = world.mentor().await;
    let owner = world.customer(1);
    let held = owner.reserve(&mentor.o60, &monday("14:00")).await;
    let booking = held.created();
    let (path, body) = (confirm_path(booking), confirmation(booking, "sim_approve_1"));
    let click = || owner.ask(Method::POST, &path).key("click").json(&body).send();
    let (one, two) = join(click(), click()).await;
    assert_eq!(one.ok()["status"], "confirmed");
    two.ok();
    assert_eq!(one.bytes, two.bytes);
    assert_eq!(one.etag(), two.etag());
    assert_eq!([one.is_replay(), two.is_replay()].iter().filter(|replay| **replay).count(), 1);
    let third = owner.confirm(booking, "sim_approve_1").await;
    assert_eq!(third.ok(), &one.body);
    owner.confirm(booking, "sim_approve_2").await.refused(409, "already_confirmed");
    assert_eq!(world.movements().count(), 1);
    assert_eq!(world.history().await.count("payment.captured"), 1);
    world.close().await;
}

/// A08.
#[tokio::test(flavor = "multi_thread")]
async fn after_a_decline_the_hold_stands_and_another_card_pays() {
    let world = World::new().await;
    let mentor = world.mentor().await;
    let owner = world.customer(1);
    let held = owner.reserve(&mentor.o60, &monday("14:00")).await;
    let booking = held.created();
    let declined = owner.confirm(booking, "sim_decline_1").await;
    let problem = declined.refused(402, "payment_declined");
    assert_eq!(problem["provider_code"], "REJECT_CARD_PAYMENT");
    let still = owner.reservation(booking).await;
    assert_eq!(
        (&still["status"], &still["payment"]["status"]),
        (&json!("held"), &json!("declined"))
    );
    assert_eq!(still["hold_expires_at"], booking["hold_expires_at"]);
    assert_eq!(owner.confirm(booking, "sim_approve_2").await.ok()["status"], "confirmed");
    let payment = owner.payment(booking).await;
    let attempts: Vec<_> =
        payment["attempts"].as_array().unwrap().iter().map(|one| &one["status"]).collect();
    assert_eq!(attempts, ["declined", "captured"]);
    let id = booking["id"].as_str().unwrap();
    let history = world.auditor().get(&format!("/v1/reservations/{id}/history")).await;
    let names: Vec<_> = history.ok()["items"].as_array().unwrap().iter().collect();
    let count = |name: &str| names.iter().filter(|event| event["type"] == name).count();
    assert_eq!((count("payment.confirm_started"), count("payment.declined")), (2, 1));
    world.close().await;
}

/// A08, the customer who gives up.
#[tokio::test(flavor = "multi_thread")]
async fn after_a_decline_and_nothing_more_the_time_is_free_at_the_holds_end() {
    let world = World::new().await;
    let mentor = world.mentor().await;
    let owner = world.customer(2);
    let held = owner.reserve(&mentor.o60, &monday("14:00")).await;
    owner.confirm(held.created(), "sim_decline_1").await.refused(402, "payment_declined");
    let other = world.customer(3);
    other.reserve(&mentor.o60, &monday("14:00")).await.refused(409, "slot_taken");
    world.clock_to(&monday("09:11")).await;
    assert_eq!(owner.reservation(&held.body).await["status"], "expired");
    other.reserve(&mentor.o60, &monday("14:00")).await.created();
    world.close().await;
}
