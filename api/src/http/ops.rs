//! For those who run the node: is it alive, is it ready, what does it count. Readiness asks every
//! part that was registered; a part that does not answer in time is not ready.

use std::sync::Arc;
use std::time::Duration;

use actix_web::{HttpResponse, get, web};
use futures_util::future::join_all;
use serde::Serialize;
use tokio::time::timeout;
use utoipa::ToSchema;

use crate::health::check::Check;
use crate::state::State;

const CHECK_TIMEOUT: Duration = Duration::from_secs(2);

/// What a part said.
#[derive(Debug, Serialize, ToSchema)]
pub struct Finding {
    /// The part.
    name: &'static str,
    /// Whether it works.
    ok: bool,
    /// What a person should know about it.
    detail: String,
    /// Whether the node is not ready without it.
    #[serde(skip)]
    vital: bool,
}

/// What all parts said.
#[derive(Debug, Serialize, ToSchema)]
pub struct Health {
    /// `ok`; `degraded` when the node works and others are missing; or `failing`.
    status: &'static str,
    /// Part by part.
    checks: Vec<Finding>,
}

/// The process runs and its HTTP workers answer.
#[utoipa::path(tag = "operations", responses((status = 200, body = Health)))]
#[get("/health/live")]
pub(crate) async fn live() -> web::Json<Health> {
    web::Json(Health { status: "ok", checks: Vec::new() })
}

/// Every part works: requests may be sent here.
#[utoipa::path(tag = "operations", responses(
    (status = 200, description = "Ready, if degraded", body = Health),
    (status = 503, description = "A part does not work, or the node is stopping", body = Health),
))]
#[get("/health/ready")]
pub(crate) async fn ready(state: web::Data<State>) -> HttpResponse {
    let mut checks = join_all(state.checks.iter().map(ask)).await;
    if state.lifecycle.is_stopping() {
        let detail = "the node is stopping".to_owned();
        checks.push(Finding { name: "lifecycle", ok: false, detail, vital: true });
    }
    let ok = checks.iter().all(|finding| finding.ok || !finding.vital);
    let whole = checks.iter().all(|finding| finding.ok);
    let status = match (ok, whole) {
        (true, true) => "ok",
        (true, false) => "degraded",
        (false, _) => "failing",
    };
    let health = Health { status, checks };
    let mut answer = if ok { HttpResponse::Ok() } else { HttpResponse::ServiceUnavailable() };
    answer.json(health)
}

async fn ask(check: &Arc<dyn Check>) -> Finding {
    let said = timeout(CHECK_TIMEOUT, check.check()).await;
    let said = said.unwrap_or_else(|_late| Err("no answer in time".to_owned()));
    let (ok, detail) = match said {
        Ok(detail) => (true, detail),
        Err(detail) => (false, detail),
    };
    Finding { name: check.name(), ok, detail, vital: check.is_vital() }
}

/// What the node counts, in the `OpenMetrics` text format. Without a token on the machine itself,
/// with an operator's token from elsewhere.
#[utoipa::path(tag = "operations", responses((status = 200, description = "OpenMetrics text")))]
#[get("/metrics")]
pub(crate) async fn metrics(state: web::Data<State>) -> HttpResponse {
    state.node.observe(&state.metrics).await;
    match state.metrics.encode() {
        Ok(text) => HttpResponse::Ok()
            .content_type("application/openmetrics-text; version=1.0.0; charset=utf-8")
            .body(text),
        Err(why) => HttpResponse::from_error(crate::http::problem::Problem::internal(why)),
    }
}
