//! The port to a cache that nodes share. It holds answers that were true once, and knows up to which
//! position they still are; it never holds the only copy of anything. What it cannot do at once it
//! leaves undone: a miss is always a right answer.
//!
//! Why an old answer is never taken for a new one: every answer carries the position it was read at
//! and a tag that says what it depends on. The runner notes each committed page, in order, with the
//! tags that the page touched. An answer is served only while its tag was not touched since, no page
//! was missed since, and the notes have come as far as the reader already knows the views to be.
//!
//! Notes and answers come with the revision of the registry that they were made under, and an answer
//! is served only while it has its own notes. Positions alone would not do: a switch of generations
//! moves none, so when the first words of the runner after it are lost no gap shows, and what is
//! noted then is about other generations.

use std::fmt;

use holdfast_domain::log::{Pending, Position};

use crate::document::{Document, Indexes, Key};
use crate::ports::{Entry, Query};
use crate::registry::GenerationId;

/// What an answer is kept under, and what it depends on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Its name.
    pub name: String,
    /// When this is touched, the answer may be old.
    pub tag: String,
}

impl Place {
    /// Of one document.
    pub fn document(generation: GenerationId, key: &Key) -> Self {
        let name = format!("document:{}:{key}", generation.0);
        Self { tag: name.clone(), name }
    }

    /// Of a list. It depends on the narrowest thing that it asks for; none for a list that depends
    /// on two things at once.
    pub fn list(generation: GenerationId, query: &Query) -> Option<Self> {
        if query.party.is_some() {
            return None;
        }
        let narrowest = [
            ("resource", &query.resource),
            ("offering", &query.offering),
            ("owner", &query.owner),
            ("provider", &query.provider),
        ];
        let narrowest = narrowest.into_iter().find_map(|(column, value)| {
            value.as_ref().map(|value| column_tag(generation, column, value))
        });
        let tag = narrowest.unwrap_or_else(|| generation_tag(generation));
        Some(Self { name: format!("list:{}:{query:?}", generation.0), tag })
    }
}

/// The tags of the lists in which a document with these columns stands.
pub fn tags(generation: GenerationId, columns: &Indexes) -> Vec<String> {
    let named = [
        ("resource", &columns.resource),
        ("offering", &columns.offering),
        ("owner", &columns.owner),
        ("provider", &columns.provider),
    ];
    let named = named.into_iter().filter_map(|(column, value)| {
        value.as_ref().map(|value| column_tag(generation, column, value))
    });
    std::iter::once(generation_tag(generation)).chain(named).collect()
}

fn generation_tag(generation: GenerationId) -> String {
    format!("list:{}", generation.0)
}

fn column_tag(generation: GenerationId, column: &str, value: &str) -> String {
    format!("list:{}:{column}:{value}", generation.0)
}

/// A document, or that there is none, as it is kept.
pub fn kept(document: Option<&Document>) -> String {
    document.map_or("-".to_owned(), |document| format!("={}", document.as_str()))
}

/// What was kept of a document.
pub fn document(kept: &str) -> Option<Option<Document>> {
    match kept.split_at_checked(1)? {
        ("=", text) => Some(Some(Document::stored(text))),
        ("-", "") => Some(None),
        _ => None,
    }
}

/// A page of a list, as it is kept; none when a document in it cannot be shown.
pub fn kept_list(entries: &[Entry]) -> Option<String> {
    let entry = |entry: &Entry| {
        let document = entry.document.as_ref()?;
        Some((entry.key.to_string(), entry.at, document.as_str().to_owned()))
    };
    let entries: Vec<_> = entries.iter().map(entry).collect::<Option<_>>()?;
    serde_json::to_string(&entries).ok()
}

/// What was kept of a page of a list.
pub fn list(kept: &str) -> Option<Vec<Entry>> {
    let entries: Vec<(String, i64, String)> = serde_json::from_str(kept).ok()?;
    let entry =
        |(key, at, text)| Entry { key: Key::new(key), at, document: Some(Document::stored(text)) };
    Some(entries.into_iter().map(entry).collect())
}

/// What a committed page means to the cache.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Note {
    /// The revision of the registry that it was committed under.
    pub registry: u64,
    /// How far the views were before it.
    pub before: Position,
    /// How far they are after it.
    pub after: Position,
    /// Documents as they are now: true at `after`.
    pub documents: Vec<(Place, String)>,
    /// What it touched besides.
    pub tags: Vec<String>,
}

/// A cache that nodes share.
pub trait SharedCache: Send + Sync + fmt::Debug {
    /// What is kept there, if it is true at `since` or later, and the position it is true at.
    fn get(&self, place: Place, since: Position) -> Pending<'_, Option<(String, Position)>>;

    /// Keeps what was read from a snapshot at `at`, unless it may be old already. `registry` is the
    /// revision that named the generation it was read from.
    fn put(&self, registry: u64, place: Place, value: String, at: Position) -> Pending<'_, ()>;

    /// A runner begins at this position, under this revision of the registry: what was noted before
    /// may have missed something.
    fn began(&self, registry: u64, at: Position) -> Pending<'_, ()>;

    /// Takes in a committed page. Call before its position is published.
    fn committed(&self, note: Note) -> Pending<'_, ()>;
}

#[cfg(test)]
mod tests {
    use super::*;

    const VIEW: GenerationId = GenerationId(7);

    #[test]
    fn whatever_stands_in_a_list_touches_its_tag() {
        let some = |text: &str| Some(text.to_owned());
        let columns = Indexes {
            owner: some("o"),
            provider: some("p"),
            resource: some("r"),
            offering: some("f"),
            ..Indexes::default()
        };
        let touched = tags(VIEW, &columns);
        for query in [
            Query::default(),
            Query { owner: some("o"), ..Query::default() },
            Query { provider: some("p"), limit: 3, ..Query::default() },
            Query { resource: some("r"), owner: some("o"), ..Query::default() },
            Query { offering: some("f"), from: Some(3), ..Query::default() },
        ] {
            let place = Place::list(VIEW, &query).unwrap();
            assert!(touched.contains(&place.tag), "{place:?}");
        }
        assert_eq!(Place::list(VIEW, &Query { party: some("o"), ..Query::default() }), None);
        let other = Query { resource: some("other"), ..Query::default() };
        assert!(!touched.contains(&Place::list(VIEW, &other).unwrap().tag));
    }
}
