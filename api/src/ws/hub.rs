//! The hub: one task per process that reads each page of changes once and tells every subscriber
//! of its topics. It never waits for a subscriber; whoever is too slow loses what waits for it and
//! is told to read again. Joining without a gap is [`super::join`].

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use holdfast_commands::failpoint;
use holdfast_projections::Reader;
use holdfast_projections::ports::Change;
use holdfast_projections::reader::{News, ReadFailure};
use holdfast_projections::topic::{Cursor, Topic};
use tokio_util::sync::CancellationToken;

use super::mailbox::Mailbox;
use super::told::Told;

/// So many changes are read at once.
const PAGE: u32 = 128;
/// The first and the longest pause after a failed read.
const PAUSE: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(5));
/// How often the hub looks for those who are deaf.
const LOOK: Duration = Duration::from_secs(1);

type Listeners = BTreeMap<u64, Arc<Mailbox>>;

#[derive(Debug, Default)]
struct Board {
    last: u64,
    listeners: Listeners,
    by_topic: BTreeMap<Topic, Listeners>,
}

/// Tells subscribers what has changed.
#[derive(Debug, Default)]
pub struct Hub {
    board: Mutex<Board>,
}

/// A subscriber's place on the board; dropping it takes the subscriber off.
#[derive(Debug)]
pub struct Registration {
    hub: Arc<Hub>,
    number: u64,
    mailbox: Arc<Mailbox>,
}

impl Hub {
    fn board(&self) -> MutexGuard<'_, Board> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a subscriber on the board, without a topic yet.
    pub fn register(self: &Arc<Self>, mailbox: Arc<Mailbox>) -> Registration {
        let mut board = self.board();
        board.last = board.last.saturating_add(1);
        let number = board.last;
        board.listeners.insert(number, Arc::clone(&mailbox));
        Registration { hub: Arc::clone(self), number, mailbox }
    }

    /// Tells everybody concerned of these changes, in order. Others may join or leave between two
    /// of them: whoever joins reads what she missed after that.
    pub fn tell(&self, changes: Vec<Change>) {
        let now = Instant::now();
        for change in changes {
            let told = Arc::new(Told::from(change));
            let board = self.board();
            let concerned = told.topics.iter().filter_map(|topic| board.by_topic.get(topic));
            let concerned: BTreeMap<_, _> = concerned.flatten().collect();
            for mailbox in concerned.values() {
                failpoint::hit("hub.enqueue");
                mailbox.put(&told, now);
            }
        }
    }

    /// Takes those off the board who are deaf at `now`, and ends their connections.
    pub fn give_up_the_deaf(&self, now: Instant) {
        let mut board = self.board();
        let deaf = board.listeners.iter().filter(|(_, mailbox)| mailbox.give_up(now));
        let deaf: Vec<_> = deaf.map(|(number, _)| *number).collect();
        for number in deaf {
            board.remove(number);
        }
    }

    /// Tells everybody to read again.
    pub fn tell_to_read_again(&self) {
        let now = Instant::now();
        for mailbox in self.board().listeners.values() {
            mailbox.lose_all(now);
        }
    }

    /// Follows the views until it is told to stop. One future, run by its caller.
    pub async fn run(self: Arc<Self>, reader: Reader, stop: CancellationToken) {
        let both = async {
            tokio::join!(self.follow(reader), self.look_for_the_deaf());
        };
        stop.run_until_cancelled(both).await.unwrap_or_default();
    }

    async fn look_for_the_deaf(&self) {
        let mut looks = tokio::time::interval(LOOK);
        loop {
            looks.tick().await;
            self.give_up_the_deaf(Instant::now());
        }
    }

    async fn follow(&self, reader: Reader) {
        let mut moved = reader.watch();
        let (mut at, mut pause) = (None, PAUSE.0);
        loop {
            moved.mark_unchanged();
            match self.read_on(&reader, &mut at).await {
                Ok(()) => pause = PAUSE.0,
                Err(why) => {
                    tracing::warn!(%why, "changes cannot be read now; trying again");
                    tokio::time::sleep(pause).await;
                    pause = pause.saturating_mul(2).min(PAUSE.1);
                    continue;
                }
            }
            if moved.changed().await.is_err() {
                // The views are gone: nothing will change any more.
                std::future::pending::<()>().await;
            }
        }
    }

    /// Reads everything there is after `at`, page by page.
    async fn read_on(&self, reader: &Reader, at: &mut Option<Cursor>) -> Result<(), ReadFailure> {
        let mut after = if let Some(cursor) = *at {
            cursor
        } else {
            let now = reader.now().await?;
            // Who joined before this has not heard what came in between.
            self.tell_to_read_again();
            now
        };
        loop {
            *at = Some(after);
            let page = match reader.changes(None, after, PAGE).await? {
                News::Changes(page) => page,
                News::Resync { now } => {
                    *at = Some(now);
                    self.tell_to_read_again();
                    return Ok(());
                }
            };
            let last = page.changes.last().map_or(after, |change| change.cursor);
            let full = page.changes.len() >= usize::try_from(PAGE).unwrap_or(usize::MAX);
            self.tell(page.changes);
            if !full {
                *at = Some(last.max(page.now));
                return Ok(());
            }
            after = last;
            // Subscribers may look before the next page is told.
            tokio::task::yield_now().await;
        }
    }
}

impl Board {
    fn remove(&mut self, number: u64) {
        drop(self.listeners.remove(&number));
        self.by_topic.retain(|_topic, listeners| {
            drop(listeners.remove(&number));
            !listeners.is_empty()
        });
    }
}

impl Registration {
    /// Hears of these topics from now on. Read the store after this, never before.
    pub fn listen(&self, topics: &[Topic]) {
        let mut board = self.hub.board();
        self.mailbox.open(topics);
        for topic in topics {
            let listeners = board.by_topic.entry(*topic).or_default();
            drop(listeners.insert(self.number, Arc::clone(&self.mailbox)));
        }
    }

    /// Hears no more of these topics.
    pub fn ignore(&self, topics: &[Topic]) {
        let mut board = self.hub.board();
        self.mailbox.shut(topics);
        for topic in topics {
            let Some(listeners) = board.by_topic.get_mut(topic) else { continue };
            drop(listeners.remove(&self.number));
            if listeners.is_empty() {
                drop(board.by_topic.remove(topic));
            }
        }
    }

    /// What waits for this subscriber.
    pub fn mailbox(&self) -> &Mailbox {
        &self.mailbox
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        let topics: Vec<_> = self.mailbox.topics();
        self.ignore(&topics);
        drop(self.hub.board().listeners.remove(&self.number));
    }
}
