//! More commands than one owner can take: those beyond its mailbox are turned away at once, those in
//! it are all answered, and then it goes on as ever.

use holdfast_api::http::problem::Problem;
use holdfast_commands::request::CommandError;
use tokio::task::JoinSet;

use crate::stage::{PATIENCE, Stage, calm};

/// What one owner has in hand and in its mailbox at most: a group and 2,048.
const TAKEN_MAX: usize = 1 + 2_048;

#[tokio::test]
async fn what_an_owner_cannot_take_is_turned_away_and_the_rest_is_served() {
    let stage = Stage::open().await;
    stage.log.close_door();
    let mut crowd = JoinSet::new();
    let join = |crowd: &mut JoinSet<_>| {
        let (engine, request, opening) = (stage.engine.clone(), stage.fresh(), stage.opening());
        crowd.spawn(async move { engine.execute(opening, request).await });
    };
    // The first is in the owner's hands before the others come, and does not leave them.
    join(&mut crowd);
    calm().await;
    assert_eq!(crowd.len(), 1);
    for _ in 1..TAKEN_MAX {
        join(&mut crowd);
    }
    calm().await;
    assert!(crowd.try_join_next().is_none(), "there was room for these");
    let one_more = stage.engine.execute(stage.opening(), stage.fresh());
    let at_once = tokio::time::timeout(PATIENCE, one_more).await;
    let turned_away = at_once.expect("it waits with the others").unwrap_err();
    assert_eq!(turned_away, CommandError::Overloaded);
    // What the caller hears: come back soon.
    let answer = Problem::from(turned_away).answer("/test", "test");
    assert_eq!(answer.status(), 503);
    assert_eq!(answer.headers().get("retry-after").unwrap(), "1");
    stage.log.open_door();
    let answers = crowd.join_all().await;
    assert_eq!(answers.len(), TAKEN_MAX);
    assert!(answers.iter().all(|answer| answer.as_ref().is_ok_and(|it| it.status == 200)));
    stage.act(stage.opening()).await;
    stage.close().await;
}
