//! Reservations: take a seat, look at it, call it off.

use actix_web::{HttpResponse, get, post, web};
use holdfast_commands::about::About;
use holdfast_commands::cancel::{Cancel, QuoteCancellation};
use holdfast_commands::reserve::{Reserve, Seat};
use holdfast_domain::actor::Role;
use holdfast_domain::booking::offering::OfferingRefusal;
use holdfast_domain::booking::reservation::{
    CancellationReason, CancelledBy, ReservationRefusal, Status,
};
use holdfast_domain::ids::{CancellationQuoteId, OfferingId, PaymentId, ReservationId, SessionId};
use holdfast_domain::money::Money;
use holdfast_domain::time::Timestamp;
use holdfast_projections::ports::Query as ListQuery;
use holdfast_projections::views::reservations::ReservationDocument;
use holdfast_projections::views::schema::MoneyShape;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;

use super::command::{Command, run};
use super::describe::{CommandHeaders, CommandQuery, Problems};
use super::ids::Id;
use super::json::{Body, Nothing, OptionalBody};
use super::list::{List, Paging};
use super::methods::PaymentMethod;
use super::party::PartySize;
use super::present::CancellationOffer;
use super::problem::Problem;
use super::query::Query;
use super::read::{self, OneAsOf};
use crate::auth::{Caller, is_office};
use crate::problems::Code;
use crate::state::State;

/// Registers the routes of this file.
pub(crate) fn configure(services: &mut ServiceConfig<'_>) {
    services
        .service(reserve)
        .service(list)
        .service(get)
        .service(quote_cancellation)
        .service(cancel);
}

/// A seat to be taken.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewReservation {
    /// What.
    #[schema(value_type = String, format = Uuid)]
    offering_id: OfferingId,
    /// When, for a slot.
    #[schema(value_type = Option<String>, format = DateTime)]
    starts_at: Option<Timestamp>,
    /// Where the client believes it to end; refused when it does not.
    #[schema(value_type = Option<String>, format = DateTime)]
    ends_at: Option<Timestamp>,
    /// Which session, for a class.
    #[schema(value_type = Option<String>, format = Uuid)]
    session_id: Option<SessionId>,
    /// For how many people; 1 when left out.
    #[schema(value_type = u32)]
    #[serde(default)]
    party_size: PartySize,
    /// How it is paid.
    #[expect(dead_code, reason = "read to refuse what this build does not offer")]
    payment_method: Option<PaymentMethod>,
    /// What the client believes it to cost; refused when it does not.
    #[schema(value_type = Option<MoneyShape>)]
    expected_total: Option<Money>,
}

/// When, or in which class: one of the two.
pub(super) fn seat(
    starts_at: Option<Timestamp>,
    session_id: Option<SessionId>,
) -> Result<Seat, Problem> {
    match (starts_at, session_id) {
        (Some(start), None) => Ok(Seat::At(start)),
        (None, Some(session)) => Ok(Seat::In(session)),
        (None, None) => Err(Problem::new(Code::InvalidBody)
            .detail("Send `starts_at` for a slot, or `session_id` for a class.")
            .at("/starts_at", "missing")),
        (Some(_), Some(_)) => Err(Problem::new(Code::InvalidBody)
            .detail("Send `starts_at` or `session_id`, not both.")
            .at("/session_id", "superfluous")),
    }
}

/// Takes a seat until a deadline, at a price.
#[utoipa::path(
    tag = "booking",
    request_body = NewReservation,
    params(CommandHeaders, CommandQuery),
    responses((status = 201, body = ReservationDocument), Problems),
    security(("bearer" = [])),
)]
#[post("/v1/reservations")]
pub(crate) async fn reserve(
    state: web::Data<State>,
    command: Command,
    body: Body<NewReservation>,
) -> Result<HttpResponse, Problem> {
    let (engine, Body { value, bytes }) = (&state.node.engine, body);
    let offering = engine.routes().offering(value.offering_id).await?;
    let offering = offering.ok_or(Problem::from(OfferingRefusal::NotFound))?;
    let use_case = Reserve {
        reservation: ReservationId::from_uuid(engine.fresh_id()),
        payment: PaymentId::from_uuid(engine.fresh_id()),
        customer: command.principal(),
        offering: value.offering_id,
        resource: offering.resource,
        seat: seat(value.starts_at, value.session_id)?,
        party_size: value.party_size.0,
        ends_at: value.ends_at,
        expected_total: value.expected_total,
    };
    run(&state, &command, &bytes, use_case).await
}

/// A reservation. For its customer and its provider, auditors and admins.
#[utoipa::path(
    tag = "booking",
    params(("id" = String, Path, format = Uuid), OneAsOf),
    responses((status = 200, body = ReservationDocument), Problems),
    security(("bearer" = [])),
)]
#[get("/v1/reservations/{id}")]
pub(crate) async fn get(
    state: web::Data<State>,
    caller: Caller,
    reservation: Id<ReservationId>,
    query: Query<OneAsOf>,
) -> Result<HttpResponse, Problem> {
    if let Some(as_of) = &query.0.as_of {
        return super::audit::reservation_as_of(&state, &caller, reservation.0, as_of).await;
    }
    read::wait_for(&state, query.0.min_position).await?;
    let found = read::find::<ReservationDocument>(&state, "reservations", reservation.0).await?;
    let parties = [found.value.customer, found.value.provider];
    if !is_office(&caller) && !parties.contains(&caller.principal) {
        return Err(Problem::new(Code::NotFound));
    }
    Ok(read::at_revision(found.position, found.value.revision, &found.value))
}

/// Which reservations.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct Filter {
    /// Only those that stand so.
    #[param(value_type = Option<String>)]
    status: Option<Status>,
    /// Starting at this instant or later.
    #[param(value_type = Option<String>)]
    from: Option<Timestamp>,
    /// Starting before this instant.
    #[param(value_type = Option<String>)]
    to: Option<Timestamp>,
}

/// The caller's reservations, as a customer or as a provider, by start; everybody's for auditors
/// and admins.
#[utoipa::path(
    tag = "booking",
    params(Filter, Paging),
    responses((status = 200, body = read::Page<ReservationDocument>), Problems),
    security(("bearer" = [])),
)]
#[get("/v1/reservations")]
pub(crate) async fn list(
    state: web::Data<State>,
    caller: Caller,
    asked: List<Filter>,
) -> Result<HttpResponse, Problem> {
    let narrow = async |Filter { status, from, to }| {
        Ok(ListQuery {
            party: (!is_office(&caller)).then(|| caller.principal.to_string()),
            status: status.map(|status| status.name().to_owned()),
            from: from.map(Timestamp::micros),
            to: to.map(Timestamp::micros),
            ..ListQuery::default()
        })
    };
    asked.of::<ReservationDocument>("reservations", &state, &caller, narrow).await
}

/// What belongs to a reservation, and in which part the caller acts on it. Somebody else's is not
/// told apart from none.
pub(crate) async fn concerned(
    state: &State,
    command: Command,
    reservation: ReservationId,
) -> Result<(About, CancelledBy, Command), Problem> {
    let not_found = || Problem::from(ReservationRefusal::NotFound);
    let about = state.node.engine.routes().reservation(reservation).await?;
    let about = about.ok_or_else(not_found)?;
    let (part, role) = if about.customer == command.principal() && command.acts_as(Role::Customer) {
        (CancelledBy::Customer, Role::Customer)
    } else if about.provider == command.principal() && command.acts_as(Role::Provider) {
        (CancelledBy::Provider, Role::Provider)
    } else if command.acts_as(Role::Admin) {
        (CancelledBy::System, Role::Admin)
    } else {
        return Err(not_found());
    };
    Ok((about, part, command.acting_as(role)))
}

/// Says what a cancellation would return, and stands by it for a quarter of an hour.
#[utoipa::path(
    tag = "booking",
    params(("id" = String, Path, format = Uuid), CommandHeaders, CommandQuery),
    responses((status = 200, body = CancellationOffer), Problems),
    security(("bearer" = [])),
)]
#[post("/v1/reservations/{id}/cancellation-quote")]
pub(crate) async fn quote_cancellation(
    state: web::Data<State>,
    reservation: Id<ReservationId>,
    command: Command,
    body: OptionalBody<Nothing>,
) -> Result<HttpResponse, Problem> {
    let (about, by, command) = concerned(&state, command, reservation.0).await?;
    let id = CancellationQuoteId::from_uuid(state.node.engine.fresh_id());
    let use_case = QuoteCancellation { about, quote: id, by };
    run(&state, &command, &body.bytes, use_case).await
}

/// How a reservation is called off.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Cancellation {
    /// The terms that were accepted; judged at once when left out.
    #[schema(value_type = Option<String>, format = Uuid)]
    quote_id: Option<CancellationQuoteId>,
    /// Why: `illness`, `schedule_conflict`, `no_longer_needed`, `provider_unavailable` or `other`.
    #[schema(value_type = Option<String>, example = "schedule_conflict")]
    reason: Option<CancellationReason>,
}

/// Calls a reservation off. The seat is free at once; the money follows by the terms.
#[utoipa::path(
    tag = "booking",
    request_body = Cancellation,
    params(("id" = String, Path, format = Uuid), CommandHeaders, CommandQuery),
    responses((status = 200, body = ReservationDocument), Problems),
    security(("bearer" = [])),
)]
#[post("/v1/reservations/{id}/cancel")]
pub(crate) async fn cancel(
    state: web::Data<State>,
    reservation: Id<ReservationId>,
    command: Command,
    body: OptionalBody<Cancellation>,
) -> Result<HttpResponse, Problem> {
    let (about, by, command) = concerned(&state, command, reservation.0).await?;
    let OptionalBody { value, bytes } = body;
    let use_case = Cancel { about, by, quote: value.quote_id, reason: value.reason };
    run(&state, &command, &bytes, use_case).await
}
