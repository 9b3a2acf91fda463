//! Pages: together they show everything once, and a cursor leads nowhere but where it was made for.

use holdfast_tests::caller::Caller;
use holdfast_tests::fixtures::slot_offering;
use holdfast_tests::world::{World, monday};
use serde_json::{Value, json};

/// Walks a list to its end in steps of `limit`; answers all items and the cursors in between.
async fn walk(caller: &Caller, path: &str, limit: usize) -> (Vec<Value>, Vec<String>) {
    let separator = if path.contains('?') { '&' } else { '?' };
    let (mut items, mut cursors) = (Vec::new(), Vec::<String>::new());
    loop {
        let cursor = cursors.last().map(|text| format!("&cursor={text}")).unwrap_or_default();
        let page = caller.get(&format!("{path}{separator}limit={limit}{cursor}")).await;
        let found = page.ok()["items"].as_array().unwrap();
        assert!(found.len() <= limit);
        items.extend(found.iter().cloned());
        assert!(items.len() <= 1_000, "{path} does not end");
        match page.body["next_cursor"].as_str() {
            Some(next) => cursors.push(next.to_owned()),
            None => return (items, cursors),
        }
    }
}

async fn busy(world: &World) -> Caller {
    let (mentor, studio) = (world.mentor().await, world.studio().await);
    let customer = world.customer(1);
    for time in ["10:00", "11:00", "14:00", "15:00", "16:00", "17:00"] {
        customer.reserve(&mentor.o60, &monday(time)).await.created();
    }
    // Two with the same start, so that the order cannot hang on it alone.
    for _ in 0..2 {
        customer.reserve_seats(&studio.s1, 1).await.created();
    }
    for day in ["15", "16", "17"] {
        let date = json!({"starts_at": format!("2026-03-{day}T12:00:00Z"), "zone": "Asia/Seoul"});
        studio.caller.schedules(&studio.c1, &date).await;
    }
    mentor.caller.offers(&slot_offering(&mentor.resource, 45, 1_000)).await;
    world.rest().await;
    customer
}

/// Every list there is, and who may walk it.
fn lists(world: &World, events: &[Value]) -> Vec<(Caller, String)> {
    let resource = events.iter().find(|event| event["type"] == "calendar.hold_placed").unwrap();
    let calendar = resource["stream"].as_str().unwrap().to_owned();
    let resource = calendar.strip_prefix("calendar-").unwrap();
    let paper = events.iter().find(|event| event["type"] == "reservation.requested").unwrap();
    let reservation = paper["stream"].as_str().unwrap().strip_prefix("reservation-").unwrap();
    let class = events.iter().find(|event| event["type"] == "session.scheduled").unwrap();
    let class = class["data"]["offering"].as_str().unwrap();
    let auditor = || world.auditor();
    vec![
        (world.customer(1), "/v1/reservations".to_owned()),
        (world.customer(1), "/v1/reservations?status=held".to_owned()),
        (auditor(), "/v1/reservations?from=2026-03-09T05:00:00Z".to_owned()),
        (world.customer(1), "/v1/offerings".to_owned()),
        (world.customer(1), format!("/v1/offerings/{class}/sessions")),
        (world.provider(1), format!("/v1/resources/{resource}/calendar")),
        (auditor(), "/v1/events".to_owned()),
        (auditor(), "/v1/events?type=calendar.".to_owned()),
        (auditor(), format!("/v1/streams/{calendar}")),
        (auditor(), format!("/v1/reservations/{reservation}/history")),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_any_size_show_everything_once_and_in_the_same_order() {
    let world = World::new().await;
    busy(&world).await;
    let (events, _) = walk(&world.auditor(), "/v1/events", 200).await;
    assert_eq!(events.len(), world.history().await.0.len());
    for (caller, path) in lists(&world, &events) {
        let (whole, _) = walk(&caller, &path, 200).await;
        assert!(whole.len() >= 3, "{path} has only {}", whole.len());
        for limit in [1, 2, 3] {
            let (items, cursors) = walk(&caller, &path, limit).await;
            assert_eq!(items, whole, "{path} by {limit}");
            assert!(cursors.len() >= whole.len().div_ceil(limit).saturating_sub(1), "{path}");
        }
    }
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_that_is_altered_or_from_elsewhere_is_refused() {
    let world = World::new().await;
    let customer = busy(&world).await;
    let (events, _) = walk(&world.auditor(), "/v1/events", 200).await;
    let lists = lists(&world, &events);
    let mut first = Vec::new();
    for (caller, path) in &lists {
        first.push(walk(caller, path, 1).await.1.first().unwrap().clone());
    }
    let with = |path: &str, cursor: &str| {
        let separator = if path.contains('?') { '&' } else { '?' };
        format!("{path}{separator}limit=1&cursor={cursor}")
    };
    for (index, (caller, path)) in lists.iter().enumerate() {
        let own = &first[index];
        caller.get(&with(path, own)).await.ok();
        for (other, cursor) in first.iter().enumerate().filter(|(other, _)| *other != index) {
            let crossed = caller.get(&with(path, cursor)).await;
            assert_eq!(crossed.code(), "bad_cursor", "{path} with the cursor of {other}");
        }
        let flipped: String = own.chars().rev().collect();
        let longer = format!("{own}AAAA");
        for altered in
            [own.get(1..).unwrap(), &flipped, &longer, "", "%00", "AAAA", &"A".repeat(3_000)]
        {
            caller.get(&with(path, altered)).await.refused(400, "bad_cursor");
        }
    }
    let own = &first[0];
    let stranger = world.customer(2);
    stranger.get(&with("/v1/reservations", own)).await.refused(400, "bad_cursor");
    customer.get(&with("/v1/reservations", own)).await.ok();
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_has_between_one_and_two_hundred_entries() {
    let world = World::new().await;
    busy(&world).await;
    let (events, _) = walk(&world.auditor(), "/v1/events", 200).await;
    for (caller, path) in lists(&world, &events) {
        let separator = if path.contains('?') { '&' } else { '?' };
        for wrong in ["0", "201", "-1", "1000000000", "1.5", "x", "", "1&limit=1"] {
            let answer = caller.get(&format!("{path}{separator}limit={wrong}")).await;
            answer.refused(400, "invalid_query");
        }
        caller.get(&format!("{path}{separator}limit=200")).await.ok();
    }
    world.close().await;
}
