//! Who may open a socket, and who may hear what.

use std::time::Duration;

use holdfast_commands::catalog::OpenOffering;
use holdfast_domain::actor::Role;
use serde_json::json;

use super::scene::{Scene, error, person, refused};

#[tokio::test(flavor = "multi_thread")]
async fn a_token_comes_in_the_header_or_in_the_first_message() {
    let scene = Scene::open(&[("cors-origins", "https://shop.example")]).await;
    let token = scene.token(person(2), &[Role::Customer]);
    let bearer = format!("Bearer {token}");
    scene.customer(2).await.listen("me").await;

    let mut socket = scene.knock("/v1/ws", &[]).await.unwrap();
    socket.say(&json!({ "op": "auth", "token": token })).await;
    socket.listen("me").await;

    let mut socket = scene.knock("/v1/ws", &[]).await.unwrap();
    let others = scene.token(person(3), &[Role::Customer]);
    let (message, signature) =
        (token.rsplit_once('.').unwrap().0, others.rsplit_once('.').unwrap().1);
    socket.say(&json!({ "op": "auth", "token": format!("{message}.{signature}") })).await;
    assert_eq!(socket.hear().await["code"], "token_signature");
    assert_eq!(socket.next().await, Err(4401));

    let mut socket = scene.knock("/v1/ws", &[]).await.unwrap();
    socket.say(&json!({ "op": "subscribe", "topic": "me" })).await;
    assert_eq!(socket.hear().await["code"], "token_missing");
    assert_eq!(socket.next().await, Err(4401));

    let none = scene.token(person(2), &[]);
    let mut socket = scene.knock("/v1/ws", &[]).await.unwrap();
    socket.say(&json!({ "op": "auth", "token": none })).await;
    assert_eq!(socket.hear().await["code"], "forbidden");
    assert_eq!(socket.next().await, Err(1008), "the token itself is good");

    for (path, header, status) in [
        ("/v1/ws", ("authorization", "Bearer x.y.z"), 401),
        ("/v1/ws", ("authorization", "Basic eDp5"), 401),
        ("/v1/ws", ("authorization", format!("Bearer {none}").as_str()), 403),
        ("/v1/ws?token=x", ("authorization", bearer.as_str()), 400),
        ("/v1/ws", ("sec-websocket-protocol", "graphql-ws"), 400),
        ("/v1/ws", ("origin", "https://evil.example"), 403),
        ("/v1/ws", ("origin", "null"), 403),
        ("/v1/ws", ("origin", "https://shop.example"), 101),
    ] {
        assert_eq!(refused(scene.knock(path, &[header]).await), status, "{path} {header:?}");
    }
    let asked = [("authorization", bearer.as_str()), ("sec-websocket-protocol", "holdfast.v1")];
    scene.knock("/v1/ws", &asked).await.unwrap().listen("me").await;
    let plain = reqwest::get(format!("http://{}/v1/ws", scene.running.address())).await.unwrap();
    assert_eq!(plain.status(), 400);
    assert!(scene.running.stop().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_who_does_not_say_who_she_is_is_closed() {
    let scene = Scene::open(&[]).await;
    let mut socket = scene.knock("/v1/ws", &[]).await.unwrap();
    assert_eq!(socket.next().await, Err(4401));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_that_is_not_ones_own_is_forbidden_whether_it_exists_or_not() {
    let mut scene = Scene::open(&[]).await;
    let (reservation, _answer) = scene.book(person(2)).await;
    let nothing = person(9);
    let calendar = format!("resource:{}:calendar", scene.resource);
    let slots = format!("offering:{}:slots", scene.offering);
    let booking = format!("reservation:{reservation}");

    let mut stranger = scene.customer(3).await;
    for topic in [
        booking.clone(),
        format!("reservation:{nothing}"),
        calendar.clone(),
        format!("resource:{nothing}:calendar"),
        format!("offering:{nothing}:slots"),
        "projections".to_owned(),
        "events".to_owned(),
    ] {
        assert_eq!(stranger.subscribe(&topic, None).await, error("forbidden", &topic));
    }
    for topic in [format!("me:{}", person(3)), "reservation:x".to_owned(), String::new()] {
        assert_eq!(stranger.subscribe(&topic, None).await, error("unknown_topic", &topic));
    }
    stranger.listen("me").await;
    stranger.listen(&slots).await;

    let mut customer = scene.customer(2).await;
    customer.listen(&booking).await;
    assert_eq!(customer.subscribe(&calendar, None).await, error("forbidden", &calendar));
    let mut provider = scene.socket(scene.provider, &[Role::Provider]).await;
    for topic in [&booking, &calendar, &slots] {
        provider.listen(topic).await;
    }
    for role in [Role::Auditor, Role::Admin] {
        let mut overseer = scene.socket(person(4), &[role]).await;
        overseer.listen(&booking).await;
        overseer.listen(&calendar).await;
        overseer.listen("events").await;
    }
    assert!(scene.running.stop().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_offering_is_its_providers_alone_and_a_lost_right_ends_the_topic() {
    let scene = Scene::open(&[]).await;
    let slots = format!("offering:{}:slots", scene.offering);
    let mut listening = scene.customer(2).await;
    listening.listen(&slots).await;
    let (offering, by) = (scene.offering, scene.provider);
    scene.act(OpenOffering { offering, by, open: false }).await;
    assert_eq!(listening.change().await["topic"], json!(slots));
    let mut late = scene.customer(3).await;
    assert_eq!(late.subscribe(&slots, None).await, error("forbidden", &slots));
    scene.socket(scene.provider, &[Role::Provider]).await.listen(&slots).await;
    // A fresh token is an occasion to look at the rights again.
    let token = scene.token(person(2), &[Role::Customer]);
    listening.say(&json!({ "op": "auth", "token": token })).await;
    assert_eq!(listening.hear().await, error("forbidden", &slots));
    assert!(scene.running.stop().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_ends_with_its_token_unless_it_gets_a_fresh_one() {
    let scene = Scene::open(&[]).await;
    let short = scene.short_token(person(2), &[Role::Customer], Duration::from_secs(2));
    let bearer = format!("Bearer {short}");
    let headers = [("authorization", bearer.as_str())];
    let mut ends = scene.knock("/v1/ws", &headers).await.unwrap();
    let mut goes_on = scene.knock("/v1/ws", &headers).await.unwrap();
    let mut stolen = scene.knock("/v1/ws", &headers).await.unwrap();
    let fresh = scene.token(person(2), &[Role::Customer]);
    goes_on.say(&json!({ "op": "auth", "token": fresh })).await;
    let others = scene.token(person(3), &[Role::Customer]);
    stolen.say(&json!({ "op": "auth", "token": others })).await;
    assert_eq!(stolen.next().await, Err(1008));
    // One that is not believed takes nothing away from the one that is.
    goes_on.say(&json!({ "op": "auth", "token": "x.y.z" })).await;
    assert_eq!(goes_on.hear().await["code"], "token_malformed");
    assert_eq!(ends.hear().await["code"], "token_expired");
    assert_eq!(ends.next().await, Err(4401));
    goes_on.listen("me").await;
    assert!(scene.running.stop().await);
}
