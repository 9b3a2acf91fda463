//! What becomes of appends when KurrentDB fails: connections cut before and after they take effect,
//! another leader, a node that is slow, gone, back, or dead between the writes of one batch. Nothing
//! that was acknowledged is missing, nothing is there twice, and nobody opens the log again.
#![cfg(feature = "kurrentdb")]
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::arithmetic_side_effects,
    reason = "helpers of tests fail by panicking"
)]

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use holdfast_domain::actor::Actor;
use holdfast_domain::booking::reservation::ReservationEvent;
use holdfast_domain::ids::{CommandId, CorrelationId, Epoch, EventId};
use holdfast_domain::log::{
    AppendError, Appended, Batch, Category, CommandRecord, EventLog, Expected, Feed, Hash, Head,
    Metadata, NewEvent, Position, Revision, StreamId, Write,
};
use holdfast_domain::time::Timestamp;
use holdfast_eventlog::KurrentLog;
use holdfast_eventlog::walk::verify_streams;
use holdfast_test_kurrentdb::{Double, Fault};
use holdfast_test_stores::exercised;
use tokio::runtime::Handle;
use tokio::task::JoinSet;
use uuid::Uuid;

type Outcome = Result<Appended, AppendError>;

/// The longest that a log may take to work again once its cluster does.
const RECOVERY_MAX: Duration = Duration::from_secs(5);
/// The longest that a caller may wait for an error.
const ERROR_MAX: Duration = Duration::from_millis(2_500);

fn noted(suite: &str) {
    exercised("kurrentdb double", suite);
}

fn open(double: &Double) -> Arc<KurrentLog> {
    let epoch: Epoch = "018f2a10-7c5e-7000-8000-0000000000ee".parse().unwrap();
    KurrentLog::open(&double.url(), epoch, &Handle::current()).unwrap()
}

fn stream(n: u128) -> StreamId {
    StreamId::new(Category::Reservation, Uuid::from_u128(n.wrapping_add(1) << 8))
}

fn command(n: u128) -> CommandId {
    CommandId::of_step("faults", &Uuid::from_u128(n), "append")
}

/// One event of the command number `by`, decided at an instant.
fn write(by: u128, on: u128, expected: Expected, at: i64) -> Write {
    let stream = stream(on);
    let metadata = Metadata {
        event_id: EventId::derive(command(by), &stream, 0),
        command_id: command(by),
        causation_id: None,
        correlation_id: CorrelationId::from_uuid(*command(by).as_uuid()),
        actor: Actor::Process { name: "test".to_owned() },
        accepted_at: Timestamp::from_micros(at),
        traceparent: None,
    };
    let events = vec![NewEvent { event: ReservationEvent::Expired {}.into(), metadata }];
    Write { stream, expected, events }
}

fn record(by: u128, at: i64) -> CommandRecord {
    CommandRecord {
        id: command(by),
        fingerprint: Hash([3; 32]),
        status: 201,
        body: b"{}".to_vec(),
        revision: Some(Revision(0)),
        accepted_at: Timestamp::from_micros(at),
    }
}

fn one(by: u128, on: u128, expected: Expected) -> Batch {
    Batch { writes: vec![write(by, on, expected, 1)], guards: vec![], command: None }
}

/// A batch over three fresh streams with an answer to remember: four appends.
fn many(by: u128, at: i64) -> Batch {
    let writes =
        (0..3).map(|n| write(by, by.wrapping_mul(10).wrapping_add(n), Expected::NoStream, at));
    Batch { writes: writes.collect(), guards: vec![], command: Some(record(by, at)) }
}

async fn append(log: &KurrentLog, batch: Batch) -> Outcome {
    log.append(vec![batch]).await.pop().unwrap()
}

async fn count(log: &KurrentLog, on: u128) -> usize {
    log.load(stream(on), Revision(0)).await.unwrap().len()
}

/// Says it again until it stands, as the command's caller does.
async fn insist(log: &KurrentLog, batch: Batch) -> Head {
    let since = Instant::now();
    loop {
        match append(log, batch.clone()).await {
            Ok(appended) => return appended.heads.first().unwrap().1,
            Err(AppendError::Unavailable(_) | AppendError::Ambiguous(_))
                if since.elapsed() < RECOVERY_MAX => {}
            Err(wrong) => panic!("after {:?}: {wrong:?}", since.elapsed()),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_append_has_one_effect_whatever_happens_to_its_answer() {
    noted("faults of one append");
    let double = Double::cluster(2);
    let log = open(&double);
    let slow = Fault::Slow(Duration::from_millis(300));
    let faults = [
        Fault::CutBefore,
        Fault::CutAfter,
        Fault::Unavailable,
        Fault::TimesOutBefore,
        Fault::TimesOutAfter,
        Fault::Resigns,
        slow,
    ];
    let mut expected = Expected::NoStream;
    for (n, fault) in (0..).zip(faults) {
        double.at_append(1, fault);
        let began = Instant::now();
        let appended = append(&log, one(n, 1, expected)).await;
        let appended = appended.unwrap_or_else(|why| panic!("{fault:?}: {why:?}"));
        assert!(began.elapsed() < ERROR_MAX, "{fault:?}: {:?}", began.elapsed());
        expected = Expected::Head(appended.heads.first().unwrap().1);
        assert_eq!(double.faults_left(), 0);
    }
    assert_eq!(double.leader(), 1, "the other node leads");
    assert_eq!(count(&log, 1).await, faults.len());
    assert_eq!(verify_streams(&*log).await.unwrap().failure, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_does_not_come_is_ambiguous_and_found_by_the_next_try() {
    noted("an unclear append");
    let double = Double::start();
    let log = open(&double);
    insist(&log, one(1, 1, Expected::NoStream)).await;
    double.at_append(1, Fault::Slow(Duration::from_secs(4)));
    let began = Instant::now();
    let unclear = append(&log, one(2, 2, Expected::NoStream)).await;
    assert!(matches!(unclear, Err(AppendError::Ambiguous(_))), "{unclear:?}");
    assert!(began.elapsed() < ERROR_MAX, "{:?}", began.elapsed());
    insist(&log, one(2, 2, Expected::NoStream)).await;
    assert_eq!(count(&log, 2).await, 1);
}

/// A server that gave up waiting for a commit does not know whether it comes. Whoever asks again and
/// is turned away knows no more about the first try.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_that_may_stand_is_ambiguous_whatever_the_next_try_is_told() {
    noted("an append turned away after it may have been written");
    let double = Double::start();
    let log = open(&double);
    for (n, first) in (1..).zip([Fault::TimesOutBefore, Fault::TimesOutAfter]) {
        double.at_append(1, first);
        double.at_append(2, Fault::Denied);
        let unclear = append(&log, one(n, n, Expected::NoStream)).await;
        assert!(matches!(unclear, Err(AppendError::Ambiguous(_))), "{first:?}: {unclear:?}");
        let standing = usize::from(first == Fault::TimesOutAfter);
        assert_eq!(double.count(&stream(n).to_string()), standing, "{first:?}");
        insist(&log, one(n, n, Expected::NoStream)).await;
        assert_eq!(count(&log, n).await, 1, "{first:?}");
    }
    double.at_append(1, Fault::Denied);
    let denied = append(&log, one(3, 3, Expected::NoStream)).await;
    assert!(matches!(denied, Err(AppendError::Unsupported(_))), "nothing is unclear: {denied:?}");
}

/// The protocol does not say which of several events a position is of, nor what stands where
/// something else was expected: the stream is read. While it cannot be, nobody is told that the
/// write was not made.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_that_cannot_be_read_back_is_ambiguous() {
    noted("an append that cannot be read back");
    let double = Double::start();
    let log = open(&double);
    let two = |by| {
        let mut batch = one(by, by, Expected::NoStream);
        let mut second = write(by, by, Expected::NoStream, 1).events;
        second[0].metadata.event_id = EventId::derive(command(by), &stream(by), 1);
        batch.writes[0].events.append(&mut second);
        batch
    };
    double.deny_reads(true);
    let unread = append(&log, two(1)).await;
    assert!(matches!(unread, Err(AppendError::Ambiguous(_))), "{unread:?}");
    assert_eq!(double.count(&stream(1).to_string()), 2, "it stands");
    // Another process, to which the same is told as a stream that is elsewhere.
    let other = open(&double);
    let later =
        Batch { writes: vec![write(1, 1, Expected::NoStream, 2)], ..one(1, 1, Expected::NoStream) };
    let unread = append(&other, later.clone()).await;
    assert!(matches!(unread, Err(AppendError::Ambiguous(_))), "{unread:?}");
    double.deny_reads(false);
    let again = insist(&log, two(1)).await;
    assert_eq!((again.revision, count(&log, 1).await), (Revision(1), 2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pause_fails_in_time_and_ends_without_a_new_start() {
    noted("a pause");
    let double = Double::start();
    let log = open(&double);
    insist(&log, one(1, 1, Expected::NoStream)).await;
    double.pause();
    let began = Instant::now();
    let paused = append(&log, one(2, 2, Expected::NoStream)).await;
    assert!(paused.is_err(), "{paused:?}");
    assert!(log.load(stream(1), Revision(0)).await.is_err());
    assert!(began.elapsed() < ERROR_MAX * 2, "{:?}", began.elapsed());
    double.resume();
    let began = Instant::now();
    insist(&log, one(2, 2, Expected::NoStream)).await;
    assert!(began.elapsed() < RECOVERY_MAX, "{:?}", began.elapsed());
    assert_eq!((count(&log, 1).await, count(&log, 2).await), (1, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_is_opened_before_its_cluster_and_outlives_its_leader() {
    noted("a late start and a lost leader");
    let double = Double::cluster(3);
    for node in 0..3 {
        double.stop(node);
    }
    let log = open(&double);
    let began = Instant::now();
    let nobody = append(&log, one(1, 1, Expected::NoStream)).await;
    // Unclear when a try was under way as patience ended: nobody knows how far it came.
    let failed = matches!(nobody, Err(AppendError::Unavailable(_) | AppendError::Ambiguous(_)));
    assert!(failed, "{nobody:?}");
    assert!(log.head().await.is_err());
    assert!(began.elapsed() < ERROR_MAX * 2, "{:?}", began.elapsed());
    for node in 0..3 {
        double.restart(node);
    }
    let began = Instant::now();
    let mut head = insist(&log, one(1, 1, Expected::NoStream)).await;
    for (n, next) in [(2, 1), (3, 2), (4, 0)] {
        double.stop(double.leader());
        double.lead(next);
        head = insist(&log, one(n, 1, Expected::Head(head))).await;
        double.restart((next + 2) % 3);
    }
    assert!(began.elapsed() < RECOVERY_MAX * 4, "{:?}", began.elapsed());
    assert_eq!(count(&log, 1).await, 4);
    assert!(log.reconnections() > 0);
}

/// After a node died at each place between the writes of a batch: what the command's next copy, or
/// merely who looks at its first stream, finds.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_that_broke_off_is_finished_by_its_retry_and_by_who_looks() {
    noted("crash points between ordered writes");
    let double = Double::start();
    for (n, by) in (0..).zip(1_u128..=16) {
        let (nth, dies_after, retried) = (n / 4 + 1, n % 2 == 1, n / 2 % 2 == 0);
        let fault = if dies_after { Fault::DiesAfter } else { Fault::DiesBefore };
        let case = format!("{fault:?} at {nth}, retried: {retried}");
        let log = open(&double);
        // The log's own name is an append too.
        log.head().await.unwrap();
        double.at_append(nth, fault);
        let broken = append(&log, many(by, 1)).await;
        let begun = nth > 1 || dies_after;
        assert!(broken.is_err(), "{case}: {broken:?}");
        assert!(!begun || matches!(broken, Err(AppendError::Ambiguous(_))), "{case}: {broken:?}");
        // The process that wrote it is gone as well.
        log.close().await;
        drop(log);
        let standing = (0..3).filter(|part| double.count(&stream(by * 10 + part).to_string()) == 1);
        assert_eq!(standing.count(), prefix(nth, dies_after), "{case}");
        double.restart(0);
        let log = open(&double);
        if retried {
            // Decided anew, at another instant.
            match append(&log, many(by, 2)).await {
                Ok(_) | Err(AppendError::Answered(_)) => {}
                wrong => panic!("{case}: {wrong:?}"),
            }
        }
        let parts = [count(&log, by * 10).await, count(&log, by * 10 + 1).await, {
            count(&log, by * 10 + 2).await
        }];
        let whole = retried || begun;
        assert_eq!(parts, [usize::from(whole); 3], "{case}");
        assert_eq!(log.answered(command(by)).await.unwrap().is_some(), whole, "{case}");
        if whole {
            let again = append(&log, many(by, 3)).await;
            assert!(matches!(again, Err(AppendError::Answered(_))), "{case}: {again:?}");
        }
        assert_eq!(verify_streams(&*log).await.unwrap().failure, None, "{case}");
        log.close().await;
    }
}

/// How many streams a batch of three has reached when the node died at its `nth` append.
fn prefix(nth: u64, dies_after: bool) -> usize {
    usize::try_from(nth).unwrap().saturating_sub(usize::from(!dies_after)).min(3)
}

/// A stream that moved on since is not forced: the rest is left to the process, and what stands is
/// reported as a conflict, so that the command is decided again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rest_that_does_not_fit_any_more_is_left() {
    noted("a rest that was overtaken");
    let double = Double::start();
    let log = open(&double);
    let head = insist(&log, one(1, 2, Expected::NoStream)).await;
    let half = |at| Batch {
        writes: vec![
            write(2, 1, Expected::NoStream, at),
            write(2, 2, Expected::Head(head), at),
            write(2, 3, Expected::NoStream, at),
        ],
        guards: vec![],
        command: Some(record(2, at)),
    };
    double.at_append(1, Fault::DiesAfter);
    let broken = append(&log, half(1)).await;
    assert!(matches!(broken, Err(AppendError::Ambiguous(_))), "{broken:?}");
    double.restart(0);
    let moved = insist(&log, one(3, 2, Expected::Head(head))).await;
    assert_eq!(count(&log, 1).await, 1, "who looks does not fail");
    assert_eq!((count(&log, 2).await, count(&log, 3).await), (2, 0));
    assert_eq!(log.answered(command(2)).await.unwrap(), None);
    let again = append(&log, half(2)).await;
    let Err(AppendError::Conflict { stream: on, actual, .. }) = again else {
        panic!("{again:?}");
    };
    assert_eq!((on, actual), (stream(2), Some(moved)));
    assert_eq!((count(&log, 1).await, count(&log, 2).await, count(&log, 3).await), (1, 2, 0));
}

/// The same command at two nodes at once: one decision stands, both learn of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_command_at_two_nodes_has_one_effect() {
    noted("one command at two nodes");
    let double = Double::start();
    let (log, other) = (open(&double), open(&double));
    for by in 1_u128..=30 {
        let (one, two) = tokio::join!(append(&log, many(by, 1)), append(&other, many(by, 2)));
        for outcome in [&one, &two] {
            let known = matches!(
                outcome,
                Ok(_) | Err(AppendError::Answered(_) | AppendError::Conflict { .. })
            );
            assert!(known, "{outcome:?}");
        }
        for part in 0..3 {
            assert_eq!(count(&log, by * 10 + part).await, 1);
        }
        let (one, two) =
            (log.answered(command(by)).await.unwrap(), other.answered(command(by)).await.unwrap());
        assert!(one.is_some() && one == two);
    }
    assert_eq!(verify_streams(&*log).await.unwrap().failure, None);
}

/// The server compares ids, not bytes. Who is told that an event stands must know which bytes do, or
/// the next event would be chained to others.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_that_was_decided_twice_is_known_as_it_stands() {
    noted("one event decided twice");
    let double = Double::start();
    let (log, other) = (open(&double), open(&double));
    let stands = insist(&log, one(1, 1, Expected::NoStream)).await;
    let later =
        Batch { writes: vec![write(1, 1, Expected::NoStream, 2)], guards: vec![], command: None };
    let again = append(&other, later).await.unwrap();
    assert_eq!(again.heads, [(stream(1), stands)]);
    insist(&other, one(2, 1, Expected::Head(stands))).await;
    assert_eq!(verify_streams(&*log).await.unwrap().failure, None);
}

/// A writer on a stream of its own and on a shared one.
async fn busy(log: Arc<KurrentLog>, writer: u128) -> Vec<EventId> {
    let mut acknowledged = Vec::new();
    let mut expected = Expected::NoStream;
    for round in 0..25_u128 {
        let by = 1_000 + writer * 100 + round;
        let batch = Batch {
            writes: vec![write(by, writer, expected, 1), write(by, by, Expected::NoStream, 1)],
            guards: vec![],
            command: Some(record(by, 1)),
        };
        let began = Instant::now();
        loop {
            match append(&log, batch.clone()).await {
                Ok(_) | Err(AppendError::Answered(_)) => break,
                Err(AppendError::Unavailable(_) | AppendError::Ambiguous(_))
                    if began.elapsed() < RECOVERY_MAX * 2 => {}
                wrong => panic!("{writer}.{round} after {:?}: {wrong:?}", began.elapsed()),
            }
        }
        let last = log.load(stream(writer), Revision(0)).await;
        if let Ok(last) = last {
            let last = last.last().unwrap();
            expected = Expected::Head(Head { revision: last.revision, hash: last.hash });
        } else {
            let appended = insist_answered(&log, batch.clone()).await;
            expected = Expected::Head(appended);
        }
        acknowledged.extend(
            batch.writes.iter().flat_map(|write| &write.events).map(|new| new.metadata.event_id),
        );
    }
    acknowledged
}

async fn insist_answered(log: &KurrentLog, batch: Batch) -> Head {
    let bare = Batch { command: None, ..batch };
    insist(log, bare).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_or_doubled_under_concurrent_faults() {
    noted("concurrent appends under faults");
    let double = Arc::new(Double::cluster(2));
    let log = open(&double);
    let kinds = [Fault::CutBefore, Fault::CutAfter, Fault::Unavailable, Fault::Resigns];
    for (nth, fault) in (10..600).step_by(23).zip(kinds.into_iter().cycle()) {
        double.at_append(nth, fault);
    }
    let mut writers = JoinSet::new();
    for writer in 0..8 {
        writers.spawn(busy(Arc::clone(&log), writer));
    }
    // A restart and a pause in the middle of it, each when so much has arrived.
    let disturbed = {
        let double = Arc::clone(&double);
        tokio::task::spawn_blocking(move || {
            wait_for(&double, 150);
            let leader = double.leader();
            double.stop(leader);
            double.lead(1 - leader);
            double.restart(leader);
            wait_for(&double, 350);
            double.pause();
            // How long it lasts, not how long something takes.
            std::thread::sleep(Duration::from_millis(700));
            double.resume();
        })
    };
    let acknowledged: Vec<_> = writers.join_all().await.concat();
    disturbed.await.unwrap();
    let stored = log.stored(Position::START, usize::MAX).await.unwrap();
    let ids: Vec<_> = stored
        .iter()
        .map(|event| serde_json::from_slice::<Metadata>(&event.metadata).unwrap().event_id)
        .collect();
    let unique: BTreeSet<_> = ids.iter().copied().collect();
    assert_eq!(unique.len(), ids.len(), "something is there twice");
    assert!(acknowledged.iter().all(|id| unique.contains(id)), "something is missing");
    assert_eq!(ids.len(), 8 * 25 * 2);
    assert!(stored.is_sorted_by(|one, next| one.position < next.position));
    assert_eq!(verify_streams(&*log).await.unwrap().failure, None);
    assert!(log.reconnections() > 0);
}

fn wait_for(double: &Double, appends: u64) {
    while double.appends() < appends {
        std::thread::yield_now();
    }
}

/// A reader that follows is woken after the cluster was gone, and misses nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_follower_goes_on_after_the_cluster_was_gone() {
    noted("following");
    let double = Double::start();
    let log = open(&double);
    insist(&log, one(1, 1, Expected::NoStream)).await;
    let end = log.head().await.unwrap().position;
    double.stop(0);
    let waiting = {
        let log = Arc::clone(&log);
        JoinSet::from_iter([async move { log.changed(end).await }])
    };
    double.restart(0);
    // Another process writes: only the cluster can say so.
    let other = open(&double);
    insist(&other, one(2, 2, Expected::NoStream)).await;
    let woken = tokio::time::timeout(RECOVERY_MAX, waiting.join_all()).await;
    assert!(woken.is_ok(), "nobody was woken");
    assert_eq!(log.page(end, 9).await.unwrap().len(), 1);
}
