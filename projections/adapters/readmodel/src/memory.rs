//! The read model in memory: for tests, and for a server that keeps nothing. One lock around
//! everything makes each call a snapshot and each commit atomic.

mod state;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use holdfast_domain::log::Pending;
use holdfast_projections::document::{Document, Key};
use holdfast_projections::ports::{
    ChangePage, Comparison, Entry, Found, Page, Parked, Query, ReadStore, Retention, RowId, Rows,
    Snapshot, StoreError,
};
use holdfast_projections::registry::{Alteration, GenerationId, Registry};
use holdfast_projections::topic::{Cursor, Topic};

use state::State;

/// A read model that ends with its process.
#[derive(Debug, Clone, Default)]
pub struct MemoryReadStore {
    state: Arc<Mutex<State>>,
}

impl MemoryReadStore {
    /// An empty one. Clones share what they hold.
    pub fn new() -> Self {
        Self::default()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // No call leaves half a change behind: what a panicking thread left is still whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn ready<'a, T: Send + 'a>(value: T) -> Pending<'a, T> {
    Box::pin(std::future::ready(value))
}

impl ReadStore for MemoryReadStore {
    fn registry(&self) -> Pending<'_, Result<Registry, StoreError>> {
        ready(Ok(self.state().registry.clone()))
    }

    fn alter(
        &self,
        revision: u64,
        alteration: Alteration,
    ) -> Pending<'_, Result<Registry, StoreError>> {
        ready(self.state().alter(revision, &alteration))
    }

    fn commit(&self, page: Page) -> Pending<'_, Result<(), StoreError>> {
        ready(self.state().commit(page))
    }

    fn load(&self, places: Vec<RowId>) -> Pending<'_, Result<Vec<(RowId, Document)>, StoreError>> {
        let state = self.state();
        let found = places.into_iter().filter_map(|place| {
            let document = state.row(place.0, &place.1)?.document.clone();
            Some((place, document))
        });
        ready(Ok(found.collect()))
    }

    fn parked(&self) -> Pending<'_, Result<Vec<Parked>, StoreError>> {
        ready(Ok(self.state().parked.values().cloned().collect()))
    }

    fn document(
        &self,
        view: &'static str,
        key: Key,
    ) -> Pending<'_, Result<Snapshot<Found>, StoreError>> {
        ready(Ok(self.state().document(view, &key)))
    }

    fn list(
        &self,
        view: &'static str,
        query: Query,
    ) -> Pending<'_, Result<Snapshot<Vec<Entry>>, StoreError>> {
        ready(Ok(self.state().list(view, &query)))
    }

    fn changes(
        &self,
        topics: Option<Vec<Topic>>,
        after: Cursor,
        limit: u32,
    ) -> Pending<'_, Result<ChangePage, StoreError>> {
        ready(Ok(self.state().changes(topics.as_deref(), after, limit)))
    }

    fn trim(&self, retention: Retention) -> Pending<'_, Result<(), StoreError>> {
        self.state().trim(retention);
        ready(Ok(()))
    }

    fn sweep(&self, limit: u32) -> Pending<'_, Result<u64, StoreError>> {
        ready(Ok(self.state().sweep(limit)))
    }

    fn scan(
        &self,
        generation: GenerationId,
        after: Option<Key>,
        limit: u32,
    ) -> Pending<'_, Result<Snapshot<Rows>, StoreError>> {
        ready(self.state().scan(generation, after.as_ref(), limit))
    }

    fn compare(
        &self,
        left: GenerationId,
        right: GenerationId,
    ) -> Pending<'_, Result<Comparison, StoreError>> {
        ready(self.state().compare(left, right))
    }
}
