//! Loading streams: what is asked for at the same time is one question. A visit to the database costs
//! more than what it brings of a young stream, and a crowd on cold streams would wait for connections.

use std::sync::{Arc, Mutex, PoisonError};

use holdfast_domain::log::{ReadError, Revision, StoredEvent, StreamId};
use holdfast_postgres::Database;
use tokio::runtime::Handle;
use tokio::sync::{Mutex as Turns, mpsc, oneshot};
use tokio::task::JoinSet;

use super::read;

/// How many questions are under way at once; the other connections are for those who read the log.
const AT_ONCE: usize = 4;
/// How many streams one question is about at most.
const GROUP_MAX: usize = 256;
/// How many may wait for their turn.
const QUEUE_MAX: usize = 4_096;

type Found = Result<Vec<StoredEvent>, ReadError>;

/// Somebody who wants a stream from a revision on.
#[derive(Debug)]
struct Asked {
    stream: StreamId,
    from: Revision,
    respond: oneshot::Sender<Found>,
}

/// Loads streams for all who ask.
#[derive(Debug)]
pub(super) struct Loads {
    queue: mpsc::Sender<Asked>,
    /// They end with it.
    loaders: Mutex<JoinSet<()>>,
}

impl Loads {
    /// From this database, on tasks of `handle`.
    pub(super) fn start(database: &Database, handle: &Handle) -> Self {
        let (queue, waiting) = mpsc::channel(QUEUE_MAX);
        let waiting = Arc::new(Turns::new(waiting));
        let mut loaders = JoinSet::new();
        for _ in 0..AT_ONCE {
            loaders.spawn_on(serve(database.clone(), Arc::clone(&waiting)), handle);
        }
        Self { queue, loaders: Mutex::new(loaders) }
    }

    /// The events of a stream from this revision on, in order.
    pub(super) async fn load(&self, stream: StreamId, from: Revision) -> Found {
        let (respond, found) = oneshot::channel();
        let closed = || ReadError::Unavailable("the log is closed".to_owned());
        self.queue.send(Asked { stream, from, respond }).await.map_err(|_gone| closed())?;
        found.await.unwrap_or_else(|_gone| Err(closed()))
    }

    /// Loads nothing any more.
    pub(super) fn stop(&self) {
        self.loaders.lock().unwrap_or_else(PoisonError::into_inner).abort_all();
    }
}

/// Whoever asks first, and who asks in the same moment.
async fn next(waiting: &mut mpsc::Receiver<Asked>) -> Option<Vec<Asked>> {
    let mut group = vec![waiting.recv().await?];
    // Callers come in crowds, answered by one commit: the others get a turn to ask before it goes.
    tokio::task::yield_now().await;
    while group.len() < GROUP_MAX
        && let Ok(asked) = waiting.try_recv()
    {
        group.push(asked);
    }
    Some(group)
}

async fn serve(database: Database, waiting: Arc<Turns<mpsc::Receiver<Asked>>>) {
    loop {
        let Some(mut group) = next(&mut *waiting.lock().await).await else { return };
        // Those who went away want nothing.
        group.retain(|asked| !asked.respond.is_closed());
        answer(&database, group).await;
    }
}

async fn answer(database: &Database, group: Vec<Asked>) {
    let wanted: Vec<_> = group.iter().map(|asked| (asked.stream.to_string(), asked.from)).collect();
    match read::streams(database, &wanted).await {
        Ok(found) => {
            for (asked, found) in group.into_iter().zip(found) {
                let _gone = asked.respond.send(Ok(found));
            }
        }
        Err(why) => {
            for asked in group {
                let _gone = asked.respond.send(Err(why.clone()));
            }
        }
    }
}
