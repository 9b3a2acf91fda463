//! What is offered: prices before anything is taken, long lists of free starts, and commands that
//! take no body.

use holdfast_tests::caller::krw;
use holdfast_tests::fixtures::{hours, slot_offering};
use holdfast_tests::world::{World, monday};
use reqwest::Method;
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn a_price_is_named_only_for_what_could_be_had() {
    let world = World::new().await;
    let (mentor, studio) = (world.mentor().await, world.studio().await);
    let customer = world.customer(1);
    let start = monday("14:00");
    // Prices are read from the views.
    studio.caller.see("/v1/offerings").await.ok();
    let ask = async |wanted| customer.post("/v1/quotes", &wanted).await;
    let slot = json!({"offering_id": mentor.o60, "starts_at": start});
    assert_eq!(ask(slot).await.ok()["total"], krw(50_000));
    let class = &studio.s1;
    let seats = |session: &str, party: u32| json!({"offering_id": class.offering, "session_id": session, "party_size": party});
    assert_eq!(ask(seats(&class.session, 2)).await.ok()["total"], krw(80_000));

    ask(seats(&mentor.o60, 1)).await.refused(404, "not_found");
    let elsewhere = json!({"offering_id": mentor.o60, "session_id": class.session});
    ask(elsewhere).await.refused(409, "wrong_kind");
    let other = json!({
        "resource_id": studio.resource, "title": "C2", "kind": "class",
        "duration_minutes": 90, "price": krw(90_000),
    });
    let other = studio.caller.offers(&other).await;
    studio.caller.see("/v1/offerings").await.ok();
    let another = json!({"offering_id": other, "session_id": class.session});
    ask(another).await.refused(409, "session_not_in_offer");
    let timed = json!({"offering_id": class.offering, "starts_at": start});
    ask(timed).await.refused(409, "wrong_kind");
    ask(seats(&class.session, 11)).await.refused(409, "capacity_exceeded");
    let two = json!({"offering_id": mentor.o60, "starts_at": start, "party_size": 2});
    ask(two).await.refused(409, "capacity_exceeded");
    let path = format!("/v1/offerings/{}/pause", mentor.o60);
    mentor.caller.bid(&path).await.ok();
    let paused = json!({"offering_id": mentor.o60, "starts_at": start});
    mentor.caller.see("/v1/offerings").await.ok();
    mentor.caller.post("/v1/quotes", &paused).await.refused(409, "offer_not_open");
    world.close().await;
}

/// Nothing may look sold out only because the list is long.
#[tokio::test(flavor = "multi_thread")]
async fn free_starts_beyond_the_longest_list_are_found_where_it_says() {
    let world = World::new().await;
    let provider = world.provider(1);
    let days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
    let weekly: Vec<_> = days.iter().map(|day| hours(day, "00:00", "23:59")).collect();
    let resource = provider.opens("UTC", &weekly).await;
    let offering = provider.offers(&slot_offering(&resource, 15, 1_000)).await;
    let customer = world.customer(1);
    let page = async |from: &str| {
        let span = format!("from={from}&to=2026-04-08T00:00:00Z");
        customer.see(&format!("/v1/offerings/{offering}/slots?{span}")).await.ok().clone()
    };
    let starts = |page: &serde_json::Value| -> Vec<String> {
        let items = page["items"].as_array().unwrap();
        items.iter().map(|item| item["starts_at"].as_str().unwrap().to_owned()).collect()
    };
    let first = page("2026-03-10T00:00:00Z").await;
    let next = first["next_from"].as_str().expect("there are more").to_owned();
    let rest = page(&next).await;
    assert!(rest.get("next_from").is_none());
    let (mut all, rest) = (starts(&first), starts(&rest));
    assert_eq!((all.len(), rest.first()), (2_000, Some(&next)));
    all.extend(rest);
    assert_eq!(all.len(), 29 * 95, "29 days of quarters of an hour");
    all.dedup();
    assert_eq!(all.len(), 29 * 95, "each of them once");
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_without_a_body_refuses_one_and_a_card_may_be_named() {
    let world = World::new().await;
    let mentor = world.mentor().await;
    let path = format!("/v1/offerings/{}/pause", mentor.o60);
    let pause = || mentor.caller.ask(Method::POST, &path).key("pause");
    pause().json(&json!({"for": "ever"})).send().await.refused(422, "invalid_body");
    pause().json(&json!({})).send().await.ok();
    pause().send().await.refused(422, "idempotency_key_reused");

    let mut offering = slot_offering(&mentor.resource, 60, 50_000);
    let draft = async |offering: &_| mentor.caller.post("/v1/offerings", offering).await;
    for (methods, accepted) in
        [(json!(["card"]), true), (json!([]), false), (json!(["cash"]), false)]
    {
        offering["payment_methods"] = methods;
        let answer = draft(&offering).await;
        if accepted {
            answer.created();
        } else {
            answer.refused(422, "invalid_body");
        }
    }
    world.close().await;
}
