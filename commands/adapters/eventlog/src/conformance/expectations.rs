//! What an append demands of the streams: expectations, groups, guards.

use std::sync::Arc;

use holdfast_domain::log::{AppendError, Expected, Hash, Head, Position, Revision};

use super::scenery::{
    append, bare, count, guarded, is_conflict, judged_otherwise, one, record, remembered, stand,
    stream, write,
};
use super::{Place, Subject};

/// What is appended is what is loaded: in order, at its place, with its circumstances.
pub async fn an_append_stands_as_it_was_written(place: &dyn Place) {
    let log = place.open().await;
    let batch = bare([write(1, stream(1), Expected::NoStream, 2), {
        write(1, stream(2), Expected::NoStream, 1)
    }]);
    let appended = append(&log, batch.clone()).await.unwrap();
    assert_eq!(appended.position, log.head().await.unwrap().position);
    let loaded = log.load(stream(1), Revision(0)).await.unwrap();
    assert_eq!(loaded.len(), 2);
    for (index, recorded) in loaded.iter().enumerate() {
        let new = &batch.writes[0].events[index];
        assert_eq!((&recorded.event, &recorded.metadata), (&new.event, &new.metadata));
        assert_eq!(recorded.revision, Revision(u64::try_from(index).unwrap()));
        // An append is what the store writes at once: the batch, or one stream's part of it.
        let end = if log.capabilities().atomic_batch {
            appended.position
        } else {
            loaded[loaded.len() - 1].position
        };
        assert_eq!((recorded.stream, recorded.append_end), (stream(1), end));
    }
    let last = &loaded[1];
    let head = Head { revision: last.revision, hash: last.hash };
    assert_eq!(appended.heads[0], (stream(1), head));
    assert_eq!(appended.heads[1].0, stream(2));
    assert_eq!(log.load(stream(1), Revision(1)).await.unwrap(), loaded[1..]);
    assert!(log.load(stream(1), Revision(2)).await.unwrap().is_empty());
    assert!(log.load(stream(3), Revision(0)).await.unwrap().is_empty());
    assert_eq!(log.hash_at(appended.position).await.unwrap(), {
        Some(log.load(stream(2), Revision(0)).await.unwrap()[0].hash)
    });
    assert_eq!(log.hash_at(Position::START).await.unwrap(), None);
}

/// Every kind of expectation against every state of a stream: exactly one pair fits.
pub async fn expectations_are_exact(place: &dyn Place) {
    let log = place.open().await;
    let first = stand(&log, one(1, stream(1), Expected::NoStream, 1)).await;
    let third = stand(&log, one(2, stream(1), Expected::Head(first), 2)).await;
    let before = Head { revision: Revision(1), ..third };
    let ahead = Head { revision: Revision(9), ..third };
    let other = Head { hash: Hash([7; 32]), ..third };
    let table = [
        ("absent, no stream", 2, Expected::NoStream, true),
        ("absent, a head", 2, Expected::Head(first), false),
        ("absent, in a group that wrote nothing", 3, Expected::InGroup(Revision(0)), false),
        ("there, no stream", 1, Expected::NoStream, false),
        ("there, an older head", 1, Expected::Head(first), false),
        ("there, an older number with the newest hash", 1, Expected::Head(before), false),
        ("there, a newer head", 1, Expected::Head(ahead), false),
        ("there, the same length with another hash", 1, Expected::Head(other), false),
        ("there, in a group that wrote nothing", 1, Expected::InGroup(third.revision), false),
        ("there, its head", 1, Expected::Head(third), true),
    ];
    for (case, (name, on, expected, fits)) in (10..).zip(table) {
        let there = log.load(stream(on), Revision(0)).await.unwrap();
        let there = there.last().map(|last| Head { revision: last.revision, hash: last.hash });
        let answer = append(&log, one(case, stream(on), expected, 1)).await;
        assert_eq!(answer.is_ok(), fits, "{name}: {answer:?}");
        assert!(fits || is_conflict(&answer, stream(on), there), "{name}: {answer:?}");
    }
    assert_eq!((count(&log, stream(1)).await, count(&log, stream(2)).await), (4, 1));
}

/// Decisions taken one upon the other are appended in one go, each by its own merit.
pub async fn a_group_is_judged_in_order_and_by_itself(place: &dyn Place) {
    let log = place.open().await;
    let group = vec![
        one(1, stream(1), Expected::NoStream, 2),
        one(2, stream(1), Expected::InGroup(Revision(1)), 1),
        one(3, stream(2), Expected::InGroup(Revision(0)), 1),
        one(4, stream(1), Expected::NoStream, 1),
        one(5, stream(1), Expected::InGroup(Revision(1)), 1),
        guarded(one(6, stream(3), Expected::NoStream, 1), stream(1), {
            Expected::InGroup(Revision(2))
        }),
        one(7, stream(1), Expected::InGroup(Revision(2)), 1),
    ];
    let answers = log.append(group).await;
    let fits: Vec<_> = answers.iter().map(Result::is_ok).collect();
    let guards = log.capabilities().guards;
    assert_eq!(fits, [true, true, false, false, false, guards, true], "{answers:?}");
    assert_eq!(count(&log, stream(1)).await, 4);
    let guarded = usize::from(guards);
    assert_eq!((count(&log, stream(2)).await, count(&log, stream(3)).await), (0, guarded));
    let positions: Vec<_> = answers.iter().flatten().map(|appended| appended.position).collect();
    assert!(positions.is_sorted_by(|one, next| one < next), "{positions:?}");
}

/// A batch that fails takes those with it that expected its events, and no other.
pub async fn what_expects_a_refused_batch_is_refused(place: &dyn Place) {
    let log = place.open().await;
    let head = stand(&log, one(1, stream(1), Expected::NoStream, 1)).await;
    let answers = log
        .append(vec![
            one(2, stream(1), Expected::NoStream, 1),
            one(3, stream(1), Expected::InGroup(Revision(1)), 1),
            one(4, stream(1), Expected::InGroup(Revision(0)), 1),
            one(5, stream(1), Expected::Head(head), 1),
            one(6, stream(1), Expected::InGroup(Revision(1)), 1),
        ])
        .await;
    let fits: Vec<_> = answers.iter().map(Result::is_ok).collect();
    assert_eq!(fits, [false, false, false, true, true], "{answers:?}");
    // What another group wrote is not in this group.
    let answer = append(&log, one(7, stream(1), Expected::InGroup(Revision(2)), 1)).await;
    assert!(matches!(answer, Err(AppendError::Conflict { .. })), "{answer:?}");
}

/// One stream that is not as expected keeps the others of its batch from being written.
pub async fn a_batch_is_appended_whole_or_not_at_all(place: &dyn Place) {
    let log = place.open().await;
    let head = stand(&log, one(1, stream(2), Expected::NoStream, 1)).await;
    let half = bare([
        write(2, stream(1), Expected::NoStream, 1),
        write(2, stream(2), Expected::NoStream, 1),
    ]);
    let answer = append(&log, remembered(half, record(2, 201))).await;
    assert!(is_conflict(&answer, stream(2), Some(head)), "{answer:?}");
    assert_eq!(count(&log, stream(1)).await, 0);
    assert_eq!(log.answered(record(2, 201).id).await.unwrap(), None);
}

/// A stream that was only read must not have changed, and neither may one that was not there.
pub async fn guards_hold_and_absent_streams_can_be_guarded(place: &dyn Place) {
    let log = place.open().await;
    let head = stand(&log, one(1, stream(1), Expected::NoStream, 1)).await;
    if !log.capabilities().guards {
        return guards_are_refused(&log, head).await;
    }
    let stale = Head { hash: Hash([1; 32]), ..head };
    let table = [
        ("its head", 1, Expected::Head(head), true),
        ("the same length with another hash", 1, Expected::Head(stale), false),
        ("there, though it was absent", 1, Expected::NoStream, false),
        ("still absent", 2, Expected::NoStream, true),
        ("absent, though it was there", 2, Expected::Head(head), false),
    ];
    for (case, (name, on, expected, fits)) in (10..).zip(table) {
        let batch = guarded(one(case, stream(case), Expected::NoStream, 1), stream(on), expected);
        let answer = append(&log, batch).await;
        assert_eq!(answer.is_ok(), fits, "{name}: {answer:?}");
        let there = (on == 1).then_some(head);
        assert!(fits || is_conflict(&answer, stream(on), there), "{name}: {answer:?}");
        assert_eq!(count(&log, stream(case)).await, usize::from(fits), "{name}");
    }
    // A guard sees what a neighbour in the same commit writes.
    let answers = log
        .append(vec![
            one(30, stream(2), Expected::NoStream, 1),
            guarded(one(31, stream(31), Expected::NoStream, 1), stream(2), Expected::NoStream),
        ])
        .await;
    assert!(answers[0].is_ok() && answers[1].is_err(), "{answers:?}");
    // Guarding a stream does not make it.
    assert_eq!(log.stored_stream(stream(2).to_string(), Revision(0), 9).await.unwrap().len(), 1);
}

/// A store that cannot guard says so, and writes nothing: it does not look first and write then.
async fn guards_are_refused(log: &Arc<dyn Subject>, head: Head) {
    for (by, on, expected) in [(10, 1, Expected::Head(head)), (11, 2, Expected::NoStream)] {
        let batch = guarded(one(by, stream(by), Expected::NoStream, 1), stream(on), expected);
        let answer = append(log, batch).await;
        assert!(matches!(answer, Err(AppendError::Unsupported(_))), "{answer:?}");
        assert_eq!(count(log, stream(by)).await, 0);
    }
    judged_otherwise("guards", "a guarded batch is Unsupported and writes nothing");
}

/// Batches that mean nothing are told apart from conflicts.
pub async fn what_no_store_can_take_is_unsupported(place: &dyn Place) {
    let log = place.open().await;
    let twice = bare([
        write(1, stream(1), Expected::NoStream, 1),
        write(1, stream(1), Expected::InGroup(Revision(0)), 1),
    ]);
    let wrong = [one(1, stream(1), Expected::NoStream, 0), twice, {
        one(1, stream(1), Expected::NoStream, 1_025)
    }];
    for batch in wrong {
        let answer = append(&log, batch).await;
        assert!(matches!(answer, Err(AppendError::Unsupported(_))), "{answer:?}");
    }
    assert_eq!(log.head().await.unwrap().position, Position::START);
}
