//! What the simulator promises, through its port and over its real file.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::Write;

use holdfast_domain::money::{Currency, Money};
use tempfile::TempDir;
use uuid::Uuid;

use super::*;

struct Desk {
    data: TempDir,
    simulator: Simulator,
}

fn desk() -> Desk {
    let data = tempfile::tempdir().unwrap();
    let simulator = Simulator::open(data.path()).unwrap();
    Desk { data, simulator }
}

impl Desk {
    /// The engine is killed and started again; the provider's file is all that is left.
    fn restarted(self) -> Self {
        drop(self.simulator);
        let simulator = Simulator::open(self.data.path()).unwrap();
        Self { data: self.data, simulator }
    }

    /// As [`Self::restarted`], after a write that did not finish.
    fn restarted_after_a_torn_write(self, torn: &[u8]) -> Self {
        let mut file = OpenOptions::new().append(true).open(self.data.path().join(FILE)).unwrap();
        file.write_all(torn).unwrap();
        self.restarted()
    }

    async fn capture(&self, key: &str, payment_key: &str) -> Result<Capture, NoAnswer> {
        self.simulator.capture(capture_of(1, key, payment_key, 50_000)).await
    }

    async fn refund(&self, refund: u128, key: &str, minor: u64) -> Result<Return, NoAnswer> {
        self.simulator.refund(refund_of(refund, key, minor)).await
    }

    async fn read(&self, key: &str) -> Option<Capture> {
        self.simulator.read_capture(order(1), key.to_owned()).await.unwrap()
    }

    fn order(&self) -> Order {
        self.simulator.movements().unwrap().orders.remove(&order(1)).unwrap_or_default()
    }
}

fn order(number: u128) -> PaymentId {
    PaymentId::from_uuid(Uuid::from_u128(number))
}

fn refund_id(number: u128) -> RefundId {
    RefundId::from_uuid(Uuid::from_u128(number))
}

fn krw(minor: u64) -> Money {
    Money::try_new(minor, Currency::Krw).unwrap()
}

fn capture_of(number: u128, key: &str, payment_key: &str, minor: u64) -> CaptureRequest {
    CaptureRequest {
        order: order(number),
        payment_key: payment_key.to_owned(),
        amount: krw(minor),
        idempotency_key: key.to_owned(),
    }
}

fn refund_of(refund: u128, key: &str, minor: u64) -> RefundRequest {
    RefundRequest {
        order: order(1),
        refund: refund_id(refund),
        amount: krw(minor),
        idempotency_key: key.to_owned(),
    }
}

fn captured(transaction: u32, minor: u64) -> Capture {
    Capture::Captured { transaction: format!("sim_tx_{transaction}"), amount: krw(minor) }
}

fn declined(code: &str) -> Capture {
    Capture::Declined { code: code.to_owned() }
}

fn returned(transaction: u32) -> Return {
    Return::Returned { transaction: format!("sim_tx_{transaction}") }
}

fn refused(code: &str) -> Return {
    Return::Refused { code: code.to_owned() }
}

#[tokio::test]
async fn an_approved_capture_is_made_once_however_often_it_is_asked_for() {
    let desk = desk();
    for _ in 0..3 {
        assert_eq!(desk.capture("k1", "sim_approve_1").await, Ok(captured(1, 50_000)));
    }
    assert_eq!(desk.read("k1").await, Some(captured(1, 50_000)));
    assert_eq!(desk.order().captures.len(), 1);
    assert_eq!(desk.simulator.times_asked(), 3);
}

#[tokio::test]
async fn a_declined_card_can_be_tried_again_under_another_key() {
    let desk = desk();
    let no = declined("REJECT_CARD_PAYMENT");
    assert_eq!(desk.capture("k1", "sim_decline_1").await, Ok(no.clone()));
    assert_eq!(desk.read("k1").await, Some(no.clone()));
    assert_eq!(desk.capture("k2", "sim_approve_1").await, Ok(captured(1, 50_000)));
    assert_eq!(
        desk.capture("k1", "sim_decline_1").await,
        Ok(no.clone()),
        "a replay says the same again"
    );
    assert_eq!(desk.read("k1").await, Some(no));
    assert_eq!(desk.read("k2").await, Some(captured(1, 50_000)));
}

#[tokio::test]
async fn a_key_that_is_not_ours_is_declined() {
    for wrong in ["", "sim_", "sim_approve", "tviva20260309", "sim_unheard_of_1"] {
        let desk = desk();
        assert_eq!(desk.capture("k1", wrong).await, Ok(declined("INVALID_PAYMENT_KEY")), "{wrong}");
    }
}

#[tokio::test]
async fn an_answer_lost_after_the_capture_is_found_by_a_replay_or_a_read() {
    let desk = desk();
    assert!(desk.capture("k1", "sim_lost_after_capture_1").await.is_err());
    assert_eq!(desk.read("k1").await, Some(captured(1, 50_000)));
    assert_eq!(desk.capture("k1", "sim_lost_after_capture_1").await, Ok(captured(1, 50_000)));
    assert_eq!(desk.order().captures.len(), 1);
}

#[tokio::test]
async fn a_request_lost_before_the_capture_leaves_nothing_until_it_is_replayed() {
    let desk = desk();
    assert!(desk.capture("k1", "sim_lost_before_capture_1").await.is_err());
    assert_eq!(desk.read("k1").await, None);
    assert_eq!(desk.order().captures.len(), 0);
    // It stays lost once, not once per start.
    let desk = desk.restarted();
    assert_eq!(desk.capture("k1", "sim_lost_before_capture_1").await, Ok(captured(1, 50_000)));
    assert_eq!(desk.capture("k1", "sim_lost_before_capture_1").await, Ok(captured(1, 50_000)));
    assert_eq!(desk.order().captures.len(), 1);
}

#[tokio::test]
async fn a_lost_attempt_is_not_answered_with_the_decline_of_an_earlier_one() {
    let desk = desk();
    assert_eq!(desk.capture("k1", "sim_decline_1").await, Ok(declined("REJECT_CARD_PAYMENT")));
    assert_eq!(desk.read("k2").await, None, "it did not even arrive");
    assert!(desk.capture("k2", "sim_lost_before_capture_1").await.is_err());
    assert_eq!(desk.read("k2").await, None);
    assert_eq!(desk.read("k1").await, Some(declined("REJECT_CARD_PAYMENT")));
    assert_eq!(desk.simulator.read_capture(order(2), "k1".to_owned()).await, Ok(None));
}

#[tokio::test]
async fn a_slow_capture_is_made_before_its_answer_arrives() {
    let Desk { data, simulator } = desk();
    let simulator = simulator.answering_slowly_after(Duration::from_hours(1));
    let request = capture_of(1, "k1", "sim_slow_1", 50_000);
    // Reads beside the waiting call until one sees the capture; the answer is an hour away.
    let seen = async {
        loop {
            if let Some(seen) = simulator.read_capture(order(1), "k1".to_owned()).await.unwrap() {
                break seen;
            }
        }
    };
    tokio::select! {
        answer = simulator.capture(request.clone()) => panic!("answered at once: {answer:?}"),
        seen = seen => assert_eq!(seen, captured(1, 50_000)),
    }
    let prompt = Simulator::open(data.path()).unwrap().answering_slowly_after(Duration::ZERO);
    assert_eq!(prompt.capture(request).await, Ok(captured(1, 50_000)));
    assert_eq!(prompt.movements().unwrap().count(), 1);
}

#[tokio::test]
async fn another_amount_is_taken_and_reported_when_the_key_says_so() {
    let desk = desk();
    assert_eq!(desk.capture("k1", "sim_amount_differs_1").await, Ok(captured(1, 49_999)));
    assert_eq!(desk.order().balance(), Some(krw(49_999)));
}

#[tokio::test]
async fn one_key_for_two_requests_is_refused_and_changes_nothing() {
    let desk = desk();
    let reused = "IDEMPOTENCY_KEY_REUSED";
    assert_eq!(desk.capture("k1", "sim_approve_1").await, Ok(captured(1, 50_000)));
    assert_eq!(desk.capture("k1", "sim_approve_2").await, Ok(declined(reused)));
    let other_order = capture_of(2, "k1", "sim_approve_1", 50_000);
    assert_eq!(desk.simulator.capture(other_order).await, Ok(declined(reused)));
    assert_eq!(desk.refund(1, "r1", 10_000).await, Ok(returned(2)));
    assert_eq!(desk.refund(1, "r1", 20_000).await, Ok(refused(reused)));
    assert_eq!(desk.refund(2, "r1", 10_000).await, Ok(refused(reused)));
    assert_eq!(desk.refund(1, "r1", 10_000).await, Ok(returned(2)));
    assert_eq!(desk.order().balance(), Some(krw(40_000)));
}

#[tokio::test]
async fn an_order_is_captured_once_whatever_the_key() {
    let desk = desk();
    assert_eq!(desk.capture("k1", "sim_approve_1").await, Ok(captured(1, 50_000)));
    let second = desk.capture("k2", "sim_approve_2").await;
    assert_eq!(second, Ok(declined("ALREADY_PROCESSED_PAYMENT")));
    assert_eq!(desk.read("k1").await, Some(captured(1, 50_000)));
}

#[tokio::test]
async fn refunds_never_exceed_what_was_captured() {
    let desk = desk();
    assert_eq!(desk.refund(1, "r0", 1).await, Ok(refused("NOT_FOUND_PAYMENT")));
    assert_eq!(desk.capture("k1", "sim_approve_1").await, Ok(captured(1, 50_000)));
    assert_eq!(desk.refund(1, "r1", 30_000).await, Ok(returned(2)));
    assert_eq!(desk.refund(2, "r2", 20_001).await, Ok(refused("NOT_CANCELABLE_AMOUNT")));
    assert_eq!(desk.refund(3, "r3", 0).await, Ok(refused("NOT_CANCELABLE_AMOUNT")));
    assert_eq!(desk.refund(4, "r4", 20_000).await, Ok(returned(3)));
    assert_eq!(desk.refund(1, "r1", 30_000).await, Ok(returned(2)), "a replay moves nothing");
    assert_eq!(desk.order().balance(), Some(krw(0)));
    let read = desk.simulator.read_refund(order(1), refund_id(2)).await.unwrap();
    assert_eq!(read, Some(refused("NOT_CANCELABLE_AMOUNT")));
    assert_eq!(desk.simulator.read_refund(order(1), refund_id(9)).await, Ok(None));
}

#[tokio::test]
async fn a_refund_whose_answer_is_lost_was_made_once() {
    let desk = desk();
    assert_eq!(desk.capture("k1", "sim_approve_refund_lost_1").await, Ok(captured(1, 50_000)));
    assert!(desk.refund(1, "r1", 50_000).await.is_err());
    let desk = desk.restarted();
    let read = desk.simulator.read_refund(order(1), refund_id(1)).await.unwrap();
    assert_eq!(read, Some(returned(2)));
    assert_eq!(desk.refund(1, "r1", 50_000).await, Ok(returned(2)));
    assert_eq!(desk.order().returns.len(), 1);
}

#[tokio::test]
async fn a_refund_is_refused_when_the_key_says_so() {
    let desk = desk();
    assert_eq!(desk.capture("k1", "sim_approve_refund_refused_1").await, Ok(captured(1, 50_000)));
    assert_eq!(desk.refund(1, "r1", 50_000).await, Ok(refused("NOT_CANCELABLE_PAYMENT")));
    assert_eq!(desk.order().balance(), Some(krw(50_000)));
}

#[tokio::test]
async fn a_kill_loses_nothing_that_was_answered_and_keeps_nothing_that_was_torn() {
    let desk = desk();
    assert_eq!(desk.capture("k1", "sim_approve_1").await, Ok(captured(1, 50_000)));
    let whole = std::fs::read(desk.data.path().join(FILE)).unwrap();
    // Any prefix of a line, and the whole line without its end, was never answered.
    for torn in [1, 2, 30, whole.len() - 1] {
        let fresh = tempfile::tempdir().unwrap();
        std::fs::write(fresh.path().join(FILE), &whole[..torn]).unwrap();
        let simulator = Simulator::open(fresh.path()).unwrap();
        assert_eq!(simulator.movements().unwrap(), Movements::default(), "{torn} bytes");
        let again = simulator.capture(capture_of(1, "k1", "sim_approve_1", 50_000)).await;
        assert_eq!(again, Ok(captured(1, 50_000)));
        assert_eq!(std::fs::read(fresh.path().join(FILE)).unwrap(), whole, "{torn} bytes");
    }
    let desk = desk.restarted_after_a_torn_write(br#"{"kind":"returned","key":"r1","#);
    assert_eq!(desk.read("k1").await, Some(captured(1, 50_000)));
    assert_eq!(desk.refund(1, "r1", 50_000).await, Ok(returned(2)));
    let desk = desk.restarted();
    assert_eq!(desk.order().balance(), Some(krw(0)));
}

#[tokio::test]
async fn a_damaged_line_in_the_middle_stops_the_start() {
    let desk = desk();
    assert_eq!(desk.capture("k1", "sim_approve_1").await, Ok(captured(1, 50_000)));
    let path = desk.data.path().join(FILE);
    let mut bytes = b"{\"kind\":\"captured\"}\n".to_vec();
    bytes.extend(std::fs::read(&path).unwrap());
    std::fs::write(&path, bytes).unwrap();
    let opened = Simulator::open(desk.data.path());
    assert!(matches!(opened, Err(LedgerError::Damaged { offset: 0, .. })), "{opened:?}");
}

#[tokio::test]
async fn two_engines_share_one_provider() {
    let desk = desk();
    let other = Simulator::open(desk.data.path()).unwrap();
    assert_eq!(desk.capture("k1", "sim_approve_1").await, Ok(captured(1, 50_000)));
    let replay = other.capture(capture_of(1, "k1", "sim_approve_1", 50_000)).await;
    assert_eq!(replay, Ok(captured(1, 50_000)));
    assert_eq!(other.refund(refund_of(1, "r1", 10_000)).await, Ok(returned(2)));
    assert_eq!(desk.order().balance(), Some(krw(40_000)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stampede_of_replays_and_rivals_has_one_effect_per_intent() {
    let desk = desk();
    let simulator = Arc::new(desk.simulator);
    let mut calls = tokio::task::JoinSet::new();
    for caller in 0..80_u128 {
        let simulator = Arc::clone(&simulator);
        let number = caller.rem_euclid(4).saturating_add(1);
        let request = capture_of(number, &format!("k{number}"), "sim_approve_1", 50_000);
        calls.spawn(async move { (number, simulator.capture(request).await) });
    }
    let mut answers = BTreeMap::new();
    while let Some(call) = calls.join_next().await {
        let (number, answer) = call.unwrap();
        let first = answers.entry(number).or_insert_with(|| answer.clone());
        assert_eq!(*first, answer, "every caller of one key hears the same");
    }
    let movements = simulator.movements().unwrap();
    assert_eq!(movements.count(), 4);
    assert!(movements.effects.values().all(|effects| *effects == 1));
    assert_eq!(movements.orders.len(), 4);
}

#[tokio::test]
async fn a_new_key_per_try_is_seen_in_the_movements() {
    // The control of the promise above: a caller that forgets its key moves money twice.
    let desk = desk();
    assert_eq!(desk.capture("k1", "sim_approve_1").await, Ok(captured(1, 50_000)));
    assert_eq!(desk.refund(1, "r1", 10_000).await, Ok(returned(2)));
    assert_eq!(desk.refund(1, "r1-again", 10_000).await, Ok(returned(3)));
    assert_eq!(desk.order().returns.len(), 2, "two movements for one refund");
}
