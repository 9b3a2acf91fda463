//! A store that passes on every call, some of them changed on their way.

use std::sync::Arc;

use holdfast_domain::log::Pending;
use holdfast_projections::document::{Document, Key};
use holdfast_projections::ports::{
    ChangePage, Comparison, Entry, Found, Page, Parked, Query, ReadStore, Retention, RowId, Rows,
    Snapshot, StoreError,
};
use holdfast_projections::registry::{Alteration, GenerationId, Registry};
use holdfast_projections::topic::{Cursor, Topic};

/// What is done to some calls on their way; by default nothing.
pub(crate) trait Meddling: Send + Sync + std::fmt::Debug {
    fn inner(&self) -> &Arc<dyn ReadStore>;

    fn commit(&self, page: Page) -> Pending<'_, Result<(), StoreError>> {
        self.inner().commit(page)
    }

    fn load(&self, places: Vec<RowId>) -> Pending<'_, Result<Vec<(RowId, Document)>, StoreError>> {
        self.inner().load(places)
    }

    fn trim(&self, retention: Retention) -> Pending<'_, Result<(), StoreError>> {
        self.inner().trim(retention)
    }

    fn sweep(&self, limit: u32) -> Pending<'_, Result<u64, StoreError>> {
        self.inner().sweep(limit)
    }
}

/// A store behind something that meddles.
#[derive(Debug)]
pub(crate) struct Behind<M>(pub(crate) M);

impl<M: Meddling> ReadStore for Behind<M> {
    fn registry(&self) -> Pending<'_, Result<Registry, StoreError>> {
        self.0.inner().registry()
    }
    fn alter(
        &self,
        revision: u64,
        alteration: Alteration,
    ) -> Pending<'_, Result<Registry, StoreError>> {
        self.0.inner().alter(revision, alteration)
    }
    fn commit(&self, page: Page) -> Pending<'_, Result<(), StoreError>> {
        self.0.commit(page)
    }
    fn load(&self, places: Vec<RowId>) -> Pending<'_, Result<Vec<(RowId, Document)>, StoreError>> {
        self.0.load(places)
    }
    fn parked(&self) -> Pending<'_, Result<Vec<Parked>, StoreError>> {
        self.0.inner().parked()
    }
    fn document(
        &self,
        view: &'static str,
        key: Key,
    ) -> Pending<'_, Result<Snapshot<Found>, StoreError>> {
        self.0.inner().document(view, key)
    }
    fn list(
        &self,
        view: &'static str,
        query: Query,
    ) -> Pending<'_, Result<Snapshot<Vec<Entry>>, StoreError>> {
        self.0.inner().list(view, query)
    }
    fn changes(
        &self,
        topics: Option<Vec<Topic>>,
        after: Cursor,
        limit: u32,
    ) -> Pending<'_, Result<ChangePage, StoreError>> {
        self.0.inner().changes(topics, after, limit)
    }
    fn trim(&self, retention: Retention) -> Pending<'_, Result<(), StoreError>> {
        self.0.trim(retention)
    }
    fn sweep(&self, limit: u32) -> Pending<'_, Result<u64, StoreError>> {
        self.0.sweep(limit)
    }
    fn scan(
        &self,
        generation: GenerationId,
        after: Option<Key>,
        limit: u32,
    ) -> Pending<'_, Result<Snapshot<Rows>, StoreError>> {
        self.0.inner().scan(generation, after, limit)
    }
    fn compare(
        &self,
        left: GenerationId,
        right: GenerationId,
    ) -> Pending<'_, Result<Comparison, StoreError>> {
        self.0.inner().compare(left, right)
    }
}
