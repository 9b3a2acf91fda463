//! Claims about documents and lists.

use holdfast_domain::log::Position;
use holdfast_projections::document::{Document, Indexes, Key};
use holdfast_projections::ports::{Entry, Found, Page, Parked, Query, ReadStore};
use holdfast_projections::registry::GenerationId;

use super::{VIEW, active, at, page, put};

fn columns(owner: &str, status: &str, start: i64) -> Indexes {
    Indexes {
        owner: Some(owner.to_owned()),
        provider: Some("p".to_owned()),
        status: Some(status.to_owned()),
        resource: Some("r".to_owned()),
        offering: Some("o".to_owned()),
        at: Some(start),
        until: Some(start + 10),
    }
}

async fn keys(store: &dyn ReadStore, query: Query) -> Vec<String> {
    let limit = if query.limit == 0 { 100 } else { query.limit };
    let read = store.list(VIEW, Query { limit, ..query }).await.unwrap();
    read.value.iter().map(|entry| entry.key.to_string()).collect()
}

fn text(text: &str) -> String {
    text.to_owned()
}

pub(super) async fn a_list_is_ordered_filtered_and_paged(store: &dyn ReadStore) {
    let generation = active(store).await;
    let writes = vec![
        put(generation, "c", "1", columns("x", "held", 20)),
        put(generation, "b", "1", columns("x", "confirmed", 20)),
        put(generation, "a", "1", columns("y", "held", 30)),
        put(generation, "d", "1", columns("y", "held", 10)),
        put(generation, "hidden", "1", Indexes::default()),
    ];
    store.commit(Page { writes, ..page(store, 1).await }).await.unwrap();
    assert_eq!(keys(store, Query::default()).await, ["d", "b", "c", "a"]);
    assert_eq!(keys(store, Query { limit: 2, ..Query::default() }).await, ["d", "b"]);
    let after = Some((20, Key::new("b")));
    assert_eq!(keys(store, Query { after, ..Query::default() }).await, ["c", "a"]);
    for (query, expected) in [
        (Query { owner: Some(text("x")), ..Query::default() }, vec!["b", "c"]),
        (Query { provider: Some(text("p")), ..Query::default() }, vec!["d", "b", "c", "a"]),
        (Query { party: Some(text("x")), ..Query::default() }, vec!["b", "c"]),
        (Query { party: Some(text("p")), ..Query::default() }, vec!["d", "b", "c", "a"]),
        (Query { status: Some(text("held")), ..Query::default() }, vec!["d", "c", "a"]),
        (Query { resource: Some(text("q")), ..Query::default() }, vec![]),
        (
            Query { offering: Some(text("o")), from: Some(20), ..Query::default() },
            vec!["b", "c", "a"],
        ),
        (Query { from: Some(10), to: Some(20), ..Query::default() }, vec!["d"]),
        (Query { ends_after: Some(30), ..Query::default() }, vec!["a"]),
        (
            Query { owner: Some(text("y")), status: Some(text("held")), ..Query::default() },
            vec!["d", "a"],
        ),
    ] {
        assert_eq!(keys(store, query.clone()).await, expected, "{query:?}");
    }
}

pub(super) async fn a_partys_list_has_both_sides_in_order_and_nothing_twice(store: &dyn ReadStore) {
    let generation = active(store).await;
    let writes = vec![
        put(generation, "both", "1", columns("p", "held", 20)),
        put(generation, "provided", "1", columns("x", "held", 10)),
        put(
            generation,
            "owned",
            "1",
            Indexes { provider: Some(text("q")), ..columns("p", "held", 15) },
        ),
        put(generation, "owned only", "1", Indexes { provider: None, ..columns("p", "gone", 30) }),
        put(generation, "provided only", "1", Indexes { owner: None, ..columns("", "held", 40) }),
        put(
            generation,
            "neither",
            "1",
            Indexes { provider: Some(text("q")), ..columns("x", "held", 1) },
        ),
    ];
    store.commit(Page { writes, ..page(store, 1).await }).await.unwrap();
    let all = Query { party: Some(text("p")), ..Query::default() };
    let shown = ["provided", "owned", "both", "owned only", "provided only"];
    assert_eq!(keys(store, all.clone()).await, shown);
    let after = Some((10, Key::new("provided")));
    assert_eq!(keys(store, Query { after, limit: 2, ..all.clone() }).await, ["owned", "both"]);
    let held = Query { status: Some(text("held")), from: Some(15), ..all };
    assert_eq!(keys(store, held).await, ["owned", "both", "provided only"]);
}

pub(super) async fn a_document_is_found_where_its_columns_say_now(store: &dyn ReadStore) {
    let generation = active(store).await;
    let steps = [
        (columns("x", "held", 20), "x", ["a", "b"]),
        // Its place stays, only the rest moves on.
        (columns("x", "confirmed", 20), "x", ["a", "b"]),
        (columns("x", "confirmed", 40), "x", ["b", "a"]),
        (columns("y", "confirmed", 10), "y", ["a", ""]),
    ];
    for (position, (indexes, owner, shown)) in (1..).zip(steps) {
        let document = position.to_string();
        let status = indexes.status.clone();
        let writes = vec![
            put(generation, "a", &document, indexes),
            put(generation, "b", &document, columns("x", "held", 30)),
        ];
        store.commit(Page { writes, ..page(store, position).await }).await.unwrap();
        let shown: Vec<_> = shown.into_iter().filter(|key| !key.is_empty()).collect();
        let owned = Query { owner: Some(text(owner)), ..Query::default() };
        assert_eq!(keys(store, owned.clone()).await, shown);
        assert!(keys(store, Query { status, ..owned }).await.contains(&text("a")));
        let found = store.document(VIEW, Key::new("a")).await.unwrap().value;
        assert_eq!(found, Found::Row(Some(Document::stored(document))));
    }
    let gone = Query { owner: Some(text("x")), ..Query::default() };
    assert_eq!(keys(store, gone).await, ["b"]);
}

pub(super) async fn what_is_read_belongs_to_one_position(store: &dyn ReadStore) {
    const PAGES: u64 = 150;
    let generation = active(store).await;
    let write = async {
        for position in 1..=PAGES {
            let shown = position.to_string();
            let writes = vec![
                put(generation, "a", &shown, columns("x", "held", 1)),
                put(generation, "b", &shown, columns("x", "held", 2)),
            ];
            store.commit(Page { writes, ..page(store, position).await }).await.unwrap();
        }
    };
    let read = async {
        let mut newest = Position::START;
        while newest < Position(PAGES) {
            let list = store.list(VIEW, Query { limit: 9, ..Query::default() }).await.unwrap();
            let expected = list.position.to_string();
            for entry in &list.value {
                assert_eq!(entry.document.as_ref().unwrap().as_str(), expected);
            }
            let one = store.document(VIEW, Key::new("a")).await.unwrap();
            if let Found::Row(Some(document)) = one.value {
                assert_eq!(document.as_str(), one.position.to_string());
            }
            assert!(list.position >= newest && one.position >= list.position, "time ran back");
            newest = one.position;
        }
    };
    tokio::join!(write, read);
}

fn parked(generation: GenerationId, last: u64, events: u64) -> Parked {
    Parked {
        generation,
        key: Key::new("a"),
        first: Position(2),
        last: Position(last),
        events,
        reason: "it does not fold".to_owned(),
    }
}

pub(super) async fn a_parked_key_is_never_shown(store: &dyn ReadStore) {
    let generation = active(store).await;
    let writes = vec![
        put(generation, "a", "1", columns("x", "held", 1)),
        put(generation, "b", "1", columns("x", "held", 2)),
    ];
    store.commit(Page { writes, ..page(store, 1).await }).await.unwrap();
    for (position, events) in [(2, 1), (3, 2)] {
        let parked = vec![parked(generation, position, events)];
        store.commit(Page { parked, ..page(store, position).await }).await.unwrap();
    }
    assert_eq!(store.document(VIEW, Key::new("a")).await.unwrap().value, Found::Parked);
    assert_eq!(
        store.document(VIEW, Key::new("b")).await.unwrap().value,
        Found::Row(Some(Document::stored("1")))
    );
    let list = store.list(VIEW, Query { limit: 9, ..Query::default() }).await.unwrap();
    let entry = |key: &str, at, document| Entry { key: Key::new(key), at, document };
    let shown = Some(Document::stored("1"));
    assert_eq!(list.value, vec![entry("a", 1, None), entry("b", 2, shown)]);
    assert_eq!(store.parked().await.unwrap(), vec![parked(generation, 3, 2)]);
}

pub(super) async fn a_scan_shows_everything_once(store: &dyn ReadStore) {
    let generation = active(store).await;
    let columns = columns("x", "held", 1);
    let writes = (0..5).map(|n| put(generation, &format!("k{n}"), "1", columns.clone()));
    let writes = writes.chain([put(generation, "k9", "1", Indexes::default())]).collect();
    store.commit(Page { writes, ..page(store, 7).await }).await.unwrap();
    let (mut seen, mut after) = (vec![], None);
    loop {
        let some = store.scan(generation, after, 2).await.unwrap();
        assert_eq!(some.position, at(7).position);
        let Some((last, _, _)) = some.value.last() else { break };
        after = Some(last.clone());
        seen.extend(some.value);
    }
    let keys: Vec<_> = seen.iter().map(|(key, _, _)| key.as_str()).collect();
    assert_eq!(keys, ["k0", "k1", "k2", "k3", "k4", "k9"]);
    assert_eq!(seen[0].2, columns);
    assert_eq!(seen[5].2, Indexes::default());
}
