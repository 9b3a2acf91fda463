//! Server-sent events: the same feed for those whose networks drop the upgrade.

use std::time::Duration;

use holdfast_domain::actor::Role;
use holdfast_domain::ids::PrincipalId;
use reqwest::{Client, Response};
use serde_json::Value;

use super::scene::{Scene, person};

/// One block of a stream.
#[derive(Debug, Default)]
struct Block {
    id: Option<String>,
    event: Option<String>,
    data: Value,
}

struct Stream {
    response: Response,
    text: String,
}

impl Stream {
    async fn next(&mut self) -> Option<Block> {
        loop {
            if let Some((block, rest)) = self.text.split_once("\n\n") {
                let mut read = Block::default();
                for line in block.lines() {
                    match line.split_once(": ") {
                        Some(("id", id)) => read.id = Some(id.to_owned()),
                        Some(("event", event)) => read.event = Some(event.to_owned()),
                        Some(("data", data)) => read.data = serde_json::from_str(data).unwrap(),
                        other => assert_eq!((other, line), (None, ":")),
                    }
                }
                self.text = rest.to_owned();
                return Some(read);
            }
            let chunk = tokio::time::timeout(Duration::from_secs(20), self.response.chunk());
            let chunk = chunk.await.expect("nothing came").ok()??;
            self.text.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    }

    /// The next event; greetings only tell an id.
    async fn event(&mut self) -> Block {
        loop {
            let block = self.next().await.expect("the stream has ended");
            if block.event.is_some() {
                return block;
            }
        }
    }
}

impl Scene {
    async fn ask(&self, who: PrincipalId, roles: &[Role], query: &str, last: &str) -> Response {
        let url = format!("http://{}/v1/stream?{query}", self.running.address());
        let request = Client::new().get(url).bearer_auth(self.token(who, roles));
        let request = if last.is_empty() { request } else { request.header("last-event-id", last) };
        request.send().await.unwrap()
    }

    async fn stream(&self, who: PrincipalId, roles: &[Role], query: &str, last: &str) -> Stream {
        let response = self.ask(who, roles, query, last).await;
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Stream { response, text: String::new() }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_goes_on_after_the_last_event_of_all_its_topics() {
    let mut scene = Scene::on(&[]).await;
    let slots = format!("offering:{}:slots", scene.offering);
    let (query, customer) = (format!("topics=me,{slots}"), [Role::Customer]);
    let mut stream = scene.stream(person(2), &customer, &query, "").await;
    let greeting = stream.next().await.unwrap().id.expect("where to come back");
    scene.book(person(2)).await;
    let mut heard = Vec::new();
    let mut last = String::new();
    // Held, confirmed, and the date whose free times changed.
    while heard.iter().filter(|topic| *topic == "me").count() < 2 {
        let block = stream.event().await;
        assert_eq!(block.event.as_deref(), Some("change"));
        heard.push(block.data["topic"].as_str().unwrap().to_owned());
        last = block.id.unwrap();
    }
    assert!(heard.contains(&slots), "{heard:?}");
    drop(stream);
    let (missed, _answer) = scene.book(person(2)).await;
    let mut back = scene.stream(person(2), &customer, &query, &last).await;
    loop {
        let block = back.event().await;
        if block.data["topic"] == "me" {
            assert_eq!(block.data["key"], missed.to_string());
            assert_eq!(block.data["data"]["status"], "held");
            break;
        }
    }
    // From the greeting everything comes again; the order of the topics does not matter.
    let query = format!("topics={slots},me");
    let mut again = scene.stream(person(2), &customer, &query, &greeting).await;
    let mut bookings = Vec::new();
    while bookings.len() < 4 {
        let block = again.event().await;
        if block.data["topic"] == "me" {
            bookings.push(block.data["key"].as_str().unwrap().to_owned());
        }
    }
    assert_eq!(bookings[2..], [missed.to_string(), missed.to_string()]);
    assert!(scene.running.stop().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_lives_longer_than_a_handler_may_and_ends_with_the_node() {
    let mut scene = Scene::open(&[("handler-seconds-max", "1")]).await;
    let mut stream = scene.stream(person(2), &[Role::Customer], "topics=me", "").await;
    assert!(stream.next().await.unwrap().id.is_some());
    // The passing of time is what is tested here.
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    let (booked, _answer) = scene.book(person(2)).await;
    assert_eq!(stream.event().await.data["key"], booked.to_string());
    assert!(scene.running.stop().await);
    while let Some(block) = stream.next().await {
        assert_eq!(block.data["topic"], "me");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rules_of_a_stream_are_those_of_a_socket() {
    let scene = Scene::open(&[("sockets-per-principal-max", "1")]).await;
    let customer = [Role::Customer];
    for (query, last, status, code) in [
        ("topics=events", "", 403, "forbidden"),
        ("topics=me,projections", "", 403, "forbidden"),
        ("topics=nothing", "", 400, "unknown_topic"),
        ("topics=", "", 400, "unknown_topic"),
        ("", "", 400, "invalid_query"),
        ("topics=me&token=x", "", 400, "invalid_query"),
        ("topics=me&type=reservation.", "", 422, "invalid_body"),
        ("topics=me", "7", 400, "bad_cursor"),
    ] {
        let answer = scene.ask(person(2), &customer, query, last).await;
        assert_eq!(answer.status().as_u16(), status, "{query}");
        let problem: Value = answer.json().await.unwrap();
        assert_eq!(problem["code"], code, "{query}");
    }
    let anonymous = format!("http://{}/v1/stream?topics=me", scene.running.address());
    assert_eq!(reqwest::get(anonymous).await.unwrap().status(), 401);
    let _open = scene.stream(person(2), &customer, "topics=me", "").await;
    assert_eq!(scene.ask(person(2), &customer, "topics=me", "").await.status(), 429);
    assert!(scene.running.stop().await);
}
