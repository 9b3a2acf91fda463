//! The port to where views are kept. One store holds the documents, the checkpoint, the changes for
//! subscribers and the registry of generations, because they are only true together.

use std::fmt;
use std::time::Duration;

use holdfast_domain::log::{Pending, Position};
use holdfast_domain::time::Timestamp;

use crate::document::{Document, Indexes, Key};
use crate::registry::{Alteration, Checkpoint, GenerationId, Registry};
use crate::topic::{Cursor, Topic};

/// What a page belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// Everything that readers see.
    Live,
    /// One generation that is being built, or that was replaced.
    Generation(GenerationId),
}

/// Where a document is: in which generation, under which key.
pub type RowId = (GenerationId, Key);

/// What becomes of one document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowWrite {
    /// In which generation.
    pub generation: GenerationId,
    /// Under which key.
    pub key: Key,
    /// The event that last changed it.
    pub position: Position,
    /// What it is now; `None` takes it away.
    pub row: Option<(Document, Indexes)>,
}

/// News for subscribers, kept for those who come back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Its place.
    pub cursor: Cursor,
    /// The topics it belongs to; from a read, those that were asked for.
    pub topics: Vec<Topic>,
    /// The view it comes from.
    pub view: String,
    /// What changed.
    pub key: Key,
    /// What it is now; `None` when it left the topics.
    pub data: Option<Document>,
    /// When its command was accepted.
    pub accepted_at: Timestamp,
}

/// A key whose document does not follow from the events any more. It stays as it was before the
/// first event that failed, and nobody reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parked {
    /// In which generation.
    pub generation: GenerationId,
    /// Which key.
    pub key: Key,
    /// The first event that it misses.
    pub first: Position,
    /// The last event that it misses.
    pub last: Position,
    /// How many it misses.
    pub events: u64,
    /// Why the first one failed.
    pub reason: String,
}

/// What one page of events does. All of it is committed, or nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// What it belongs to.
    pub target: Target,
    /// The registry it was computed with.
    pub registry: u64,
    /// The checkpoint it was computed from; none before the first page.
    pub expected: Option<Checkpoint>,
    /// The checkpoint after it.
    pub next: Checkpoint,
    /// The documents that changed.
    pub writes: Vec<RowWrite>,
    /// The news, in the order of their cursors.
    pub changes: Vec<Change>,
    /// The keys that were parked, or missed more events; each as it is now.
    pub parked: Vec<Parked>,
}

/// Why a store did not do it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// It cannot be reached, or not now.
    #[error("the read model is unavailable: {0}")]
    Unavailable(String),
    /// What it holds cannot be read.
    #[error("the read model is damaged: {0}")]
    Damaged(String),
    /// Another runner committed, or the registry changed: nothing was written.
    #[error("the read model has moved on")]
    Moved,
    /// It makes no sense as things stand.
    #[error("the read model refuses: {0}")]
    Refused(String),
}

/// A document as readers get it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// There is no such view yet, or it is being built.
    NoView,
    /// The key is parked: what is stored is not true.
    Parked,
    /// What is there.
    Row(Option<Document>),
}

/// What was read from one snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot<T> {
    /// The position it is true at.
    pub position: Position,
    /// The generation it was read from, when there is one.
    pub generation: Option<GenerationId>,
    /// What was read.
    pub value: T,
}

/// Which documents of a view to list, ordered by their `at` column, then by key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Query {
    /// Whose.
    pub owner: Option<String>,
    /// By whom.
    pub provider: Option<String>,
    /// Owned or provided by.
    pub party: Option<String>,
    /// Where they stand.
    pub status: Option<String>,
    /// On which resource.
    pub resource: Option<String>,
    /// Of which offering.
    pub offering: Option<String>,
    /// `at` from here on.
    pub from: Option<i64>,
    /// `at` before this.
    pub to: Option<i64>,
    /// `until` after this: what ends later.
    pub ends_after: Option<i64>,
    /// Only what comes after this entry.
    pub after: Option<(i64, Key)>,
    /// At most so many.
    pub limit: u32,
}

/// One entry of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its key.
    pub key: Key,
    /// Its `at` column: with the key, where the next page starts.
    pub at: i64,
    /// What it is; `None` when the key is parked, and what is stored is not true.
    pub document: Option<Document>,
}

/// News from the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangePage {
    /// In the order of their cursors.
    pub changes: Vec<Change>,
    /// Every change after this one is kept. Who stands before it has to read again.
    pub oldest: Cursor,
    /// Where one stands who has read everything: where a new subscriber starts.
    pub now: Cursor,
}

/// How long changes are kept: at least so many positions, and, when an age is given, not those that
/// were accepted longer than that before the newest one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// So many positions behind the newest.
    pub positions: u64,
    /// Accepted at most so long before the newest.
    pub age: Option<Duration>,
}

/// Two generations side by side, from one snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comparison {
    /// How far the first is.
    pub left: Option<Checkpoint>,
    /// How far the second is. Only at the same checkpoint does a difference mean anything.
    pub right: Option<Checkpoint>,
    /// How many documents the first has.
    pub left_rows: u64,
    /// How many documents the second has.
    pub right_rows: u64,
    /// How many keys have another document, or one on one side only.
    pub different: u64,
    /// The first of them.
    pub examples: Vec<Key>,
}

/// A piece of a generation, by key, for dumps and comparisons.
pub type Rows = Vec<(Key, Document, Indexes)>;

/// Where views are kept.
pub trait ReadStore: Send + Sync + fmt::Debug {
    /// What it holds.
    fn registry(&self) -> Pending<'_, Result<Registry, StoreError>>;

    /// Changes the registry; `Moved` when it is not at `revision`, or the checkpoint named is not
    /// the one that is stored.
    fn alter(
        &self,
        revision: u64,
        alteration: Alteration,
    ) -> Pending<'_, Result<Registry, StoreError>>;

    /// Commits a page; `Moved` when the checkpoint or the registry is not what it expects.
    fn commit(&self, page: Page) -> Pending<'_, Result<(), StoreError>>;

    /// The documents at these places, for the fold: those that are there.
    fn load(&self, places: Vec<RowId>) -> Pending<'_, Result<Vec<(RowId, Document)>, StoreError>>;

    /// Every parked key.
    fn parked(&self) -> Pending<'_, Result<Vec<Parked>, StoreError>>;

    /// One document of the active generation of a view.
    fn document(
        &self,
        view: &'static str,
        key: Key,
    ) -> Pending<'_, Result<Snapshot<Found>, StoreError>>;

    /// A page of a list of a view; no entries when there is no such view.
    fn list(
        &self,
        view: &'static str,
        query: Query,
    ) -> Pending<'_, Result<Snapshot<Vec<Entry>>, StoreError>>;

    /// Up to `limit` changes after a cursor; of these topics, or of all.
    fn changes(
        &self,
        topics: Option<Vec<Topic>>,
        after: Cursor,
        limit: u32,
    ) -> Pending<'_, Result<ChangePage, StoreError>>;

    /// Lets go of changes that need not be kept: nobody is told them from now on. It is short, however
    /// many they are.
    fn trim(&self, retention: Retention) -> Pending<'_, Result<(), StoreError>>;

    /// Removes up to `limit` of the changes that were let go of, the oldest first, and says how many
    /// it found. Several may sweep at once.
    fn sweep(&self, limit: u32) -> Pending<'_, Result<u64, StoreError>>;

    /// Up to `limit` documents of a generation after `after`, by key, with how far the generation
    /// is in the same snapshot: a reader that sees it move between pages starts again.
    fn scan(
        &self,
        generation: GenerationId,
        after: Option<Key>,
        limit: u32,
    ) -> Pending<'_, Result<Snapshot<Rows>, StoreError>>;

    /// Compares two generations, with how far each is, in one snapshot.
    fn compare(
        &self,
        left: GenerationId,
        right: GenerationId,
    ) -> Pending<'_, Result<Comparison, StoreError>>;
}
