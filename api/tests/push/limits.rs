//! What a socket may not do: take too much, say too much, or not listen.

use std::time::{Duration, Instant};

use holdfast_domain::actor::Role;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpSocket;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};

use super::scene::{Scene, Socket, error, person, refused};

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_hears_so_many_topics_and_a_caller_has_so_many_sockets() {
    let settings = [("subscriptions-per-socket-max", "2"), ("sockets-per-principal-max", "2")];
    let mut scene = Scene::open(&settings).await;
    let (first, _) = scene.book(person(2)).await;
    let (second, _) = scene.book(person(2)).await;
    let mut socket = scene.customer(2).await;
    socket.listen("me").await;
    socket.listen(&format!("reservation:{first}")).await;
    let more = format!("reservation:{second}");
    assert_eq!(socket.subscribe(&more, None).await, error("too_many_subscriptions", &more));
    socket.listen("me").await;
    socket.say(&json!({ "op": "unsubscribe", "topic": "me" })).await;
    socket.listen(&more).await;

    let _second = scene.customer(2).await;
    let token = scene.token(person(2), &[Role::Customer]);
    let bearer = format!("Bearer {token}");
    assert_eq!(refused(scene.knock("/v1/ws", &[("authorization", &bearer)]).await), 429);
    let mut late = scene.knock("/v1/ws", &[]).await.unwrap();
    late.say(&json!({ "op": "auth", "token": token })).await;
    assert_eq!(late.hear().await["code"], "too_many_sockets");
    assert_eq!(late.next().await, Err(1008));
    scene.customer(3).await.listen("me").await;
    assert!(scene.running.stop().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_understood_is_said_and_what_breaks_the_rules_ends_the_socket() {
    let scene = Scene::open(&[("socket-frame-bytes-max", "1024")]).await;
    let mut socket = scene.customer(2).await;
    for (text, code) in [
        ("{", "malformed_json"),
        (r#"{"op":"publish"}"#, "unknown_op"),
        (r#"{"op":"subscribe","topic":7}"#, "invalid_body"),
    ] {
        socket.send(Message::text(text)).await;
        assert_eq!(socket.hear().await, json!({ "op": "error", "code": code }));
    }
    socket.listen("me").await;

    let text = OpCode::Data(Data::Text);
    let part = |payload: Vec<u8>, code, last| {
        Message::Frame(Frame::message(payload, OpCode::Data(code), last))
    };
    for (messages, code) in [
        (vec![Message::binary(vec![1])], 1003),
        (vec![Message::Frame(Frame::message(vec![0xff, 0xfe], text, true))], 1007),
        (vec![Message::text("x".repeat(1025))], 1009),
        (
            vec![
                part(vec![b'x'; 800], Data::Text, false),
                part(vec![b'x'; 800], Data::Continue, true),
            ],
            1009,
        ),
        (vec![part(vec![b'x'], Data::Continue, true)], 1002),
    ] {
        let mut socket = scene.customer(2).await;
        for message in messages {
            socket.send(message).await;
        }
        assert_eq!(socket.next().await, Err(code));
    }
    assert!(scene.running.stop().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_who_says_too_much_is_closed() {
    let scene = Scene::open(&[("socket-messages-per-second-max", "5")]).await;
    let mut socket = scene.customer(2).await;
    for _ in 0..50 {
        // The node may have closed while this was being said.
        drop(futures_util::SinkExt::send(&mut socket.stream, Message::text("{}")).await);
    }
    let mut last = None;
    let code = loop {
        match socket.next().await {
            Ok(frame) => last = Some(frame),
            Err(code) => break code,
        }
    };
    assert_eq!(last.unwrap()["code"], "rate_limited");
    assert_eq!(code, 1008);
    assert!(scene.running.stop().await);
}

const DEAF: u64 = 20;
/// What a mailbox takes.
const WAITING_MAX: u64 = 512;

/// A socket of the provider with room for little that was not read.
async fn deaf(scene: &Scene) -> Socket {
    let small = TcpSocket::new_v4().unwrap();
    small.set_recv_buffer_size(2_048).unwrap();
    let stream = small.connect(scene.running.address()).await.unwrap();
    let bearer = format!("Bearer {}", scene.token(scene.provider, &[Role::Provider]));
    let headers = [("authorization", bearer.as_str())];
    let mut deaf = scene.knock_over(stream, "/v1/ws", &headers).await.unwrap();
    deaf.listen("me").await;
    deaf
}

/// One booking more, which the attentive one must hear of: the next two changes and no others.
/// Answers how many bytes that was.
async fn book_and_hear(scene: &mut Scene, attentive: &mut Socket) -> usize {
    let (reservation, _answer) = scene.book(person(2)).await;
    let mut told = 0;
    for status in ["held", "confirmed"] {
        let change = attentive.change().await;
        assert_eq!(change["key"], json!(reservation));
        assert_eq!(change["data"]["status"], status);
        told = change.to_string().len().saturating_add(told);
    }
    told
}

#[tokio::test(flavor = "multi_thread")]
async fn those_who_never_read_are_cut_off_and_nobody_else_notices() {
    let mut scene = Scene::open(&[("sockets-per-principal-max", "30")]).await;
    let mut sockets = Vec::new();
    for _ in 0..DEAF {
        sockets.push(deaf(&scene).await);
    }
    let mut attentive = scene.socket(scene.provider, &[Role::Provider]).await;
    attentive.listen("me").await;
    let metrics = scene.running.state().metrics.sockets.clone();
    let (started, mut told, mut most) = (Instant::now(), 0, 0);
    // Until the deaf ones are found out more happens than may wait for them.
    while metrics.open.get() > 1 {
        assert!(started.elapsed() < Duration::from_mins(1), "the deaf ones are still served");
        told += book_and_hear(&mut scene, &mut attentive).await;
        most = most.max(metrics.queued.get());
    }
    assert!(most <= (DEAF + 1) * WAITING_MAX, "{most}");
    assert_eq!((metrics.dropped.get(), metrics.resyncs.get()), (DEAF, 0));
    // What was on its way can still be read, and then the connection is at its end.
    for mut deaf in sockets {
        let stream = deaf.stream.get_mut();
        let (mut rest, mut piece) = (0, vec![0; 65_536]);
        loop {
            let read = tokio::time::timeout(Duration::from_secs(20), stream.read(&mut piece)).await;
            match read.expect("the connection was not cut") {
                Ok(0) | Err(_) => break,
                Ok(size) => rest += size,
            }
        }
        assert!(rest < told, "{rest} of {told}");
    }
    assert!(scene.running.stop().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_who_was_too_slow_and_reads_again_is_told_why() {
    let mut scene = Scene::open(&[]).await;
    let mut slow = deaf(&scene).await;
    let mut attentive = scene.socket(scene.provider, &[Role::Provider]).await;
    attentive.listen("me").await;
    let metrics = scene.running.state().metrics.sockets.clone();
    let started = Instant::now();
    while metrics.dropped.get() == 0 {
        assert!(started.elapsed() < Duration::from_mins(1), "the slow one is still served");
        book_and_hear(&mut scene, &mut attentive).await;
    }
    let code = loop {
        match slow.next().await {
            Ok(frame) => assert_eq!(frame["op"], "change"),
            Err(code) => break code,
        }
    };
    assert_eq!(code, 1013);
    assert!(scene.running.stop().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_nobody_reads_is_cut_off_though_nothing_more_happens() {
    let mut scene = Scene::open(&[]).await;
    let small = TcpSocket::new_v4().unwrap();
    small.set_recv_buffer_size(2_048).unwrap();
    let mut stream = small.connect(scene.running.address()).await.unwrap();
    let token = scene.token(scene.provider, &[Role::Provider]);
    let head = format!(
        "GET /v1/stream?topics=me HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {token}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let metrics = scene.running.state().metrics.sockets.clone();
    let started = Instant::now();
    while metrics.queued.get() < 100 {
        assert!(started.elapsed() < Duration::from_mins(1), "the stream takes everything");
        scene.book(person(2)).await;
    }
    let quiet = Instant::now();
    while metrics.open.get() > 0 {
        assert!(quiet.elapsed() < Duration::from_secs(20), "the stream is still served");
        // The passing of time is what is tested here.
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!((metrics.dropped.get(), metrics.queued.get()), (1, 0));
    assert!(scene.running.stop().await);
}
