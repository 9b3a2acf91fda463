//! What the claims have in common: streams, batches and events with names that come out the same
//! in each run.

use std::sync::Arc;

use holdfast_domain::actor::{Actor, Role};
use holdfast_domain::booking::reservation::ReservationEvent;
use holdfast_domain::event::Event;
use holdfast_domain::ids::{CommandId, CorrelationId, EventId, PrincipalId};
use holdfast_domain::log::{
    AppendError, Appended, Batch, Category, CommandRecord, Expected, Guard, Hash, Head, Metadata,
    NewEvent, Revision, StreamId, Write,
};
use holdfast_domain::time::Timestamp;
use uuid::Uuid;

use super::Subject;

pub(super) const ACCEPTED_AT: Timestamp = Timestamp::from_micros(1_772_000_000_123_456);

/// The stream number `n`.
pub(super) fn stream(n: u128) -> StreamId {
    StreamId::new(Category::Reservation, Uuid::from_u128(0x018f_2a10_7c5e_7000_8000 << 48 | n))
}

/// The command number `n`.
pub(super) fn command(n: u128) -> CommandId {
    CommandId::from_uuid(Uuid::from_u128(0x018f_2a10_7c5e_7000_9000 << 48 | n))
}

/// The smallest fact there is.
pub(super) fn small() -> Event {
    ReservationEvent::Expired {}.into()
}

pub(super) fn metadata(command: CommandId, event_id: EventId) -> Metadata {
    Metadata {
        event_id,
        command_id: command,
        causation_id: None,
        correlation_id: CorrelationId::from_uuid(*command.as_uuid()),
        actor: Actor::User { id: PrincipalId::from_uuid(*command.as_uuid()), role: Role::Customer },
        accepted_at: ACCEPTED_AT,
        traceparent: None,
    }
}

/// `events` of the command number `by`, for the stream.
pub(super) fn write_of(by: u128, stream: StreamId, expected: Expected, events: &[Event]) -> Write {
    let events = (0..).zip(events).map(|(ordinal, event)| NewEvent {
        event: event.clone(),
        metadata: metadata(command(by), EventId::derive(command(by), &stream, ordinal)),
    });
    Write { stream, expected, events: events.collect() }
}

/// `count` small facts of the command number `by`.
pub(super) fn write(by: u128, stream: StreamId, expected: Expected, count: usize) -> Write {
    write_of(by, stream, expected, &vec![small(); count])
}

/// A batch without guards and without an answer to remember.
pub(super) fn bare(writes: impl IntoIterator<Item = Write>) -> Batch {
    Batch { writes: writes.into_iter().collect(), guards: vec![], command: None }
}

pub(super) fn one(by: u128, stream: StreamId, expected: Expected, count: usize) -> Batch {
    bare([write(by, stream, expected, count)])
}

pub(super) fn guarded(batch: Batch, stream: StreamId, expected: Expected) -> Batch {
    Batch { guards: vec![Guard { stream, expected }], ..batch }
}

/// The answer of the command number `n`.
pub(super) fn record(n: u128, status: u16) -> CommandRecord {
    CommandRecord {
        id: command(n),
        fingerprint: Hash([u8::try_from(n % 251).unwrap(); 32]),
        status,
        body: format!("{{\"answer\":{n}}}").into_bytes(),
        revision: (status < 300).then_some(Revision(0)),
        accepted_at: ACCEPTED_AT,
    }
}

pub(super) fn remembered(batch: Batch, record: CommandRecord) -> Batch {
    Batch { command: Some(record), ..batch }
}

pub(super) async fn append(log: &Arc<dyn Subject>, batch: Batch) -> Result<Appended, AppendError> {
    let mut answers = log.append(vec![batch]).await;
    assert_eq!(answers.len(), 1, "one answer per batch");
    answers.pop().unwrap()
}

/// Appends a batch that must stand, and answers the head of its only stream.
pub(super) async fn stand(log: &Arc<dyn Subject>, batch: Batch) -> Head {
    append(log, batch).await.unwrap().heads[0].1
}

/// Whether the answer is a conflict on `stream` with `actual` there.
pub(super) fn is_conflict(
    answer: &Result<Appended, AppendError>,
    on: StreamId,
    there: Option<Head>,
) -> bool {
    matches!(
        answer,
        Err(AppendError::Conflict { stream, actual, .. }) if *stream == on && *actual == there
    )
}

pub(super) async fn count(log: &Arc<dyn Subject>, stream: StreamId) -> usize {
    log.load(stream, Revision(0)).await.unwrap().len()
}

/// Says that a store without `capability` was judged by another claim.
pub(super) fn judged_otherwise(capability: &str, claim: &str) {
    println!("judged otherwise, without {capability}: {claim}");
}
