//! The read model in SQLite: one file, `views.db`, beside the log's, so that folding never blocks
//! the log's writer.
//!
//! One connection writes, a few read; in WAL mode neither waits for the other. `synchronous` is
//! `NORMAL`: a commit is not flushed, a checkpoint is. A crash of the process loses nothing. A power
//! cut may take the last commits, whole and from the end, never a part of one; their checkpoint went
//! with them, so they are folded from the log again, and the log is flushed before anybody is
//! answered. The same events give the same documents, changes and cursors: whoever was sent news
//! with a position that the file lost finds the same news at the same position later, and a read
//! that names that position waits until the views are there again.

mod changes;
pub mod migrations;
mod pages;
mod reads;
mod registry;
mod values;

use std::path::Path;
use std::time::Duration;

use holdfast_domain::log::Pending;
use holdfast_projections::document::{Document, Key};
use holdfast_projections::ports::{
    ChangePage, Comparison, Entry, Found, Page, Parked, Query, ReadStore, Retention, RowId, Rows,
    Snapshot, StoreError,
};
use holdfast_projections::registry::{Alteration, GenerationId, Registry};
use holdfast_projections::topic::{Cursor, Topic};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use uuid::Uuid;

use values::unavailable;

/// How long a connection is waited for before the store counts as unavailable.
const PATIENCE: Duration = Duration::from_secs(5);

/// How many reads run at once.
const READERS: u32 = 4;

/// The most pages that the writer keeps in memory. A page of events that changes more than that
/// writes some of its pages twice.
const WRITER_CACHE_KIB: u32 = 8_192;

/// The most pages that each reader keeps in memory.
const READER_CACHE_KIB: u32 = 2_048;

/// After so many pages the write-ahead log is moved into the file: each page once, however often
/// commits have changed it. Of 4 KiB, so the log stays near 16 MiB.
const CHECKPOINT_PAGES: u32 = 4_000;

/// How many rows a reader's thread hands over before it waits for them to be taken.
const ROWS_AHEAD: usize = 256;

/// The read model in `views.db`.
#[derive(Debug, Clone)]
pub struct SqliteReadStore {
    writer: SqlitePool,
    readers: SqlitePool,
    id: Uuid,
}

impl SqliteReadStore {
    /// Opens `views.db` in a folder, makes it when it is not there, and brings it to today's shape.
    pub async fn open(folder: &Path) -> Result<Self, StoreError> {
        let options = SqliteConnectOptions::new()
            .filename(migrations::file(folder))
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Normal)
            .busy_timeout(PATIENCE);
        let pool = |most| {
            SqlitePoolOptions::new()
                .max_connections(most)
                .acquire_timeout(PATIENCE)
                // A full disk makes SQLite end a transaction by itself, which sqlx does not learn:
                // a connection that believes to be inside one is closed and replaced.
                .before_acquire(|connection, _| {
                    let clean = !sqlx::Connection::is_in_transaction(&*connection);
                    Box::pin(async move { Ok(clean) })
                })
        };
        let one = options
            .clone()
            .pragma("cache_size", format!("-{WRITER_CACHE_KIB}"))
            .pragma("wal_autocheckpoint", CHECKPOINT_PAGES.to_string())
            // What one statement would take back if it failed: its own pages, never a file.
            .pragma("temp_store", "MEMORY");
        let writer = pool(1).connect_with(one).await.map_err(unavailable)?;
        migrations::MIGRATIONS
            .run(&writer)
            .await
            .map_err(|why| StoreError::Damaged(format!("{why}; see `holdfast migrate status`")))?;
        let readers = options
            .create_if_missing(false)
            .read_only(true)
            .pragma("cache_size", format!("-{READER_CACHE_KIB}"))
            .row_buffer_size(ROWS_AHEAD);
        let readers = pool(READERS).connect_with(readers).await.map_err(unavailable)?;
        let id = registry::store(&readers).await?;
        Ok(Self { writer, readers, id })
    }

    /// Which store this is: it got the id when it was made.
    pub const fn id(&self) -> Uuid {
        self.id
    }

    /// Closes its connections; what was committed is moved from the WAL into the file.
    pub async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}

impl ReadStore for SqliteReadStore {
    fn registry(&self) -> Pending<'_, Result<Registry, StoreError>> {
        Box::pin(async move {
            let mut snapshot = self.readers.begin().await.map_err(unavailable)?;
            registry::load(&mut snapshot).await
        })
    }

    fn alter(
        &self,
        revision: u64,
        alteration: Alteration,
    ) -> Pending<'_, Result<Registry, StoreError>> {
        Box::pin(registry::alter(&self.writer, revision, alteration))
    }

    fn commit(&self, page: Page) -> Pending<'_, Result<(), StoreError>> {
        Box::pin(pages::commit(&self.writer, page))
    }

    fn load(&self, places: Vec<RowId>) -> Pending<'_, Result<Vec<(RowId, Document)>, StoreError>> {
        Box::pin(pages::load(&self.readers, places))
    }

    fn parked(&self) -> Pending<'_, Result<Vec<Parked>, StoreError>> {
        Box::pin(pages::parked(&self.readers))
    }

    fn document(
        &self,
        view: &'static str,
        key: Key,
    ) -> Pending<'_, Result<Snapshot<Found>, StoreError>> {
        Box::pin(reads::document(&self.readers, view, key))
    }

    fn list(
        &self,
        view: &'static str,
        query: Query,
    ) -> Pending<'_, Result<Snapshot<Vec<Entry>>, StoreError>> {
        Box::pin(reads::list(&self.readers, view, query))
    }

    fn changes(
        &self,
        topics: Option<Vec<Topic>>,
        after: Cursor,
        limit: u32,
    ) -> Pending<'_, Result<ChangePage, StoreError>> {
        Box::pin(changes::after(&self.readers, topics, after, limit))
    }

    fn trim(&self, retention: Retention) -> Pending<'_, Result<(), StoreError>> {
        Box::pin(changes::trim(&self.writer, retention))
    }

    fn sweep(&self, limit: u32) -> Pending<'_, Result<u64, StoreError>> {
        Box::pin(changes::sweep(&self.writer, limit))
    }

    fn scan(
        &self,
        generation: GenerationId,
        after: Option<Key>,
        limit: u32,
    ) -> Pending<'_, Result<Snapshot<Rows>, StoreError>> {
        Box::pin(reads::scan(&self.readers, generation, after, limit))
    }

    fn compare(
        &self,
        left: GenerationId,
        right: GenerationId,
    ) -> Pending<'_, Result<Comparison, StoreError>> {
        Box::pin(reads::compare(&self.readers, left, right))
    }
}

#[cfg(test)]
mod tests {
    use holdfast_domain::ids::{Epoch, PrincipalId};
    use holdfast_domain::log::{Hash, Position};
    use holdfast_domain::time::Timestamp;
    use holdfast_projections::document::{Document, Indexes};
    use holdfast_projections::ports::{Change, RowWrite, Target};
    use holdfast_projections::registry::Checkpoint;

    use super::*;

    #[tokio::test]
    async fn no_topic_outlives_its_change() {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteReadStore::open(folder.path()).await.unwrap();
        let me = |n| Topic::Me(PrincipalId::from_uuid(Uuid::from_u128(n)));
        let epoch = Epoch::from_uuid(Uuid::from_u128(1));
        let mut expected = None;
        for position in (1..=4).map(Position) {
            let change = |topics, count| Change {
                cursor: Cursor::of(position, 1, count),
                topics,
                view: "v".to_owned(),
                key: Key::new("a"),
                data: None,
                accepted_at: Timestamp::MIN,
            };
            let next = Checkpoint { position, epoch, hash: Hash::ZERO };
            let page = Page {
                target: Target::Live,
                registry: 0,
                expected: expected.replace(next),
                next,
                writes: vec![],
                changes: vec![change(vec![me(1), me(2)], 0), change(vec![me(1)], 1)],
                parked: vec![],
            };
            store.commit(page).await.unwrap();
        }
        store.trim(Retention { positions: 1, age: None }).await.unwrap();
        for (swept, kept) in [(4, vec![3, 3, 3, 4, 4, 4]), (2, vec![4, 4, 4]), (0, vec![4, 4, 4])] {
            assert_eq!(store.sweep(4).await, Ok(swept));
            let topics = "SELECT position FROM change_topics ORDER BY position";
            let left = sqlx::query_scalar::<_, i64>(topics).fetch_all(&store.writer).await;
            assert_eq!(left.unwrap(), kept);
        }
    }

    #[tokio::test]
    async fn a_disk_that_was_full_is_written_again_once_there_is_room() {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteReadStore::open(folder.path()).await.unwrap();
        let build = Alteration::Build { view: "v".to_owned(), version: 1 };
        let registry = store.alter(0, build).await.unwrap();
        let generation = registry.generations[0].id;
        let epoch = Epoch::from_uuid(Uuid::from_u128(1));
        let large = || Document::stored("x".repeat(1 << 20));
        let page = |expected: Option<Checkpoint>, position| Page {
            target: Target::Generation(generation),
            registry: registry.revision,
            expected,
            next: Checkpoint { position, epoch, hash: Hash::ZERO },
            writes: vec![],
            changes: vec![],
            parked: vec![],
        };
        // After the one SQLite is still in the transaction, after the other it has ended it.
        let document = Page {
            writes: vec![RowWrite {
                generation,
                key: Key::new("a"),
                position: Position(1),
                row: Some((large(), Indexes::default())),
            }],
            ..page(None, Position(1))
        };
        let news = Page {
            changes: vec![Change {
                cursor: Cursor::of(Position(2), 1, 0),
                topics: vec![],
                view: "v".to_owned(),
                key: Key::new("a"),
                data: Some(large()),
                accepted_at: Timestamp::MIN,
            }],
            ..page(Some(document.next), Position(2))
        };
        for (page, full) in [(document, 60), (news, 330)] {
            let room = |pages: u32| sqlx::AssertSqlSafe(format!("PRAGMA max_page_count = {pages}"));
            sqlx::query(room(full)).execute(&store.writer).await.unwrap();
            assert!(matches!(store.commit(page.clone()).await, Err(StoreError::Unavailable(_))));
            sqlx::query(room(100_000)).execute(&store.writer).await.unwrap();
            assert_eq!(store.commit(page).await, Ok(()));
        }
    }

    #[tokio::test]
    async fn each_file_is_a_store_of_its_own_and_stays_it() {
        let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let open = async |folder: &tempfile::TempDir| {
            let store = SqliteReadStore::open(folder.path()).await.unwrap();
            store.close().await;
            store.id()
        };
        let known = open(&one).await;
        assert_eq!(open(&one).await, known);
        assert_ne!(open(&other).await, known);
    }
}
