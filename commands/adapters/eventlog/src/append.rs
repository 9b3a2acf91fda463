//! Group commit: a task takes what waits, judges it, writes once, commits once, and answers after
//! the commit. It never waits for more to come: while one commit is flushed, the next one fills.
//!
//! A store in which several can wait for their turn gets several such tasks: while one commit is
//! written, the next one is on its way, judged on what its callers know, and the store has no pause
//! between the two. To each other they are what other nodes are.
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
/// How long a round gathers at most behind another commit: a database that is silent must not cost those
/// who wait its time twice.
const GATHERING: Duration = Duration::from_millis(20);
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

/// What a task tells the callers and the other tasks. All but the counters is the same for all tasks.
#[derive(Debug)]
pub(crate) struct Shared {
    /// How long a round gathers at most behind another commit.
    gathering: Duration,
    /// How many groups are being committed.
    under_way: watch::Sender<usize>,
    pub(crate) head: watch::Sender<Position>,
    poisoned: watch::Sender<Option<String>>,
    counters: Counters,
}

/// What waits, for whichever task is free.
type Queue = Arc<tokio::sync::Mutex<mpsc::Receiver<Job>>>;

/// The callers' side of the append tasks.
#[derive(Debug)]
pub(crate) struct Appender<S> {
    queue: Mutex<Option<mpsc::Sender<Job>>>,
    tasks: tokio::sync::Mutex<Vec<JoinHandle<S>>>,
    head: watch::Sender<Position>,
    poisoned: watch::Sender<Option<String>>,
    shared: Vec<Arc<Shared>>,
}

impl<S: Store> Appender<S> {
    /// Starts a task for each of these ways to one store on `handle`; `head` is where its log ends.
    pub(crate) fn start(
        stores: impl IntoIterator<Item = S>,
        head: Position,
        handle: &Handle,
    ) -> Self {
        Self::gathering(stores, head, handle, GATHERING)
    }

    fn gathering(
        stores: impl IntoIterator<Item = S>,
        head: Position,
        handle: &Handle,
        gathering: Duration,
    ) -> Self {
        let (sender, queue) = mpsc::channel(QUEUE);
        let queue = Arc::new(tokio::sync::Mutex::new(queue));
        let (head, poisoned) = (watch::Sender::new(head), watch::Sender::new(None));
        let under_way = watch::Sender::new(0);
        let (mut tasks, mut all) = (Vec::new(), Vec::new());
        for store in stores {
            let (head, poisoned, under_way) = (head.clone(), poisoned.clone(), under_way.clone());
            let counters = Counters::default();
            let shared = Arc::new(Shared { gathering, under_way, head, poisoned, counters });
            tasks.push(handle.spawn(run(store, Arc::clone(&queue), Arc::clone(&shared))));
            all.push(shared);
        }
        let (queue, tasks) = (Mutex::new(Some(sender)), tokio::sync::Mutex::new(tasks));
        Self { queue, tasks, head, poisoned, shared: all }
    }

    /// Appends a group; see [`holdfast_domain::log::EventLog::append`].
    pub(crate) async fn append(&self, group: Vec<Batch>) -> Vec<Outcome> {
        let count = group.len();
        let unavailable = |why: &str| vec![Err(AppendError::Unavailable(why.to_owned())); count];
        if let Some(why) = self.poisoned.borrow().as_deref() {
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

    /// Takes no more, writes what waits, and gives the stores back; none when closed before.
    pub(crate) async fn close(&self) -> Vec<S> {
        drop(self.queue.lock().unwrap_or_else(PoisonError::into_inner).take());
        let tasks = std::mem::take(&mut *self.tasks.lock().await);
        futures_util::future::join_all(tasks).await.into_iter().flatten().collect()
    }

    /// Where the log ends, published after each commit.
    pub(crate) fn head(&self) -> &watch::Sender<Position> {
        &self.head
    }

    /// Why the log takes nothing any more, once it does not.
    pub(crate) fn poisoned(&self) -> watch::Receiver<Option<String>> {
        self.poisoned.subscribe()
    }

    /// Figures since the start.
    pub(crate) fn stats(&self) -> LogStats {
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting =
            queue.as_ref().map_or(0, |queue| queue.max_capacity().saturating_sub(queue.capacity()));
        let stats = LogStats {
            queue_depth: u64::try_from(waiting).unwrap_or(u64::MAX),
            ..LogStats::default()
        };
        self.shared.iter().fold(stats, |stats, task| stats.plus(task.counters.read()))
    }
}

/// A task: ends when the queue is closed and empty.
async fn run<S: Store>(mut store: S, queue: Queue, shared: Arc<Shared>) -> S {
    let mut left = None;
    while let Some((mut round, later)) = next_round(&queue, &shared, left.take()).await {
        left = later;
        let under_way = UnderWay::new(&shared.under_way, round.len());
        shared.counters.begin();
        commit_round(&mut store, &shared, &mut round).await;
        shared.counters.end();
        drop(under_way);
        for job in round {
            if let Some(reply) = job.reply {
                // A caller who went away loses nothing: the append stands.
                let _gone = reply.send(job.answers);
            }
        }
        // Those who were answered are ready to run, and some of them have the next append in hand.
        tokio::task::yield_now().await;
    }
    store
}

/// Groups that are being committed, also when the task that does it panics.
#[derive(Debug)]
struct UnderWay<'a>(&'a watch::Sender<usize>, usize);

impl<'a> UnderWay<'a> {
    fn new(all: &'a watch::Sender<usize>, groups: usize) -> Self {
        all.send_modify(|all| *all = all.saturating_add(groups));
        Self(all, groups)
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.send_modify(|all| *all = all.saturating_sub(self.1));
    }
}

/// What is committed next, first of all what was left by the round before, and what does not fit.
async fn next_round(
    queue: &Queue,
    shared: &Shared,
    left: Option<Job>,
) -> Option<(Vec<Job>, Option<Job>)> {
    let (first, mut queue) = if let Some(left) = left {
        // Another task holds the queue while it waits: nothing else is there.
        let Ok(queue) = queue.try_lock() else { return Some((vec![left], None)) };
        (left, queue)
    } else {
        let mut queue = queue.lock().await;
        (queue.recv().await?, queue)
    };
    let mut under_way = shared.under_way.subscribe();
    let enough = tokio::time::sleep(shared.gathering);
    tokio::pin!(enough);
    let mut size = Size::of(&first);
    let mut round = vec![first];
    loop {
        let next = match queue.try_recv() {
            Ok(next) => next,
            // Behind another commit there is time to gather as many as that one has.
            Err(_none) if round.len() < *under_way.borrow_and_update() => tokio::select! {
                Some(next) = queue.recv() => next,
                Ok(()) = under_way.changed() => continue,
                () = &mut enough => break,
            },
            Err(_none) => break,
        };
        size = size.plus(Size::of(&next));
        if !size.fits() {
            return Some((round, Some(next)));
        }
        round.push(next);
    }
    Some((round, None))
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
