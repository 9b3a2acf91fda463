//! The contract, frozen: what a client relies on changes in a snapshot that somebody has to accept,
//! or not at all. Words may change; names, fields and codes may not.

use std::collections::BTreeMap;

use holdfast_api::routes::{Access, ROUTES, Row};
use holdfast_domain::actor::Role;
use holdfast_tests::answer::text;
use holdfast_tests::fixtures::{hours, slot_offering};
use holdfast_tests::world::{World, monday};
use insta::assert_json_snapshot;
use serde_json::{Map, Value, json};

/// A schema in one line: what it is, not what it means.
fn short(schema: &Value) -> String {
    if let Some(name) = schema["$ref"].as_str() {
        return name.rsplit('/').next().unwrap().to_owned();
    }
    for several in ["oneOf", "anyOf", "allOf"] {
        if let Some(choices) = schema[several].as_array() {
            return choices.iter().map(short).collect::<Vec<_>>().join(" | ");
        }
    }
    if let Some(names) = schema["enum"].as_array() {
        return names.iter().map(Value::to_string).collect::<Vec<_>>().join(" | ");
    }
    let kind = match &schema["type"] {
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect::<Vec<_>>().join("?"),
        Value::String(kind) => kind.clone(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => "any".to_owned(),
    };
    let inner = ["items", "additionalProperties"].into_iter().find(|name| schema[name].is_object());
    let inner = inner.map(|name| format!(" of {}", short(&schema[name]))).unwrap_or_default();
    let format = schema["format"].as_str().map(|format| format!(" {format}")).unwrap_or_default();
    format!("{kind}{format}{inner}")
}

/// The fields of a schema; one that may be missing ends with a question mark.
fn fields(schema: &Value) -> Value {
    let Some(properties) = schema["properties"].as_object() else { return json!(short(schema)) };
    let required: Vec<_> = schema["required"].as_array().into_iter().flatten().collect();
    let field = |(name, property): (&String, &Value)| {
        let needed = if required.iter().any(|one| **one == **name) { "" } else { "?" };
        (format!("{name}{needed}"), json!(short(property)))
    };
    properties.iter().map(field).collect::<Map<_, _>>().into()
}

/// An operation in one line: its parameters, its body, its answers.
fn operation(operation: &Value) -> Value {
    let parameters: Vec<_> = operation["parameters"].as_array().into_iter().flatten().collect();
    let parameter = |one: &&Value| {
        let needed = if one["required"] == true { "" } else { "?" };
        format!("{} {}{needed}", text(one, "in"), text(one, "name"))
    };
    let schema = |content: &Value| content.pointer("/content/application~1json/schema").map(short);
    let answers: BTreeMap<_, _> = operation["responses"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(status, answer)| (status, schema(answer)))
        .collect();
    json!({
        "parameters": parameters.iter().map(parameter).collect::<Vec<_>>(),
        "body": schema(&operation["requestBody"]),
        "answers": answers,
        "needs a token": operation["security"].is_array(),
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn the_description_keeps_its_paths_parameters_and_fields() {
    let world = World::new().await;
    let description = world.nobody().get("/openapi.json").await.ok().clone();
    let mut operations = BTreeMap::new();
    for (path, item) in description["paths"].as_object().unwrap() {
        for (method, one) in item.as_object().unwrap() {
            operations.insert(format!("{} {path}", method.to_uppercase()), operation(one));
        }
    }
    assert_json_snapshot!("operations", operations);
    let schemas = description["components"]["schemas"].as_object().unwrap();
    let schemas: BTreeMap<_, _> = schemas.iter().map(|(name, one)| (name, fields(one))).collect();
    assert_json_snapshot!("schemas", schemas);
    world.close().await;
}

/// The matrix of `roles` follows the table; this is what the table itself says.
#[test]
fn the_table_of_routes_keeps_who_may_call_what() {
    let row = |row: &Row| {
        let who = match row.access {
            Access::Public => "anyone".to_owned(),
            Access::Roles(roles) => named(roles),
            Access::LocalOr(roles) => format!("this machine, {}", named(roles)),
        };
        let things = format!("{:?}", row.ownership).to_lowercase();
        (format!("{} {}", row.method, row.path), format!("{who}; things of: {things}"))
    };
    assert_json_snapshot!("routes", ROUTES.iter().map(row).collect::<BTreeMap<_, _>>());
}

fn named(roles: &[Role]) -> String {
    roles.iter().map(|role| role.name()).collect::<Vec<_>>().join(", ")
}

/// Names that are made anew on each run become numbers in the order in which they appear, and
/// instants that the clock's own running touches become one word.
#[derive(Debug, Default)]
struct Stable(BTreeMap<String, usize>);

impl Stable {
    fn of(&mut self, value: &Value) -> Value {
        match value {
            Value::Object(fields) => {
                let fields = fields.iter().map(|(name, field)| match (name.as_str(), field) {
                    ("cursor" | "next_cursor" | "hash" | "tzdb", Value::String(_)) => {
                        (name.clone(), json!(format!("[{name}]")))
                    }
                    _ => (self.text(name), self.of(field)),
                });
                fields.collect::<Map<_, _>>().into()
            }
            Value::Array(items) => items.iter().map(|item| self.of(item)).collect(),
            Value::String(text) => json!(self.text(text)),
            Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
        }
    }

    fn text(&mut self, text: &str) -> String {
        let is_instant = text.len() > 20 && text.ends_with('Z') && text.contains('T');
        if is_instant && text.contains('.') {
            return "[instant]".to_owned();
        }
        let parts = text.split_inclusive('/').map(|part| {
            let bare = part.trim_end_matches('/');
            let (before, id) = bare.split_at(bare.len().saturating_sub(36));
            let dashes = id.bytes().filter(|byte| *byte == b'-').count();
            if id.len() != 36 || dashes != 4 {
                return part.to_owned();
            }
            let next = self.0.len().saturating_add(1);
            let number = *self.0.entry(id.to_owned()).or_insert(next);
            part.replace(bare, &format!("{before}[id {number}]"))
        });
        parts.collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_main_bodies_keep_their_shape() {
    let world = World::new().await;
    let (provider, customer, auditor) = (world.provider(1), world.customer(1), world.auditor());
    let mut stable = Stable::default();
    let room = json!({"display_name": "M1", "zone": "Asia/Seoul"});
    let resource = provider.post("/v1/resources", &room).await;
    let id = text(resource.created(), "id");
    let week = json!({"weekly": [hours("mon", "14:00", "16:00")]});
    let week = provider.put(&format!("/v1/resources/{id}/schedule"), &week).await;
    assert_json_snapshot!("resource", stable.of(week.ok()));
    let drafted = provider.post("/v1/offerings", &slot_offering(&id, 60, 50_000)).await;
    assert_json_snapshot!("offering", stable.of(drafted.created()));
    let offering = text(&drafted.body, "id");
    provider.bid(&format!("/v1/offerings/{offering}/publish")).await.ok();
    let span = "from=2026-03-09T00:00:00Z&to=2026-03-10T00:00:00Z";
    let slots = customer.see(&format!("/v1/offerings/{offering}/slots?{span}")).await;
    assert_json_snapshot!("slots", stable.of(slots.ok()));
    let wanted = json!({"offering_id": offering, "starts_at": monday("14:00")});
    let quote = customer.post("/v1/quotes", &wanted).await;
    assert_json_snapshot!("quote", stable.of(quote.ok()));
    let held = customer.reserve(&offering, &monday("14:00")).await;
    assert_json_snapshot!("reservation_held", stable.of(held.created()));
    let checking = customer.confirm(&held.body, "sim_lost_after_capture_1").await;
    assert_json_snapshot!("checking", stable.of(checking.expect(202)));
    world.advance(3).await;
    let booking = text(&held.body, "id");
    let path = format!("/v1/reservations/{booking}");
    let offer = customer.bid(&format!("{path}/cancellation-quote")).await;
    assert_json_snapshot!("cancellation_quote", stable.of(offer.ok()));
    let cancelled = customer.cancel(&held.body).await;
    assert_json_snapshot!("reservation_cancelled", stable.of(cancelled.ok()));
    world.rest().await;
    assert_json_snapshot!("payment", stable.of(&customer.payment(&held.body).await));
    let other = customer.reserve(&offering, &monday("15:00")).await;
    customer.confirm(other.created(), "sim_approve_1").await.ok();
    let refund = provider.refund(&other.body, 1_000).await;
    assert_json_snapshot!("refund", stable.of(refund.created()));
    let stream = auditor.get(&format!("/v1/streams/calendar-{id}?limit=1")).await;
    assert_json_snapshot!("stream", stable.of(stream.ok()));
    let tried = customer.post("/v1/reservations?dry_run=true", &wanted).await;
    assert_json_snapshot!("dry_run", stable.of(tried.ok()));
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_and_calendars_keep_their_shape() {
    let world = World::new().await;
    let (studio, mut stable) = (world.studio().await, Stable::default());
    world.customer(1).reserve_seats(&studio.s1, 2).await.created();
    let sessions = studio.caller.see(&format!("/v1/offerings/{}/sessions", studio.c1)).await;
    assert_json_snapshot!("sessions", stable.of(sessions.ok()));
    let calendar = studio.caller.see(&format!("/v1/resources/{}/calendar", studio.resource)).await;
    assert_json_snapshot!("calendar", stable.of(calendar.ok()));
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_main_problems_keep_their_shape() {
    let world = World::new().await;
    let (mentor, mut stable) = (world.mentor().await, Stable::default());
    let (one, other) = (world.customer(1), world.customer(2));
    let held = one.reserve(&mentor.o60, &monday("14:00")).await;
    let taken = other.reserve(&mentor.o60, &monday("14:00")).await;
    assert_json_snapshot!("slot_taken", stable.of(taken.refused(409, "slot_taken")));
    let path = format!("/v1/reservations/{}", text(held.created(), "id"));
    let foreign = other.see(&path).await;
    assert_json_snapshot!("not_found", stable.of(foreign.refused(404, "not_found")));
    let unknown = json!({"offering_id": mentor.o60, "starts_at": monday("15:00"), "price": 1});
    let unknown = one.post("/v1/reservations", &unknown).await;
    assert_json_snapshot!("invalid_body", stable.of(unknown.refused(422, "invalid_body")));
    let declined = one.confirm(&held.body, "sim_decline_1").await;
    let declined = declined.refused(402, "payment_declined");
    assert_json_snapshot!("payment_declined", stable.of(declined));
    let nobody = world.nobody().get("/v1/reservations").await;
    assert_json_snapshot!("token_missing", stable.of(nobody.refused(401, "token_missing")));
    world.close().await;
}
