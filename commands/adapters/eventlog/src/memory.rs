//! The log in memory, for simulations and tests: the same bytes, chains and judgement as a store
//! on disk, and nothing that survives the process. An append happens at once, in the caller's
//! task, so that a deterministic scheduler sees no task of ours.

mod state;

use std::sync::{Mutex, MutexGuard, PoisonError};

use holdfast_domain::ids::{CommandId, Epoch};
use holdfast_domain::log::{
    AnsweredCommand, AppendError, Appended, Batch, Capabilities, EventLog, Feed, Hash, LogHead,
    Pending, Position, ReadError, Recorded, Revision, StoredBatch, StoredEvent, StreamId,
};
use tokio::sync::watch;

use crate::batch::{Judge, Outcome, Prepared, Written, prepare, suspects, wanted};
use crate::codec::decode;
pub(crate) use state::State;

/// A log that ends with the process.
#[derive(Debug)]
pub struct MemoryLog {
    epoch: Epoch,
    state: Mutex<State>,
    head: watch::Sender<Position>,
}

impl MemoryLog {
    /// An empty log in the given life.
    pub fn new(epoch: Epoch) -> Self {
        Self {
            epoch,
            state: Mutex::new(State::default()),
            head: watch::Sender::new(Position::START),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Commits batches together; one by one when together they cannot stand.
    fn commit(&self, batches: &[Prepared], written: &mut Written) -> Vec<Outcome> {
        let mut state = self.state();
        let all: Vec<_> = batches.iter().collect();
        let known = state.known(&wanted(&all));
        let stood = state.stood(&suspects(&all, &known));
        let mut judge = Judge::new(known, stood, state.tail(), false);
        let mut after = written.clone();
        let outcomes = batches.iter().map(|batch| judge.judge(batch, &mut after)).collect();
        match state.write(&judge.into_commit()) {
            Ok(()) => {
                *written = after;
                self.head.send_replace(state.tail().position);
                outcomes
            }
            Err(why) if batches.len() <= 1 => {
                batches.iter().map(|_| Err(AppendError::Unsupported(why.to_string()))).collect()
            }
            Err(_together) => {
                drop(state);
                batches
                    .iter()
                    .flat_map(|batch| self.commit(std::slice::from_ref(batch), written))
                    .collect()
            }
        }
    }
}

impl EventLog for MemoryLog {
    fn capabilities(&self) -> Capabilities {
        Capabilities { atomic_batch: true, guards: true, shared: false }
    }

    fn append(&self, group: Vec<Batch>) -> Pending<'_, Vec<Result<Appended, AppendError>>> {
        let batches: Vec<_> = group.into_iter().map(prepare).collect();
        Box::pin(async move { self.commit(&batches, &mut Written::new()) })
    }

    fn load(
        &self,
        stream: StreamId,
        from: Revision,
    ) -> Pending<'_, Result<Vec<Recorded>, ReadError>> {
        Box::pin(async move {
            let stored = self.state().stream(&stream.to_string(), from, usize::MAX);
            stored.into_iter().map(decode).collect()
        })
    }

    fn answered(
        &self,
        command: CommandId,
    ) -> Pending<'_, Result<Option<AnsweredCommand>, ReadError>> {
        Box::pin(async move { Ok(self.state().answered(command)) })
    }
}

impl Feed for MemoryLog {
    fn head(&self) -> Pending<'_, Result<LogHead, ReadError>> {
        let position = *self.head.borrow();
        Box::pin(async move { Ok(LogHead { position, epoch: self.epoch }) })
    }

    fn page(&self, after: Position, limit: usize) -> Pending<'_, Result<Vec<Recorded>, ReadError>> {
        Box::pin(async move { self.state().page(after, limit).into_iter().map(decode).collect() })
    }

    fn changed(&self, after: Position) -> Pending<'_, ()> {
        let mut head = self.head.subscribe();
        Box::pin(async move {
            // The sender lives as long as the log that is borrowed here.
            let _closed = head.wait_for(|head| *head > after).await;
        })
    }

    fn hash_at(&self, position: Position) -> Pending<'_, Result<Option<Hash>, ReadError>> {
        Box::pin(async move { Ok(self.state().hash_at(position)) })
    }

    fn stored(
        &self,
        after: Position,
        limit: usize,
    ) -> Pending<'_, Result<Vec<StoredEvent>, ReadError>> {
        Box::pin(async move { Ok(self.state().stored(after, limit)) })
    }

    fn stored_stream(
        &self,
        stream: String,
        from: Revision,
        limit: usize,
    ) -> Pending<'_, Result<Vec<StoredEvent>, ReadError>> {
        Box::pin(async move { Ok(self.state().stream(&stream, from, limit)) })
    }

    fn batches(
        &self,
        after: u64,
        limit: usize,
    ) -> Pending<'_, Result<Vec<StoredBatch>, ReadError>> {
        Box::pin(async move { Ok(self.state().batches(after, limit)) })
    }
}
