//! Group commit: one task takes what waits, judges it, writes once, commits once, and answers after
//! the commit. It never waits for more to come: while one commit is flushed, the next one fills.
//!
//! A store that failed is never written again: nothing after a failed write or flush can be known
//! to be durable. The application sees it in [`Appender::poisoned`] and ends.

mod commit;
mod stats;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use holdfast_domain::log::{AppendError, Batch, Position};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;

use crate::batch::{EVENTS_MAX, Outcome, Prepared, Written, prepare};
use crate::store::Store;
use commit::commit_round;
pub(crate) use stats::Counters;
pub use stats::{LogStats, SIZE_BOUNDS};

/// The most batches in one commit, unless a single group is larger.
pub(crate) const BATCHES_MAX: usize = 512;
/// The most bytes in one commit, unless a single batch is larger.
pub(crate) const COMMIT_BYTES_MAX: usize = 1 << 20;
/// How many groups may wait.
const QUEUE: usize = 1_024;
/// How long a group waits for a place in the queue.
const PATIENCE: Duration = Duration::from_secs(5);

/// A group that waits for the writer.
#[derive(Debug)]
pub(crate) struct Job {
    batches: Vec<Prepared>,
    /// Up to where this group has written each stream.
    written: Written,
    answers: Vec<Outcome>,
    reply: Option<oneshot::Sender<Vec<Outcome>>>,
}

/// What the task and the callers share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) head: watch::Sender<Position>,
    poisoned: watch::Sender<Option<String>>,
    counters: Counters,
}

/// The callers' side of the append task.
#[derive(Debug)]
pub(crate) struct Appender<S> {
    queue: Mutex<Option<mpsc::Sender<Job>>>,
    task: tokio::sync::Mutex<Option<JoinHandle<S>>>,
    shared: Arc<Shared>,
}

impl<S: Store> Appender<S> {
    /// Starts the task on `handle`; `head` is where the store's log ends.
    pub(crate) fn start(store: S, head: Position, handle: &Handle) -> Self {
        let (sender, queue) = mpsc::channel(QUEUE);
        let shared = Arc::new(Shared {
            head: watch::Sender::new(head),
            poisoned: watch::Sender::new(None),
            counters: Counters::default(),
        });
        let task = handle.spawn(run(store, queue, Arc::clone(&shared)));
        Self { queue: Mutex::new(Some(sender)), task: tokio::sync::Mutex::new(Some(task)), shared }
    }

    /// Appends a group; see [`holdfast_domain::log::EventLog::append`].
    pub(crate) async fn append(&self, group: Vec<Batch>) -> Vec<Outcome> {
        let count = group.len();
        let unavailable = |why: &str| vec![Err(AppendError::Unavailable(why.to_owned())); count];
        if let Some(why) = self.shared.poisoned.borrow().as_deref() {
            return unavailable(why);
        }
        let sender = self.queue.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Some(sender) = sender else { return unavailable("the log is closed") };
        let batches = group.into_iter().map(prepare).collect();
        let (reply, answers) = oneshot::channel();
        let job = Job { batches, written: Written::new(), answers: vec![], reply: Some(reply) };
        if sender.send_timeout(job, PATIENCE).await.is_err() {
            return unavailable("too many appends are waiting");
        }
        drop(sender);
        answers.await.unwrap_or_else(|_ended| {
            vec![Err(AppendError::Ambiguous("the append task has ended".to_owned())); count]
        })
    }

    /// Takes no more, writes what waits, and gives the store back. `None` when closed before.
    pub(crate) async fn close(&self) -> Option<S> {
        drop(self.queue.lock().unwrap_or_else(PoisonError::into_inner).take());
        let task = self.task.lock().await.take()?;
        task.await.ok()
    }

    /// Where the log ends, published after each commit.
    pub(crate) fn head(&self) -> &watch::Sender<Position> {
        &self.shared.head
    }

    /// Why the log takes nothing any more, once it does not.
    pub(crate) fn poisoned(&self) -> watch::Receiver<Option<String>> {
        self.shared.poisoned.subscribe()
    }

    /// Figures since the start.
    pub(crate) fn stats(&self) -> LogStats {
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting =
            queue.as_ref().map_or(0, |queue| queue.max_capacity().saturating_sub(queue.capacity()));
        self.shared.counters.read(waiting)
    }
}

/// The task: ends when the queue is closed and empty.
async fn run<S: Store>(mut store: S, mut queue: mpsc::Receiver<Job>, shared: Arc<Shared>) -> S {
    let mut waiting = queue.recv().await;
    while let Some(first) = waiting.take() {
        let mut size = Size::of(&first);
        let mut round = vec![first];
        while let Ok(next) = queue.try_recv() {
            size = size.plus(Size::of(&next));
            if !size.fits() {
                waiting = Some(next);
                break;
            }
            round.push(next);
        }
        shared.counters.begin();
        commit_round(&mut store, &shared, &mut round).await;
        shared.counters.end();
        for job in round {
            if let Some(reply) = job.reply {
                // A caller who went away loses nothing: the append stands.
                let _gone = reply.send(job.answers);
            }
        }
        // Those who were answered are ready to run, and some of them have the next append in hand.
        tokio::task::yield_now().await;
        if waiting.is_none() {
            waiting = queue.recv().await;
        }
    }
    store
}

/// How much of a commit something takes.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Size {
    batches: usize,
    events: usize,
    bytes: usize,
}

impl Size {
    fn of(job: &Job) -> Self {
        job.batches.iter().map(Self::of_batch).fold(Self::default(), Self::plus)
    }

    pub(crate) fn of_batch(batch: &Prepared) -> Self {
        Self { batches: 1, events: batch.events, bytes: batch.bytes }
    }

    #[must_use]
    pub(crate) fn plus(self, other: Self) -> Self {
        Self {
            batches: self.batches.saturating_add(other.batches),
            events: self.events.saturating_add(other.events),
            bytes: self.bytes.saturating_add(other.bytes),
        }
    }

    pub(crate) fn fits(self) -> bool {
        self.batches <= BATCHES_MAX && self.events <= EVENTS_MAX && self.bytes <= COMMIT_BYTES_MAX
    }
}

#[cfg(test)]
mod tests;
