//! Everything that was written about a reservation, oldest first. The calendar or class of its seat
//! holds the events of many others: it is read in steps, what is about somebody else is let go at
//! once, and there is a bound to how much is looked at for one answer.

use actix_web::{HttpResponse, get, web};
use holdfast_domain::ids::{CorrelationId, HoldId, ReservationId};
use holdfast_domain::log::{Feed, Metadata, Position, Revision, StoredEvent, StreamId};
use serde::Deserialize;

use super::audit::{EventShown, Part, shown, size};
use super::cursor::Scope;
use super::describe::Problems;
use super::ids::Id;
use super::problem::Problem;
use super::query::Query;
use super::read::{self, Page};
use crate::auth::Caller;
use crate::problems::Code;
use crate::state::State;

/// How many events are read at once.
const STEP: usize = 1_000;
/// How many events are looked at for one answer.
const LOOKED_AT_MAX: usize = 100_000;

/// Everything that was written about a reservation: its own events, its payment's, its seat's.
#[utoipa::path(
    tag = "audit",
    params(("id" = String, Path, format = Uuid), Part),
    responses((status = 200, body = Page<EventShown>), Problems),
    security(("bearer" = [])),
)]
#[get("/v1/reservations/{id}/history")]
pub(crate) async fn history(
    state: web::Data<State>,
    caller: Caller,
    reservation: Id<ReservationId>,
    query: Query<Part>,
) -> Result<HttpResponse, Problem> {
    let about = state.node.engine.routes().reservation(reservation.0).await?;
    let about = about.ok_or(Problem::new(Code::NotFound))?;
    let name = reservation.0.to_string();
    let scope = Scope { purpose: "history", principal: Some(caller.principal), filter: &name };
    let Part { limit, cursor } = query.0;
    let after = cursor.map(|text| state.cursors.open(&scope, &text)).transpose()?;
    let limit = size(&state, limit)?;
    // Before the search: what is written meanwhile may be missed, and the answer must not claim it.
    let head = state.node.feed.head().await?.position;
    let mut search = Search {
        feed: &*state.node.feed,
        reservation: reservation.0,
        after: after.unwrap_or_default(),
        // One more than the page holds says whether there is another.
        wanted: limit.saturating_add(1),
        left: LOOKED_AT_MAX,
    };
    let mut found = search.through(&about.streams()).await?;
    let more = found.len() > limit;
    found.truncate(limit);
    let last = found.last().filter(|_| more).map(|event| event.position);
    let next_cursor = last.map(|position| state.cursors.seal(&scope, &position)).transpose()?;
    Ok(read::at(head, &Page::new(shown(found)?, next_cursor)))
}

/// A search for a page of events about a reservation.
struct Search<'a> {
    feed: &'a dyn Feed,
    reservation: ReservationId,
    /// The page before ended here.
    after: Position,
    /// How many are wanted at most.
    wanted: usize,
    /// How many events may still be looked at.
    left: usize,
}

impl Search<'_> {
    /// The first events that are wanted of all these streams together, oldest first.
    async fn through(&mut self, streams: &[StreamId]) -> Result<Vec<StoredEvent>, Problem> {
        let mut found = Vec::new();
        for stream in streams {
            found.extend(self.one(*stream).await?);
        }
        found.sort_by_key(|event| event.position);
        found.truncate(self.wanted);
        Ok(found)
    }

    /// The first that are wanted of one stream.
    async fn one(&mut self, stream: StreamId) -> Result<Vec<StoredEvent>, Problem> {
        let (mut found, mut from) = (Vec::new(), Revision(0));
        loop {
            let step = self.feed.stored_stream(stream.to_string(), from, STEP).await?;
            let Some(last) = step.last() else { return Ok(found) };
            from = last.revision.next();
            self.left = self.left.checked_sub(step.len()).ok_or_else(|| too_much(stream))?;
            let about = |event: &StoredEvent| {
                event.position > self.after && belongs(event, self.reservation)
            };
            found.extend(step.into_iter().filter(about));
            if found.len() >= self.wanted {
                return Ok(found);
            }
        }
    }
}

/// The bound was reached. To ask again changes nothing, so nothing is said about when.
fn too_much(stream: StreamId) -> Problem {
    Problem::new(Code::Unavailable).detail(format!(
        "More than {LOOKED_AT_MAX} events would have to be looked at for this answer. Read \
         /v1/streams/{stream} page by page instead; the events of this reservation name it, or \
         its hold."
    ))
}

/// The claim that an event of a seat's stream is about.
#[derive(Deserialize)]
struct OfClaim {
    hold: Option<HoldId>,
}

/// Whether an event was written for the reservation, or is about its claim: somebody else's
/// placement can be what writes down that a hold ran out.
fn belongs(event: &StoredEvent, reservation: ReservationId) -> bool {
    let written_for = serde_json::from_slice::<Metadata>(&event.metadata)
        .is_ok_and(|metadata| metadata.correlation_id == CorrelationId::from(reservation));
    let claims = [HoldId::derive(reservation, 0), HoldId::derive(reservation, 1)];
    written_for
        || serde_json::from_slice::<OfClaim>(&event.payload)
            .is_ok_and(|about| about.hold.is_some_and(|hold| claims.contains(&hold)))
}

#[cfg(test)]
mod tests {
    use holdfast_domain::actor::Actor;
    use holdfast_domain::booking::calendar::CalendarEvent;
    use holdfast_domain::ids::{CommandId, Epoch, EventId};
    use holdfast_domain::log::{Batch, Category, EventLog as _, Expected, NewEvent, Write};
    use holdfast_domain::time::Timestamp;
    use holdfast_eventlog::MemoryLog;
    use uuid::Uuid;

    use super::*;

    fn reservation(number: u128) -> ReservationId {
        ReservationId::from_uuid(Uuid::from_u128(number))
    }

    /// A calendar on which these reservations' holds ran out, one after the other.
    async fn calendar(of: impl Iterator<Item = u128>) -> (MemoryLog, StreamId) {
        let log = MemoryLog::new(Epoch::from_uuid(Uuid::from_u128(1)));
        let stream = StreamId::new(Category::Calendar, Uuid::from_u128(7));
        let events: Vec<_> = of
            .zip(0..)
            .map(|(number, ordinal)| {
                let command_id = CommandId::from_uuid(Uuid::from_u128(9));
                let metadata = Metadata {
                    event_id: EventId::derive(command_id, &stream, ordinal),
                    command_id,
                    causation_id: None,
                    correlation_id: CorrelationId::from_uuid(Uuid::from_u128(9)),
                    actor: Actor::Process { name: "test".to_owned() },
                    accepted_at: Timestamp::from_micros(1),
                    traceparent: None,
                };
                let hold = HoldId::derive(reservation(number), 0);
                NewEvent { event: CalendarEvent::HoldExpired { hold }.into(), metadata }
            })
            .collect();
        let writes = vec![Write { stream, expected: Expected::NoStream, events }];
        let answers = log.append(vec![Batch { writes, guards: vec![], command: None }]).await;
        assert!(answers.iter().all(Result::is_ok), "{answers:?}");
        (log, stream)
    }

    #[tokio::test]
    async fn what_is_about_others_is_let_go_and_what_is_looked_at_is_bounded() {
        // Every hundredth of 1,000 is about the first reservation.
        let numbers = (0..1_000_u128).map(|number| number.checked_rem(100).unwrap());
        let (feed, stream) = calendar(numbers).await;
        let search = |after, wanted, left| Search {
            feed: &feed,
            reservation: reservation(0),
            after: Position(after),
            wanted,
            left,
        };
        let positions = async |mut search: Search<'_>| {
            let found = search.through(&[stream]).await?;
            Ok::<_, Problem>(found.iter().map(|event| event.position.0).collect::<Vec<_>>())
        };
        assert_eq!(positions(search(0, 3, 1_000)).await.unwrap(), [1, 101, 201]);
        assert_eq!(positions(search(201, 3, 1_000)).await.unwrap(), [301, 401, 501]);
        assert_eq!(positions(search(801, 3, 1_000)).await.unwrap(), [901]);
        let beyond = positions(search(801, 3, 999)).await.unwrap_err();
        assert_eq!((beyond.code(), beyond.status().as_u16()), (Code::Unavailable, 503));
        let said = beyond.body()["detail"].as_str().unwrap().to_owned();
        assert!(said.contains(&format!("/v1/streams/{stream} page by page")), "{said}");
    }
}
