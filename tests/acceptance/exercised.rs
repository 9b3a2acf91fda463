//! Which stores this run was about, for whoever collects the runs: nothing is skipped silently.

use std::fs::OpenOptions;
use std::io::Write as _;

use holdfast_api::config::stores::{LogStore, ReadStore};
use holdfast_tests::world::World;

const LINE: &str = "exercised: sqlite acceptance";

#[tokio::test(flavor = "multi_thread")]
async fn the_stores_of_this_run_are_named() {
    let world = World::new().await;
    let config = &world.node().state().config;
    assert!(matches!(config.log, LogStore::Sqlite(_)), "{}", config.log.describe());
    assert!(matches!(config.read, ReadStore::Sqlite(_)), "{}", config.read.describe());
    println!("{LINE}");
    if let Some(path) = std::env::var_os("HOLDFAST_EXERCISED") {
        let mut file = OpenOptions::new().create(true).append(true).open(path).unwrap();
        writeln!(file, "{LINE}").unwrap();
    }
    world.close().await;
}
