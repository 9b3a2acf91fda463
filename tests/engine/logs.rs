//! A log, in memory unless said otherwise, behind a door: reads that fail or panic, appends that wait, and answers to an
//! append that are lost.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use holdfast_domain::ids::{CommandId, Epoch};
use holdfast_domain::log::{
    AnsweredCommand, AppendError, Appended, Batch, Capabilities, EventLog, Feed, Pending,
    ReadError, Recorded, Revision, StreamId,
};
use holdfast_eventlog::MemoryLog;
use tokio::sync::Semaphore;
use uuid::Uuid;

/// What happens to an append.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It is written, and nobody hears of it.
    StandsUnheard,
    /// It is not written, and nobody hears of that.
    LostUnheard,
}

/// What happens to a read of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reading {
    /// The store does not answer.
    Fails,
    /// A fault of ours.
    Panics,
}

/// A log with both of its ports.
pub(crate) trait Whole: EventLog + Feed {}

impl<L: EventLog + Feed> Whole for L {}

/// A log with a door.
#[derive(Debug)]
pub(crate) struct DoorLog {
    pub(crate) inner: Arc<dyn Whole>,
    /// What it says that it can do.
    can: Capabilities,
    /// What happens to the next appends.
    fates: Mutex<VecDeque<Fate>>,
    /// What happens to reads of these streams.
    readings: Mutex<BTreeMap<StreamId, Reading>>,
    /// How often each of them was read.
    reads: Mutex<BTreeMap<StreamId, usize>>,
    /// A closed one lets no append through.
    door: Semaphore,
    appends: AtomicUsize,
}

impl DoorLog {
    pub(crate) fn open() -> Self {
        Self::over(Arc::new(MemoryLog::new(Epoch::from_uuid(Uuid::from_u128(1)))))
    }

    /// A door before this log.
    pub(crate) fn over(inner: Arc<dyn Whole>) -> Self {
        let can = inner.capabilities();
        Self::before(inner, can)
    }

    /// A door of one's own before a log that other nodes have too.
    pub(crate) fn beside(&self) -> Self {
        Self::before(Arc::clone(&self.inner), self.can)
    }

    /// A door before this log, which says that it can do this.
    pub(crate) fn before(inner: Arc<dyn Whole>, can: Capabilities) -> Self {
        Self {
            inner,
            can,
            fates: Mutex::default(),
            readings: Mutex::default(),
            reads: Mutex::default(),
            door: Semaphore::new(Semaphore::MAX_PERMITS),
            appends: AtomicUsize::new(0),
        }
    }

    /// The next append meets this fate.
    pub(crate) fn next_append(&self, fate: Fate) {
        self.fates.lock().unwrap_or_else(PoisonError::into_inner).push_back(fate);
    }

    /// What happens to reads of `stream` from now on; none is the usual.
    pub(crate) fn reading(&self, stream: StreamId, reading: Option<Reading>) {
        let mut readings = self.readings.lock().unwrap_or_else(PoisonError::into_inner);
        match reading {
            Some(reading) => drop(readings.insert(stream, reading)),
            None => drop(readings.remove(&stream)),
        }
    }

    /// How often `stream` was read.
    pub(crate) fn reads(&self, stream: StreamId) -> usize {
        let reads = self.reads.lock().unwrap_or_else(PoisonError::into_inner);
        reads.get(&stream).copied().unwrap_or_default()
    }

    /// How many groups came to the door.
    pub(crate) fn appends(&self) -> usize {
        self.appends.load(Ordering::SeqCst)
    }

    /// Appends wait from now on.
    pub(crate) fn close_door(&self) {
        self.door.forget_permits(Semaphore::MAX_PERMITS);
    }

    /// They go through again.
    pub(crate) fn open_door(&self) {
        self.door.add_permits(Semaphore::MAX_PERMITS);
    }

    fn read(&self, stream: StreamId) -> Option<Reading> {
        let mut reads = self.reads.lock().unwrap_or_else(PoisonError::into_inner);
        let count = reads.entry(stream).or_default();
        *count = count.saturating_add(1);
        self.readings.lock().unwrap_or_else(PoisonError::into_inner).get(&stream).copied()
    }
}

impl EventLog for DoorLog {
    fn capabilities(&self) -> Capabilities {
        self.can
    }

    fn append(&self, group: Vec<Batch>) -> Pending<'_, Vec<Result<Appended, AppendError>>> {
        Box::pin(async move {
            self.appends.fetch_add(1, Ordering::SeqCst);
            drop(self.door.acquire().await.unwrap());
            let fate = self.fates.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
            let count = group.len();
            let lost = || vec![Err(AppendError::Ambiguous("connection reset".to_owned())); count];
            match fate {
                None => self.inner.append(group).await,
                Some(Fate::LostUnheard) => lost(),
                Some(Fate::StandsUnheard) => {
                    let answers = self.inner.append(group).await;
                    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
                    lost()
                }
            }
        })
    }

    fn load(
        &self,
        stream: StreamId,
        from: Revision,
    ) -> Pending<'_, Result<Vec<Recorded>, ReadError>> {
        match self.read(stream) {
            None => self.inner.load(stream, from),
            Some(Reading::Fails) => {
                Box::pin(async { Err(ReadError::Unavailable("planted".to_owned())) })
            }
            Some(Reading::Panics) => panic!("planted"),
        }
    }

    fn answered(
        &self,
        command: CommandId,
    ) -> Pending<'_, Result<Option<AnsweredCommand>, ReadError>> {
        self.inner.answered(command)
    }
}
