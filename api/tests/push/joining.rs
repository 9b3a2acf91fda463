//! What a subscriber hears: what changes after she came, what changed while she was away, or that
//! she has to read again.

use holdfast_api::ws::frames::Kind;
use holdfast_api::ws::subscriber::{Ask, Subscriber};
use holdfast_domain::actor::Role;
use holdfast_domain::ids::ReservationId;
use holdfast_projections::ports::Retention;
use serde_json::{Value, json};

use super::scene::{Scene, Socket, error, person};

/// The statuses of the next changes.
async fn statuses(socket: &mut Socket, count: usize) -> Vec<(String, String)> {
    let mut heard = Vec::new();
    for _ in 0..count {
        let change = socket.change().await;
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        heard.push((text(&change["key"]), text(&change["data"]["status"])));
    }
    heard
}

fn both(reservation: ReservationId) -> [(String, String); 2] {
    ["held", "confirmed"].map(|status| (reservation.to_string(), status.to_owned()))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_arrives_after_its_commit_and_the_views_show_it_already() {
    let mut scene = Scene::on(&[]).await;
    let mut customer = scene.customer(2).await;
    let mut stranger = scene.customer(3).await;
    let mut provider = scene.socket(scene.provider, &[Role::Provider]).await;
    let calendar = format!("resource:{}:calendar", scene.resource);
    let slots = format!("offering:{}:slots", scene.offering);
    customer.listen("me").await;
    stranger.listen("me").await;
    provider.listen(&calendar).await;
    stranger.listen(&slots).await;
    let (reservation, answer) = scene.book(person(2)).await;
    let change = customer.change().await;
    assert_eq!(change["topic"], "me");
    assert_eq!(change["key"], json!(reservation));
    assert_eq!(change["data"]["status"], "held");
    assert!(scene.running.state().node.reader.position() >= answer.position);
    let change = customer.change().await;
    assert_eq!(change["data"]["status"], "confirmed");
    assert_eq!(change["position"], json!(answer.position));
    let taken = provider.change().await;
    assert_eq!((&taken["topic"], &taken["data"]["status"]), (&json!(calendar), &json!("held")));
    // The stranger hears that free times have changed, and nothing of whose they are.
    let date = stranger.change().await;
    assert_eq!((&date["topic"], &date["key"]), (&json!(slots), &json!("2026-11-02")));
    stranger.say(&json!({ "op": "ping" })).await;
    loop {
        let heard = stranger.hear().await;
        if heard["op"] == "pong" {
            break;
        }
        assert_eq!(heard["topic"], json!(slots), "{heard}");
    }
    assert!(scene.running.stop().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_who_comes_back_with_a_cursor_hears_every_missed_change_once_and_in_order() {
    let mut scene = Scene::on(&[]).await;
    let mut first = scene.customer(2).await;
    first.listen("me").await;
    scene.book(person(2)).await;
    let cursor = first.change().await["cursor"].as_str().unwrap().to_owned();
    drop(first);
    let mut missed = Vec::new();
    for number in 0..70 {
        let (reservation, _answer) = scene.book(person(2)).await;
        missed.extend(both(reservation));
        if number % 10 == 0 {
            scene.book(person(3)).await;
        }
    }
    let mut back = scene.customer(2).await;
    let heard = back.subscribe("me", Some(&cursor)).await;
    assert_eq!(heard["op"], "subscribed");
    let (live, _answer) = scene.book(person(2)).await;
    assert_eq!(statuses(&mut back, 1).await[0].1, "confirmed", "the rest of the first booking");
    assert_eq!(statuses(&mut back, 140).await, missed);
    assert_eq!(statuses(&mut back, 2).await, both(live));
    assert!(scene.running.stop().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_who_went_before_anything_happened_comes_back_with_the_cursor_of_the_greeting() {
    let mut scene = Scene::on(&[]).await;
    let mut first = scene.customer(2).await;
    let greeting = first.subscribe("me", None).await;
    drop(first);
    let (missed, _answer) = scene.book(person(2)).await;
    let mut back = scene.customer(2).await;
    back.subscribe("me", greeting["cursor"].as_str()).await;
    assert_eq!(statuses(&mut back, 2).await, both(missed));
    assert!(scene.running.stop().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_that_is_too_old_says_resync_and_the_live_changes_follow() {
    let mut scene = Scene::on(&[]).await;
    let mut first = scene.customer(2).await;
    first.listen("me").await;
    scene.book(person(2)).await;
    let cursor = first.change().await["cursor"].as_str().unwrap().to_owned();
    let (_, answer) = scene.book(person(2)).await;
    let node = &scene.running.state().node;
    let patience = tokio::time::sleep(std::time::Duration::from_secs(10));
    node.reader.wait_for(answer.position, patience).await.unwrap();
    node.views.trim(Retention { positions: 0, age: None }).await.unwrap();
    let mut back = scene.customer(2).await;
    assert_eq!(back.subscribe("me", Some(&cursor)).await["op"], "subscribed");
    let told = back.hear().await;
    assert_eq!((&told["op"], &told["topic"]), (&json!("resync"), &json!("me")));
    assert!(told["cursor"].is_string());
    let (live, _answer) = scene.book(person(2)).await;
    assert_eq!(statuses(&mut back, 2).await, both(live));
    // A cursor of somebody else, of another topic, or of nobody.
    let slots = format!("offering:{}:slots", scene.offering);
    assert_eq!(back.subscribe(&slots, Some(&cursor)).await, error("bad_cursor", &slots));
    assert_eq!(back.subscribe("me", Some("5.1")).await, error("bad_cursor", "me"));
    let mut other = scene.customer(3).await;
    assert_eq!(other.subscribe("me", Some(&cursor)).await, error("bad_cursor", "me"));
    assert!(scene.running.stop().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_who_unsubscribed_hears_no_more_of_it() {
    let mut scene = Scene::open(&[]).await;
    let mut customer = scene.customer(2).await;
    let slots = format!("offering:{}:slots", scene.offering);
    customer.listen("me").await;
    customer.listen(&slots).await;
    customer.say(&json!({ "op": "unsubscribe", "topic": "me" })).await;
    customer.say(&json!({ "op": "ping" })).await;
    assert_eq!(customer.hear().await["op"], "pong");
    scene.book(person(2)).await;
    assert_eq!(customer.change().await["topic"], json!(slots));
    scene.book(person(2)).await;
    customer.say(&json!({ "op": "ping" })).await;
    loop {
        let heard = customer.hear().await;
        if heard["op"] == "pong" {
            break;
        }
        assert_eq!(heard["topic"], json!(slots), "{heard}");
    }
    assert!(scene.running.stop().await);
}

/// What was read but not sent is behind the cursors that a stopping node names: it has to go out.
#[tokio::test(flavor = "multi_thread")]
async fn the_last_words_hold_what_was_read_and_not_yet_sent() {
    let mut scene = Scene::on(&[]).await;
    let state = scene.running.state().clone();
    let token = scene.token(person(2), &[Role::Customer]);
    let caller = state.verifier.verify(&token).await.unwrap();
    let me = |from| Ask { topics: vec!["me".to_owned()], from, ..Ask::default() };
    let mut early = Subscriber::new(&state, caller.clone(), None).unwrap();
    early.subscribe(me(None)).await.unwrap();
    let cursor = early.next().await.unwrap().id;
    drop(early);
    let mut position = scene.book(person(2)).await.1.position;
    for _ in 0..2 {
        position = scene.book(person(2)).await.1.position;
    }
    let patience = tokio::time::sleep(std::time::Duration::from_secs(10));
    state.node.reader.wait_for(position, patience).await.unwrap();
    let mut subscriber = Subscriber::new(&state, caller, None).unwrap();
    subscriber.subscribe(me(cursor)).await.unwrap();
    // Six changes were missed and are read at once; one of them is sent.
    assert_eq!(subscriber.next().await.unwrap().kind, Kind::Subscribed);
    assert_eq!(subscriber.next().await.unwrap().kind, Kind::Change);
    let words = subscriber.last_words();
    let (last, unsent) = words.split_last().unwrap();
    assert_eq!(last.kind, Kind::Closing);
    assert_eq!(unsent.len(), 5);
    assert!(unsent.iter().all(|frame| frame.kind == Kind::Change));
    drop(subscriber);
    assert!(scene.running.stop().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_stops_says_where_to_go_on() {
    let mut scene = Scene::on(&[]).await;
    let mut customer = scene.customer(2).await;
    let (booking, answer) = scene.book(person(2)).await;
    let topic = format!("reservation:{booking}");
    // Its changes are no news to whoever comes when the views show it.
    let patience = tokio::time::sleep(std::time::Duration::from_secs(10));
    scene.running.state().node.reader.wait_for(answer.position, patience).await.unwrap();
    customer.listen("me").await;
    customer.listen(&topic).await;
    let stopping = tokio::task::LocalSet::new();
    let (stopped, farewells) = stopping
        .run_until(async move {
            let farewells = async {
                let mut farewells = Vec::new();
                loop {
                    match customer.next().await {
                        Ok(frame) if frame["op"] == "closing" => farewells.push(frame),
                        Ok(_earlier) => {}
                        Err(code) => return (farewells, code),
                    }
                }
            };
            tokio::join!(scene.running.stop(), farewells)
        })
        .await;
    let (farewells, code) = farewells;
    assert!(stopped);
    assert_eq!(code, 1001);
    let topics: Vec<_> = farewells.iter().map(|frame| frame["topic"].as_str().unwrap()).collect();
    assert_eq!(topics, ["me", topic.as_str()]);
    assert!(farewells.iter().all(|frame| frame["cursor"].is_string()));
}
