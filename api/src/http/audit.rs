//! For auditors: facts as they were stored, and what a booking looked like at any moment.

use std::sync::Arc;

use actix_web::{HttpResponse, get, web};
use holdfast_commands::ports::Presenter as _;
use holdfast_commands::state::{Known, State as Folded};
use holdfast_domain::booking::reservation::Reservation;
use holdfast_domain::booking::{payment_stream, reservation_stream};
use holdfast_domain::ids::{InvalidId, PaymentId, ReservationId};
use holdfast_domain::log::{Feed, Position, ReadError, Recorded, Revision, StoredEvent, StreamId};
use holdfast_domain::payment::Payment;
use holdfast_domain::time::Timestamp;
use holdfast_eventlog::codec;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::{IntoParams, ToSchema};

use super::cursor::Scope;
use super::describe::Problems;
use super::present::{Shown, payment_at};
use super::problem::Problem;
use super::query::Query;
use super::read::{self, Page};
use crate::auth::{Caller, is_office};
use crate::problems::Code;
use crate::state::State;

/// How many events of one stream are read at once.
const STEP: usize = 1_000;

/// A whole stream, in steps: a store may answer with less than it was asked for.
async fn whole_stream(feed: &dyn Feed, stream: StreamId) -> Result<Vec<StoredEvent>, Problem> {
    let mut found: Vec<StoredEvent> = Vec::new();
    loop {
        let from = found.last().map_or(Revision(0), |last| last.revision.next());
        let step = feed.stored_stream(stream.to_string(), from, STEP).await?;
        if step.is_empty() {
            return Ok(found);
        }
        found.extend(step);
    }
}

/// A fact as it is stored.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct EventShown {
    /// Its place in the log.
    position: u64,
    /// Its stream.
    stream: String,
    /// Its number in the stream.
    revision: u64,
    /// The stored name.
    #[serde(rename = "type")]
    kind: String,
    /// The version of its shape.
    schema: u32,
    /// When its command was accepted.
    #[schema(value_type = String, format = DateTime)]
    accepted_at: Timestamp,
    /// The fact, as stored.
    #[schema(value_type = Object)]
    data: Box<RawValue>,
    /// Who, by which command, because of what; as stored.
    #[schema(value_type = Object)]
    metadata: Box<RawValue>,
    /// Its link in the stream's chain, in hexadecimal.
    hash: String,
}

impl TryFrom<StoredEvent> for EventShown {
    type Error = Problem;

    fn try_from(event: StoredEvent) -> Result<Self, Problem> {
        let raw = |bytes: Vec<u8>| {
            let text = String::from_utf8(bytes).map_err(Problem::internal)?;
            RawValue::from_string(text).map_err(Problem::internal)
        };
        Ok(Self {
            position: event.position.0,
            stream: event.stream,
            revision: event.revision.0,
            kind: event.name,
            schema: event.schema,
            accepted_at: event.accepted_at,
            data: raw(event.payload)?,
            metadata: raw(event.metadata)?,
            hash: event.hash.to_string(),
        })
    }
}

impl From<ReadError> for Problem {
    fn from(why: ReadError) -> Self {
        Self::unavailable(why)
    }
}

/// Which part of a stream.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct Part {
    /// At most so many.
    pub(super) limit: Option<u32>,
    /// Where the page before ended.
    pub(super) cursor: Option<String>,
}

/// The events of a stream, oldest first.
#[utoipa::path(
    tag = "audit",
    params(("stream" = String, Path, example = "reservation-018f2a10-7c5e-7000-8000-000000000001"), Part),
    responses((status = 200, body = Page<EventShown>), Problems),
    security(("bearer" = [])),
)]
#[get("/v1/streams/{stream}")]
pub(crate) async fn list_stream(
    state: web::Data<State>,
    caller: Caller,
    path: web::Path<String>,
    query: Query<Part>,
) -> Result<HttpResponse, Problem> {
    let stream: StreamId = path.parse().map_err(|_why: InvalidId| Problem::new(Code::InvalidId))?;
    let name = stream.to_string();
    let scope = Scope { purpose: "stream", principal: Some(caller.principal), filter: &name };
    let from: u64 = match &query.0.cursor {
        Some(cursor) => state.cursors.open(&scope, cursor)?,
        None => 0,
    };
    let limit = size(&state, query.0.limit)?;
    let wanted = limit.saturating_add(1);
    let events = state.node.feed.stored_stream(name.clone(), Revision(from), wanted).await?;
    if events.is_empty() && from == 0 {
        return Err(Problem::new(Code::NotFound));
    }
    page(&state, events, limit, &scope, |event| event.revision.0.saturating_add(1))
}

/// Which events.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct Events {
    /// After this position; from the beginning when left out.
    after: Option<u64>,
    /// At most so many.
    limit: Option<u32>,
    /// Only those whose stored name starts so, for example `payment.`.
    #[serde(rename = "type")]
    #[param(rename = "type")]
    kind: Option<String>,
    /// Where the page before ended.
    cursor: Option<String>,
}

/// The whole log, in commit order.
#[utoipa::path(
    tag = "audit",
    params(Events),
    responses((status = 200, body = Page<EventShown>), Problems),
    security(("bearer" = [])),
)]
#[get("/v1/events")]
pub(crate) async fn list_events(
    state: web::Data<State>,
    caller: Caller,
    query: Query<Events>,
) -> Result<HttpResponse, Problem> {
    let Events { after, limit, kind, cursor } = query.0;
    let filter = kind.clone().unwrap_or_default();
    let scope = Scope { purpose: "events", principal: Some(caller.principal), filter: &filter };
    let mut after = match &cursor {
        Some(cursor) => state.cursors.open(&scope, cursor)?,
        None => after.unwrap_or(0),
    };
    let limit = size(&state, limit)?;
    let mut found = Vec::new();
    // A rare name is looked for in bounded steps; the cursor says how far the search came.
    for _ in 0..20 {
        let stored = state.node.feed.stored(Position(after), 1_000).await?;
        let Some(last) = stored.last() else { break };
        after = last.position.0;
        found.extend(stored.into_iter().filter(|event| event.name.starts_with(&filter)));
        if found.len() > limit {
            break;
        }
    }
    if found.len() > limit {
        return page(&state, found, limit, &scope, |event| event.position.0);
    }
    let head = state.node.feed.head().await?.position;
    let more = after < head.0;
    let items = shown(found)?;
    let next_cursor = more.then(|| state.cursors.seal(&scope, &after)).transpose()?;
    Ok(read::at(head, &Page::new(items, next_cursor)))
}

pub(super) fn shown(events: Vec<StoredEvent>) -> Result<Vec<EventShown>, Problem> {
    events.into_iter().map(EventShown::try_from).collect()
}

pub(super) fn size(state: &State, limit: Option<u32>) -> Result<usize, Problem> {
    read::page_limit(state, limit).map(|limit| usize::try_from(limit).unwrap_or(usize::MAX))
}

fn page(
    state: &State,
    mut found: Vec<StoredEvent>,
    limit: usize,
    scope: &Scope<'_>,
    place: impl Fn(&StoredEvent) -> u64,
) -> Result<HttpResponse, Problem> {
    let more = found.len() > limit;
    found.truncate(limit);
    let last = found.last().filter(|_| more).map(place);
    let next_cursor = last.map(|place| state.cursors.seal(scope, &place)).transpose()?;
    Ok(HttpResponse::Ok().json(Page::new(shown(found)?, next_cursor)))
}

/// A moment in the life of the log.
#[derive(Debug, Clone, Copy)]
enum Moment {
    At(Position),
    On(Timestamp),
}

impl Moment {
    fn read(text: &str) -> Result<Self, Problem> {
        let wrong = || {
            Problem::new(Code::InvalidQuery)
                .detail("`as_of` is a position, or an RFC 3339 instant with an offset.")
        };
        match text.parse() {
            Ok(position) => Ok(Self::At(Position(position))),
            Err(_not_a_number) => text.parse().map(Self::On).map_err(|_not_an_instant| wrong()),
        }
    }

    fn has_seen(self, event: &Recorded) -> bool {
        match self {
            Self::At(position) => event.position <= position,
            Self::On(instant) => event.metadata.accepted_at <= instant,
        }
    }
}

async fn fold(
    state: &State,
    stream: StreamId,
    moment: Moment,
) -> Result<(Known, Vec<Recorded>), Problem> {
    let feed: &Arc<dyn Feed> = &state.node.feed;
    let stored = whole_stream(&**feed, stream).await?;
    let events = stored.into_iter().map(codec::decode).collect::<Result<Vec<_>, _>>()?;
    let seen: Vec<_> = events.into_iter().filter(|event| moment.has_seen(event)).collect();
    Ok((Known::fold(stream, &seen), seen))
}

/// A reservation as it was, folded from its streams.
pub(crate) async fn reservation_as_of(
    state: &State,
    caller: &Caller,
    id: ReservationId,
    as_of: &str,
) -> Result<HttpResponse, Problem> {
    if !is_office(caller) {
        return Err(Problem::new(Code::Forbidden));
    }
    let moment = Moment::read(as_of)?;
    let (known, _) = fold(state, reservation_stream(id), moment).await?;
    let revision = known.revision().unwrap_or_default();
    let Folded::Reservation(Reservation::Requested(paper)) = known.state else {
        return Err(Problem::new(Code::NotFound));
    };
    let account = match paper.booking.payment {
        Some(order) => match fold(state, payment_stream(order), moment).await?.0.state {
            Folded::Payment(Payment::Initiated(account)) => Some((order, account)),
            Folded::Payment(Payment::Absent)
            | Folded::Resource(_)
            | Folded::Calendar(_)
            | Folded::Offering(_)
            | Folded::Session(_)
            | Folded::Reservation(_) => None,
        },
        None => None,
    };
    let account = account.as_ref().map(|(order, account)| (*order, account));
    let body = Shown.reservation(id, &paper, account, revision);
    Ok(HttpResponse::Ok().content_type("application/json").body(body))
}

/// A payment as it was, folded from its stream.
pub(crate) async fn payment_as_of(
    state: &State,
    caller: &Caller,
    order: PaymentId,
    as_of: &str,
) -> Result<HttpResponse, Problem> {
    if !is_office(caller) {
        return Err(Problem::new(Code::Forbidden));
    }
    let (_, events) = fold(state, payment_stream(order), Moment::read(as_of)?).await?;
    let payment = payment_at(&events)?.ok_or(Problem::new(Code::NotFound))?;
    Ok(HttpResponse::Ok().content_type("application/json").body(payment))
}
