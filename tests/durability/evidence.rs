//! What a server left behind: events, both chains, remembered answers, the simulator's ledger.

use std::collections::BTreeMap;
use std::path::Path;

use holdfast_domain::ids::CommandId;
use holdfast_domain::log::{AnsweredCommand, EventLog, Feed, Position, Recorded};
use holdfast_eventlog::verify::Report;
use holdfast_eventlog::walk::verify_feed;
use holdfast_gateways::simulator::{Movements, Simulator};

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

/// Reads a log, the remembered answers to the commands of `history`, and the ledger in `folder`.
pub(crate) async fn gather(
    log: &(impl EventLog + Feed),
    folder: &Path,
    history: &[Entry],
) -> Evidence {
    let mut events: Vec<Recorded> = Vec::new();
    loop {
        let after = events.last().map_or(Position::START, |last| last.position);
        let page = log.page(after, PAGE).await.unwrap();
        if page.is_empty() {
            break;
        }
        events.extend(page);
    }
    let chains = verify_feed(log, None).await.unwrap();
    let mut answers = BTreeMap::new();
    for entry in history {
        if let Some(answered) = log.answered(entry.command()).await.unwrap() {
            answers.insert(entry.command(), answered);
        }
    }
    let movements = Simulator::open(folder).unwrap().movements().unwrap();
    Evidence { events, chains, answers, movements }
}
