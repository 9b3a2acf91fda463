//! Every store passes the one suite.

use std::sync::atomic::{AtomicU32, Ordering};

use holdfast_readmodel::{MemoryReadStore, PostgresReadStore, SqliteReadStore, conformance};
use holdfast_test_stores::postgres;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_store_in_memory_passes_the_suite() {
    conformance::passes(async || MemoryReadStore::new()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_store_in_sqlite_passes_the_suite() {
    let (folder, count) = (tempfile::tempdir().unwrap(), AtomicU32::new(0));
    conformance::passes(async || {
        let path = folder.path().join(count.fetch_add(1, Ordering::SeqCst).to_string());
        std::fs::create_dir(&path).unwrap();
        SqliteReadStore::open(&path).await.unwrap()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_store_in_postgresql_passes_the_suite() {
    if postgres("read model conformance").await.is_none() {
        return;
    }
    conformance::passes(async || {
        let schema = postgres("read model conformance").await.unwrap();
        PostgresReadStore::open(schema.url().parse().unwrap()).await.unwrap()
    })
    .await;
}
