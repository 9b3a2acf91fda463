//! The matrix of routes and roles, made from the table of routes itself: a new route is tried the
//! day it is entered. What a role may do with whose things is the subject of `foreign`.

use holdfast_api::routes::{Access, ROUTES, Row};
use holdfast_domain::actor::Role;
use holdfast_tests::answer::Answer;
use holdfast_tests::caller::Caller;
use holdfast_tests::world::World;
use reqwest::Method;
use serde_json::json;

/// A path of the row, about things that do not exist.
pub(crate) fn path_of(row: &Row) -> String {
    row.path
        .replace("{id}", "018f2a10-7c5e-7000-8fff-ffffffffffff")
        .replace("{stream}", "reservation-018f2a10-7c5e-7000-8fff-ffffffffffff")
        .replace("{code}", "slot_taken")
        .replace("{_:.*}", "index.html")
}

async fn call(caller: &Caller, row: &Row) -> Answer {
    let method: Method = row.method.parse().unwrap();
    // From behind a proxy: what is shown on the machine itself is not shown here.
    let ask = caller.ask(method, &path_of(row)).header("x-forwarded-for", "192.0.2.1");
    if row.method == "GET" { ask.send().await } else { ask.key("k").json(&json!({})).send().await }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_route_is_open_to_its_roles_and_closed_to_all_others() {
    let world = World::new().await;
    let mut cells = 0_usize;
    for row in ROUTES {
        let allowed: &[Role] = match row.access {
            Access::Public => &Role::ALL,
            Access::Roles(roles) | Access::LocalOr(roles) => roles,
        };
        assert!(!allowed.is_empty(), "nobody may call {} {}", row.method, row.path);
        let without = call(&world.nobody(), row).await;
        if row.access == Access::Public {
            assert!(![401, 403].contains(&without.status), "{}", without.asked);
        } else {
            without.refused(401, "token_missing");
            assert!(without.header("www-authenticate").is_some(), "{}", without.asked);
            call(&world.caller(&[], 1), row).await.refused(403, "forbidden");
        }
        for role in Role::ALL {
            let answer = call(&world.caller(&[role], 77), row).await;
            if allowed.contains(&role) {
                let asked = (&answer.asked, role.name(), answer.text());
                assert!(![401, 403].contains(&answer.status), "{asked:?}");
                assert!(answer.status < 500, "{asked:?}");
            } else {
                answer.refused(403, "forbidden");
            }
            cells = cells.saturating_add(1);
        }
        cells = cells.saturating_add(2);
    }
    assert!(cells >= 200, "only {cells} cells");
    println!("{cells} cells of routes and roles");
    world.close().await;
}

/// What the table does not name does not exist, for no one.
#[tokio::test(flavor = "multi_thread")]
async fn a_method_that_a_path_does_not_have_is_refused_with_those_that_it_has() {
    let world = World::new().await;
    let admin = world.admin();
    for row in ROUTES.iter().filter(|row| row.path != "/docs/{_:.*}") {
        let of_path: Vec<_> =
            ROUTES.iter().filter(|other| other.path == row.path).map(|row| row.method).collect();
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE"] {
            if of_path.contains(&method) {
                continue;
            }
            let ask = admin.ask(method.parse().unwrap(), &path_of(row));
            let answer = ask.header("x-http-method-override", row.method).send().await;
            answer.refused(405, "method_not_allowed");
            assert_eq!(answer.header("allow"), Some(of_path.join(", ").as_str()));
        }
    }
    world.close().await;
}

/// A path that only looks like a route is none.
#[tokio::test(flavor = "multi_thread")]
async fn another_spelling_of_a_path_is_another_path() {
    let world = World::new().await;
    let admin = world.admin();
    for path in ["/v1/events/", "//v1/events", "/V1/events", "/v1/Events", "/v1/events;x"] {
        admin.get(path).await.refused(404, "not_found");
    }
    for path in ["/v1//events", "/v1/events%2F", "/v1/reservations/a/b", "/v2/events"] {
        let customer = world.customer(1).get(path).await;
        assert!([404, 422].contains(&customer.status), "{}: {}", customer.asked, customer.text());
    }
    world.close().await;
}
