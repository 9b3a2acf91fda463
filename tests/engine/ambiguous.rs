//! An append whose answer is lost: what stands is answered as it stands, what does not is not
//! acknowledged, and the same command again has one effect in all.

use holdfast_commands::request::{CommandError, Request};
use holdfast_commands::reserve::Reserve;
use tokio::task::JoinSet;

use crate::logs::Fate;
use crate::stage::{Stage, calm};

#[tokio::test]
async fn an_append_that_stands_unheard_is_answered_as_it_stands() {
    let stage = Stage::open().await;
    let (_, wish) = stage.wish(0);
    let request = stage.fresh();
    stage.log.next_append(Fate::StandsUnheard);
    let answer = stage.engine.execute(wish.clone(), request.clone()).await.unwrap();
    assert_eq!((answer.status, answer.replayed), (201, true));
    assert_eq!(answer.position, stage.history().await.0.last().unwrap().position);
    assert_eq!(stage.engine.execute(wish, request).await.unwrap(), answer);
    assert_eq!(stage.history().await.count("reservation.requested"), 1);
    // The owner judges the next one by what stands.
    let (_, rival) = stage.wish(0);
    assert_eq!(stage.engine.execute(rival, stage.fresh()).await.unwrap().status, 409);
    stage.close().await;
}

#[tokio::test]
async fn an_append_that_does_not_stand_is_not_acknowledged() {
    let stage = Stage::open().await;
    // What the owner decided on before is warm.
    stage.hold(1).await;
    let (_, wish) = stage.wish(0);
    let request = stage.fresh();
    stage.log.next_append(Fate::LostUnheard);
    let answer = stage.engine.execute(wish.clone(), request.clone()).await;
    assert_eq!(answer, Err(CommandError::Unavailable("connection reset".to_owned())));
    assert_eq!(stage.history().await.count("reservation.requested"), 1);
    // Nobody has the time: the owner must not believe what it decided in vain.
    let (_, rival) = stage.wish(0);
    assert_eq!(stage.engine.execute(rival, stage.fresh()).await.unwrap().status, 201);
    let late = stage.engine.execute(wish, request).await.unwrap();
    assert_eq!((late.status, late.replayed), (409, false), "it was never carried out");
    assert_eq!(stage.history().await.count("reservation.requested"), 2);
    stage.close().await;
}

/// Two in one group: the second is answered without an append, from what the first decided.
#[tokio::test]
async fn an_answer_that_appends_nothing_waits_for_what_it_stands_on() {
    let stage = Stage::open().await;
    stage.log.close_door();
    let spawned = |use_case: Reserve, request: Request| {
        let (engine, mut alone) = (stage.engine.clone(), JoinSet::new());
        alone.spawn(async move { engine.execute(use_case, request).await });
        alone
    };
    // The owner is busy, so that the two behind it are taken together.
    let (engine, opening, request) = (stage.engine.clone(), stage.opening(), stage.fresh());
    let mut busy = JoinSet::new();
    busy.spawn(async move { engine.execute(opening, request).await });
    calm().await;
    let first = spawned(stage.wish(0).1, stage.fresh());
    let trial = Request { dry_run: true, ..stage.fresh() };
    let second = spawned(stage.wish(0).1, trial);
    calm().await;
    stage.log.next_append(Fate::StandsUnheard);
    stage.log.next_append(Fate::LostUnheard);
    stage.log.open_door();
    busy.join_all().await.pop().unwrap().unwrap();
    assert!(first.join_all().await.pop().unwrap().is_err(), "nobody knows that it stands");
    let tried = second.join_all().await.pop().unwrap().unwrap();
    assert_eq!(tried.status, 200, "the time is free: what took it was never written");
    assert_eq!(stage.history().await.count("reservation.requested"), 0);
    stage.close().await;
}
