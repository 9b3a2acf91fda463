//! Saying it twice changes nothing: repeated events, remembered answers.

use std::sync::Arc;

use holdfast_domain::log::{AppendError, Batch, Expected, Head, Revision};

use super::scenery::{
    append, bare, command, count, guarded, is_conflict, judged_otherwise, one, record, remembered,
    stand, stream, write,
};
use super::{Place, Subject};

/// The same event ids under the same exact expectation are a success that writes nothing.
pub async fn the_same_events_again_answer_what_stands(place: &dyn Place) {
    let log = place.open().await;
    let first = bare([
        write(1, stream(1), Expected::NoStream, 2),
        write(1, stream(2), Expected::NoStream, 1),
    ]);
    let appended = append(&log, first.clone()).await.unwrap();
    let head = appended.heads[0].1;
    let second = one(2, stream(1), Expected::Head(head), 2);
    let next = append(&log, second.clone()).await.unwrap();
    assert_eq!(append(&log, first.clone()).await, Ok(appended.clone()));
    assert_eq!(append(&log, second.clone()).await, Ok(next.clone()));
    // Also when the repetition and what it repeats meet in one commit, and upon a repetition.
    let third = one(3, stream(1), Expected::Head(next.heads[0].1), 1);
    let upon = one(4, stream(1), Expected::InGroup(Revision(4)), 1);
    let answers = log.append(vec![third.clone(), third.clone(), upon.clone()]).await;
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    assert_eq!(answers[0], answers[1]);
    assert_eq!(log.append(vec![third, upon]).await, answers[1..]);
    assert_eq!((count(&log, stream(1)).await, count(&log, stream(2)).await), (6, 1));
    assert_eq!(append(&log, first).await, Ok(appended));
}

/// The same event ids under another expectation, or with others between them, are not a repetition.
pub async fn the_same_events_elsewhere_are_not_taken(place: &dyn Place) {
    let log = place.open().await;
    let first = one(1, stream(1), Expected::NoStream, 1);
    let head = stand(&log, first).await;
    let after = stand(&log, one(2, stream(1), Expected::Head(head), 1)).await;
    let moved = append(&log, one(2, stream(1), Expected::NoStream, 1)).await;
    assert!(is_conflict(&moved, stream(1), Some(after)), "{moved:?}");
    let longer = append(&log, one(2, stream(1), Expected::Head(head), 2)).await;
    assert!(is_conflict(&longer, stream(1), Some(after)), "{longer:?}");
    let half = bare([
        write(2, stream(1), Expected::Head(head), 1),
        write(2, stream(2), Expected::NoStream, 1),
    ]);
    if !log.capabilities().atomic_batch {
        return what_broke_off_goes_on(&log, half, after).await;
    }
    let half = append(&log, half).await;
    assert!(is_conflict(&half, stream(1), Some(after)), "{half:?}");
    // An expectation that holds does not make an id new.
    let reused = append(&log, one(2, stream(1), Expected::Head(after), 1)).await;
    assert!(matches!(reused, Err(AppendError::Unsupported(_))), "{reused:?}");
    assert_eq!((count(&log, stream(1)).await, count(&log, stream(2)).await), (2, 0));
}

/// Where a batch is written stream by stream, its first part is no reason to refuse it: it goes on
/// where it broke off. Event ids are not compared over streams there.
async fn what_broke_off_goes_on(log: &Arc<dyn Subject>, half: Batch, first: Head) {
    let whole = append(log, half.clone()).await.unwrap();
    assert_eq!(whole.heads[0], (stream(1), first));
    assert_eq!(append(log, half).await, Ok(whole));
    assert_eq!((count(log, stream(1)).await, count(log, stream(2)).await), (2, 1));
    judged_otherwise("atomic batches", "a batch that broke off goes on");
}

/// A command that was answered is answered the same again, whatever it asks the second time.
pub async fn a_command_is_answered_once(place: &dyn Place) {
    let log = place.open().await;
    let batch = remembered(one(1, stream(1), Expected::NoStream, 1), record(1, 201));
    let appended = append(&log, batch.clone()).await.unwrap();
    let (position, head) = (appended.position, appended.heads[0].1);
    let other = remembered(one(9, stream(9), Expected::NoStream, 1), record(1, 200));
    // Its facts are named after the command, so they have the names of those that stand.
    let upon = remembered(one(1, stream(1), Expected::Head(head), 1), record(1, 200));
    for again in [batch, other, upon] {
        match append(&log, again).await {
            Err(AppendError::Answered(answered)) => {
                assert_eq!((answered.record, answered.position), (record(1, 201), position));
            }
            wrong => assert!(wrong.is_err(), "answered again: {wrong:?}"),
        }
    }
    // Twice in one group: the second one meets the first.
    let answers = log
        .append(vec![
            remembered(one(2, stream(2), Expected::NoStream, 2), record(2, 201)),
            remembered(one(3, stream(3), Expected::NoStream, 1), record(2, 200)),
        ])
        .await;
    let position = answers[0].as_ref().unwrap().position;
    let Err(AppendError::Answered(answered)) = &answers[1] else {
        return assert!(answers[1].is_err(), "answered twice: {answers:?}");
    };
    assert_eq!((&answered.record, answered.position), (&record(2, 201), position));
    let looked_up = log.answered(command(2)).await.unwrap().unwrap();
    assert_eq!(&looked_up, answered.as_ref());
    assert_eq!((count(&log, stream(9)).await, count(&log, stream(3)).await), (0, 0));
    assert_eq!(log.answered(command(8)).await.unwrap(), None);
}

/// A refusal is an answer without events, and stands only if what it was judged on still does.
pub async fn a_refusal_is_remembered_without_an_event(place: &dyn Place) {
    let log = place.open().await;
    let head = stand(&log, one(1, stream(1), Expected::NoStream, 3)).await;
    let guards = log.capabilities().guards;
    let refusal = |n| {
        let bare = remembered(bare([]), record(n, 409));
        if guards { guarded(bare, stream(1), Expected::Head(head)) } else { bare }
    };
    let end = log.head().await.unwrap().position;
    let appended = append(&log, refusal(2)).await.unwrap();
    assert_eq!((appended.position, appended.heads.len()), (end, 0));
    let answered = log.answered(command(2)).await.unwrap().unwrap();
    assert_eq!((answered.record, answered.position), (record(2, 409), end));
    assert_eq!(log.head().await.unwrap().position, end);
    if guards {
        stand(&log, one(3, stream(1), Expected::Head(head), 1)).await;
        let stale = append(&log, refusal(4)).await;
        assert!(matches!(stale, Err(AppendError::Conflict { .. })), "{stale:?}");
        assert_eq!(log.answered(command(4)).await.unwrap(), None);
    } else {
        judged_otherwise("guards", "a refusal is remembered as it was decided");
    }
    // Beside events of the same commit its position is where the log ended for it.
    let answers = log
        .append(vec![
            one(5, stream(5), Expected::NoStream, 2),
            remembered(bare([]), record(6, 404)),
        ])
        .await;
    let position = answers[0].as_ref().unwrap().position;
    assert_eq!(answers[1].as_ref().unwrap().position, position);
}
