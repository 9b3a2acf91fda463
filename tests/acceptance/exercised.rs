//! Which stores this run was about, for whoever collects the runs: nothing is skipped silently.

use holdfast_api::config::stores::{LogStore, ReadStore};
use holdfast_tests::stores::{note, on_postgres};
use holdfast_tests::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn the_stores_of_this_run_are_named() {
    let world = World::new().await;
    let config = &world.node().state().config;
    let (log, read) = (&config.log, &config.read);
    let stores = format!("{}, {}", log.describe(), read.describe());
    if on_postgres() {
        assert!(matches!(log, LogStore::Postgres(_)), "{stores}");
        assert!(matches!(read, ReadStore::Postgres(_)), "{stores}");
        assert!(config.redis.is_some(), "{stores}");
    } else {
        assert!(matches!(log, LogStore::Sqlite(_)), "{stores}");
        assert!(matches!(read, ReadStore::Sqlite(_)), "{stores}");
    }
    note("acceptance");
    world.close().await;
}
