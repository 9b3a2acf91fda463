//! `POST /v1/quotes`: what something would cost, and what a cancellation would return. Takes nothing
//! and promises nothing: whether it can be had is decided when it is taken.

use actix_web::{HttpResponse, post, web};
use holdfast_commands::refusal::Refusal;
use holdfast_commands::reserve::{Seat, price};
use holdfast_domain::booking::offering::{
    Availability, Drafted, OfferingKind, OfferingRefusal, Terms,
};
use holdfast_domain::booking::reservation::Quote;
use holdfast_domain::ids::{OfferingId, SessionId};
use holdfast_domain::time::Timestamp;
use holdfast_projections::views::offerings::OfferingDocument;
use holdfast_projections::views::resources::ResourceDocument;
use holdfast_projections::views::schema::QuoteShape;
use holdfast_projections::views::sessions::SessionDocument;
use serde::Deserialize;
use utoipa::ToSchema;

use super::describe::Problems;
use super::json::Body;
use super::party::PartySize;
use super::problem::Problem;
use super::query::{NoParameters, Query};
use super::reservations::seat;
use super::{offerings, read, refusals};
use crate::auth::Caller;
use crate::state::State;

/// A price to be named.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewQuote {
    /// For what.
    #[schema(value_type = String, format = Uuid)]
    offering_id: OfferingId,
    /// When, for a slot.
    #[schema(value_type = Option<String>, format = DateTime)]
    starts_at: Option<Timestamp>,
    /// Which session, for a class.
    #[schema(value_type = Option<String>, format = Uuid)]
    session_id: Option<SessionId>,
    /// For how many people; 1 when left out.
    #[schema(value_type = u32)]
    #[serde(default)]
    party_size: PartySize,
}

/// Names a price with its lines and the refund terms.
///
/// Takes nothing and promises nothing: whether the time or the seats can be had is decided when they
/// are taken.
#[utoipa::path(
    tag = "booking",
    request_body = NewQuote,
    responses((status = 200, body = QuoteShape), Problems),
    security(("bearer" = [])),
)]
#[post("/v1/quotes")]
pub(crate) async fn name_price(
    state: web::Data<State>,
    caller: Caller,
    _query: Query<NoParameters>,
    body: Body<NewQuote>,
) -> Result<HttpResponse, Problem> {
    let wanted = body.value;
    let (seat, party) = (seat(wanted.starts_at, wanted.session_id)?, wanted.party_size.0);
    let found = offerings::find(&state, &caller, wanted.offering_id).await?;
    if party == 0 {
        return Err(refused(&Refusal::InvalidPartySize));
    }
    check(&state, &found.value, seat, party).await?;
    let terms = found.value.terms();
    let named: Quote = price(&drafted(found.value, terms), party).map_err(|why| refused(&why))?;
    Ok(read::at(found.position, &named))
}

/// Refuses to name a price for what could never be had like that.
async fn check(
    state: &State,
    offering: &OfferingDocument,
    seat: Seat,
    party: u32,
) -> Result<(), Problem> {
    let kind = match seat {
        Seat::At(_) => OfferingKind::Slot,
        Seat::In(_) => OfferingKind::Class,
    };
    if offering.kind != kind {
        return Err(OfferingRefusal::WrongKind.into());
    }
    if offering.status != Availability::Published {
        return Err(OfferingRefusal::OfferNotOpen.into());
    }
    let capacity = match seat {
        Seat::At(_) => {
            let resource = offering.resource_id;
            Some(read::find::<ResourceDocument>(state, "resources", resource).await?.value.capacity)
        }
        Seat::In(session) => {
            let session = read::find::<SessionDocument>(state, "sessions", session).await?.value;
            if session.offering_id != offering.id {
                return Err(refused(&Refusal::SessionNotInOffer));
            }
            session.capacity
        }
    };
    match capacity.filter(|capacity| party > *capacity) {
        Some(capacity) => Err(refused(&Refusal::CapacityExceeded { capacity })),
        None => Ok(()),
    }
}

fn drafted(offering: OfferingDocument, terms: Terms) -> Drafted {
    Drafted {
        provider: offering.provider,
        resource: offering.resource_id,
        title: offering.title,
        kind: offering.kind,
        terms,
        availability: offering.status,
        version: offering.version,
    }
}

fn refused(refusal: &Refusal) -> Problem {
    refusals::problem(refusal)
}
