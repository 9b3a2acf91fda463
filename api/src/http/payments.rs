//! Payments: confirm what a customer authorised, look at it, return a part, decide about a review.

use actix_web::{HttpResponse, get, post, web};
use holdfast_commands::cancel::RefundPart;
use holdfast_commands::handle::{Confirm, Confirmed};
use holdfast_commands::review::ResolveReview;
use holdfast_domain::booking::reservation::CancelledBy;
use holdfast_domain::ids::PaymentId;
use holdfast_domain::money::Money;
use holdfast_domain::payment::{PaymentRefusal, ReviewDecision};
use holdfast_projections::views::payments::PaymentDocument;
use holdfast_projections::views::reservations::ReservationDocument;
use holdfast_projections::views::schema::MoneyShape;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use super::command::{Command, checking, outcome, respond, run};
use super::describe::{CommandHeaders, CommandQuery, Problems};
use super::ids::Id;
use super::json::Body;
use super::present::RefundShown;
use super::problem::Problem;
use super::query::Query;
use super::read::{self, OneAsOf};
use super::reservations::concerned;
use super::text::ProviderKey;
use crate::auth::{Caller, is_office};
use crate::problems::Code;
use crate::state::State;

/// Registers the routes of this file.
pub(crate) fn configure(services: &mut ServiceConfig<'_>) {
    services.service(confirm).service(refund).service(resolve_review).service(get);
}

/// What a customer authorised.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Confirmation {
    /// The provider's name for the authorisation. With the simulator it says what happens:
    /// `sim_approve_1`, `sim_decline_1`, `sim_lost_after_capture_1` and so on.
    #[schema(value_type = String, example = "sim_approve_1")]
    payment_key: ProviderKey,
    /// What the customer believes to pay.
    #[schema(value_type = MoneyShape)]
    amount: Money,
}

/// The provider gave no definite answer yet; the engine keeps asking.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Checking {
    /// Always `checking`.
    status: &'static str,
    /// Which payment: read it until its status changes.
    #[schema(value_type = String, format = Uuid)]
    order_id: PaymentId,
}

/// Captures a payment and confirms its reservation.
#[utoipa::path(
    tag = "payments",
    request_body = Confirmation,
    params(("id" = String, Path, format = Uuid), CommandHeaders, CommandQuery),
    responses(
        (status = 200, body = ReservationDocument),
        (status = 202, body = Checking, description = "The provider's answer is not known yet"),
        Problems,
    ),
    security(("bearer" = [])),
)]
#[post("/v1/payments/{id}/confirm")]
pub(crate) async fn confirm(
    state: web::Data<State>,
    order: Id<PaymentId>,
    command: Command,
    body: Body<Confirmation>,
) -> Result<HttpResponse, Problem> {
    let Body { value, bytes } = body;
    let (order, payment_key) = (order.0, value.payment_key.into());
    let confirm = Confirm { order, payment_key, amount: value.amount };
    let confirmed = state.node.engine.confirm(confirm, command.request(&bytes)).await;
    let decided = |word| state.metrics.commands.decided("confirm_payment", word);
    match confirmed {
        Ok(Confirmed::Answered(answer)) => {
            let answer = Ok(answer);
            decided(outcome(&answer));
            respond(answer)
        }
        Err(error) => {
            let answer = Err(error);
            decided(outcome(&answer));
            respond(answer)
        }
        Ok(Confirmed::Checking { position, replayed }) => {
            decided("checking");
            Ok(checking(position, replayed).json(Checking { status: "checking", order_id: order }))
        }
    }
}

/// A payment with its attempts and refunds. For its customer, the provider of the service,
/// auditors and admins.
#[utoipa::path(
    tag = "payments",
    params(("id" = String, Path, format = Uuid), OneAsOf),
    responses((status = 200, body = PaymentDocument), Problems),
    security(("bearer" = [])),
)]
#[get("/v1/payments/{id}")]
pub(crate) async fn get(
    state: web::Data<State>,
    caller: Caller,
    order: Id<PaymentId>,
    query: Query<OneAsOf>,
) -> Result<HttpResponse, Problem> {
    if let Some(as_of) = &query.0.as_of {
        return super::audit::payment_as_of(&state, &caller, order.0, as_of).await;
    }
    read::wait_for(&state, query.0.min_position).await?;
    let found = read::find::<PaymentDocument>(&state, "payments", order.0).await?;
    if !is_office(&caller) && found.value.customer != caller.principal {
        let about = state.node.engine.routes().payment(order.0).await?;
        if about.is_none_or(|about| about.provider != caller.principal) {
            return Err(Problem::new(Code::NotFound));
        }
    }
    Ok(read::at_revision(found.position, found.value.revision, &found.value))
}

/// A part to be returned.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewRefund {
    /// How much.
    #[schema(value_type = MoneyShape)]
    amount: Money,
}

/// Returns a part of what was paid, out of goodwill; the booking stays. For the provider of the
/// service and admins.
#[utoipa::path(
    tag = "payments",
    request_body = NewRefund,
    params(("id" = String, Path, format = Uuid), CommandHeaders, CommandQuery),
    responses((status = 201, body = RefundShown), Problems),
    security(("bearer" = [])),
)]
#[post("/v1/payments/{id}/refunds")]
pub(crate) async fn refund(
    state: web::Data<State>,
    order: Id<PaymentId>,
    command: Command,
    body: Body<NewRefund>,
) -> Result<HttpResponse, Problem> {
    let (order, Body { value, bytes }) = (order.0, body);
    let about = state.node.engine.routes().payment(order).await?;
    let about = about.ok_or(Problem::from(PaymentRefusal::NotFound))?;
    let (about, part, command) = concerned(&state, command, about.reservation).await?;
    if part == CancelledBy::Customer {
        return Err(Problem::new(Code::Forbidden));
    }
    let use_case = RefundPart { about, order, amount: value.amount };
    run(&state, &command, &bytes, use_case).await
}

/// What becomes of money that was taken in another amount than was asked for.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReviewResolution {
    /// `return`: all of it goes back, and the seat is let go; `accept`: it counts as the price, as
    /// long as the seat is held.
    #[schema(value_type = String, example = "return")]
    decision: ReviewDecision,
}

/// Decides about a payment that is under review. For admins.
#[utoipa::path(
    tag = "payments",
    request_body = ReviewResolution,
    params(("id" = String, Path, format = Uuid), CommandHeaders, CommandQuery),
    responses((status = 200, body = ReservationDocument), Problems),
    security(("bearer" = [])),
)]
#[post("/v1/payments/{id}/resolve-review")]
pub(crate) async fn resolve_review(
    state: web::Data<State>,
    order: Id<PaymentId>,
    command: Command,
    body: Body<ReviewResolution>,
) -> Result<HttpResponse, Problem> {
    let (order, Body { value, bytes }) = (order.0, body);
    let about = state.node.engine.routes().payment(order).await?;
    let about = about.ok_or(Problem::from(PaymentRefusal::NotFound))?;
    let (decision, by) = (value.decision, command.principal());
    run(&state, &command, &bytes, ResolveReview { about, order, decision, by }).await
}
