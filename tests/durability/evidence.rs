//! What is on the disk after a life of the server: events, both chains, the simulator's ledger. Read
//! from a copy, so that the server's own recovery stays the only one the folder ever sees.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use holdfast_domain::ids::CommandId;
use holdfast_domain::log::{AnsweredCommand, EventLog as _, Feed as _, Position, Recorded};
use holdfast_eventlog::SqliteLog;
use holdfast_eventlog::verify::Report;
use holdfast_eventlog::walk::verify_feed;
use holdfast_gateways::simulator::{Movements, Simulator};
use tokio::runtime::Handle;

use crate::history::Entry;

/// Everything that can be held against what clients remember.
#[derive(Debug, Clone)]
pub(crate) struct Evidence {
    pub(crate) events: Vec<Recorded>,
    pub(crate) chains: Report,
    pub(crate) answers: BTreeMap<CommandId, AnsweredCommand>,
    pub(crate) movements: Movements,
}

const PAGE: usize = 1_000;

/// Reads a copy of the folder, and the remembered answers to the commands of `history`.
pub(crate) async fn read(data: &Path, history: &[Entry]) -> Evidence {
    let copy = tempfile::tempdir().unwrap();
    for name in ["log.db", "log.db-wal", "simulator.jsonl"] {
        if data.join(name).exists() {
            fs::copy(data.join(name), copy.path().join(name)).unwrap();
        }
    }
    let log = SqliteLog::open(copy.path(), Handle::current()).await.unwrap();
    let mut events: Vec<Recorded> = Vec::new();
    loop {
        let after = events.last().map_or(Position::START, |last| last.position);
        let page = log.page(after, PAGE).await.unwrap();
        if page.is_empty() {
            break;
        }
        events.extend(page);
    }
    let chains = verify_feed(&*log, None).await.unwrap();
    let mut answers = BTreeMap::new();
    for entry in history {
        if let Some(answered) = log.answered(entry.command()).await.unwrap() {
            answers.insert(entry.command(), answered);
        }
    }
    log.close().await;
    let movements = Simulator::open(copy.path()).unwrap().movements().unwrap();
    Evidence { events, chains, answers, movements }
}
