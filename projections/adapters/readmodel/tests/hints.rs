//! Hints between nodes over PostgreSQL: heard by every node of a schema, over a line that is slow, and
//! again after one that was lost without a word.

#[path = "support/stage.rs"]
mod stage;

use std::sync::Arc;
use std::time::Duration;

use holdfast_domain::log::Position;
use holdfast_projections::hints::Hints;
use holdfast_readmodel::PostgresReadStore;
use holdfast_test_stores::{Line, postgres};
use tokio::task::JoinSet;

use stage::in_postgres;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_hear_of_one_another_and_not_of_other_schemas() {
    let (Some(schema), Some(elsewhere)) = (postgres("hints").await, postgres("hints").await) else {
        return;
    };
    let (one, other, stranger) =
        tokio::join!(in_postgres(&schema), in_postgres(&schema), in_postgres(&elsewhere));
    let (one, other, stranger) = (one.hints(), Arc::new(other.hints()), stranger.hints());
    // The first thing that a listener says is that it may have missed something.
    let first = other.changed(Position(1));
    let mut tasks = JoinSet::new();
    tasks.spawn(Arc::clone(&other).listen());
    first.await;
    let heard = other.changed(Position(6));
    stranger.announce(Position(100)).await;
    one.announce(Position(5)).await;
    one.announce(Position(7)).await;
    let heard = tokio::time::timeout(Duration::from_mins(1), heard).await;
    assert!(heard.is_ok());
    other.changed(Position(6)).await;
    let quiet = tokio::time::timeout(Duration::from_millis(200), other.changed(Position(7)));
    assert!(quiet.await.is_err(), "nothing beyond 7 was said here");
    // Several wait at once, and whoever hears first tells the others; a lost line is told as well.
    let (first, second) = (other.changed(Position(7)), other.changed(Position(8)));
    let end = "SELECT count(pg_terminate_backend(a.pid)) FROM pg_stat_activity a \
        WHERE a.query LIKE 'LISTEN%' || md5(current_schema()) || '%'";
    let both = async {
        tokio::join!(first, second);
    };
    let ended = async {
        assert_eq!(schema.number(end).await, 1);
        one.announce(Position(9)).await;
    };
    let both = tokio::time::timeout(Duration::from_mins(1), both);
    assert!(tokio::join!(both, ended).0.is_ok());
}

/// Waits for news as a watcher does, a moment at a time, while another node goes on telling; answers
/// after how long it was told.
async fn told(hears: &dyn Hints, tells: &dyn Hints, position: Position) -> Duration {
    const MOMENT: Duration = Duration::from_millis(25);
    let began = tokio::time::Instant::now();
    loop {
        let changed = tokio::time::timeout(MOMENT, hears.changed(position));
        let (told, ()) =
            tokio::join!(changed, tells.announce(Position(position.0.saturating_add(1))));
        if told.is_ok() {
            return began.elapsed();
        }
        assert!(began.elapsed() < Duration::from_secs(40), "nothing was heard");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_listener_behind_a_slow_line_connects_once_and_hears() {
    let Some(schema) = postgres("hints over a slow line").await else { return };
    let (line, url) = Line::before(schema.url()).await;
    let far = PostgresReadStore::open(url.parse().unwrap()).await.unwrap();
    let (hears, tells) = (Arc::new(far.hints()), in_postgres(&schema).await.hints());
    // Connecting takes longer than anybody waits for news.
    line.delay(Duration::from_millis(30));
    let mut tasks = JoinSet::new();
    tasks.spawn(Arc::clone(&hears).listen());
    for position in [5, 9, 12] {
        told(hears.as_ref(), &tells, Position(position)).await;
    }
    let listening = "SELECT count(*) FROM pg_stat_activity a \
        WHERE a.query LIKE 'LISTEN%' || md5(current_schema()) || '%'";
    assert_eq!(schema.number(listening).await, 1, "what was given up would stand here too");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_listener_that_lost_its_line_without_a_word_notices_and_hears_again() {
    let Some(schema) = postgres("hints over a lost line").await else { return };
    let (line, url) = Line::before(schema.url()).await;
    let far = PostgresReadStore::open(url.parse().unwrap()).await.unwrap();
    let (hears, tells) = (Arc::new(far.hints()), in_postgres(&schema).await.hints());
    let mut tasks = JoinSet::new();
    tasks.spawn(Arc::clone(&hears).listen());
    told(hears.as_ref(), &tells, Position(5)).await;
    line.lose();
    line.pass();
    told(hears.as_ref(), &tells, Position(20)).await;
}
