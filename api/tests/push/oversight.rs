//! What auditors and operators hear: every event, and how far the views are.

use holdfast_domain::actor::Role;
use serde_json::{Value, json};

use super::scene::{Scene, person};

#[tokio::test(flavor = "multi_thread")]
async fn an_auditor_hears_every_event_as_it_is_stored_and_goes_on_where_she_was() {
    let mut scene = Scene::on(&[]).await;
    let mut auditor = scene.socket(person(4), &[Role::Auditor]).await;
    auditor.listen("events").await;
    let (reservation, answer) = scene.book(person(2)).await;
    let mut names = Vec::new();
    let mut last = Value::Null;
    while last["position"] != json!(answer.position) {
        last = auditor.change().await;
        names.push(last["data"]["type"].as_str().unwrap().to_owned());
    }
    let expected = [
        "calendar.hold_placed",
        "reservation.requested",
        "calendar.hold_converted",
        "reservation.confirmed",
    ];
    names.sort();
    let mut sorted = expected.to_vec();
    sorted.sort_unstable();
    assert_eq!(names, sorted);
    assert!(last["data"]["metadata"]["command_id"].is_string() && last["data"]["data"].is_object());
    let cursor = last["cursor"].as_str().unwrap().to_owned();
    drop(auditor);
    // While she was away: two bookings. She wants one stream of them only.
    let (other, _answer) = scene.book(person(3)).await;
    let stream = format!("reservation-{other}");
    scene.book(person(2)).await;
    let mut auditor = scene.socket(person(4), &[Role::Auditor]).await;
    let ask = json!({
        "op": "subscribe", "topic": "events", "from": cursor, "type": "reservation.",
        "stream": stream,
    });
    auditor.say(&ask).await;
    assert_eq!(auditor.hear().await["op"], "subscribed");
    for name in ["reservation.requested", "reservation.confirmed"] {
        let heard = auditor.change().await;
        assert_eq!((&heard["data"]["type"], &heard["key"]), (&json!(name), &json!(stream)));
    }
    assert_ne!(reservation, other);
    auditor.say(&json!({ "op": "ping" })).await;
    assert_eq!(auditor.hear().await["op"], "pong", "nothing of the third booking");
    assert!(scene.running.stop().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_hears_how_far_the_views_are() {
    let mut scene = Scene::open(&[]).await;
    let mut operator = scene.socket(person(5), &[Role::Admin]).await;
    operator.listen("projections").await;
    let first = operator.change().await;
    assert_eq!(first["key"], "views");
    let (_, answer) = scene.book(person(2)).await;
    loop {
        let heard = operator.change().await;
        let position = heard["data"]["position"].as_u64().unwrap();
        assert!(heard["data"]["lag"].is_u64() && heard["data"]["halted"].is_null());
        if position >= answer.position.0 {
            break;
        }
    }
    assert!(scene.running.stop().await);
}
