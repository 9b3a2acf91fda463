//! What only the log on disk can get wrong: who may open it, and what it does when it cannot
//! write.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

use std::path::Path;
use std::sync::Arc;

use holdfast_domain::actor::Actor;
use holdfast_domain::booking::resource::ResourceEvent;
use holdfast_domain::ids::{CommandId, CorrelationId, EventId, PrincipalId};
use holdfast_domain::log::{
    AppendError, Appended, Batch, Category, EventLog, Expected, Feed, Metadata, NewEvent, Position,
    ReadError, Revision, StreamId, Write,
};
use holdfast_domain::time::Timestamp;
use holdfast_eventlog::walk::verify_feed;
use holdfast_eventlog::{OpenError, SqliteLog, SqliteLogReader};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{Connection, Executor};
use tokio::runtime::Handle;
use uuid::Uuid;

async fn open(folder: &Path) -> Result<Arc<SqliteLog>, OpenError> {
    SqliteLog::open(folder, Handle::current()).await
}

/// A hand on the file behind the log's back.
async fn meddle(folder: &Path, statement: &'static str) {
    let options = SqliteConnectOptions::new().filename(folder.join("log.db"));
    let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
    connection.execute(statement).await.unwrap();
    connection.close().await.unwrap();
}

fn stream(n: u128) -> StreamId {
    StreamId::new(Category::Resource, Uuid::from_u128(n))
}

async fn append(log: &SqliteLog, n: u128, bytes: usize) -> Result<Appended, AppendError> {
    let command = CommandId::from_uuid(Uuid::from_u128(n));
    let metadata = Metadata {
        event_id: EventId::derive(command, &stream(n), 0),
        command_id: command,
        causation_id: None,
        correlation_id: CorrelationId::from_uuid(*command.as_uuid()),
        actor: Actor::Process { name: "test".to_owned() },
        accepted_at: Timestamp::MIN,
        traceparent: None,
    };
    let event = ResourceEvent::Registered {
        owner: PrincipalId::from_uuid(*command.as_uuid()),
        display_name: "x".repeat(bytes),
        zone: "Asia/Seoul".parse().unwrap(),
        capacity: 1,
    };
    let events = vec![NewEvent { event: event.into(), metadata }];
    let writes = vec![Write { stream: stream(n), expected: Expected::NoStream, events }];
    log.append(vec![Batch { writes, guards: vec![], command: None }]).await.pop().unwrap()
}

#[tokio::test]
async fn a_folder_belongs_to_one_log_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let log = open(folder.path()).await.unwrap();
    let second = open(folder.path()).await.unwrap_err();
    assert!(matches!(second, OpenError::InUse { .. }), "{second}");
    assert!(second.to_string().contains("another process"), "{second}");
    append(&log, 1, 1).await.unwrap();
    log.close().await;
    let again = open(folder.path()).await.unwrap();
    assert_eq!(again.load(stream(1), Revision(0)).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_reader_sees_what_is_appended_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    let absent = SqliteLogReader::open(folder.path()).await.unwrap_err();
    assert!(matches!(absent, OpenError::Absent { .. }), "{absent}");
    let log = open(folder.path()).await.unwrap();
    let reader = SqliteLogReader::open(folder.path()).await.unwrap();
    assert_eq!(reader.head().await.unwrap(), log.head().await.unwrap());
    let (appended, ()) = tokio::join!(append(&log, 1, 1), reader.changed(Position::START));
    appended.unwrap();
    assert_eq!(reader.head().await.unwrap().position, Position(1));
    assert_eq!(reader.page(Position::START, 10).await.unwrap().len(), 1);
    log.close().await;
    assert_eq!(verify_feed(&reader, None).await.unwrap().events, 1);
}

#[tokio::test]
async fn a_last_commit_without_its_events_is_found_by_a_reader() {
    let folder = tempfile::tempdir().unwrap();
    let log = open(folder.path()).await.unwrap();
    append(&log, 1, 1).await.unwrap();
    append(&log, 2, 1).await.unwrap();
    log.close().await;
    meddle(
        folder.path(),
        "DROP TRIGGER event_is_not_deleted; DELETE FROM event WHERE position = 2",
    )
    .await;
    let reader = SqliteLogReader::open(folder.path()).await.unwrap();
    let report = verify_feed(&reader, None).await.unwrap();
    assert_eq!(report.failure.map(|failure| failure.position), Some(Position(2)));
}

#[tokio::test]
async fn two_logs_live_two_lives() {
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let one = open(one.path()).await.unwrap();
    let other = open(other.path()).await.unwrap();
    assert_ne!(one.head().await.unwrap().epoch, other.head().await.unwrap().epoch);
}

#[tokio::test]
async fn after_a_write_error_nothing_is_taken_until_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let log = open(folder.path()).await.unwrap();
    append(&log, 1, 1).await.unwrap();
    meddle(folder.path(), "ALTER TABLE batch RENAME TO elsewhere").await;
    let mut poisoned = log.poisoned();
    let failed = append(&log, 2, 1).await;
    assert!(matches!(failed, Err(AppendError::Unavailable(_))), "{failed:?}");
    assert!(poisoned.wait_for(Option::is_some).await.unwrap().is_some());
    meddle(folder.path(), "ALTER TABLE elsewhere RENAME TO batch").await;
    let later = append(&log, 3, 1).await;
    assert!(matches!(later, Err(AppendError::Unavailable(_))), "healed without a restart");
    log.close().await;
    let log = open(folder.path()).await.unwrap();
    assert_eq!(log.head().await.unwrap().position, Position(1));
    append(&log, 2, 1).await.unwrap();
    assert_eq!(verify_feed(&*log, None).await.unwrap().failure, None);
}

#[tokio::test]
async fn a_full_disk_is_admitted_and_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let log = SqliteLog::open_within(folder.path(), Handle::current(), 64).await.unwrap();
    let mut acknowledged = 0;
    let failed = loop {
        match append(&log, acknowledged + 1, 10_000).await {
            Ok(_) => acknowledged += 1,
            Err(failed) => break failed,
        }
        assert!(acknowledged < 100, "the limit has no effect");
    };
    assert!(acknowledged > 0);
    assert!(failed.to_string().contains("full"), "{failed}");
    assert!(append(&log, 500, 1).await.is_err(), "acknowledged after the error");
    assert!(log.poisoned().borrow().is_some());
    log.close().await;
    let log = open(folder.path()).await.unwrap();
    let events = log.page(Position::START, 1_000).await.unwrap();
    assert_eq!(u128::try_from(events.len()).unwrap(), acknowledged);
    assert_eq!(verify_feed(&*log, None).await.unwrap().failure, None);
    append(&log, 500, 1).await.unwrap();
}

#[tokio::test]
async fn a_log_that_contradicts_itself_is_not_opened() {
    let folder = tempfile::tempdir().unwrap();
    let log = open(folder.path()).await.unwrap();
    append(&log, 1, 1).await.unwrap();
    append(&log, 2, 1).await.unwrap();
    log.close().await;
    meddle(
        folder.path(),
        "DROP TRIGGER event_is_not_deleted; DELETE FROM event WHERE position = 2",
    )
    .await;
    let refused = open(folder.path()).await.unwrap_err();
    assert!(matches!(refused, OpenError::Damaged(_)), "{refused}");
}

#[tokio::test]
async fn facts_cannot_be_changed_by_mistake() {
    let folder = tempfile::tempdir().unwrap();
    let log = open(folder.path()).await.unwrap();
    append(&log, 1, 1).await.unwrap();
    let options = SqliteConnectOptions::new().filename(folder.path().join("log.db"));
    let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
    for statement in ["UPDATE event SET payload = x'00'", "DELETE FROM event", "DELETE FROM batch"]
    {
        let refused = connection.execute(statement).await.unwrap_err();
        assert!(refused.to_string().contains("append-only"), "{refused}");
    }
}

#[tokio::test]
async fn an_event_of_a_newer_release_stops_every_reader() {
    let folder = tempfile::tempdir().unwrap();
    let log = open(folder.path()).await.unwrap();
    append(&log, 1, 1).await.unwrap();
    append(&log, 2, 1).await.unwrap();
    meddle(
        folder.path(),
        "DROP TRIGGER event_is_not_changed; UPDATE event SET schema = 99 WHERE position = 2",
    )
    .await;
    let name = "resource.registered".to_owned();
    let unknown = ReadError::UnknownEvent { name, schema: 99, position: Position(2) };
    assert_eq!(log.page(Position::START, 9).await, Err(unknown.clone()));
    assert_eq!(log.load(stream(2), Revision(0)).await, Err(unknown));
    assert_eq!(log.load(stream(1), Revision(0)).await.unwrap().len(), 1);
    assert_eq!(log.stored(Position::START, 9).await.unwrap().len(), 2);
    let report = verify_feed(&*log, None).await.unwrap();
    assert_eq!(report.failure.map(|failure| failure.position), Some(Position(2)));
}
