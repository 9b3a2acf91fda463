//! Claims about generations.

use holdfast_domain::log::Position;
use holdfast_projections::document::{Document, Indexes, Key};
use holdfast_projections::ports::{Found, Page, Parked, Query, ReadStore, StoreError, Target};
use holdfast_projections::registry::{
    Alteration, Checkpoint, GenerationId, GenerationState, Registry,
};
use holdfast_projections::topic::Cursor;

use super::changes::change;
use super::{VIEW, active, at, building, page, put};

async fn fill(store: &dyn ReadStore, generation: GenerationId, from: Option<Checkpoint>, to: u64) {
    let fill = Page {
        target: Target::Generation(generation),
        expected: from,
        next: at(to),
        writes: vec![put(generation, "a", "\"new\"", Indexes::default())],
        ..page(store, to).await
    };
    store.commit(fill).await.unwrap();
}

async fn activate(
    store: &dyn ReadStore,
    generation: GenerationId,
    at: Option<Checkpoint>,
) -> Result<(), StoreError> {
    let revision = store.registry().await.unwrap().revision;
    store.alter(revision, Alteration::Activate { generation, at }).await.map(drop)
}

async fn shown(store: &dyn ReadStore) -> Found {
    store.document(VIEW, Key::new("a")).await.unwrap().value
}

fn row(text: &str) -> Found {
    Found::Row(Some(Document::stored(text)))
}

/// An active generation with a document at position 9.
async fn live(store: &dyn ReadStore) -> GenerationId {
    let old = active(store).await;
    let writes = vec![put(old, "a", "\"old\"", Indexes::default())];
    let changes = vec![change(9, 0, &[1], "a")];
    store.commit(Page { writes, changes, ..page(store, 9).await }).await.unwrap();
    old
}

pub(super) async fn a_generation_takes_over_and_is_taken_back(store: &dyn ReadStore) {
    let old = live(store).await;
    let new = building(store, 2).await;
    fill(store, new, None, 9).await;
    assert_eq!(shown(store).await, row("\"old\""));
    activate(store, new, Some(at(9))).await.unwrap();
    assert_eq!(shown(store).await, row("\"new\""));
    let registry = store.registry().await.unwrap();
    let retired = registry.generation(old).unwrap();
    assert_eq!((retired.state, retired.checkpoint), (GenerationState::Retired, Some(at(9))));
    assert_eq!(registry.active(VIEW).unwrap().id, new);
    assert!(activate(store, new, Some(at(9))).await.is_err(), "it is active already");
    activate(store, old, Some(at(9))).await.unwrap();
    assert_eq!(shown(store).await, row("\"old\""));
    let revision = store.registry().await.unwrap().revision;
    store.alter(revision, Alteration::Retire { generation: old }).await.unwrap();
    assert_eq!(shown(store).await, Found::NoView);
    let list = store.list(VIEW, Query { limit: 1, ..Query::default() }).await.unwrap();
    assert_eq!(list.generation, None);
}

pub(super) async fn a_switch_makes_every_cursor_too_old(store: &dyn ReadStore) {
    live(store).await;
    let before = store.changes(None, Cursor::START, 9).await.unwrap();
    assert!(before.now >= before.oldest && before.changes.len() == 1);
    let new = building(store, 2).await;
    fill(store, new, None, 9).await;
    activate(store, new, Some(at(9))).await.unwrap();
    let after = store.changes(None, before.now, 9).await.unwrap();
    assert!(before.now < after.oldest, "even who had read everything");
    assert!(after.now >= after.oldest, "who starts now is in time");
    store.trim(holdfast_projections::ports::Retention { positions: 3, age: None }).await.unwrap();
    let trimmed = store.changes(None, after.now, 9).await.unwrap();
    assert_eq!(trimmed.oldest, after.oldest, "trimming takes no word back");
}

pub(super) async fn nobody_takes_over_from_another_position(store: &dyn ReadStore) {
    live(store).await;
    let new = building(store, 2).await;
    fill(store, new, None, 8).await;
    assert_eq!(activate(store, new, Some(at(8))).await, Err(StoreError::Moved));
    assert_eq!(activate(store, new, Some(at(9))).await, Err(StoreError::Moved));
    fill(store, new, Some(at(8)), 9).await;
    let stale = Alteration::Activate { generation: new, at: Some(at(9)) };
    assert_eq!(store.alter(0, stale).await, Err(StoreError::Moved));
    assert_eq!(shown(store).await, row("\"old\""));
    activate(store, new, Some(at(9))).await.unwrap();
}

pub(super) async fn what_is_dropped_is_gone_and_what_is_read_cannot_be(store: &dyn ReadStore) {
    let old = live(store).await;
    let new = building(store, 2).await;
    fill(store, new, None, 9).await;
    let drop_it = async |generation| {
        let revision = store.registry().await.unwrap().revision;
        store.alter(revision, Alteration::Drop { generation }).await.map(drop)
    };
    assert!(matches!(drop_it(old).await, Err(StoreError::Refused(_))));
    drop_it(new).await.unwrap();
    assert!(matches!(drop_it(new).await, Err(StoreError::Refused(_))));
    assert_eq!(store.load(vec![(new, Key::new("a"))]).await.unwrap(), vec![]);
    assert_ne!(building(store, 2).await, new, "a number is never given out again");
}

pub(super) async fn two_generations_are_compared(store: &dyn ReadStore) {
    let old = live(store).await;
    let new = building(store, 2).await;
    fill(store, new, None, 9).await;
    let found = store.compare(old, new).await.unwrap();
    assert_eq!((found.left, found.right), (Some(at(9)), Some(at(9))));
    assert_eq!((found.left_rows, found.right_rows, found.different), (1, 1, 1));
    assert_eq!(found.examples, [Key::new("a")]);
    let writes =
        vec![put(old, "a", "\"new\"", Indexes::default()), put(old, "b", "1", Indexes::default())];
    store.commit(Page { writes, ..page(store, 10).await }).await.unwrap();
    let found = store.compare(old, new).await.unwrap();
    assert_eq!((found.different, found.examples), (1, vec![Key::new("b")]));
    assert_eq!(found.left.map(|left| left.position), Some(Position(10)));
    assert_eq!(store.compare(old, old).await.unwrap().different, 0);
}

pub(super) async fn what_is_cleared_begins_anew_and_no_number_is_given_out_again(
    store: &dyn ReadStore,
) {
    let old = live(store).await;
    let building = building(store, 2).await;
    fill(store, building, None, 9).await;
    let parked = Parked {
        generation: old,
        key: Key::new("p"),
        first: Position(10),
        last: Position(10),
        events: 1,
        reason: "why".to_owned(),
    };
    store.commit(Page { parked: vec![parked], ..page(store, 10).await }).await.unwrap();
    let late = page(store, 11).await;
    let before = store.registry().await.unwrap();
    assert_eq!(store.alter(0, Alteration::Clear).await, Err(StoreError::Moved));
    let cleared = store.alter(before.revision, Alteration::Clear).await.unwrap();
    let empty = Registry { revision: before.revision + 1, ..Registry::default() };
    assert_eq!((&cleared, store.registry().await), (&empty, Ok(empty.clone())));
    assert_eq!(store.commit(late).await, Err(StoreError::Moved), "a page of what was before");
    assert_eq!((shown(store).await, store.parked().await.unwrap()), (Found::NoView, vec![]));
    for generation in [old, building] {
        assert_eq!(store.load(vec![(generation, Key::new("a"))]).await.unwrap(), vec![]);
    }
    let news = store.changes(None, Cursor::START, 9).await.unwrap();
    assert_eq!((news.changes, news.oldest), (vec![], Cursor::START));
    // The same events come again, under the same cursors.
    let new = live(store).await;
    assert!(new > building, "a number is never given out again");
    assert_eq!(shown(store).await, row("\"old\""));
    assert_eq!(store.changes(None, Cursor::START, 9).await.unwrap().changes.len(), 1);
}
