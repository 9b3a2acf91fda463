//! Offerings: what can be booked, and the dated sessions of classes.

use actix_web::{HttpResponse, get, post, web};
use holdfast_commands::catalog::{DraftOffering, OpenOffering, ScheduleSession};
use holdfast_domain::booking::offering::{
    Availability, Buffers, OfferingKind, OfferingRefusal, Terms,
};
use holdfast_domain::ids::{OfferingId, PrincipalId, ResourceId, SessionId};
use holdfast_domain::money::Money;
use holdfast_domain::policy::CancellationPolicy;
use holdfast_domain::time::Timestamp;
use holdfast_domain::time::zone::Zone;
use holdfast_projections::ports::Query as ListQuery;
use holdfast_projections::views::offerings::OfferingDocument;
use holdfast_projections::views::schema::MoneyShape;
use holdfast_projections::views::sessions::SessionDocument;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;

use super::command::{Command, run};
use super::describe::{CommandHeaders, CommandQuery, Problems};
use super::ids::Id;
use super::json::{Body, Nothing, OptionalBody};
use super::list::{List, Paging};
use super::methods::PaymentMethod;
use super::problem::Problem;
use super::query::Query;
use super::read::{self, One};
use super::text::Title;
use crate::auth::{Caller, is_office};
use crate::problems::Code;
use crate::state::State;

/// Registers the routes of this file.
pub(crate) fn configure(services: &mut ServiceConfig<'_>) {
    services
        .service(draft)
        .service(list)
        .service(publish)
        .service(pause)
        .service(schedule)
        .service(sessions)
        .service(get);
}

/// How a booking comes about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Approval {
    /// By paying.
    Instant,
}

/// An offering to be written down.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewOffering {
    /// Whose time it takes; a resource of the caller.
    #[schema(value_type = String, format = Uuid)]
    resource_id: ResourceId,
    /// Public catalogue text, 1 to 200 characters.
    #[schema(value_type = String)]
    title: Title,
    /// `slot`: at any free time; `class`: at dated sessions.
    #[schema(value_type = String, example = "slot")]
    kind: OfferingKind,
    /// How long it takes.
    duration_minutes: u32,
    /// What one person pays.
    #[schema(value_type = MoneyShape)]
    price: Money,
    /// How a booking comes about.
    #[serde(default = "instant")]
    #[expect(dead_code, reason = "read to refuse what this build does not offer")]
    approval: Approval,
    /// For classes: seats of a session; no limit when left out.
    capacity: Option<u32>,
    /// How long before its start it must be booked.
    #[serde(default)]
    min_notice_minutes: u32,
    /// How far ahead it can be booked; 90 days when left out.
    #[serde(default = "ninety")]
    booking_window_days: u32,
    /// How long before the start booking closes; the stricter of this and the notice counts.
    #[serde(default)]
    booking_deadline_hours: u32,
    /// How long a seat is held for a payment; 10 minutes when left out.
    #[serde(default = "ten")]
    hold_minutes: u32,
    /// Time kept free around a booking.
    #[schema(value_type = Object)]
    #[serde(default)]
    buffers: Buffers,
    /// What is returned on a cancellation; the standard policy when left out.
    #[schema(value_type = Option<Object>)]
    cancellation_policy: Option<CancellationPolicy>,
    /// How it can be paid: by card.
    payment_methods: Option<Vec<PaymentMethod>>,
}

const fn instant() -> Approval {
    Approval::Instant
}

const fn ninety() -> u32 {
    90
}

const fn ten() -> u32 {
    10
}

impl NewOffering {
    fn terms(&self) -> Terms {
        Terms {
            duration_minutes: self.duration_minutes,
            price: self.price,
            buffers: self.buffers,
            min_notice_minutes: self.min_notice_minutes,
            booking_window_days: self.booking_window_days,
            // What does not fit is refused with the other lengths.
            booking_deadline_minutes: self.booking_deadline_hours.saturating_mul(60),
            hold_minutes: self.hold_minutes,
            capacity: self.capacity,
            cancellation_policy: self
                .cancellation_policy
                .clone()
                .unwrap_or_else(CancellationPolicy::standard),
        }
    }
}

/// Writes an offering down; it can be booked once it is published.
#[utoipa::path(
    tag = "catalogue",
    request_body = NewOffering,
    params(CommandHeaders, CommandQuery),
    responses((status = 201, body = OfferingDocument), Problems),
    security(("bearer" = [])),
)]
#[post("/v1/offerings")]
pub(crate) async fn draft(
    state: web::Data<State>,
    command: Command,
    body: Body<NewOffering>,
) -> Result<HttpResponse, Problem> {
    let Body { value, bytes } = body;
    if value.payment_methods.as_ref().is_some_and(Vec::is_empty) {
        return Err(Problem::new(Code::InvalidBody)
            .detail("Name a payment method, or leave the list out.")
            .at("/payment_methods", "too_short"));
    }
    let use_case = DraftOffering {
        offering: OfferingId::from_uuid(state.node.engine.fresh_id()),
        provider: command.principal(),
        resource: value.resource_id,
        terms: value.terms(),
        kind: value.kind,
        title: value.title.into(),
    };
    run(&state, &command, &bytes, use_case).await
}

/// Lets an offering be booked.
#[utoipa::path(
    tag = "catalogue",
    params(("id" = String, Path, format = Uuid), CommandHeaders, CommandQuery),
    responses((status = 200, body = OfferingDocument), Problems),
    security(("bearer" = [])),
)]
#[post("/v1/offerings/{id}/publish")]
pub(crate) async fn publish(
    state: web::Data<State>,
    offering: Id<OfferingId>,
    command: Command,
    body: OptionalBody<Nothing>,
) -> Result<HttpResponse, Problem> {
    open(&state, offering.0, &command, &body, true).await
}

/// Stops an offering from being booked; what is booked stays.
#[utoipa::path(
    tag = "catalogue",
    params(("id" = String, Path, format = Uuid), CommandHeaders, CommandQuery),
    responses((status = 200, body = OfferingDocument), Problems),
    security(("bearer" = [])),
)]
#[post("/v1/offerings/{id}/pause")]
pub(crate) async fn pause(
    state: web::Data<State>,
    offering: Id<OfferingId>,
    command: Command,
    body: OptionalBody<Nothing>,
) -> Result<HttpResponse, Problem> {
    open(&state, offering.0, &command, &body, false).await
}

async fn open(
    state: &State,
    offering: OfferingId,
    command: &Command,
    body: &OptionalBody<Nothing>,
    open: bool,
) -> Result<HttpResponse, Problem> {
    let use_case = OpenOffering { offering, by: command.principal(), open };
    run(state, command, &body.bytes, use_case).await
}

/// A class to be put on the calendar.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewSession {
    /// When it starts.
    #[schema(value_type = String, format = DateTime)]
    starts_at: Timestamp,
    /// The IANA time zone in which that was meant.
    #[schema(value_type = String, example = "Asia/Seoul")]
    zone: Zone,
    /// Seats; as many as the offering says when left out.
    capacity: Option<u32>,
    /// How many must come for it to take place.
    min_capacity: Option<u32>,
}

/// Puts a class on the calendar of the offering's resource.
#[utoipa::path(
    tag = "catalogue",
    request_body = NewSession,
    params(("id" = String, Path, format = Uuid), CommandHeaders, CommandQuery),
    responses((status = 201, body = SessionDocument), Problems),
    security(("bearer" = [])),
)]
#[post("/v1/offerings/{id}/sessions")]
pub(crate) async fn schedule(
    state: web::Data<State>,
    offering: Id<OfferingId>,
    command: Command,
    body: Body<NewSession>,
) -> Result<HttpResponse, Problem> {
    let (offering, Body { value, bytes }) = (offering.0, body);
    let known = state.node.engine.routes().offering(offering).await?;
    let known = known.ok_or(Problem::from(OfferingRefusal::NotFound))?;
    let use_case = ScheduleSession {
        session: SessionId::from_uuid(state.node.engine.fresh_id()),
        offering,
        resource: known.resource,
        by: command.principal(),
        starts_at: value.starts_at,
        zone: value.zone,
        capacity: value.capacity,
        min_capacity: value.min_capacity,
    };
    run(&state, &command, &bytes, use_case).await
}

/// Whether a caller may see an offering: everybody, once it was published.
fn is_visible(offering: &OfferingDocument, caller: &Caller) -> bool {
    let own = is_office(caller) || offering.provider == caller.principal;
    own || offering.status != Availability::Draft
}

/// An offering. A draft is shown to its provider only.
#[utoipa::path(
    tag = "catalogue",
    params(("id" = String, Path, format = Uuid), One),
    responses((status = 200, body = OfferingDocument), Problems),
    security(("bearer" = [])),
)]
#[get("/v1/offerings/{id}")]
pub(crate) async fn get(
    state: web::Data<State>,
    caller: Caller,
    offering: Id<OfferingId>,
    query: Query<One>,
) -> Result<HttpResponse, Problem> {
    read::wait_for(&state, query.0.min_position).await?;
    let found = find(&state, &caller, offering.0).await?;
    Ok(read::at_revision(found.position, found.value.revision, &found.value))
}

/// An offering that the caller may see.
pub(crate) async fn find(
    state: &State,
    caller: &Caller,
    offering: OfferingId,
) -> Result<holdfast_projections::reader::At<OfferingDocument>, Problem> {
    let found = read::find::<OfferingDocument>(state, "offerings", offering).await?;
    if is_visible(&found.value, caller) { Ok(found) } else { Err(Problem::new(Code::NotFound)) }
}

/// Which offerings.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct Filter {
    /// Of this resource.
    #[param(value_type = Option<String>)]
    resource_id: Option<ResourceId>,
    /// Of this provider; the caller's own are shown with their drafts.
    #[param(value_type = Option<String>)]
    provider: Option<PrincipalId>,
}

/// The offerings that can be booked, and all of the caller's own.
#[utoipa::path(
    tag = "catalogue",
    params(Filter, Paging),
    responses((status = 200, body = read::Page<OfferingDocument>), Problems),
    security(("bearer" = [])),
)]
#[get("/v1/offerings")]
pub(crate) async fn list(
    state: web::Data<State>,
    caller: Caller,
    asked: List<Filter>,
) -> Result<HttpResponse, Problem> {
    let narrow = async |Filter { resource_id, provider }| {
        let own = provider == Some(caller.principal);
        Ok(ListQuery {
            provider: provider.map(|id| id.to_string()),
            resource: resource_id.map(|id| id.to_string()),
            status: (!own).then(|| "published".to_owned()),
            ..ListQuery::default()
        })
    };
    asked.of::<OfferingDocument>("offerings", &state, &caller, narrow).await
}

/// Which sessions.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct Dates {
    /// Starting at this instant or later.
    #[param(value_type = Option<String>)]
    from: Option<Timestamp>,
    /// Starting before this instant.
    #[param(value_type = Option<String>)]
    to: Option<Timestamp>,
}

/// The sessions of a class, by start.
#[utoipa::path(
    tag = "catalogue",
    params(("id" = String, Path, format = Uuid), Dates, Paging),
    responses((status = 200, body = read::Page<SessionDocument>), Problems),
    security(("bearer" = [])),
)]
#[get("/v1/offerings/{id}/sessions")]
pub(crate) async fn sessions(
    state: web::Data<State>,
    caller: Caller,
    offering: Id<OfferingId>,
    asked: List<Dates>,
) -> Result<HttpResponse, Problem> {
    let narrow = async |Dates { from, to }| {
        drop(find(&state, &caller, offering.0).await?);
        Ok(ListQuery {
            offering: Some(offering.0.to_string()),
            from: from.map(Timestamp::micros),
            to: to.map(Timestamp::micros),
            ..ListQuery::default()
        })
    };
    asked.of::<SessionDocument>("sessions", &state, &caller, narrow).await
}
