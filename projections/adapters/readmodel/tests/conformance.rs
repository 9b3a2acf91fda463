//! Every store passes the one suite.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;

use holdfast_projections::ports::ReadStore;
use holdfast_readmodel::{MemoryReadStore, SqliteReadStore, conformance};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_store_in_memory_passes_the_suite() {
    conformance::passes(async || Arc::new(MemoryReadStore::new()) as Arc<dyn ReadStore>).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_store_in_sqlite_passes_the_suite() {
    let folder = tempfile::tempdir().unwrap();
    let count = std::sync::atomic::AtomicU32::new(0);
    conformance::passes(async || {
        let number = count.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        let path = folder.path().join(number.to_string());
        std::fs::create_dir(&path).unwrap();
        Arc::new(SqliteReadStore::open(&path).await.unwrap()) as Arc<dyn ReadStore>
    })
    .await;
}
