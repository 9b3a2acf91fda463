//! Somebody else's things do not exist: the answer to a foreign id is the answer to an absent one.

use holdfast_tests::answer::{Answer, text};
use holdfast_tests::caller::{Caller, krw};
use holdfast_tests::fixtures::slot_offering;
use holdfast_tests::world::{World, monday};
use reqwest::Method;
use serde_json::{Value, json};

const ABSENT: &str = "018f2a10-7c5e-7000-8fff-ffffffffffff";

/// What a problem says, without the names of the request itself.
fn said(answer: &Answer) -> (u16, Value) {
    let mut body = answer.body.clone();
    let fields = body.as_object_mut().unwrap();
    fields.remove("instance");
    fields.remove("request_id");
    (answer.status, body)
}

struct Things {
    caller: Caller,
    method: Method,
    pattern: &'static str,
    id: String,
    body: Value,
}

async fn send(thing: &Things, id: &str) -> Answer {
    let path = thing.pattern.replace("{id}", id);
    let ask = thing.caller.ask(thing.method.clone(), &path).key(&format!("{id}-{path}"));
    if thing.body.is_null() { ask.send().await } else { ask.json(&thing.body).send().await }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_id_is_answered_like_an_absent_one() {
    let world = World::new().await;
    let (mentor, studio, owner) = (world.mentor().await, world.studio().await, world.customer(1));
    let held = owner.reserve(&mentor.o60, &monday("14:00")).await;
    owner.confirm(held.created(), "sim_approve_1").await.ok();
    let (booking, order) = (text(&held.body, "id"), text(&held.body["payment"], "order_id"));
    let draft = slot_offering(&mentor.resource, 60, 1_000);
    let draft = text(mentor.caller.post("/v1/offerings", &draft).await.created(), "id");
    world.rest().await;
    let before = world.head().await;
    let (stranger, rival) = (world.customer(2), studio.caller.clone());
    let thing = |caller: &Caller, method, pattern, id: &str, body| Things {
        caller: caller.clone(),
        method,
        pattern,
        id: id.to_owned(),
        body,
    };
    let (get, post, none) = (Method::GET, Method::POST, Value::Null);
    let week = json!({"weekly": []});
    let date = json!({"starts_at": "2026-03-15T12:00:00Z", "zone": "Asia/Seoul"});
    let pay = json!({"payment_key": "sim_approve_9", "amount": krw(50_000)});
    let part = json!({"amount": krw(1)});
    let things = [
        thing(&stranger, get.clone(), "/v1/reservations/{id}", &booking, none.clone()),
        thing(&rival, get.clone(), "/v1/reservations/{id}", &booking, none.clone()),
        thing(&stranger, get.clone(), "/v1/payments/{id}", &order, none.clone()),
        thing(&rival, get.clone(), "/v1/payments/{id}", &order, none.clone()),
        thing(&rival, get.clone(), "/v1/resources/{id}/calendar", &mentor.resource, none.clone()),
        thing(&stranger, get.clone(), "/v1/offerings/{id}", &draft, none.clone()),
        thing(&rival, get.clone(), "/v1/offerings/{id}/sessions", &draft, none.clone()),
        thing(&stranger, post.clone(), "/v1/reservations/{id}/cancel", &booking, none.clone()),
        thing(&rival, post.clone(), "/v1/reservations/{id}/cancel", &booking, none.clone()),
        thing(
            &stranger,
            post.clone(),
            "/v1/reservations/{id}/cancellation-quote",
            &booking,
            none.clone(),
        ),
        thing(&stranger, post.clone(), "/v1/payments/{id}/confirm", &order, pay),
        thing(&rival, post.clone(), "/v1/payments/{id}/refunds", &order, part),
        thing(&rival, post.clone(), "/v1/offerings/{id}/publish", &mentor.o60, none.clone()),
        thing(&rival, post.clone(), "/v1/offerings/{id}/pause", &mentor.o60, none.clone()),
        thing(&rival, post.clone(), "/v1/offerings/{id}/sessions", &mentor.o60, date),
        thing(&rival, Method::PUT, "/v1/resources/{id}/schedule", &mentor.resource, week),
    ];
    for thing in &things {
        let foreign = send(thing, &thing.id).await;
        foreign.refused(404, "not_found");
        let absent = send(thing, ABSENT).await;
        assert_eq!(said(&foreign), said(&absent), "{}", foreign.asked);
        assert_eq!(foreign.header("etag"), absent.header("etag"), "{}", foreign.asked);
    }
    assert_eq!(world.head().await, before, "nothing was written");
    // The same ids mean something to those whose they are.
    owner.get(&format!("/v1/reservations/{booking}")).await.ok();
    mentor.caller.get(&format!("/v1/payments/{order}")).await.ok();
    mentor.caller.get(&format!("/v1/offerings/{draft}")).await.ok();
    for office in [world.auditor(), world.admin()] {
        office.get(&format!("/v1/reservations/{booking}")).await.ok();
        office.get(&format!("/v1/payments/{order}")).await.ok();
    }
    world.close().await;
}

/// Lists show one's own.
#[tokio::test(flavor = "multi_thread")]
async fn a_list_shows_ones_own_and_those_of_ones_customers() {
    let world = World::new().await;
    let (mentor, studio) = (world.mentor().await, world.studio().await);
    let (one, other) = (world.customer(1), world.customer(2));
    one.reserve(&mentor.o60, &monday("14:00")).await.created();
    other.reserve(&mentor.o60, &monday("15:00")).await.created();
    other.reserve_seats(&studio.s1, 1).await.created();
    let count = async |caller: &Caller| {
        caller.see("/v1/reservations").await.ok()["items"].as_array().unwrap().len()
    };
    assert_eq!(count(&one).await, 1);
    assert_eq!(count(&other).await, 2);
    assert_eq!(count(&mentor.caller).await, 2);
    assert_eq!(count(&studio.caller).await, 1);
    assert_eq!(count(&world.customer(3)).await, 0);
    assert_eq!(count(&world.admin()).await, 3);
    world.close().await;
}
