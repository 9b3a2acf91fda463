//! Single streams as of then: the fold of each, and how it differs from now.

use holdfast_commands::state::{Known, State};
use holdfast_domain::booking::{payment_stream, reservation_stream};
use holdfast_domain::ids::ReservationId;
use holdfast_domain::log::{Feed, Recorded, Revision, StoredEvent, StreamId};
use holdfast_eventlog::codec::decode;
use serde::Serialize;
use serde_json::Value;

use super::as_of::AsOf;
use super::difference::{self, Different};
use super::state;
use crate::cli::Failure;
use crate::cli::output::{self, Format};

const PAGE: usize = 512;

/// A stream as it was.
#[derive(Debug, Serialize)]
pub struct Folded {
    /// Which.
    pub stream: String,
    /// Its last event then; none when nothing was written to it yet.
    pub revision: Option<u64>,
    /// Where that stands in the log.
    pub position: Option<u64>,
    /// When that was accepted.
    pub accepted_at: Option<String>,
    /// What it said.
    pub state: Value,
    /// What is different now, when that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub now: Option<Now>,
}

/// What is different now.
#[derive(Debug, Serialize)]
pub struct Now {
    /// The events since, by name.
    pub events: Vec<String>,
    /// The values that differ.
    pub different: Vec<Different>,
}

/// Which streams, and what of them is of interest.
#[derive(Debug)]
pub struct Chosen {
    streams: Vec<StreamId>,
    claim: Option<Claim>,
}

/// The seat of one reservation in the stream that decides about many.
#[derive(Debug)]
struct Claim {
    authority: StreamId,
    reservation: String,
    /// Every hold that the reservation ever had, as events name them.
    holds: Vec<String>,
}

impl Chosen {
    /// All of one stream.
    pub fn whole(stream: StreamId) -> Self {
        Self { streams: vec![stream], claim: None }
    }

    /// What of a stream's state is of interest.
    fn state(&self, stream: StreamId, mut state: Value) -> Value {
        let Some(claim) = self.claim.as_ref().filter(|claim| claim.authority == stream) else {
            return state;
        };
        if let Some(claims) = state.pointer_mut("/claims").and_then(Value::as_object_mut) {
            let own = |one: &Value| {
                let by = one.pointer("/by/reservation").and_then(Value::as_str);
                by == Some(claim.reservation.as_str())
            };
            claims.retain(|_hold, one| own(one));
        }
        state
    }

    /// Whether an event of a stream is of interest.
    fn takes(&self, stream: StreamId, event: &StoredEvent) -> bool {
        let Some(claim) = self.claim.as_ref().filter(|claim| claim.authority == stream) else {
            return true;
        };
        let payload = String::from_utf8_lossy(&event.payload);
        claim.holds.iter().any(|hold| payload.contains(hold))
    }
}

/// The streams of a reservation: itself, its payment, and its seat.
pub async fn around(feed: &dyn Feed, id: ReservationId) -> Result<Chosen, Failure> {
    let stream = reservation_stream(id);
    let known = fold(stream, &load(feed, stream).await?)?;
    let State::Reservation(reservation) = &known.state else { return Ok(Chosen::whole(stream)) };
    let missing = |_absent| Failure::Conflict(format!("{stream}: there is no such reservation"));
    let paper = reservation.paper().map_err(missing)?;
    let booking = &paper.booking;
    let authority = booking.authority.stream();
    let mut streams = vec![stream];
    streams.extend(booking.payment.map(payment_stream));
    streams.push(authority);
    let holds = vec![booking.hold.to_string(), paper.hold.to_string()];
    Ok(Chosen { streams, claim: Some(Claim { authority, reservation: id.to_string(), holds }) })
}

/// Folds each stream up to there; with `now`, also to its end.
pub async fn replay(
    feed: &dyn Feed,
    chosen: &Chosen,
    as_of: AsOf,
    now: bool,
) -> Result<Vec<Folded>, Failure> {
    let mut found = Vec::new();
    for stream in chosen.streams.iter().copied() {
        let events = load(feed, stream).await?;
        if events.is_empty() {
            return Err(Failure::Conflict(format!("{stream}: there is no such stream")));
        }
        let covered = events.iter().take_while(|event| as_of.covers(event)).count();
        let (then, since) = events.split_at_checked(covered).unwrap_or((&events, &[]));
        let state = chosen.state(stream, state::document(stream, &fold(stream, then)?)?);
        let last = then.last();
        let different = if now {
            let latest = chosen.state(stream, state::document(stream, &fold(stream, &events)?)?);
            let since = since.iter().filter(|event| chosen.takes(stream, event));
            let events = since.map(|event| event.name.clone()).collect();
            Some(Now { events, different: difference::between(&state, &latest) })
        } else {
            None
        };
        found.push(Folded {
            stream: stream.to_string(),
            revision: last.map(|event| event.revision.0),
            position: last.map(|event| event.position.0),
            accepted_at: last.map(|event| event.accepted_at.to_string()),
            state,
            now: different,
        });
    }
    Ok(found)
}

async fn load(feed: &dyn Feed, stream: StreamId) -> Result<Vec<StoredEvent>, Failure> {
    let (mut events, mut from) = (Vec::new(), Revision(0));
    loop {
        let page = feed.stored_stream(stream.to_string(), from, PAGE).await?;
        let Some(last) = page.last() else { return Ok(events) };
        from = last.revision.next();
        events.extend(page);
    }
}

fn fold(stream: StreamId, events: &[StoredEvent]) -> Result<Known, Failure> {
    let events: Result<Vec<Recorded>, _> = events.iter().cloned().map(decode).collect();
    Ok(Known::fold(stream, &events?))
}

/// Shows them.
pub fn show(format: Format, found: &[Folded]) -> Result<(), Failure> {
    output::rows(format, found, |folded| text(folded))
}

fn text(folded: &Folded) -> String {
    let mut lines = vec![folded.stream.clone()];
    match (folded.revision, folded.position, &folded.accepted_at) {
        (Some(revision), Some(position), Some(at)) => {
            lines.push(format!("  as of revision {revision}, position {position}, {at}"));
        }
        _ => lines.push("  nothing had been written to it".to_owned()),
    }
    let leaves = difference::leaves(&folded.state);
    lines.extend(leaves.iter().map(|(path, value)| format!("    {path:<36} {value}")));
    if let Some(now) = &folded.now {
        if now.events.is_empty() {
            lines.push("  since then: nothing".to_owned());
        } else {
            lines.push(format!("  since then: {}", now.events.join(" · ")));
        }
        let shown = |value: &Option<String>| value.clone().unwrap_or_else(|| "–".to_owned());
        lines.extend(
            now.different.iter().map(|one| {
                format!("    {:<36} {} → {}", one.path, shown(&one.then), shown(&one.now))
            }),
        );
    }
    lines.join("\n")
}
