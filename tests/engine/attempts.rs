//! Two attempts to pay: what the provider says about one says nothing about the other.

use std::time::Duration;

use holdfast_commands::handle::Confirmed;

use crate::stage::Stage;

#[tokio::test]
async fn what_became_of_the_first_attempt_is_not_taken_for_the_second() {
    let stage = Stage::open().await;
    let booked = stage.hold(0).await;
    let declined = stage.pay(booked, "sim_decline_1").await.unwrap();
    assert!(matches!(declined, Confirmed::Answered(answer) if answer.status == 402));
    // The second attempt does not arrive until the provider is read for the first time.
    stage.provider.lose_captures(3);
    let checking = stage.pay(booked, "sim_approve_1").await.unwrap();
    assert!(matches!(checking, Confirmed::Checking { replayed: false, .. }), "{checking:?}");
    stage.show(&[booked], stage.now());
    stage.run();
    // Asked again after 2 and 10 s in vain, read after 15: there is no trace of it, and it is sent.
    for (seconds, unknown) in [(2, 2), (8, 3)] {
        stage.written("payment.outcome_unknown", unknown - 1).await;
        stage.clock.forward(Duration::from_secs(seconds));
        stage.written("payment.outcome_unknown", unknown).await;
    }
    stage.clock.forward(Duration::from_secs(5));
    stage.written("reservation.confirmed", 1).await;
    let history = stage.history().await;
    assert_eq!(history.count("payment.declined"), 1, "the first attempt's, and only that");
    assert_eq!(history.count("reservation.payment_failed"), 1);
    let (first, second) = (format!("{}-1", booked.order), format!("{}-2", booked.order));
    assert_eq!(
        stage.provider.captures(),
        [first, second.clone(), second.clone(), second.clone(), second]
    );
    let movements = stage.provider.simulator.movements().unwrap();
    assert_eq!(movements.orders[&booked.order].captures.len(), 1);
    stage.close().await;
}
