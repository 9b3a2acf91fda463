//! Within a stream time does not run back, whatever the node's clock does.

use std::time::Duration;

use holdfast_commands::request::CommandError;
use tokio::task::JoinSet;

use crate::stage::{Stage, calm};

#[tokio::test]
async fn a_clock_that_lags_a_little_is_waited_for() {
    let stage = Stage::open().await;
    stage.hold(0).await;
    let written_at = stage.now();
    stage.clock.set(written_at.minus(Duration::from_millis(500)));
    let (booked, wish) = stage.wish(1);
    let mut waiting = JoinSet::new();
    let (engine, request) = (stage.engine.clone(), stage.fresh());
    waiting.spawn(async move { engine.execute(wish, request).await });
    calm().await;
    assert!(waiting.try_join_next().is_none(), "it was judged by a clock that runs behind");
    stage.clock.set(written_at);
    let answer = waiting.join_next().await.unwrap().unwrap().unwrap();
    assert_eq!(answer.status, 201);
    let history = stage.history().await;
    let paper = holdfast_domain::booking::reservation_stream(booked.id);
    let event = history.0.iter().find(|event| event.stream == paper).unwrap();
    assert_eq!(event.metadata.accepted_at, written_at);
    stage.close().await;
}

#[tokio::test]
async fn a_clock_that_lags_too_much_is_no_clock_to_judge_by() {
    let stage = Stage::open().await;
    stage.hold(0).await;
    let (written_at, before) = (stage.now(), stage.history().await.0.len());
    stage.clock.set(written_at.minus(Duration::from_micros(500_001)));
    let (_, wish) = stage.wish(1);
    let request = stage.fresh();
    let answer = stage.engine.execute(wish.clone(), request.clone()).await;
    assert_eq!(answer, Err(CommandError::ClockBehind));
    assert_eq!(stage.history().await.0.len(), before, "nothing was written");
    // It is nobody's refusal: the same command succeeds once the clock is right.
    stage.clock.set(written_at);
    assert_eq!(stage.engine.execute(wish, request).await.unwrap().status, 201);
    stage.close().await;
}
