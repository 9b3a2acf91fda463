//! Every outcome that the payment simulator knows, each to its end: what the caller is told, what
//! becomes of the seat, and that the simulator's ledger and our log say the same.

use holdfast_projections::ports::Query;
use holdfast_tests::answer::Answer;
use holdfast_tests::caller::{Caller, confirm_path, confirmation, krw};
use holdfast_tests::world::{World, monday};
use reqwest::Method;
use serde_json::{Value, json};

/// A hold, and what its payment with this key was answered.
async fn pay(world: &World, payment_key: &str) -> (Caller, Value, Answer) {
    let mentor = world.mentor().await;
    let owner = world.customer(1);
    let held = owner.reserve(&mentor.o60, &monday("14:00")).await;
    let booking = held.created().clone();
    let answer = owner.confirm(&booking, payment_key).await;
    (owner, booking, answer)
}

/// The words for booking and payment.
async fn stand(owner: &Caller, booking: &Value) -> (Value, Value) {
    let shown = owner.reservation(booking).await;
    (shown["status"].clone(), shown["payment"]["status"].clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approval_sells_the_seat() {
    let world = World::new().await;
    let (owner, booking, answer) = pay(&world, "sim_approve_1").await;
    answer.ok();
    assert_eq!(stand(&owner, &booking).await, (json!("confirmed"), json!("captured")));
    let history = world.history().await;
    assert_eq!(history.count("calendar.hold_converted"), 1);
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_approval_is_waited_for() {
    let world = World::new().await;
    let (owner, booking, answer) = pay(&world, "sim_slow_1").await;
    answer.ok();
    assert_eq!(stand(&owner, &booking).await, (json!("confirmed"), json!("captured")));
    world.close().await;
}

/// Hard one 4 and F5, without the kill: the money was taken, the answer was lost.
#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_is_checked_until_the_capture_is_found() {
    let world = World::new().await;
    let (owner, booking, answer) = pay(&world, "sim_lost_after_capture_1").await;
    assert_eq!(answer.expect(202)["status"], "checking");
    assert_eq!(answer.body["order_id"], booking["payment"]["order_id"]);
    world.rest().await;
    assert_eq!(stand(&owner, &booking).await, (json!("payment_in_flight"), json!("checking")));
    world.advance(3).await;
    assert_eq!(stand(&owner, &booking).await, (json!("confirmed"), json!("captured")));
    let history = world.history().await;
    assert_eq!(history.count("payment.outcome_unknown"), 1);
    assert_eq!(history.count("payment.captured"), 1);
    assert_eq!(history.count("reservation.confirmed"), 1);
    assert_eq!(world.movements().count(), 1, "one capture in the simulator's ledger");
    world.close().await;
}

/// The seat outlives its hold while nobody knows what became of the money (F4).
#[tokio::test(flavor = "multi_thread")]
async fn a_seat_stays_pinned_while_its_money_is_in_flight() {
    let world = World::new().await;
    let mentor = world.mentor().await;
    let owner = world.customer(1);
    // Some seconds are left when the payment starts; the answer is found after the deadline.
    let mut brief = holdfast_tests::fixtures::slot_offering(&mentor.resource, 60, 50_000);
    brief["hold_minutes"] = json!(1);
    let brief = mentor.caller.offers(&brief).await;
    let held = owner.reserve(&brief, &monday("14:00")).await;
    let booking = held.created();
    world.advance(45).await;
    owner.confirm(booking, "sim_lost_after_capture_1").await.expect(202);
    world.advance(20).await;
    assert_eq!(stand(&owner, booking).await, (json!("confirmed"), json!("captured")));
    assert_eq!(world.history().await.count("calendar.hold_expired"), 0);
    world.close().await;
}

/// F6: the request never arrived.
#[tokio::test(flavor = "multi_thread")]
async fn a_lost_request_is_sent_again_and_captures_once() {
    let world = World::new().await;
    let (owner, booking, answer) = pay(&world, "sim_lost_before_capture_1").await;
    assert_eq!(answer.expect(202)["status"], "checking");
    assert_eq!(world.movements().count(), 0);
    world.advance(3).await;
    assert_eq!(stand(&owner, &booking).await, (json!("confirmed"), json!("captured")));
    assert_eq!(world.movements().count(), 1);
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_decline_takes_nothing_and_the_hold_runs_out() {
    let world = World::new().await;
    let (owner, booking, answer) = pay(&world, "sim_decline_1").await;
    answer.refused(402, "payment_declined");
    assert_eq!(stand(&owner, &booking).await, (json!("held"), json!("declined")));
    world.clock_to(&monday("09:11")).await;
    assert_eq!(stand(&owner, &booking).await, (json!("expired"), json!("declined")));
    assert_eq!(world.movements().count(), 0);
    world.close().await;
}

/// P5: another amount than the one asked for is looked at by a person.
#[tokio::test(flavor = "multi_thread")]
async fn another_amount_than_was_asked_for_goes_to_review_and_sells_nothing() {
    let world = World::new().await;
    let (owner, booking, answer) = pay(&world, "sim_amount_differs_1").await;
    answer.refused(409, "under_review");
    assert_eq!(stand(&owner, &booking).await, (json!("payment_in_flight"), json!("review")));
    assert_eq!(owner.payment(&booking).await["captured"], krw(0));
    owner.confirm(&booking, "sim_approve_2").await.refused(409, "under_review");
    world.clock_to(&monday("11:00")).await;
    assert_eq!(stand(&owner, &booking).await, (json!("expired"), json!("review")));
    // A person has to look at the money; there is nothing left that the engine would try.
    let all = Query { limit: 10, ..Query::default() };
    let due = world.node().state().node.reader.list("due", all).await.unwrap();
    assert!(due.value.is_empty(), "{:?}", due.value);
    let history = world.history().await;
    assert_eq!(history.count("payment.review_required"), 1);
    assert_eq!(history.count("reservation.confirmed"), 0);
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_none_is_declined() {
    let world = World::new().await;
    let (owner, booking, answer) = pay(&world, "tgen_20260309").await;
    let problem = answer.refused(402, "payment_declined");
    assert_eq!(problem["provider_code"], "INVALID_PAYMENT_KEY");
    assert_eq!(stand(&owner, &booking).await, (json!("held"), json!("declined")));
    world.close().await;
}

/// The process died before the provider was asked, and came back when the lesson was over.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_captured_for_a_seat_that_is_gone() {
    let mut world = World::new().await;
    let mentor = world.mentor().await;
    let owner = world.customer(1);
    world.clock_to(&monday("13:45")).await;
    let held = owner.reserve(&mentor.o60, &monday("14:00")).await;
    world.clock_to(&monday("13:50")).await;
    owner.confirm(held.created(), "sim_lost_before_capture_1").await.expect(202);
    world.stop().await;
    world.start_again_at(&monday("16:00")).await;
    world.rest().await;
    assert_eq!(stand(&owner, &held.body).await, (json!("expired"), json!("declined")));
    assert_eq!(world.movements().count(), 0, "the request to capture was not sent any more");
    world.close().await;
}

/// The same, but the money was taken before the process died: it goes back.
#[tokio::test(flavor = "multi_thread")]
async fn money_that_is_found_when_the_seat_is_gone_goes_back_and_the_customer_is_told() {
    let mut world = World::new().await;
    let mentor = world.mentor().await;
    let owner = world.customer(1);
    world.clock_to(&monday("13:45")).await;
    let held = owner.reserve(&mentor.o60, &monday("14:00")).await;
    let booking = held.created();
    owner.confirm(booking, "sim_lost_after_capture_1").await.expect(202);
    world.stop().await;
    world.start_again_at(&monday("16:00")).await;
    world.rest().await;
    assert_eq!(stand(&owner, booking).await, (json!("expired"), json!("captured")));
    let told = owner.confirm(booking, "sim_lost_after_capture_1").await;
    let told = told.refused(409, "payment_returned");
    assert_eq!((&told["refunded"], &told["refund_pending"]), (&krw(50_000), &krw(0)));
    world.close().await;
}

/// One command starts one attempt, whatever became of the payment since.
#[tokio::test(flavor = "multi_thread")]
async fn a_retried_command_starts_no_second_attempt_and_has_an_end() {
    let world = World::new().await;
    let mentor = world.mentor().await;
    let owner = world.customer(1);
    let held = owner.reserve(&mentor.o60, &monday("14:00")).await;
    let booking = held.created();
    let path = confirm_path(booking);
    let send = |key: &'static str, card: &str| {
        owner.ask(Method::POST, &path).key(key).json(&confirmation(booking, card)).send()
    };
    send("K1", "sim_lost_before_decline_1").await.expect(202);
    send("K1", "sim_lost_before_decline_1").await.expect(202);
    world.advance(3).await;
    assert_eq!(stand(&owner, booking).await, (json!("held"), json!("declined")));
    send("K2", "sim_decline_2").await.refused(402, "payment_declined");
    let again = send("K1", "sim_lost_before_decline_1").await;
    again.refused(402, "payment_declined");
    assert_eq!(world.history().await.count("payment.confirm_started"), 2);
    let replay = send("K1", "sim_lost_before_decline_1").await;
    assert_eq!((replay.is_replay(), replay.bytes), (true, again.bytes));
    world.close().await;
}
