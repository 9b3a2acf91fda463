//! Documents in memory, for reads by key. Bounded. An older document never takes the place of a
//! newer one, and what was read from the store is only kept while nothing was committed since.
//!
//! The runner puts in what a page changed *before* it publishes the page's position, so whoever
//! has seen a position finds everything up to it here or in the store.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use holdfast_domain::log::Position;
use moka::ops::compute::Op;
use moka::sync::Cache as Moka;

use crate::document::Key;
use crate::follower::Touched;
use crate::ports::{Found, RowId};
use crate::registry::GenerationId;

/// What an entry costs beside its texts: its places in the map and in the orders by which entries
/// leave, and what the allocator adds to each of its pieces. With 50,000 entries the memory of the
/// process grew by 400 to 416 bytes for each.
const ENTRY_BYTES: usize = 410;

/// A document, and the position at which it was true.
#[derive(Debug, Clone)]
struct Cached {
    found: Found,
    position: Position,
}

/// The documents that were written or read last.
#[derive(Debug, Clone)]
pub struct Cache {
    documents: Moka<RowId, Cached>,
    /// How far commits have gone: what was read from the store before that may be old.
    mark: Arc<AtomicU64>,
    /// What is older than this is not shown: somebody else may have changed it since.
    floor: Arc<AtomicU64>,
}

impl Cache {
    /// At most about `bytes` of documents and keys.
    pub fn new(bytes: u64) -> Self {
        let weigh = |(_, key): &RowId, cached: &Cached| {
            let document = match &cached.found {
                Found::Row(Some(document)) => document.as_str().len(),
                Found::Row(None) | Found::NoView | Found::Parked => 0,
            };
            let size = key.as_str().len().saturating_add(document).saturating_add(ENTRY_BYTES);
            u32::try_from(size).unwrap_or(u32::MAX)
        };
        Self {
            documents: Moka::builder().max_capacity(bytes).weigher(weigh).build(),
            mark: Arc::new(AtomicU64::new(0)),
            floor: Arc::new(AtomicU64::new(0)),
        }
    }

    /// What is known of a key, and the position at which that was true.
    pub fn get(&self, generation: GenerationId, key: &Key) -> Option<(Found, Position)> {
        let cached = self.documents.get(&(generation, key.clone()))?;
        // A read that was under way when everything was forgotten may have put it in afterwards.
        if cached.position.0 < self.floor.load(Ordering::SeqCst) {
            return None;
        }
        Some((cached.found, cached.position))
    }

    /// Takes in what a committed page changed. Call before its position is published.
    pub fn committed(&self, position: Position, documents: Vec<Touched>) {
        self.mark.fetch_max(position.0, Ordering::SeqCst);
        for (generation, key, document) in documents {
            let found = Found::Row(document);
            self.keep((generation, key), Cached { found, position }, false);
        }
    }

    /// Takes in that a key was parked by a committed page.
    pub fn parked(&self, position: Position, generation: GenerationId, key: Key) {
        self.mark.fetch_max(position.0, Ordering::SeqCst);
        self.keep((generation, key), Cached { found: Found::Parked, position }, false);
    }

    /// Takes in what was read from a snapshot at `position`, unless something was committed since.
    pub fn read(&self, generation: GenerationId, key: &Key, found: Found, position: Position) {
        self.keep((generation, key.clone()), Cached { found, position }, true);
    }

    /// Forgets everything: another runner committed, or the views were switched. Call before the
    /// position is published.
    pub fn clear(&self, position: Position) {
        self.mark.fetch_max(position.0, Ordering::SeqCst);
        self.floor.fetch_max(position.0, Ordering::SeqCst);
        self.documents.invalidate_all();
    }

    fn keep(&self, id: RowId, new: Cached, from_store: bool) {
        self.documents.entry(id).and_compute_with(|known| {
            let newer = known.is_some_and(|entry| entry.value().position > new.position);
            // Judged under the entry's lock, so that a commit comes either before or after.
            let stale = from_store && self.mark.load(Ordering::SeqCst) > new.position.0;
            if newer || stale { Op::Nop } else { Op::Put(new) }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::Document;

    const VIEW: GenerationId = GenerationId(1);

    fn row(text: &str) -> Found {
        Found::Row(Some(Document::stored(text)))
    }

    fn write(key: &Key, text: &str) -> Touched {
        (VIEW, key.clone(), Some(Document::stored(text)))
    }

    #[test]
    fn an_older_read_never_takes_the_place_of_a_newer_commit() {
        let (cache, key) = (Cache::new(1 << 20), Key::new("a"));
        cache.committed(Position(5), vec![write(&key, "5")]);
        cache.read(VIEW, &key, row("4"), Position(4));
        assert_eq!(cache.get(VIEW, &key), Some((row("5"), Position(5))));
    }

    #[test]
    fn a_read_from_before_the_last_commit_is_not_kept_even_when_the_commit_was_evicted() {
        let (cache, key) = (Cache::new(1 << 20), Key::new("a"));
        cache.committed(Position(5), vec![]);
        cache.read(VIEW, &key, row("4"), Position(4));
        assert_eq!(cache.get(VIEW, &key), None);
        cache.read(VIEW, &key, row("5"), Position(5));
        assert_eq!(cache.get(VIEW, &key), Some((row("5"), Position(5))));
    }

    #[test]
    fn what_was_forgotten_is_not_found() {
        let (cache, key) = (Cache::new(1 << 20), Key::new("a"));
        cache.committed(Position(5), vec![write(&key, "5")]);
        cache.clear(Position(6));
        assert_eq!(cache.get(VIEW, &key), None);
    }

    #[test]
    fn what_comes_in_late_from_before_everything_was_forgotten_is_not_shown() {
        let (cache, key) = (Cache::new(1 << 20), Key::new("a"));
        cache.clear(Position(6));
        // As by a read that had passed its judgement before the other was called.
        cache
            .documents
            .insert((VIEW, key.clone()), Cached { found: row("5"), position: Position(5) });
        assert_eq!(cache.get(VIEW, &key), None);
        cache.read(VIEW, &key, row("6"), Position(6));
        assert_eq!(cache.get(VIEW, &key), Some((row("6"), Position(6))));
    }
}
