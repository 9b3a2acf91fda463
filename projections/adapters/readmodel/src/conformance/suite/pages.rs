//! Claims about commits.

use holdfast_domain::log::Position;
use holdfast_projections::document::{Document, Indexes, Key};
use holdfast_projections::ports::{Found, Page, ReadStore, RowWrite, StoreError, Target};
use holdfast_projections::topic::Cursor;

use super::changes::change;
use super::{VIEW, active, at, building, page, put};

pub(super) async fn the_second_of_two_runners_loses(store: &dyn ReadStore) {
    active(store).await;
    let (first, second) = (page(store, 5).await, page(store, 6).await);
    store.commit(first.clone()).await.unwrap();
    assert_eq!(store.commit(second).await, Err(StoreError::Moved));
    assert_eq!(store.commit(first).await, Err(StoreError::Moved), "not even the same again");
    assert_eq!(store.registry().await.unwrap().live, Some(at(5)));
    let other_log = holdfast_projections::registry::Checkpoint {
        hash: holdfast_domain::log::Hash([9; 32]),
        ..at(5)
    };
    let page = Page { expected: Some(other_log), ..page(store, 7).await };
    assert_eq!(store.commit(page).await, Err(StoreError::Moved), "the hash counts too");
}

pub(super) async fn a_page_from_before_an_alteration_is_refused(store: &dyn ReadStore) {
    active(store).await;
    let old = page(store, 5).await;
    building(store, 2).await;
    assert_eq!(store.commit(old).await, Err(StoreError::Moved));
    store.commit(page(store, 5).await).await.unwrap();
}

pub(super) async fn a_refused_page_leaves_nothing_behind(store: &dyn ReadStore) {
    let generation = active(store).await;
    let full = Page {
        writes: vec![put(generation, "a", "1", Indexes::default())],
        changes: vec![change(5, 1, &[1], "a")],
        ..page(store, 5).await
    };
    let wrong = Page { expected: Some(at(4)), ..full };
    assert_eq!(store.commit(wrong).await, Err(StoreError::Moved));
    let found = store.document(VIEW, Key::new("a")).await.unwrap();
    assert_eq!((found.value, found.position), (Found::Row(None), Position::START));
    assert_eq!(store.changes(None, Cursor::START, 9).await.unwrap().changes, vec![]);
}

pub(super) async fn documents_are_put_replaced_and_taken_away(store: &dyn ReadStore) {
    let generation = active(store).await;
    assert_eq!(store.document("nothing", Key::new("a")).await.unwrap().value, Found::NoView);
    let gone = RowWrite { generation, key: Key::new("a"), position: Position(3), row: None };
    for (position, write, shown) in [
        (1, put(generation, "a", "1", Indexes::default()), Some("1")),
        (2, put(generation, "a", "2", Indexes::default()), Some("2")),
        (3, gone.clone(), None),
        (4, gone, None),
    ] {
        let page = Page { writes: vec![write], ..page(store, position).await };
        store.commit(page).await.unwrap();
        let found = store.document(VIEW, Key::new("a")).await.unwrap();
        assert_eq!(found.value, Found::Row(shown.map(Document::stored)));
        assert_eq!(found.position, Position(position));
        let loaded = store
            .load(vec![(generation, Key::new("a")), (generation, Key::new("b"))])
            .await
            .unwrap();
        assert_eq!(loaded.len(), usize::from(shown.is_some()));
    }
    // More than fit into one statement of an SQL store.
    let many = (0..1_500).map(|n| put(generation, &format!("k{n}"), "1", Indexes::default()));
    let page = Page { writes: many.collect(), ..page(store, 5).await };
    store.commit(page).await.unwrap();
    let places = (0..1_500).map(|n| (generation, Key::new(format_args!("k{n}")))).collect();
    assert_eq!(store.load(places).await.unwrap().len(), 1_500);
}

pub(super) async fn a_building_generation_has_a_checkpoint_of_its_own(store: &dyn ReadStore) {
    let live = active(store).await;
    store.commit(page(store, 9).await).await.unwrap();
    let generation = building(store, 2).await;
    let fill = Page {
        target: Target::Generation(generation),
        expected: None,
        next: at(4),
        writes: vec![put(generation, "a", "\"new\"", Indexes::default())],
        ..page(store, 4).await
    };
    store.commit(fill.clone()).await.unwrap();
    assert_eq!(store.commit(fill.clone()).await, Err(StoreError::Moved));
    let registry = store.registry().await.unwrap();
    assert_eq!(registry.live, Some(at(9)));
    assert_eq!(registry.generation(generation).unwrap().checkpoint, Some(at(4)));
    let unseen = store.document(VIEW, Key::new("a")).await.unwrap();
    assert_eq!((unseen.value, unseen.generation), (Found::Row(None), Some(live)));
    let into_active = Page { target: Target::Generation(live), ..fill };
    assert_eq!(store.commit(into_active).await, Err(StoreError::Moved));
}
