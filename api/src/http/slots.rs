//! Free starts of an offering. They change with time alone, so they are computed when they are
//! asked for: from the offering, the opening hours, and what is taken, as the views show them.

use std::time::Duration;

use actix_web::{HttpResponse, get, web};
use holdfast_domain::booking::calendar::{Calendar, CalendarEvent};
use holdfast_domain::booking::offering::{Availability, OfferingKind};
use holdfast_domain::booking::resource::Registered;
use holdfast_domain::booking::slots::{Search, free_slots};
use holdfast_domain::decider::Decider;
use holdfast_domain::ids::{OfferingId, ReservationId};
use holdfast_domain::log::Position;
use holdfast_domain::time::zone::Zone;
use holdfast_domain::time::{Interval, Timestamp};
use holdfast_projections::ports::Query as ListQuery;
use holdfast_projections::views::calendar::{AllocationDocument, AllocationStatus};
use holdfast_projections::views::resources::ResourceDocument;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::describe::Problems;
use super::ids::Id;
use super::offerings;
use super::problem::Problem;
use super::query::Query;
use super::read;
use crate::auth::Caller;
use crate::problems::Code;
use crate::state::State;

/// The longest stretch that is searched at once.
const SPAN_MAX: Duration = Duration::from_hours(24 * 93);
/// The most free starts in an answer.
const SLOTS_MAX: usize = 2_000;
/// The most claims that are looked at.
const CLAIMS_MAX: u32 = 20_000;
/// How far away a claim can matter: buffers reach at most a day beyond a booking, and a booking
/// lasts at most a week.
pub(super) const REACH: Duration = Duration::from_hours(24 * 9);
/// The shorter time that is proposed when there are too many claims.
const SHORTER: Duration = Duration::from_hours(24);

/// Which free starts.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wanted {
    /// The first start of interest.
    #[param(value_type = String)]
    from: Timestamp,
    /// The first start that is not; at most 93 days later.
    #[param(value_type = String)]
    to: Timestamp,
    /// Wait until the views show this position, at most 2 s.
    min_position: Option<u64>,
}

/// Free starts.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Slots {
    /// By start, at most 2000.
    items: Vec<SlotShown>,
    /// The next free start, when there are more than could be shown: go on with it as `from`.
    #[schema(value_type = Option<String>, format = DateTime)]
    #[serde(skip_serializing_if = "Option::is_none")]
    next_from: Option<Timestamp>,
    /// The position at which they were free.
    #[schema(value_type = u64)]
    position: Position,
}

/// A free start.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SlotShown {
    /// When it starts.
    #[schema(value_type = String, format = DateTime)]
    starts_at: Timestamp,
    /// When it ends.
    #[schema(value_type = String, format = DateTime)]
    ends_at: Timestamp,
    /// The zone of the resource.
    zone: String,
    /// The offset from UTC at its start: where the clock is set back, two starts look alike.
    offset: String,
    /// How many more can have it.
    seats_left: u32,
}

/// The free starts of an offering.
#[utoipa::path(
    tag = "booking",
    params(("id" = String, Path, format = Uuid), Wanted),
    responses((status = 200, body = Slots), Problems),
    security(("bearer" = [])),
)]
#[get("/v1/offerings/{id}/slots")]
pub(crate) async fn list(
    state: web::Data<State>,
    caller: Caller,
    offering: Id<OfferingId>,
    query: Query<Wanted>,
) -> Result<HttpResponse, Problem> {
    let Wanted { from, to, min_position } = query.0;
    let span =
        Interval::try_new(from, to).ok().filter(|span| span.end().since(span.start()) <= SPAN_MAX);
    let span = span.ok_or_else(|| {
        Problem::new(Code::InvalidQuery).detail("`to` lies after `from`, by at most 93 days.")
    })?;
    read::wait_for(&state, min_position).await?;
    let offering = offerings::find(&state, &caller, offering.0).await?.value;
    if offering.kind != OfferingKind::Slot {
        return Err(Problem::new(Code::WrongKind));
    }
    if offering.status != Availability::Published {
        return Err(Problem::new(Code::OfferNotOpen));
    }
    let resource =
        read::find::<ResourceDocument>(&state, "resources", offering.resource_id).await?;
    let resource = registered(resource.value)?;
    let (position, calendar) = taken(&state, &offering.resource_id.to_string(), span).await?;
    let terms = offering.terms();
    let mut free = free_slots(&Search {
        resource: &resource,
        terms: &terms,
        calendar: &calendar,
        from: span.start(),
        to: span.end(),
        now: state.node.clock.now(),
        seats: 1,
        // One more than is shown, to know where to go on.
        limit: SLOTS_MAX.saturating_add(1),
    });
    let next_from = free.get(SLOTS_MAX).map(|slot| slot.interval.start());
    free.truncate(SLOTS_MAX);
    let items = free
        .into_iter()
        .map(|slot| SlotShown {
            starts_at: slot.interval.start(),
            ends_at: slot.interval.end(),
            zone: resource.zone.name().to_owned(),
            offset: resource.zone.offset(slot.interval.start()),
            seats_left: slot.seats_left,
        })
        .collect();
    Ok(read::at(position, &Slots { items, next_from, position }))
}

fn registered(document: ResourceDocument) -> Result<Registered, Problem> {
    let zone: Zone = document.zone.parse().map_err(Problem::internal)?;
    Ok(Registered {
        owner: document.owner,
        display_name: document.display_name,
        zone,
        capacity: document.capacity,
        schedule_version: document.schedule_version,
        schedule: document.schedule,
    })
}

/// The claims on a resource's time that can matter to starts in `span`.
async fn taken(
    state: &State,
    resource: &str,
    span: Interval,
) -> Result<(Position, Calendar), Problem> {
    let query = ListQuery {
        resource: Some(resource.to_owned()),
        // What starts earlier is over by then; without this the whole past would be read.
        from: Some(span.start().minus(REACH.saturating_mul(2)).micros()),
        to: Some(span.end().plus(REACH).micros()),
        ends_after: Some(span.start().minus(REACH).micros()),
        // One more than is looked at: then the list is known to be cut.
        limit: CLAIMS_MAX.saturating_add(1),
        ..ListQuery::default()
    };
    let found = state.node.reader.list("calendar", query).await?;
    let starts = found.value.iter().map(|entry| Timestamp::from_micros(entry.at));
    within_bounds(&starts.collect::<Vec<_>>(), span, CLAIMS_MAX)?;
    let mut calendar = Calendar::default();
    for entry in found.value {
        let document = entry.document.ok_or_else(|| {
            Problem::unavailable(format!("the claim {} cannot be shown", entry.key))
        })?;
        let claim: AllocationDocument = document.read().map_err(Problem::internal)?;
        for fact in facts(&claim)? {
            calendar = calendar.evolve(&fact);
        }
    }
    Ok((found.position, calendar))
}

/// Refuses a list of claims that was cut, given where each starts: a time beyond the cut would look
/// free, and no answer is better than a wrong one. The bound is ours, not the caller's mistake.
fn within_bounds(starts: &[Timestamp], span: Interval, most: u32) -> Result<(), Problem> {
    let fits = |count: usize| count <= usize::try_from(most).unwrap_or(usize::MAX);
    if fits(starts.len()) {
        return Ok(());
    }
    // What would be looked at for the shortest time that is worth asking for.
    let last = span.start().plus(SHORTER).plus(REACH);
    let shorter = span.end() > span.start().plus(SHORTER)
        && fits(starts.iter().filter(|start| **start < last).count());
    let advice = if shorter {
        "Ask for a shorter time, a day for example."
    } else {
        "A shorter time does not help. Reserve a start directly: a refusal names free ones near it."
    };
    // To ask the same again changes nothing, so nothing is said about when.
    let detail = format!("More than {most} bookings lie around this time. {advice}");
    Err(Problem::new(Code::Unavailable).detail(detail))
}

/// The events that a claim as shown stands for.
fn facts(claim: &AllocationDocument) -> Result<Vec<CalendarEvent>, Problem> {
    let interval = |start, end| Interval::try_new(start, end).map_err(Problem::internal);
    let (hold, weight) = (claim.hold_id, claim.weight);
    let blocks = interval(claim.blocked_from, claim.blocked_until)?;
    if let Some(session) = claim.session_id {
        return Ok(vec![CalendarEvent::TimeBlocked { hold, session, blocks, weight }]);
    }
    let placed = CalendarEvent::HoldPlaced {
        hold,
        reservation: claim.reservation_id.unwrap_or(ReservationId::from_uuid(*hold.as_uuid())),
        booked: interval(claim.starts_at, claim.ends_at)?,
        blocks,
        weight,
        expires_at: claim.expires_at.unwrap_or(Timestamp::MAX),
    };
    let then = match claim.status {
        AllocationStatus::Held | AllocationStatus::Blocked => None,
        AllocationStatus::Pinned => {
            claim.pinned_until.map(|pinned_until| CalendarEvent::HoldPinned { hold, pinned_until })
        }
        AllocationStatus::Booked => Some(CalendarEvent::HoldConverted { hold }),
    };
    Ok([Some(placed), then].into_iter().flatten().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_hours(24);

    #[test]
    fn too_many_claims_are_the_engines_bound_and_the_caller_hears_what_helps() {
        let monday: Timestamp = "2026-03-09T00:00:00Z".parse().unwrap();
        let span = |days| Interval::try_new(monday, monday.plus(DAY * days)).unwrap();
        let daily = |count| (0..count).map(|day| monday.plus(DAY * day)).collect::<Vec<_>>();
        // Eleven claims, one a day: ten of them can matter to a single day.
        assert!(within_bounds(&daily(10), span(30), 10).is_ok());
        let said = |starts: &[Timestamp], days, most| {
            let problem = within_bounds(starts, span(days), most).unwrap_err();
            assert_eq!((problem.code(), problem.status().as_u16()), (Code::Unavailable, 503));
            problem.body()["detail"].as_str().unwrap().to_owned()
        };
        assert!(said(&daily(11), 30, 10).contains("Ask for a shorter time"));
        assert!(said(&daily(11), 1, 10).contains("does not help"), "it is as short already");
        assert!(said(&daily(10), 30, 9).contains("does not help"), "a day has as many");
        assert!(said(&[monday; 11], 30, 10).contains("does not help"), "all at once");
    }
}
