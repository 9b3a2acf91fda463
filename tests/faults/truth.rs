//! What is in the log, read from the store itself and not through the node or its line.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::sync::Arc;
use std::time::{Duration, Instant};

use holdfast_domain::ids::CommandId;
use holdfast_domain::log::{AnsweredCommand, EventLog, Feed, Position, StreamId};

/// A store that was killed comes back within this.
const PATIENCE: Duration = Duration::from_secs(20);
const PAGE: usize = 1_000;

/// The log beside the node.
#[derive(Debug)]
pub(crate) struct Truth {
    log: Arc<dyn EventLog>,
    feed: Arc<dyn Feed>,
    pub(crate) evidence: Evidence,
}

/// What was read.
#[derive(Debug, Clone, Default)]
pub(crate) struct Evidence {
    pub(crate) positions: BTreeSet<Position>,
    /// The appends of each command, by stream and end. Not every log writes several streams in one.
    pub(crate) appends: BTreeMap<CommandId, BTreeSet<(StreamId, Position)>>,
    pub(crate) answers: BTreeMap<CommandId, AnsweredCommand>,
}

impl Truth {
    pub(crate) fn new<L: EventLog + Feed + 'static>(log: Arc<L>) -> Self {
        Self { feed: Arc::<L>::clone(&log), log, evidence: Evidence::default() }
    }

    /// Reads on to the end, and what is remembered of these commands.
    pub(crate) async fn read(&mut self, commands: &BTreeSet<CommandId>) {
        loop {
            let after = self.evidence.positions.last().copied().unwrap_or(Position::START);
            let page = patiently(|| self.feed.page(after, PAGE)).await;
            if page.is_empty() {
                break;
            }
            for recorded in page {
                self.evidence.positions.insert(recorded.position);
                let command = recorded.metadata.command_id;
                let append = (recorded.stream, recorded.append_end);
                self.evidence.appends.entry(command).or_default().insert(append);
            }
        }
        for command in commands {
            if let Some(answered) = patiently(|| self.log.answered(*command)).await {
                self.evidence.answers.insert(*command, answered);
            }
        }
    }
}

async fn patiently<T, E: Debug, F: Future<Output = Result<T, E>>>(ask: impl Fn() -> F) -> T {
    let began = Instant::now();
    loop {
        match ask().await {
            Ok(answer) => return answer,
            Err(why) => assert!(began.elapsed() < PATIENCE, "the log cannot be read: {why:?}"),
        }
    }
}
