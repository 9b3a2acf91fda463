//! Refunds of one payment that overlap (P3): one is at the provider at a time, each is made once,
//! and never more than was taken, whoever asks how often.

use std::time::Duration;

use holdfast_domain::ids::CommandId;
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::stage::{Booked, PATIENCE, Stage, calm, request, won};

/// Gives refunds of 1,000 under these keys, all at once; answers the statuses and how many of them
/// were remembered.
async fn at_once(stage: &Stage, booked: Booked, keys: &[u128]) -> Vec<(u16, bool)> {
    let mut crowd = JoinSet::new();
    for key in keys {
        let part = stage.part(booked, 1_000).await;
        let request = request(CommandId::from_uuid(Uuid::from_u128(*key)));
        let engine = stage.engine.clone();
        crowd.spawn(async move {
            let answer = engine.execute(part, request).await.unwrap();
            (answer.status, answer.replayed)
        });
    }
    crowd.join_all().await
}

#[tokio::test]
async fn refunds_that_overlap_reach_the_provider_one_after_the_other_and_once() {
    let stage = Stage::open().await;
    let booked = stage.buy(0, "sim_approve_1").await;
    stage.provider.close_door();
    // Twelve different ones of which ten fit, and one of them three times over.
    let mut keys: Vec<u128> = (1..=12).collect();
    keys.extend([1, 1]);
    let answers = at_once(&stage, booked, &keys).await;
    let count = |wanted| answers.iter().filter(|answer| **answer == wanted).count();
    let accepted = count((201, false));
    assert_eq!((accepted, count((409, false))), (10, 2), "{answers:?}");
    assert_eq!(count((201, true)) + count((409, true)), 2, "copies hear what the first one heard");
    stage.show(&[booked], stage.now());
    stage.run();
    calm().await;
    assert_eq!(stage.provider.refunds(booked.order), (1, 1), "the first one is at the provider");
    // The index shows it still, and again: it is taken up already.
    stage.clock.forward(Duration::from_mins(1));
    stage.show(&[booked], stage.now());
    calm().await;
    assert_eq!(stage.provider.refunds(booked.order), (1, 1));
    stage.provider.open_door();
    to_the_end(&stage, accepted, async || {}).await;
    assert_eq!(stage.provider.refunds(booked.order), (0, 1), "never two at a time");
    assert_made_once(&stage, booked, accepted).await;
    stage.close().await;
}

#[tokio::test]
async fn another_node_that_takes_the_same_steps_at_the_same_time_returns_nothing_twice() {
    let stage = Stage::open().await;
    let booked = stage.buy(0, "sim_approve_1").await;
    stage.provider.close_door();
    let accepted = at_once(&stage, booked, &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]).await.len();
    stage.show(&[booked], stage.now());
    stage.run();
    // The other one knows nothing of what this one has taken up.
    let about = stage.engine.routes().reservation(booked.id).await.unwrap().unwrap();
    let mut other = JoinSet::new();
    let driver = stage.engine.driver().clone();
    other.spawn(async move { driver.advance(about).await });
    calm().await;
    assert_eq!(stage.provider.refunds(booked.order), (2, 2), "both are at the provider");
    stage.provider.open_door();
    to_the_end(&stage, accepted, async || {
        stage.engine.driver().advance(about).await.unwrap();
    })
    .await;
    other.join_all().await.into_iter().for_each(|step| drop(step.unwrap()));
    assert_made_once(&stage, booked, accepted).await;
    stage.close().await;
}

/// Lets time pass until so many refunds are made.
async fn to_the_end(stage: &Stage, accepted: usize, meanwhile: impl AsyncFn()) {
    let began = tokio::time::Instant::now();
    while stage.history().await.count("payment.refund_succeeded") < accepted {
        assert!(began.elapsed() < PATIENCE, "the refunds do not come to an end");
        meanwhile().await;
        stage.clock.forward(Duration::from_secs(1));
        calm().await;
    }
}

/// Our log and the provider's own ledger say the same: each was made once.
async fn assert_made_once(stage: &Stage, booked: Booked, accepted: usize) {
    let history = stage.history().await;
    assert_eq!(history.count("payment.refund_requested"), accepted);
    assert_eq!(history.count("payment.refund_succeeded"), accepted);
    let movements = stage.provider.simulator.movements().unwrap();
    let order = &movements.orders[&booked.order];
    assert_eq!((order.captures.len(), order.returns.len()), (1, accepted));
    assert_eq!(order.balance(), Some(won(0)));
    assert!(movements.effects.values().all(|effects| *effects == 1));
}
