//! The read model in PostgreSQL, for several nodes, and for dashboards that read it with SQL.
//!
//! Whatever belongs together is one statement: a page is one statement that writes only when its
//! compare-and-set of the checkpoint succeeds, and a read takes rows and the position they are true
//! at from the one snapshot that a statement has. So nothing is left in a transaction when a caller
//! goes away, and a page costs one round trip.
//!
//! Nothing waits without bound. A call that gets no answer within two seconds says that the store is
//! unavailable, and its connection is thrown away. A commit whose answer was lost may have been made:
//! whoever repeats it is told that the store moved, reads the registry, and goes on from there.

mod changes;
mod hints;
mod leases;
mod list;
pub mod migrations;
mod page;
mod reads;
mod registry;
mod sweep;
mod values;
mod visit;

use holdfast_domain::log::Pending;
use holdfast_postgres::{Address, Database};
use holdfast_projections::document::{Document, Key};
use holdfast_projections::ports::{
    ChangePage, Comparison, Entry, Found, Page, Parked, Query, ReadStore, Retention, RowId, Rows,
    Snapshot, StoreError,
};
use holdfast_projections::registry::{Alteration, GenerationId, Registry};
use holdfast_projections::topic::{Cursor, Topic};
use uuid::Uuid;

pub use hints::PostgresHints;
pub use leases::PostgresLeases;

/// How many connections one node uses at most for reads.
const READING: u32 = 8;

/// How many it uses beside those: one for whoever keeps the views or follows them, one for what is
/// removed meanwhile, one for leases. However many reads wait, these do not wait behind them.
const WORKING: u32 = 3;

/// The read model in a schema of a PostgreSQL database.
#[derive(Debug, Clone)]
pub struct PostgresReadStore {
    reading: Database,
    working: Database,
    id: Uuid,
}

impl PostgresReadStore {
    /// Opens the read model in the schema that the address leads to (`options[search_path]`), and
    /// brings it to today's shape.
    pub async fn open(address: Address) -> Result<Self, StoreError> {
        let working = visit::worker(address.clone());
        let working = visit::bounded(visit::connect(working, WORKING)).await?;
        let reading = visit::bounded(visit::connect(visit::reader(address), READING)).await?;
        migrations::run(&working).await?;
        // What a node that died had begun to remove.
        sweep::documents(&working).await?;
        let id = visit::bounded(registry::store(&working)).await?;
        Ok(Self { reading, working, id })
    }

    /// Which store this is: its schema got the id when its tables were made.
    pub const fn id(&self) -> Uuid {
        self.id
    }

    /// Tells other nodes that the views moved, and hears of it from them.
    pub fn hints(&self) -> PostgresHints {
        PostgresHints::new(self.working.clone())
    }

    /// The leases of the workers of all nodes that use this schema.
    pub fn leases(&self) -> PostgresLeases {
        PostgresLeases::new(self.working.clone())
    }

    /// Closes its connections, after what they are doing.
    pub async fn close(&self) {
        self.reading.close().await;
        self.working.close().await;
    }
}

impl ReadStore for PostgresReadStore {
    fn registry(&self) -> Pending<'_, Result<Registry, StoreError>> {
        Box::pin(visit::bounded(registry::read(&self.working)))
    }

    fn alter(
        &self,
        revision: u64,
        alteration: Alteration,
    ) -> Pending<'_, Result<Registry, StoreError>> {
        Box::pin(async move {
            let drops = matches!(alteration, Alteration::Drop { .. } | Alteration::Clear);
            let altered = registry::alter(&self.working, revision, alteration);
            let registry = visit::bounded(altered).await?;
            if drops {
                // Nobody can read them any more. What is not removed now is at the next start.
                drop(sweep::documents(&self.working).await);
            }
            Ok(registry)
        })
    }

    fn commit(&self, page: Page) -> Pending<'_, Result<(), StoreError>> {
        Box::pin(visit::bounded(page::commit(&self.working, page)))
    }

    fn load(&self, places: Vec<RowId>) -> Pending<'_, Result<Vec<(RowId, Document)>, StoreError>> {
        Box::pin(visit::bounded(reads::load(&self.working, places)))
    }

    fn parked(&self) -> Pending<'_, Result<Vec<Parked>, StoreError>> {
        Box::pin(visit::bounded(reads::parked(&self.working)))
    }

    fn document(
        &self,
        view: &'static str,
        key: Key,
    ) -> Pending<'_, Result<Snapshot<Found>, StoreError>> {
        Box::pin(visit::bounded(reads::document(&self.reading, view, key)))
    }

    fn list(
        &self,
        view: &'static str,
        query: Query,
    ) -> Pending<'_, Result<Snapshot<Vec<Entry>>, StoreError>> {
        Box::pin(visit::bounded(list::list(&self.reading, view, query)))
    }

    fn changes(
        &self,
        topics: Option<Vec<Topic>>,
        after: Cursor,
        limit: u32,
    ) -> Pending<'_, Result<ChangePage, StoreError>> {
        Box::pin(visit::bounded(changes::after(&self.reading, topics, after, limit)))
    }

    fn trim(&self, retention: Retention) -> Pending<'_, Result<(), StoreError>> {
        Box::pin(visit::bounded(changes::trim(&self.working, retention)))
    }

    fn sweep(&self, limit: u32) -> Pending<'_, Result<u64, StoreError>> {
        Box::pin(sweep::changes(&self.working, limit))
    }

    fn scan(
        &self,
        generation: GenerationId,
        after: Option<Key>,
        limit: u32,
    ) -> Pending<'_, Result<Snapshot<Rows>, StoreError>> {
        Box::pin(visit::bounded(reads::scan(&self.reading, generation, after, limit)))
    }

    fn compare(
        &self,
        left: GenerationId,
        right: GenerationId,
    ) -> Pending<'_, Result<Comparison, StoreError>> {
        Box::pin(visit::attended(&self.reading, reads::compare(&self.reading, left, right)))
    }
}
