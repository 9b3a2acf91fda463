//! The body that a command answers with is the one that a read shows at that position, with the
//! same `ETag`: a client needs no second look.

use holdfast_tests::answer::{Answer, text};
use holdfast_tests::fixtures::{hours, slot_offering};
use holdfast_tests::world::{World, monday};
use serde_json::json;

#[track_caller]
fn same(command: &Answer, read: &Answer) {
    assert_eq!(read.ok(), &command.body, "{} and {}", command.asked, read.asked);
    assert_eq!(read.header("etag"), command.header("etag"), "{}", command.asked);
    assert!(command.header("holdfast-position").is_some(), "{}", command.asked);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_resource_and_an_offering_are_answered_as_they_are_read() {
    let world = World::new().await;
    let provider = world.provider(1);
    let room = json!({"display_name": "요가 room", "zone": "Asia/Seoul", "capacity": 3});
    let registered = provider.post("/v1/resources", &room).await;
    let resource = text(registered.created(), "id");
    let path = format!("/v1/resources/{resource}");
    same(&registered, &provider.see(&path).await);
    let schedule = json!({
        "weekly": [hours("mon", "22:00", "02:00")],
        "overrides": [{"date": "2026-03-16", "hours": []}],
        "time_off": [{"start": "2026-03-23T00:00:00Z", "end": "2026-03-24T00:00:00Z"}],
    });
    let published = provider.put(&format!("{path}/schedule"), &schedule).await;
    published.ok();
    same(&published, &provider.see(&path).await);
    let drafted = provider.post("/v1/offerings", &slot_offering(&resource, 60, 50_000)).await;
    let offering = format!("/v1/offerings/{}", text(drafted.created(), "id"));
    same(&drafted, &provider.see(&offering).await);
    for step in ["publish", "pause", "publish"] {
        let stepped = provider.bid(&format!("{offering}/{step}")).await;
        stepped.ok();
        same(&stepped, &provider.see(&offering).await);
    }
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_answered_as_its_list_shows_it() {
    let world = World::new().await;
    let studio = world.studio().await;
    let path = format!("/v1/offerings/{}/sessions", studio.c1);
    let date = json!({
        "starts_at": "2026-03-15T19:00:00+09:00", "zone": "Asia/Seoul", "capacity": 4,
    });
    let scheduled = studio.caller.post(&path, &date).await;
    let id = text(scheduled.created(), "id");
    let shown = studio.caller.see(&path).await;
    let items = shown.ok()["items"].as_array().unwrap();
    let item = items.iter().find(|item| item["id"] == id.as_str()).unwrap();
    assert_eq!(item, &scheduled.body);
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reservation_is_answered_as_it_is_read_at_every_step() {
    let world = World::new().await;
    let (mentor, customer) = (world.mentor().await, world.customer(1));
    let held = customer.reserve(&mentor.o60, &monday("14:00")).await;
    let path = format!("/v1/reservations/{}", text(held.created(), "id"));
    same(&held, &customer.see(&path).await);
    let declined = customer.confirm(&held.body, "sim_decline_1").await;
    declined.refused(402, "payment_declined");
    let paid = customer.confirm(&held.body, "sim_approve_1").await;
    paid.ok();
    same(&paid, &customer.see(&path).await);
    let cancelled = customer.cancel(&held.body).await;
    cancelled.ok();
    // The money may be on its way already: what was true at the position is asked for.
    let then = format!("{path}?as_of={}", cancelled.position());
    assert_eq!(world.auditor().get(&then).await.ok(), &cancelled.body);
    assert_eq!(customer.see(&path).await.etag(), cancelled.etag());
    let second = customer.reserve(&mentor.o60, &monday("15:00")).await;
    let abandoned = customer.cancel(second.created()).await;
    abandoned.ok();
    let path = format!("/v1/reservations/{}", text(&second.body, "id"));
    same(&abandoned, &customer.see(&path).await);
    world.close().await;
}

/// What costs nothing is confirmed at once, without a payment.
#[tokio::test(flavor = "multi_thread")]
async fn a_free_booking_is_confirmed_at_once() {
    let world = World::new().await;
    let (mentor, customer) = (world.mentor().await, world.customer(1));
    let free = mentor.caller.offers(&slot_offering(&mentor.resource, 60, 0)).await;
    let booked = customer.reserve(&free, &monday("14:00")).await;
    assert_eq!(booked.created()["status"], "confirmed");
    assert!(booked.body["payment"].is_null());
    let path = format!("/v1/reservations/{}", text(&booked.body, "id"));
    same(&booked, &customer.see(&path).await);
    assert_eq!(customer.cancel(&booked.body).await.ok()["status"], "cancelled");
    assert_eq!(world.movements().count(), 0);
    world.close().await;
}
