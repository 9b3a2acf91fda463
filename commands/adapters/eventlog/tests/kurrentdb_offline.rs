//! What is done to a log in KurrentDB without a node: looking at it, which writes nothing, and
//! another life of it after a restore.
#![cfg(feature = "kurrentdb")]
#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

use std::sync::Arc;

use holdfast_domain::actor::Actor;
use holdfast_domain::booking::reservation::ReservationEvent;
use holdfast_domain::ids::{CommandId, CorrelationId, Epoch, EventId};
use holdfast_domain::log::{
    Batch, Category, EventLog, Expected, Feed, Metadata, NewEvent, Position, StreamId, Write,
};
use holdfast_domain::time::Timestamp;
use holdfast_eventlog::kurrentdb::{OpenError, Renewal};
use holdfast_eventlog::{KurrentLog, KurrentLogReader};
use holdfast_test_kurrentdb::{Double, Fault};
use holdfast_test_stores::exercised;
use tokio::runtime::Handle;
use uuid::Uuid;

const META: &str = "holdfast_meta-log";

fn epoch(number: u128) -> Epoch {
    Epoch::from_uuid(Uuid::from_u128(number))
}

fn log(double: &Double, if_new: u128) -> Arc<KurrentLog> {
    KurrentLog::open(&double.url(), epoch(if_new), &Handle::current()).unwrap()
}

async fn reader(double: &Double) -> Result<KurrentLogReader, OpenError> {
    KurrentLogReader::open(&double.url(), &Handle::current()).await
}

async fn renewal(double: &Double) -> Result<Renewal, OpenError> {
    Renewal::open(&double.url(), &Handle::current()).await
}

/// Two streams, one event each.
fn two_streams() -> Batch {
    let command = CommandId::from_uuid(Uuid::from_u128(7));
    let write = |number: u128| {
        let stream = StreamId::new(Category::Reservation, Uuid::from_u128(number));
        let metadata = Metadata {
            event_id: EventId::derive(command, &stream, 0),
            command_id: command,
            causation_id: None,
            correlation_id: CorrelationId::from_uuid(Uuid::from_u128(7)),
            actor: Actor::Process { name: "test".to_owned() },
            accepted_at: Timestamp::from_micros(1),
            traceparent: None,
        };
        let events = vec![NewEvent { event: ReservationEvent::Expired {}.into(), metadata }];
        Write { stream, expected: Expected::NoStream, events }
    };
    Batch { writes: vec![write(1), write(2)], guards: vec![], command: None }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_there_is_no_log_none_is_begun() {
    exercised("kurrentdb double", "looking where there is no log");
    let double = Double::start();
    let absent = reader(&double).await;
    assert!(matches!(absent, Err(OpenError::Absent { .. })), "{absent:?}");
    let absent = renewal(&double).await;
    assert!(matches!(absent, Err(OpenError::Absent { .. })), "{absent:?}");
    assert_eq!((double.appends(), double.count(META)), (0, 0));
    double.stop(0);
    let gone = reader(&double).await;
    assert!(matches!(gone, Err(OpenError::Unread(_))), "{gone:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_only_looks_leaves_what_broke_off_to_the_nodes() {
    exercised("kurrentdb double", "looking at what broke off");
    let double = Double::start();
    let node = log(&double, 1);
    node.head().await.unwrap();
    double.at_append(1, Fault::DiesAfter);
    let broken = node.append(vec![two_streams()]).await.pop().unwrap();
    assert!(broken.is_err(), "{broken:?}");
    node.close().await;
    double.restart(0);
    let appends = double.appends();
    let looking = reader(&double).await.unwrap();
    // What follows the log has looked at its newest events by then.
    looking.changed(Position::START).await;
    let head = looking.head().await.unwrap();
    assert_eq!(head.epoch, epoch(1));
    assert_eq!(looking.stored(Position::START, 9).await.unwrap().len(), 1);
    let stream = two_streams().writes.first().unwrap().stream.to_string();
    let stored = looking.stored_stream(stream, holdfast_domain::log::Revision(0), 9).await;
    assert_eq!(stored.unwrap().len(), 1);
    assert_eq!(double.appends(), appends, "something was written");
    looking.close().await;
    // A node finishes it when it starts.
    let node = log(&double, 2);
    node.changed(head.position).await;
    assert_eq!(node.stored(Position::START, 9).await.unwrap().len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_epoch_is_begun_once_and_changes_no_fact() {
    exercised("kurrentdb double", "a new epoch");
    let double = Double::start();
    let node = log(&double, 1);
    node.append(vec![two_streams()]).await.pop().unwrap().unwrap();
    let before = node.head().await.unwrap();
    node.close().await;
    let (one, other) = (renewal(&double).await.unwrap(), renewal(&double).await.unwrap());
    assert_eq!((one.epoch(), one.head()), (epoch(1), before.position));
    // The answer is lost, and it is begun once all the same.
    double.at_append(1, Fault::CutAfter);
    assert_eq!(one.begin(epoch(2)).await.unwrap(), epoch(2));
    assert_eq!(double.count(META), 2);
    let late = other.begin(epoch(3)).await;
    assert!(matches!(late, Err(OpenError::Renewed)), "{late:?}");
    for if_new in [4, 5] {
        let node = log(&double, if_new);
        let after = node.head().await.unwrap();
        assert_eq!((after.epoch, after.position), (epoch(2), before.position));
        assert_eq!(node.stored(Position::START, 9).await.unwrap().len(), 2);
    }
    assert_eq!(renewal(&double).await.unwrap().epoch(), epoch(2));
}
