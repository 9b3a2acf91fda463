//! The clock of a node that was started with `--test-clock`: read it, put it forward. Putting it
//! forward answers when no deadline is due, no effect is under way, and the views stand at the
//! head, so that a test can look at once. On every other node there is nothing here.

use std::sync::Arc;
use std::time::Duration;

use actix_web::{HttpResponse, get, post, web};
use holdfast_commands::ports::Clock as _;
use holdfast_domain::time::Timestamp;
use holdfast_gateways::test_clock::TestClock;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::describe::Problems;
use super::json::Body;
use super::problem::Problem;
use crate::problems::Code;
use crate::state::State;

/// How long the engine may take to come to rest.
const REST_MAX: Duration = Duration::from_secs(10);

/// What the clock shows.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ClockShown {
    /// Now.
    #[schema(value_type = String, format = DateTime)]
    now: Timestamp,
}

/// Where to put it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Move {
    /// To this instant; one that has passed changes nothing.
    #[schema(value_type = Option<String>, format = DateTime)]
    now: Option<Timestamp>,
    /// Forward by so much.
    advance_seconds: Option<u32>,
}

fn clock(state: &State) -> Result<&Arc<TestClock>, Problem> {
    state.node.test_clock.as_ref().ok_or(Problem::new(Code::NotFound))
}

/// What the engine's clock shows.
#[utoipa::path(tag = "tests", responses((status = 200, body = ClockShown), Problems))]
#[get("/test/clock")]
pub(crate) async fn get(state: web::Data<State>) -> Result<HttpResponse, Problem> {
    let now = clock(&state)?.now();
    Ok(HttpResponse::Ok().json(ClockShown { now }))
}

/// Puts the engine's clock forward, and answers when everything that follows has happened.
#[utoipa::path(
    tag = "tests",
    request_body = Move,
    responses((status = 200, body = ClockShown), Problems),
)]
#[post("/test/clock")]
pub(crate) async fn put(
    state: web::Data<State>,
    body: Body<Move>,
) -> Result<HttpResponse, Problem> {
    let clock = clock(&state)?;
    match (body.value.now, body.value.advance_seconds) {
        (Some(instant), None) => clock.set(instant),
        (None, Some(seconds)) => clock.advance(Duration::from_secs(u64::from(seconds))),
        (_, _) => {
            return Err(Problem::new(Code::InvalidBody)
                .detail("Send `now` or `advance_seconds`, one of them."));
        }
    }
    let rested = tokio::time::timeout(REST_MAX, rest(&state)).await;
    rested.map_err(|_late| Problem::unavailable("the engine did not come to rest"))?;
    Ok(HttpResponse::Ok().json(ClockShown { now: clock.now() }))
}

/// Waits until nothing is due, nothing is under way, and the views show everything.
async fn rest(state: &State) {
    let node = &state.node;
    loop {
        if let Ok(head) = node.feed.head().await {
            let far_enough = tokio::time::sleep(Duration::from_secs(1));
            let shown = node.reader.wait_for(head.position, far_enough).await.is_ok();
            if shown && node.processes.is_idle().await {
                let still =
                    node.feed.head().await.is_ok_and(|after| after.position == head.position);
                if still {
                    return;
                }
            }
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
