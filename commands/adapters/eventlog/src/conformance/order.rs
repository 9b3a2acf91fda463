//! The log as a whole: one order, pages, restarts, sizes.

use std::sync::Arc;

use holdfast_domain::booking::resource::ResourceEvent;
use holdfast_domain::event::Event;
use holdfast_domain::ids::{EventId, PrincipalId};
use holdfast_domain::log::{AppendError, Expected, Position, Recorded, Revision};
use tokio::task::JoinSet;

use super::scenery::{
    append, bare, command, count, judged_otherwise, one, record, remembered, stand, stream, write,
    write_of,
};
use super::{Place, Subject};

const WRITERS: u128 = 8;
const APPENDS: u128 = 40;

/// Writers on streams of their own and on a shared one, each retrying its conflicts.
async fn busy_writer(log: Arc<dyn Subject>, writer: u128) {
    let own = stream(1_000 + writer);
    let mut expected = Expected::NoStream;
    for round in 0..APPENDS {
        let by = writer * APPENDS + round + 1;
        let count = usize::try_from(round % 3 + 1).unwrap();
        let batch = bare([write(by, own, expected, count), {
            write(by, stream(10_000 + by), Expected::NoStream, 2)
        }]);
        expected = Expected::Head(stand(&log, batch).await);
    }
}

/// Follows the log by pages until it has seen everything up to `end`.
async fn follow(log: &Arc<dyn Subject>, events: usize) -> Vec<Recorded> {
    let (mut seen, mut at) = (Vec::new(), Position::START);
    while seen.len() < events {
        log.changed(at).await;
        let page = log.page(at, 7).await.unwrap();
        at = page.last().map_or(at, |last| last.position);
        seen.extend(page);
    }
    seen
}

/// Positions rise in the order of commits and revisions have no gap, so a reader that keeps only
/// its position sees everything once.
pub async fn a_reader_misses_nothing_while_many_write(place: &dyn Place) {
    let log = place.open().await;
    let per_writer: u128 = (0..APPENDS).map(|round| round % 3 + 3).sum();
    let total = usize::try_from(per_writer * WRITERS).unwrap();
    let mut tasks = JoinSet::new();
    for writer in 0..WRITERS {
        tasks.spawn(busy_writer(Arc::clone(&log), writer));
    }
    let seen = follow(&log, total).await;
    while let Some(ended) = tasks.join_next().await {
        ended.unwrap();
    }
    assert_eq!(seen.len(), total);
    assert!(seen.is_sorted_by(|one, next| one.position < next.position));
    let mut next = std::collections::BTreeMap::new();
    for recorded in &seen {
        let revision = next.entry(recorded.stream).or_insert(Revision(0));
        assert_eq!(recorded.revision, *revision, "{}", recorded.stream);
        *revision = revision.next();
    }
    assert_eq!(log.head().await.unwrap().position, seen[total - 1].position);
    assert!(log.page(seen[total - 1].position, 7).await.unwrap().is_empty());
}

/// What was written together is read together, wherever a reader begins and however little it asks.
pub async fn a_page_never_splits_an_append(place: &dyn Place) {
    let log = place.open().await;
    let sizes = [1, 5, 2, 9, 1, 1, 3];
    let batches = (1..).zip(sizes).map(|(by, size)| {
        bare([write(by, stream(by), Expected::NoStream, size), {
            write(by, stream(100 + by), Expected::NoStream, size)
        }])
    });
    let answers = log.append(batches.collect()).await;
    let mut ends: Vec<_> = answers.iter().map(|answer| answer.as_ref().unwrap().position).collect();
    if !log.capabilities().atomic_batch {
        // There each stream's part is an append of its own.
        let all = log.stored(Position::START, 999).await.unwrap();
        let last_of_each = all.iter().filter(|event| event.position == event.append_end);
        ends = last_of_each.map(|event| event.position).collect();
        assert_eq!((ends.len(), all.len()), (2 * sizes.len(), 44));
    }
    for limit in 1..=20 {
        let mut at = Position::START;
        while at < ends[ends.len() - 1] {
            let page = log.page(at, limit).await.unwrap();
            let last = page.last().unwrap();
            assert_eq!(last.position, last.append_end, "limit {limit}");
            assert!(ends.contains(&last.position), "limit {limit}");
            assert!(page.iter().all(|recorded| ends.contains(&recorded.append_end)));
            let whole = page.iter().filter(|recorded| recorded.append_end < last.append_end);
            assert!(whole.count() < limit, "limit {limit}: more than was asked for");
            at = last.position;
        }
    }
    assert!(log.page(Position::START, 0).await.unwrap().is_empty());
}

/// Optimistic writers on one stream: each append wins once, none is lost.
pub async fn many_callers_on_one_stream_are_put_in_order(place: &dyn Place) {
    let log = place.open().await;
    let mut tasks = JoinSet::new();
    for caller in 0..16_u128 {
        let log = Arc::clone(&log);
        tasks.spawn(async move {
            for round in 0..4 {
                let by = caller * 4 + round + 1;
                let mut expected = Expected::NoStream;
                loop {
                    match append(&log, one(by, stream(1), expected, 1)).await {
                        Ok(_) => break,
                        Err(AppendError::Conflict { actual, .. }) => {
                            expected = actual.map_or(Expected::NoStream, Expected::Head);
                        }
                        wrong => return assert!(wrong.is_ok(), "{wrong:?}"),
                    }
                }
            }
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended.unwrap();
    }
    let loaded = log.load(stream(1), Revision(0)).await.unwrap();
    let ids: std::collections::BTreeSet<_> =
        loaded.iter().map(|recorded| recorded.metadata.event_id).collect();
    assert_eq!((loaded.len(), ids.len()), (64, 64));
}

/// A reader that waits at the end is woken by the next append.
pub async fn a_change_wakes_who_waits(place: &dyn Place) {
    let log = place.open().await;
    stand(&log, one(1, stream(1), Expected::NoStream, 1)).await;
    log.changed(Position::START).await;
    let end = log.head().await.unwrap().position;
    let waiting = {
        let log = Arc::clone(&log);
        JoinSet::from_iter([async move { log.changed(end).await }])
    };
    stand(&log, one(2, stream(2), Expected::NoStream, 1)).await;
    waiting.join_all().await;
}

/// A log that was closed and opened again is the same log.
pub async fn everything_stands_after_a_restart(place: &dyn Place) {
    let log = place.open().await;
    let head = stand(&log, one(1, stream(1), Expected::NoStream, 3)).await;
    append(&log, remembered(one(2, stream(2), Expected::NoStream, 1), record(2, 201)))
        .await
        .unwrap();
    let (end, before) = (log.head().await.unwrap(), log.page(Position::START, 99).await.unwrap());
    let answered = log.answered(command(2)).await.unwrap();
    log.close().await;
    drop(log);
    let log = place.open().await;
    assert_eq!(log.head().await.unwrap(), end, "the epoch and the end");
    assert_eq!(log.page(Position::START, 99).await.unwrap(), before);
    assert_eq!(log.answered(command(2)).await.unwrap(), answered);
    let next = append(&log, one(3, stream(1), Expected::Head(head), 1)).await.unwrap();
    assert!(next.position > end.position);
    assert_eq!(next.heads[0].1.revision, Revision(3));
    let again = append(&log, one(1, stream(1), Expected::NoStream, 3)).await.unwrap();
    assert_eq!(again.heads[0].1, head);
}

fn big(bytes: usize) -> Event {
    let zone = "Asia/Seoul".parse().unwrap();
    let owner = PrincipalId::from_uuid(*command(1).as_uuid());
    let event =
        ResourceEvent::Registered { owner, display_name: "x".repeat(bytes), zone, capacity: 1 };
    event.into()
}

/// An event of a mebibyte, alone and among others.
pub async fn a_big_event_survives(place: &dyn Place) {
    let log = place.open().await;
    let event = big(1 << 20);
    let group = vec![
        one(1, stream(1), Expected::NoStream, 1),
        bare([write_of(2, stream(2), Expected::NoStream, &[event.clone(), event.clone()])]),
        one(3, stream(3), Expected::NoStream, 1),
    ];
    let answers = log.append(group).await;
    assert!(answers.iter().all(Result::is_ok));
    let loaded = log.load(stream(2), Revision(0)).await.unwrap();
    assert!(loaded.len() == 2 && loaded.iter().all(|recorded| recorded.event == event));
}

/// A group of more batches than one commit takes, each upon the one before.
pub async fn a_group_larger_than_a_commit_stands_whole(place: &dyn Place) {
    let log = place.open().await;
    let upon =
        |n: u64| n.checked_sub(1).map_or(Expected::NoStream, |n| Expected::InGroup(Revision(n)));
    let group = (0..1_300_u64).map(|n| one(u128::from(n) + 1, stream(1), upon(n), 1)).collect();
    let answers = log.append(group).await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1_300);
    assert_eq!(count(&log, stream(1)).await, 1_300);
}

/// An event id that is used elsewhere refuses its own batch only, in a group and beside others.
pub async fn a_batch_that_cannot_stand_harms_no_neighbour(place: &dyn Place) {
    let log = place.open().await;
    stand(&log, one(1, stream(1), Expected::NoStream, 1)).await;
    let mut reused = one(2, stream(2), Expected::NoStream, 1);
    if log.capabilities().atomic_batch {
        reused.writes[0].events[0].metadata.event_id = EventId::derive(command(1), &stream(1), 0);
    } else {
        reused.writes[0].events.clear();
        judged_otherwise(
            "atomic batches",
            "an empty write harms no neighbour; ids are not compared",
        );
    }
    let upon = one(3, stream(2), Expected::InGroup(Revision(0)), 1);
    let group = vec![one(4, stream(4), Expected::NoStream, 1), reused.clone(), upon, {
        one(5, stream(5), Expected::NoStream, 1)
    }];
    let mut tasks = JoinSet::new();
    for neighbour in 10..20 {
        let log = Arc::clone(&log);
        tasks.spawn(async move {
            stand(&log, one(neighbour, stream(neighbour), Expected::NoStream, 1)).await
        });
    }
    let answers = log.append(group).await;
    let fits: Vec<_> = answers.iter().map(Result::is_ok).collect();
    assert_eq!(fits, [true, false, false, true], "{answers:?}");
    assert!(matches!(answers[1], Err(AppendError::Unsupported(_))), "{answers:?}");
    tasks.join_all().await;
    assert_eq!(count(&log, stream(2)).await, 0);
}
