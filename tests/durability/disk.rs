//! The disk of a server on the embedded stores. Read from a copy, so that the server's own recovery
//! stays the only one the folder ever sees.

use std::fs;
use std::path::Path;

use holdfast_eventlog::SqliteLog;
use tokio::runtime::Handle;

use crate::evidence::{Evidence, gather};
use crate::history::Entry;

/// Reads a copy of the folder, and the remembered answers to the commands of `history`.
pub(crate) async fn read(data: &Path, history: &[Entry]) -> Evidence {
    let copy = tempfile::tempdir().unwrap();
    for name in ["log.db", "log.db-wal", "simulator.jsonl"] {
        if data.join(name).exists() {
            fs::copy(data.join(name), copy.path().join(name)).unwrap();
        }
    }
    let log = SqliteLog::open(copy.path(), Handle::current()).await.unwrap();
    let evidence = gather(&*log, copy.path(), history).await;
    log.close().await;
    evidence
}
