//! A log in memory that can grow, for folds: the events of a history, in pages that never split an
//! append. It can also be told to be unavailable, or to hold an event that nobody knows.

use std::sync::{Arc, Mutex};

use holdfast_domain::ids::Epoch;
use holdfast_domain::log::{
    Feed, Hash, LogHead, Pending, Position, ReadError, Recorded, Revision, StoredBatch, StoredEvent,
};
use tokio::sync::watch;

/// A log in memory.
#[derive(Debug, Clone)]
pub struct MemoryFeed {
    events: Arc<Mutex<Vec<Recorded>>>,
    head: Arc<watch::Sender<Position>>,
    epoch: Epoch,
    failure: Arc<Mutex<Option<ReadError>>>,
}

impl MemoryFeed {
    /// A log of these events.
    pub fn new(events: Vec<Recorded>) -> Self {
        let head = events.last().map_or(Position::START, |last| last.position);
        Self {
            events: Arc::new(Mutex::new(events)),
            head: Arc::new(watch::Sender::new(head)),
            epoch: Epoch::from_uuid(uuid::Uuid::from_u128(1)),
            failure: Arc::new(Mutex::new(None)),
        }
    }

    /// The same events as another life of the log.
    #[must_use]
    pub fn restored(&self) -> Self {
        Self { epoch: Epoch::from_uuid(uuid::Uuid::from_u128(2)), ..self.clone() }
    }

    /// Adds events.
    pub fn append(&self, events: &[Recorded]) {
        let mut known = self.events.lock().unwrap();
        known.extend_from_slice(events);
        let head = known.last().map_or(Position::START, |last| last.position);
        drop(known);
        self.head.send_replace(head);
    }

    /// Makes every page fail like this, or none.
    pub fn fail(&self, failure: Option<ReadError>) {
        *self.failure.lock().unwrap() = failure;
    }

    fn now<'a, T: Send + 'a>(
        &self,
        read: impl FnOnce(&[Recorded]) -> T,
    ) -> Pending<'a, Result<T, ReadError>> {
        let failure = self.failure.lock().unwrap().clone();
        let answer = failure.map_or_else(|| Ok(read(&self.events.lock().unwrap())), Err);
        Box::pin(std::future::ready(answer))
    }
}

fn unsupported<'a, T: Send + 'a>() -> Pending<'a, Result<T, ReadError>> {
    let why = "this log keeps no bytes".to_owned();
    Box::pin(std::future::ready(Err(ReadError::Unavailable(why))))
}

impl Feed for MemoryFeed {
    fn head(&self) -> Pending<'_, Result<LogHead, ReadError>> {
        let epoch = self.epoch;
        let position = *self.head.borrow();
        Box::pin(std::future::ready(Ok(LogHead { position, epoch })))
    }

    fn page(&self, after: Position, limit: usize) -> Pending<'_, Result<Vec<Recorded>, ReadError>> {
        self.now(|events| {
            let from = events.partition_point(|event| event.position <= after);
            let some = &events[from..];
            let end = some.get(limit.saturating_sub(1)).map(|last| last.append_end);
            let within = |event: &&Recorded| end.is_none_or(|end| event.position <= end);
            some.iter().take_while(within).cloned().collect()
        })
    }

    fn changed(&self, after: Position) -> Pending<'_, ()> {
        let mut head = self.head.subscribe();
        Box::pin(async move {
            drop(head.wait_for(|head| *head > after).await);
        })
    }

    fn hash_at(&self, position: Position) -> Pending<'_, Result<Option<Hash>, ReadError>> {
        self.now(|events| {
            events.iter().rev().find(|event| event.position <= position).map(|event| event.hash)
        })
    }

    fn stored(
        &self,
        _after: Position,
        _limit: usize,
    ) -> Pending<'_, Result<Vec<StoredEvent>, ReadError>> {
        unsupported()
    }

    fn stored_stream(
        &self,
        _stream: String,
        _from: Revision,
        _limit: usize,
    ) -> Pending<'_, Result<Vec<StoredEvent>, ReadError>> {
        unsupported()
    }

    fn batches(
        &self,
        _after: u64,
        _limit: usize,
    ) -> Pending<'_, Result<Vec<StoredBatch>, ReadError>> {
        unsupported()
    }
}
