//! Nothing that a caller can send makes a 5xx: bodies that are no JSON, fields that mean nothing,
//! ids and parameters of every shape. The routes come from the table of routes and what they take
//! from the API's description; a route without an example here fails the suite.

use holdfast_api::routes::{ROUTES, Row};
use holdfast_domain::actor::Role;
use holdfast_tests::answer::{Answer, text};
use holdfast_tests::caller::{Caller, krw};
use holdfast_tests::fixtures::{hours, slot_offering};
use holdfast_tests::world::{World, monday};
use reqwest::Method;
use serde_json::{Map, Value, json};

use crate::junk;
use crate::roles::path_of;

/// A request that is right in itself.
struct Example {
    method: Method,
    path: String,
    caller: Caller,
    body: Value,
}

impl Example {
    async fn raw(&self, kind: &str, body: impl Into<Vec<u8>>) -> Answer {
        let ask = self.caller.ask(self.method.clone(), &self.path);
        ask.key(&self.caller.fresh_key()).raw(kind, body).send().await
    }

    async fn json(&self, body: &Value) -> Answer {
        self.raw("application/json", body.to_string()).await
    }
}

/// An example for each route that takes a body.
async fn examples(world: &World) -> Vec<Example> {
    let (mentor, studio, customer) =
        (world.mentor().await, world.studio().await, world.customer(1));
    let held = customer.reserve(&mentor.o60, &monday("14:00")).await;
    let paid = customer.reserve(&mentor.o60, &monday("15:00")).await;
    customer.confirm(paid.created(), "sim_approve_1").await.ok();
    let doubted = customer.reserve(&mentor.o60, &monday("11:00")).await;
    customer.confirm(doubted.created(), "sim_amount_differs_1").await.refused(409, "under_review");
    let order = |booking: &Answer| text(&booking.body["payment"], "order_id");
    let seat = json!({
        "offering_id": mentor.o60, "starts_at": monday("16:00"), "party_size": 1,
        "ends_at": monday("17:00"), "payment_method": "card", "expected_total": krw(50_000),
    });
    let mut offering = slot_offering(&mentor.resource, 60, 50_000);
    let more = json!({
        "kind": "class", "approval": "instant", "capacity": 10, "min_notice_minutes": 1, "booking_window_days": 90,
        "booking_deadline_hours": 1, "hold_minutes": 10,
        "buffers": {"before_minutes": 0, "after_minutes": 10},
        "cancellation_policy": {"grace": null, "tiers": []},
    });
    offering.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let week = json!({
        "weekly": [hours("mon", "10:00", "18:00")],
        "overrides": [{"date": "2026-03-16", "hours": []}],
        "time_off": [{"start": "2026-03-23T00:00:00Z", "end": "2026-03-24T00:00:00Z"}],
    });
    let date = json!({
        "starts_at": "2026-03-15T12:00:00Z", "zone": "Asia/Seoul", "capacity": 4, "min_capacity": 1,
    });
    let cancellation = json!({"quote_id": null, "reason": "illness"});
    let pay = json!({"payment_key": "sim_decline_1", "amount": krw(50_000)});
    let quote = json!({"offering_id": mentor.o60, "starts_at": monday("16:00"), "party_size": 1});
    let example = |method: Method, path: String, caller: &Caller, body: Value| Example {
        method,
        path,
        caller: caller.clone(),
        body,
    };
    let (provider, post) = (&mentor.caller, Method::POST);
    let room = json!({"display_name": "M1", "zone": "Asia/Seoul", "capacity": 1});
    let booking = text(held.created(), "id");
    let schedule = format!("/v1/resources/{}/schedule", studio.resource);
    let sessions = format!("/v1/offerings/{}/sessions", studio.c1);
    let refunds = format!("/v1/payments/{}/refunds", order(&paid));
    let review = format!("/v1/payments/{}/resolve-review", order(&doubted));
    vec![
        example(post.clone(), "/v1/resources".to_owned(), provider, room),
        example(Method::PUT, schedule, &studio.caller, week),
        example(post.clone(), "/v1/offerings".to_owned(), provider, offering),
        example(post.clone(), sessions, &studio.caller, date),
        example(post.clone(), "/v1/quotes".to_owned(), &customer, quote),
        example(post.clone(), "/v1/reservations".to_owned(), &customer, seat),
        example(
            post.clone(),
            format!("/v1/reservations/{booking}/cancel"),
            &customer,
            cancellation,
        ),
        example(post.clone(), format!("/v1/payments/{}/confirm", order(&held)), &customer, pay),
        example(post.clone(), refunds, provider, json!({"amount": krw(1)})),
        example(post.clone(), review, &world.admin(), json!({"decision": "return"})),
        example(post, "/test/clock".to_owned(), &customer, json!({"advance_seconds": 0})),
    ]
}

/// Whether a path is one of a pattern.
fn fits(pattern: &str, path: &str) -> bool {
    let (pattern, path): (Vec<_>, Vec<_>) =
        (pattern.split('/').collect(), path.split('/').collect());
    let same = |(one, other): (&&str, &&str)| one.starts_with('{') || one == other;
    pattern.len() == path.len() && pattern.iter().zip(&path).all(same)
}

async fn described(world: &World, row: &Row) -> Value {
    let description = world.nobody().get("/openapi.json").await.ok().clone();
    description["paths"][row.path][row.method.to_lowercase()].clone()
}

/// Every route that takes a body has an example, and the examples are right: what is found wrong
/// below is what was made wrong.
#[tokio::test(flavor = "multi_thread")]
async fn each_route_with_a_body_has_an_example_that_is_accepted() {
    let world = World::new().await;
    let examples = examples(&world).await;
    world.rest().await;
    for row in ROUTES.iter().filter(|row| row.method != "GET") {
        let takes_a_body = described(&world, row).await["requestBody"].is_object();
        let has_one = examples.iter().any(|one| fits(row.path, &one.path));
        assert_eq!(takes_a_body, has_one, "{} {}", row.method, row.path);
    }
    for example in &examples {
        let answer = example.json(&example.body).await;
        let accepted = answer.status < 300 || answer.code() == "payment_declined";
        let gone = ["hold_expired", "invalid_state"].contains(&answer.code());
        assert!(accepted || gone, "{} answered {}", answer.asked, answer.text());
    }
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_not_one_json_object_is_malformed_on_each_route() {
    let world = World::new().await;
    for example in examples(&world).await {
        for body in junk::malformed() {
            let optional = example.path.ends_with("/cancel") && body.is_empty();
            if !optional {
                let answer = example.raw("application/json", body.clone()).await;
                let shown = String::from_utf8_lossy(&body).chars().take(40).collect::<String>();
                assert_eq!(answer.status, 400, "{} {shown}: {}", answer.asked, answer.text());
                let codes = ["malformed_json", "duplicate_key", "too_deep"];
                assert!(codes.contains(&answer.code()), "{shown}: {}", answer.text());
            }
        }
        for kind in junk::CONTENT_TYPES {
            let answer = example.raw(kind, example.body.to_string()).await;
            answer.refused(415, "unsupported_media_type");
        }
        let large = format!("{{\"a\":\"{}\"}}", "x".repeat(65_536));
        example.raw("application/json", large).await.refused(413, "payload_too_large");
    }
    world.close().await;
}

/// Fields that belong to the engine, and fields that nobody knows.
#[tokio::test(flavor = "multi_thread")]
async fn a_field_that_is_not_asked_for_is_refused_and_pointed_to_on_each_route() {
    let world = World::new().await;
    for example in examples(&world).await {
        for field in
            ["status", "owner_id", "amount_captured", "version", "role", "__proto__", "a/b"]
        {
            let mut body = example.body.clone();
            body[field] = json!("x");
            let answer = example.json(&body).await;
            let problem = answer.refused(422, "invalid_body");
            let pointer = format!("/{}", field.replace('/', "~1"));
            assert_eq!(problem["errors"][0]["pointer"], pointer, "{}", answer.asked);
            assert_eq!(problem["errors"][0]["code"], "unknown_field");
        }
    }
    world.close().await;
}

/// Puts `junk` in the place of each field, at any depth.
fn spoiled(body: &Value, junk: &Value) -> Vec<Value> {
    let mut all = Vec::new();
    if let Some(fields) = body.as_object() {
        for (name, field) in fields {
            let mut with = |value: Value| {
                let mut fields: Map<_, _> = fields.clone();
                fields.insert(name.clone(), value);
                all.push(Value::Object(fields));
            };
            with(junk.clone());
            spoiled(field, junk).into_iter().for_each(with);
        }
    }
    if let Some(items) = body.as_array() {
        all.extend(items.iter().flat_map(|item| spoiled(item, junk)).map(|item| json!([item])));
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn no_value_in_no_field_makes_a_failure() {
    let world = World::new().await;
    let mut requests = 0_usize;
    for example in examples(&world).await {
        for value in junk::values() {
            for body in spoiled(&example.body, &value) {
                if example.path == "/test/clock" && value.as_u64().is_some_and(|jump| jump > 1) {
                    // A clock that jumps by a century moves everything else out of reach.
                    continue;
                }
                let answer = example.json(&body).await;
                requests = requests.saturating_add(1);
                assert!(answer.status < 500, "{} {body}: {}", answer.asked, answer.text());
                if answer.status >= 400 {
                    answer.refused(answer.status, answer.code());
                }
            }
        }
    }
    assert!(requests > 1_000, "only {requests}");
    println!("{requests} spoiled bodies");
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_id_in_no_path_makes_a_failure() {
    let world = World::new().await;
    let everybody = world.caller(&Role::ALL, 5);
    for row in
        ROUTES.iter().filter(|row| row.path.contains("{id}") || row.path.contains("{stream}"))
    {
        for id in junk::IDS {
            let path = row.path.replace("{id}", id).replace("{stream}", id);
            let ask = everybody.ask(row.method.parse().unwrap(), &path).key("k");
            let ask = if row.method == "GET" { ask } else { ask.json(&json!({})) };
            let answer = ask.send().await;
            let right = [400, 404, 405, 422].contains(&answer.status);
            assert!(right, "{} answered {}", answer.asked, answer.text());
        }
    }
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_parameter_of_no_query_makes_a_failure() {
    let world = World::new().await;
    world.mentor().await;
    let everybody = world.caller(&Role::ALL, 5);
    for row in ROUTES.iter().filter(|row| row.method == "GET" && row.described) {
        let operation = described(&world, row).await;
        let parameters = operation["parameters"].as_array().into_iter().flatten();
        let names = parameters.filter(|one| one["in"] == "query").map(|one| text(one, "name"));
        for name in names.chain(["nonsense".to_owned(), "limit".to_owned()]) {
            for value in junk::PARAMETERS {
                let path = format!("{}?{name}={value}", path_of(row));
                let answer = everybody.get(&path).await;
                let behind = answer.code() == "read_model_behind";
                assert!(answer.status < 500 || behind, "{path} answered {}", answer.text());
            }
        }
    }
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_parameter_that_is_not_asked_for_is_refused_on_each_route() {
    let world = World::new().await;
    let everybody = world.caller(&Role::ALL, 5);
    for row in ROUTES.iter().filter(|row| row.path.starts_with("/v1/")) {
        let path = format!("{}?nonsense=1", path_of(row));
        let ask = everybody.ask(row.method.parse().unwrap(), &path).key("k");
        let ask = if row.method == "GET" { ask } else { ask.json(&json!({})) };
        ask.send().await.refused(400, "invalid_query");
    }
    world.close().await;
}
