//! Resources: bookable people and rooms, their opening hours, and what is taken of their time.

use actix_web::{HttpResponse, get, post, put, web};
use holdfast_commands::catalog::AboutResource;
use holdfast_domain::booking::resource::Schedule;
use holdfast_domain::ids::ResourceId;
use holdfast_domain::time::Timestamp;
use holdfast_domain::time::zone::Zone;
use holdfast_projections::ports::Query as ListQuery;
use holdfast_projections::views::calendar::AllocationDocument;
use holdfast_projections::views::resources::ResourceDocument;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;

use super::command::{Command, run};
use super::describe::{CommandHeaders, CommandQuery, Problems};
use super::ids::Id;
use super::json::Body;
use super::list::{List, Paging};
use super::problem::Problem;
use super::query::Query;
use super::read::{self, One};
use super::slots;
use super::text::Title;
use crate::auth::{Caller, is_office};
use crate::problems::Code;
use crate::state::State;

/// Registers the routes of this file.
pub(crate) fn configure(services: &mut ServiceConfig<'_>) {
    services.service(register).service(publish_schedule).service(get).service(calendar);
}

/// A resource to be entered.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewResource {
    /// Public catalogue text, 1 to 200 characters.
    #[schema(value_type = String)]
    display_name: Title,
    /// The IANA time zone of its wall clock.
    #[schema(value_type = String, example = "Asia/Seoul")]
    zone: Zone,
    /// How many may use it at once; 1 when left out.
    #[serde(default = "one")]
    capacity: u32,
}

const fn one() -> u32 {
    1
}

/// Opening hours, instead of those before.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ScheduleShape {
    /// `{"day": "mon", "from": "10:00", "to": "12:00"}`; a range that ends at or before its start
    /// runs into the next day.
    #[schema(value_type = Vec<Object>)]
    #[expect(dead_code, reason = "described, never built: the domain's own type is read")]
    weekly: Vec<serde_json::Value>,
    /// `{"date": "2026-03-09", "hours": [{"from": "10:00", "to": "12:00"}]}`; no hours is closed.
    #[schema(value_type = Vec<Object>)]
    #[serde(default)]
    #[expect(dead_code, reason = "described, never built: the domain's own type is read")]
    overrides: Vec<serde_json::Value>,
    /// `{"start": "2026-03-09T00:00:00Z", "end": "2026-03-10T00:00:00Z"}`.
    #[schema(value_type = Vec<Object>)]
    #[serde(default)]
    #[expect(dead_code, reason = "described, never built: the domain's own type is read")]
    time_off: Vec<serde_json::Value>,
}

/// Enters a resource, owned by the caller.
#[utoipa::path(
    tag = "catalogue",
    request_body = NewResource,
    params(CommandHeaders, CommandQuery),
    responses((status = 201, body = ResourceDocument), Problems),
    security(("bearer" = [])),
)]
#[post("/v1/resources")]
pub(crate) async fn register(
    state: web::Data<State>,
    command: Command,
    body: Body<NewResource>,
) -> Result<HttpResponse, Problem> {
    let Body { value, bytes } = body;
    let resource = ResourceId::from_uuid(state.node.engine.fresh_id());
    let (owner, name) = (command.principal(), value.display_name.into());
    let use_case = AboutResource::register(resource, owner, name, value.zone, value.capacity);
    run(&state, &command, &bytes, use_case).await
}

/// Publishes the opening hours of a resource, instead of those before.
#[utoipa::path(
    tag = "catalogue",
    request_body = ScheduleShape,
    params(("id" = String, Path, format = Uuid), CommandHeaders, CommandQuery),
    responses((status = 200, body = ResourceDocument), Problems),
    security(("bearer" = [])),
)]
#[put("/v1/resources/{id}/schedule")]
pub(crate) async fn publish_schedule(
    state: web::Data<State>,
    resource: Id<ResourceId>,
    command: Command,
    body: Body<Schedule>,
) -> Result<HttpResponse, Problem> {
    let Body { value, bytes } = body;
    let use_case = AboutResource::publish_schedule(resource.0, command.principal(), value);
    run(&state, &command, &bytes, use_case).await
}

/// A resource. Public catalogue: any caller may see it.
#[utoipa::path(
    tag = "catalogue",
    params(("id" = String, Path, format = Uuid), One),
    responses((status = 200, body = ResourceDocument), Problems),
    security(("bearer" = [])),
)]
#[get("/v1/resources/{id}")]
pub(crate) async fn get(
    state: web::Data<State>,
    resource: Id<ResourceId>,
    query: Query<One>,
) -> Result<HttpResponse, Problem> {
    read::wait_for(&state, query.0.min_position).await?;
    let found = read::find::<ResourceDocument>(&state, "resources", resource.0).await?;
    Ok(read::at_revision(found.position, found.value.revision, &found.value))
}

/// Which part of a calendar.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct Span {
    /// What ends after this instant.
    #[param(value_type = Option<String>)]
    from: Option<Timestamp>,
    /// What starts before this instant.
    #[param(value_type = Option<String>)]
    to: Option<Timestamp>,
}

/// What is taken of a resource's time. For its owner, auditors and admins.
#[utoipa::path(
    tag = "catalogue",
    params(("id" = String, Path, format = Uuid), Span, Paging),
    responses((status = 200, body = read::Page<AllocationDocument>), Problems),
    security(("bearer" = [])),
)]
#[get("/v1/resources/{id}/calendar")]
pub(crate) async fn calendar(
    state: web::Data<State>,
    caller: Caller,
    resource: Id<ResourceId>,
    asked: List<Span>,
) -> Result<HttpResponse, Problem> {
    let narrow = async |Span { from, to }| {
        let found = read::find::<ResourceDocument>(&state, "resources", resource.0).await?;
        if !is_office(&caller) && found.value.owner != caller.principal {
            return Err(Problem::new(Code::NotFound));
        }
        Ok(ListQuery {
            resource: Some(resource.0.to_string()),
            // What starts earlier is over by then; without this the whole past would be read.
            from: from.map(|from| from.minus(slots::REACH).micros()),
            to: to.map(Timestamp::micros),
            ends_after: from.map(Timestamp::micros),
            ..ListQuery::default()
        })
    };
    asked.of::<AllocationDocument>("calendar", &state, &caller, narrow).await
}
