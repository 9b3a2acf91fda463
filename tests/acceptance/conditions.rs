//! Conditions on a request: the revision that the client believes in, a try without effect, and a
//! read that is not older than what the client knows.

use std::time::{Duration, Instant};

use holdfast_tests::answer::text;
use holdfast_tests::caller::{confirm_path, confirmation, order_of};
use holdfast_tests::world::{World, monday};
use reqwest::Method;
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn another_revision_is_refused_and_the_right_one_passes() {
    let world = World::new().await;
    let mentor = world.mentor().await;
    let offering = mentor.caller.see(&format!("/v1/offerings/{}", mentor.o60)).await;
    let pause = format!("/v1/offerings/{}/pause", mentor.o60);
    let with = |key: &'static str, tag: &str| {
        mentor.caller.ask(Method::POST, &pause).key(key).header("if-match", tag).send()
    };
    let stale = with("k", "\"0\"").await;
    assert_eq!(stale.refused(412, "revision_mismatch")["current_revision"], 1);
    for wrong in ["0", "W/\"1\"", "\"01\"", "\"1\", \"2\"", "nonsense"] {
        with("k", wrong).await.refused(400, "bad_if_match");
    }
    // Nothing of that was remembered: the same key may try again with what is true.
    let paused = with("k", offering.etag()).await;
    assert_eq!(paused.ok()["status"], "paused");
    assert_eq!(paused.etag(), "\"2\"");
    world.close().await;
}

/// The first copy succeeded; that the revision has moved since, by itself, is no reason to say no.
#[tokio::test(flavor = "multi_thread")]
async fn a_replay_of_a_success_wins_over_the_revision_that_it_changed() {
    let world = World::new().await;
    let mentor = world.mentor().await;
    let pause = format!("/v1/offerings/{}/pause", mentor.o60);
    let send =
        || mentor.caller.ask(Method::POST, &pause).key("k").header("if-match", "\"1\"").send();
    let first = send().await;
    assert_eq!(first.ok()["status"], "paused");
    let again = send().await;
    assert_eq!((again.ok(), again.is_replay()), (&first.body, true));
    assert_eq!(again.etag(), first.etag());
    world.close().await;
}

/// The same while the outcome is not known: the payment has moved because of this very command.
#[tokio::test(flavor = "multi_thread")]
async fn a_confirmation_repeated_with_its_condition_shows_how_it_stands() {
    let world = World::new().await;
    let mentor = world.mentor().await;
    let customer = world.customer(1);
    let held = customer.reserve(&mentor.o60, &monday("14:00")).await;
    let booking = held.created();
    let payment = customer.see(&format!("/v1/payments/{}", order_of(booking))).await;
    let (path, body) = (confirm_path(booking), confirmation(booking, "sim_lost_after_capture_1"));
    let send = || {
        let ask = customer.ask(Method::POST, &path).key("k").json(&body);
        ask.header("if-match", payment.etag()).send()
    };
    assert_eq!(send().await.expect(202)["status"], "checking");
    let again = send().await;
    assert_eq!((again.expect(202)["status"].clone(), again.is_replay()), ("checking".into(), true));
    world.advance(60).await;
    assert_eq!(send().await.ok()["status"], "confirmed");
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_lists_the_events_and_writes_none() {
    let world = World::new().await;
    let mentor = world.mentor().await;
    let (customer, before) = (world.customer(1), world.head().await);
    let body = json!({"offering_id": mentor.o60, "starts_at": monday("14:00")});
    let tried = customer.post("/v1/reservations?dry_run=true", &body).await;
    let events = tried.ok()["would_write"].as_array().unwrap().clone();
    let names: Vec<_> = events.iter().map(|event| text(event, "type")).collect();
    assert_eq!(names, ["calendar.hold_placed", "reservation.requested", "payment.initiated"]);
    assert_eq!(world.head().await, before);
    // Neither is its key used up, nor the time taken, nor a refusal remembered.
    let held = customer.reserve(&mentor.o60, &monday("14:00")).await;
    let order = text(&held.created()["payment"], "order_id");
    let pay = json!({"payment_key": "sim_approve_1", "amount": held.body["payment"]["amount"]});
    let path = format!("/v1/payments/{order}/confirm?dry_run=true");
    let tried = customer.post(&path, &pay).await;
    assert_eq!(tried.ok()["would_write"][1]["type"], "payment.confirm_started");
    assert_eq!(world.movements().count(), 0, "nobody was asked to pay");
    let second = world.customer(2);
    let refused = second.post("/v1/reservations?dry_run=true", &body).await;
    refused.refused(409, "slot_taken");
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_waits_for_a_position_and_says_so_when_it_does_not_come() {
    let world = World::new().await;
    let mentor = world.mentor().await;
    let customer = world.customer(1);
    for time in ["10:00", "11:00", "14:00", "15:00", "16:00", "17:00"] {
        let held = customer.reserve(&mentor.o60, &monday(time)).await;
        let path = format!("/v1/reservations/{}", text(held.created(), "id"));
        let shown = customer.get(&format!("{path}?min_position={}", held.position())).await;
        assert_eq!(shown.ok()["status"], "held");
        assert!(shown.position() >= held.position());
    }
    let beyond = world.head().await.0.saturating_add(1);
    let started = Instant::now();
    let behind = customer.get(&format!("/v1/reservations?min_position={beyond}")).await;
    behind.refused(503, "read_model_behind");
    assert_eq!(behind.header("retry-after"), Some("1"));
    let waited = started.elapsed();
    assert!((Duration::from_secs(2)..Duration::from_secs(8)).contains(&waited), "{waited:?}");
    world.close().await;
}

/// What is confirmed is the payment, and its revision is what its reader knows.
#[tokio::test(flavor = "multi_thread")]
async fn a_confirmation_names_the_revision_of_the_payment() {
    let world = World::new().await;
    let mentor = world.mentor().await;
    let customer = world.customer(1);
    let held = customer.reserve(&mentor.o60, &monday("14:00")).await;
    let booking = held.created();
    customer.confirm(booking, "sim_lost_before_decline_1").await.expect(202);
    world.advance(3).await;
    // The payment has come further than the reservation.
    assert_eq!(customer.reservation(booking).await["revision"], 2);
    let order = text(&booking["payment"], "order_id");
    let shown = customer.see(&format!("/v1/payments/{order}")).await;
    assert_eq!(shown.etag(), "\"3\"");
    let send = |key: &'static str, tag: &str| {
        let ask = customer.ask(Method::POST, &confirm_path(booking)).key(key);
        ask.header("if-match", tag).json(&confirmation(booking, "sim_approve_1")).send()
    };
    let stale = send("stale", "\"2\"").await;
    assert_eq!(stale.refused(412, "revision_mismatch")["current_revision"], 3);
    assert_eq!(send("known", shown.etag()).await.ok()["status"], "confirmed");
    world.close().await;
}
