//! What the tests of single stores append: small facts with names that come out the same in each run.
#![allow(dead_code, reason = "each test takes what it needs of it")]

use holdfast_domain::actor::Actor;
use holdfast_domain::booking::reservation::ReservationEvent;
use holdfast_domain::ids::{CommandId, CorrelationId, EventId};
use holdfast_domain::log::{
    AppendError, Appended, Batch, Category, CommandRecord, EventLog, Expected, Guard, Hash,
    Metadata, NewEvent, StreamId, Write,
};
use holdfast_domain::time::Timestamp;
use uuid::Uuid;

pub(crate) fn stream(n: u128) -> StreamId {
    StreamId::new(Category::Reservation, Uuid::from_u128(n))
}

pub(crate) fn command(n: u128) -> CommandId {
    CommandId::of_step("test", &Uuid::from_u128(n), "append")
}

/// `count` facts of the command number `by`.
pub(crate) fn write(by: u128, stream: StreamId, expected: Expected, count: u32) -> Write {
    let event = |ordinal| NewEvent {
        event: ReservationEvent::Expired {}.into(),
        metadata: Metadata {
            event_id: EventId::derive(command(by), &stream, ordinal),
            command_id: command(by),
            causation_id: None,
            correlation_id: CorrelationId::from_uuid(*command(by).as_uuid()),
            actor: Actor::Process { name: "test".to_owned() },
            accepted_at: Timestamp::from_micros(1_772_000_000_123_456),
            traceparent: None,
        },
    };
    Write { stream, expected, events: (0..count).map(event).collect() }
}

/// A batch without guards whose answer is remembered.
pub(crate) fn batch(by: u128, writes: Vec<Write>) -> Batch {
    let record = CommandRecord {
        id: command(by),
        fingerprint: Hash::ZERO,
        status: 201,
        body: by.to_string().into_bytes(),
        revision: None,
        accepted_at: Timestamp::from_micros(1_772_000_000_123_456),
    };
    Batch { writes, guards: vec![], command: Some(record) }
}

/// One fact for a stream.
pub(crate) fn one(by: u128, stream: StreamId, expected: Expected) -> Batch {
    batch(by, vec![write(by, stream, expected, 1)])
}

pub(crate) fn guarded(batch: Batch, stream: StreamId, expected: Expected) -> Batch {
    Batch { guards: vec![Guard { stream, expected }], ..batch }
}

pub(crate) async fn append(log: &dyn EventLog, batch: Batch) -> Result<Appended, AppendError> {
    log.append(vec![batch]).await.pop().unwrap()
}

/// The same, so that it cannot be written without a look: the group says it twice.
pub(crate) async fn append_after_a_look(
    log: &dyn EventLog,
    batch: Batch,
) -> Result<Appended, AppendError> {
    log.append(vec![batch.clone(), batch]).await.swap_remove(0)
}
