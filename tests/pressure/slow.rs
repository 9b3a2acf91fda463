//! Requests that never come to their end, byte by byte.

use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::scene::{Scene, offer, to_the_end};

/// How many at once.
const CALLERS: usize = 300;
/// By then all are given up: two seconds, as the nodes here are told, and what scheduling may add
/// on a busy machine.
const GIVEN_UP: Duration = Duration::from_secs(10);
/// How often a slow caller says a little more. Its slowness is what is tested.
const DRIP: Duration = Duration::from_millis(100);

/// Says the beginning and then always a little more, until the node has had enough. Answers what
/// it said and after how long.
async fn drip(scene: &Scene, start: &[u8], more: &'static [u8]) -> (Vec<String>, Duration) {
    let began = Instant::now();
    let mut callers = JoinSet::new();
    for _ in 0..CALLERS {
        let (mut stream, start) = (scene.connect().await, start.to_vec());
        callers.spawn(async move {
            let mut open = offer(&mut stream, &start).await;
            while open && began.elapsed() < GIVEN_UP {
                sleep(DRIP).await;
                open = offer(&mut stream, more).await;
            }
            to_the_end(&mut stream).await
        });
    }
    scene.answers_others().await;
    (callers.join_all().await, began.elapsed())
}

#[tokio::test(flavor = "multi_thread")]
async fn heads_that_never_end_are_given_up_in_time_and_others_are_served() {
    let scene = Scene::open(&["--head-seconds-max", "2"]);
    let start = b"GET /v1/reservations HTTP/1.1\r\nhost: holdfast\r\n";
    let (answers, took) = drip(&scene, start, b"x: y\r\n").await;
    assert!(took < GIVEN_UP, "{took:?}");
    for answer in answers {
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 408 "), "{answer}");
    }
    scene.close();
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_that_never_end_are_given_up_in_time_and_others_are_served() {
    let scene = Scene::open(&["--handler-seconds-max", "2"]);
    let start = scene.head("content-length: 60000");
    let (answers, took) = drip(&scene, start.as_bytes(), b" ").await;
    assert!(took < GIVEN_UP, "{took:?}");
    for answer in answers {
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 503 "), "{answer}");
    }
    scene.close();
}
