//! Claims about changes.

use std::time::Duration;

use holdfast_domain::ids::PrincipalId;
use holdfast_domain::log::Position;
use holdfast_domain::time::Timestamp;
use holdfast_projections::document::{Document, Key};
use holdfast_projections::ports::{Change, Page, ReadStore, Retention};
use holdfast_projections::topic::{Cursor, Topic};

use super::{VIEW, active, page};

pub(super) fn topic(number: u128) -> Topic {
    Topic::Me(PrincipalId::from_uuid(uuid::Uuid::from_u128(number)))
}

pub(super) fn change(position: u64, count: u32, topics: &[u128], key: &str) -> Change {
    Change {
        cursor: Cursor::of(Position(position), 1, count),
        topics: topics.iter().copied().map(topic).collect(),
        view: VIEW.to_owned(),
        key: Key::new(key),
        data: (!key.is_empty()).then(|| Document::stored("{}")),
        accepted_at: Timestamp::from_micros(i64::try_from(position).unwrap() * 1_000_000),
    }
}

async fn commit(store: &dyn ReadStore, position: u64, changes: Vec<Change>) {
    store.commit(Page { changes, ..page(store, position).await }).await.unwrap();
}

pub(super) async fn changes_come_in_order_once_and_by_topic(store: &dyn ReadStore) {
    active(store).await;
    let all = vec![
        change(2, 0, &[1], "a"),
        change(2, 1, &[1, 2], "b"),
        change(2, 2, &[2], ""),
        change(10, 0, &[3], "c"),
        change(11, 0, &[2, 3], "d"),
    ];
    commit(store, 2, all[..3].to_vec()).await;
    commit(store, 11, all[3..].to_vec()).await;
    let read = async |topics: Option<Vec<Topic>>, after, limit| {
        store.changes(topics, after, limit).await.unwrap().changes
    };
    assert_eq!(read(None, Cursor::START, 100).await, all);
    let both = Some(vec![topic(1), topic(2)]);
    let of_both = read(both.clone(), Cursor::START, 100).await;
    assert_eq!(
        of_both.iter().map(|one| one.cursor).collect::<Vec<_>>(),
        [all[0].cursor, all[1].cursor, all[2].cursor, all[4].cursor]
    );
    assert_eq!(of_both[3].topics, [topic(2)], "only what was asked for");
    // Whoever comes back with any cursor gets the rest, whatever the page size.
    for limit in 1..=5 {
        let (mut seen, mut after) = (vec![], Cursor::START);
        while let Some(last) = read(both.clone(), after, limit).await.last() {
            seen.extend(read(both.clone(), after, limit).await);
            after = last.cursor;
        }
        assert_eq!(seen, of_both);
    }
    let page = store.changes(Some(vec![]), Cursor::START, 0).await.unwrap();
    assert_eq!(page.changes, vec![]);
    assert_eq!(read(None, page.now, 100).await, vec![], "now is after everything");
    commit(store, 12, vec![change(12, 0, &[1], "e")]).await;
    assert_eq!(read(None, page.now, 100).await.len(), 1);
}

pub(super) async fn who_comes_back_too_late_is_told(store: &dyn ReadStore) {
    active(store).await;
    for position in 1..=10 {
        commit(store, position, vec![change(position, 0, &[1], "a")]).await;
    }
    let early = store.changes(None, Cursor::START, 1).await.unwrap();
    assert!(Cursor::START >= early.oldest, "nothing was let go yet");
    store.trim(Retention { positions: 20, age: None }).await.unwrap();
    let early = store.changes(None, Cursor::START, 100).await.unwrap();
    assert_eq!((early.changes.len(), early.oldest), (10, Cursor::START));
    store.trim(Retention { positions: 4, age: None }).await.unwrap();
    let kept = store.changes(None, Cursor::after(Position(6), 0), 100).await.unwrap();
    assert!(Cursor::after(Position(6), 0) >= kept.oldest);
    assert_eq!(kept.changes.first().unwrap().cursor.position, Position(7));
    let late = store.changes(None, Cursor::of(Position(6), 0, 0), 100).await.unwrap();
    assert!(Cursor::of(Position(6), 0, 0) < late.oldest);
    assert_eq!(late.changes, vec![], "who is too late gets no part of the story");
    let by_topic = store.changes(Some(vec![topic(1)]), kept.oldest, 100).await.unwrap();
    assert_eq!(by_topic.changes.len(), 4);
    store.trim(Retention { positions: 9, age: None }).await.unwrap();
    assert_eq!(store.changes(None, kept.oldest, 9).await.unwrap().oldest, kept.oldest);
}

pub(super) async fn what_was_let_go_of_is_swept_by_the_handful_and_nothing_else(
    store: &dyn ReadStore,
) {
    active(store).await;
    for position in 1..=10 {
        let two = vec![change(position, 0, &[1, 2], "a"), change(position, 1, &[], "b")];
        commit(store, position, two).await;
    }
    assert_eq!(store.sweep(100).await.unwrap(), 0, "nothing was let go of");
    store.trim(Retention { positions: 6, age: None }).await.unwrap();
    for swept in [3, 3, 2, 0] {
        assert_eq!(store.sweep(3).await.unwrap(), swept);
        let kept = store.changes(None, Cursor::after(Position(4), 0), 100).await.unwrap();
        assert_eq!(kept.changes.len(), 12);
        let named = store.changes(Some(vec![topic(2)]), kept.oldest, 100).await.unwrap();
        assert_eq!(named.changes.len(), 6);
    }
}

pub(super) async fn age_is_judged_by_acceptance_and_a_wrong_clock_loses_nothing(
    store: &dyn ReadStore,
) {
    active(store).await;
    for position in 1..=10 {
        let mut change = change(position, 0, &[1], "a");
        if position == 9 {
            // Accepted by a node whose clock was behind.
            change.accepted_at = Timestamp::from_micros(1);
        }
        commit(store, position, vec![change]).await;
    }
    store.trim(Retention { positions: 100, age: Some(Duration::from_secs(3)) }).await.unwrap();
    let kept = store.changes(None, Cursor::after(Position(6), 0), 100).await.unwrap();
    let positions: Vec<_> = kept.changes.iter().map(|one| one.cursor.position.0).collect();
    assert_eq!(positions, [7, 8, 9, 10]);
    assert_eq!(kept.oldest, Cursor::after(Position(6), 0));
}
