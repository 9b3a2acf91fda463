//! Idempotency keys: saying it twice changes nothing, and gives the same answer.

use futures_util::future::join_all;
use holdfast_tests::answer::Answer;
use holdfast_tests::caller::{Caller, confirm_path, confirmation};
use holdfast_tests::world::{World, monday};
use reqwest::Method;
use serde_json::{Value, json};

const PATH: &str = "/v1/reservations";

fn wish(offering: &str, time: &str) -> Value {
    json!({"offering_id": offering, "starts_at": monday(time)})
}

async fn under(key: &str, caller: &Caller, body: &Value) -> Answer {
    caller.ask(Method::POST, PATH).key(key).json(body).send().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_needs_a_key_of_visible_characters_up_to_255() {
    let world = World::new().await;
    let mentor = world.mentor().await;
    let (customer, body) = (world.customer(1), wish(&mentor.o60, "14:00"));
    let without = customer.ask(Method::POST, PATH).json(&body).send().await;
    without.refused(400, "idempotency_key_required");
    under("", &customer, &body).await.refused(400, "idempotency_key_required");
    for wrong in [&"k".repeat(256), "a b", "\u{e9}"] {
        under(wrong, &customer, &body).await.refused(400, "idempotency_key_invalid");
    }
    let twice = customer.ask(Method::POST, PATH).key("one").key("two").json(&body).send().await;
    twice.refused(400, "idempotency_key_invalid");
    assert_eq!(world.history().await.count("calendar.hold_placed"), 0);
    under(&"k".repeat(255), &customer, &body).await.created();
    world.close().await;
}

/// Hard one 18.
#[tokio::test(flavor = "multi_thread")]
async fn ten_copies_at_once_have_one_effect_and_one_answer() {
    let world = World::new().await;
    let mentor = world.mentor().await;
    let (customer, body) = (world.customer(1), wish(&mentor.o60, "14:00"));
    let answers = join_all((0..10).map(|_| under("k", &customer, &body))).await;
    for answer in &answers {
        answer.created();
        assert_eq!(answer.bytes, answers[0].bytes);
        assert_eq!(answer.position(), answers[0].position());
    }
    assert_eq!(answers.iter().filter(|answer| !answer.is_replay()).count(), 1);
    assert_eq!(world.history().await.count("calendar.hold_placed"), 1);
    under("k", &customer, &wish(&mentor.o60, "15:00")).await.refused(422, "idempotency_key_reused");
    let with_query = customer.ask(Method::POST, "/v1/reservations?dry_run=false").key("k");
    with_query.json(&body).send().await.refused(422, "idempotency_key_reused");
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_means_something_else_on_another_path_and_for_another_principal() {
    let world = World::new().await;
    let mentor = world.mentor().await;
    let (one, other) = (world.customer(1), world.customer(2));
    let held = under("k", &one, &wish(&mentor.o60, "14:00")).await;
    let booking = held.created();
    let pay = confirmation(booking, "sim_approve_1");
    let paid = one.ask(Method::POST, &confirm_path(booking)).key("k").json(&pay).send().await;
    assert_eq!(paid.ok()["status"], "confirmed");
    let theirs = under("k", &other, &wish(&mentor.o60, "15:00")).await;
    assert_ne!(theirs.created()["id"], booking["id"]);
    assert!(!theirs.is_replay());
    world.close().await;
}

/// Hard one 18 and F35.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_refused_stays_refused_under_its_key_when_the_time_is_free_again() {
    let mut world = World::new().await;
    let mentor = world.mentor().await;
    let (first, second) = (world.customer(1), world.customer(2));
    let held = first.reserve(&mentor.o60, &monday("14:00")).await;
    let body = wish(&mentor.o60, "14:00");
    let refused = under("k", &second, &body).await;
    refused.refused(409, "slot_taken");
    first.cancel(held.created()).await.ok();
    let again = under("k", &second, &body).await;
    assert_eq!((again.bytes, again.status), (refused.bytes.clone(), 409));
    world.stop().await;
    world.start_again_at(&monday("09:05")).await;
    let after_restart = under("k", &second, &body).await;
    after_restart.refused(409, "slot_taken");
    assert_eq!(after_restart.bytes, refused.bytes);
    under("another", &second, &body).await.created();
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_the_request_itself_is_not_remembered() {
    let world = World::new().await;
    let mentor = world.mentor().await;
    let customer = world.customer(1);
    under("k", &customer, &json!({"offering_id": mentor.o60})).await.refused(422, "invalid_body");
    let broken = customer.ask(Method::POST, PATH).key("k").raw("application/json", "{");
    broken.send().await.refused(400, "malformed_json");
    let provider = world.provider(1);
    under("k", &provider, &wish(&mentor.o60, "14:00")).await.refused(403, "forbidden");
    under("k", &customer, &wish(&mentor.o60, "14:00")).await.created();
    world.close().await;
}

/// A 202 is not the last word: the same key answers with what is true now.
#[tokio::test(flavor = "multi_thread")]
async fn a_payment_that_was_checked_answers_its_key_with_the_outcome() {
    let world = World::new().await;
    let mentor = world.mentor().await;
    let customer = world.customer(1);
    let held = customer.reserve(&mentor.o60, &monday("14:00")).await;
    let (path, body) =
        (confirm_path(held.created()), confirmation(&held.body, "sim_lost_after_capture_1"));
    let pay = || customer.ask(Method::POST, &path).key("k").json(&body).send();
    assert_eq!(pay().await.expect(202)["status"], "checking");
    world.advance(3).await;
    let outcome = pay().await;
    assert_eq!(outcome.ok()["status"], "confirmed");
    assert_eq!(pay().await.bytes, outcome.bytes);
    assert_eq!(world.movements().count(), 1);
    world.close().await;
}
