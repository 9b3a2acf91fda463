//! What waits for one subscriber: a bounded queue that the hub fills without ever waiting. When it
//! is full, all of it is thrown away and its topics are marked as lost: the subscriber tells its
//! client to read them again. Nothing is kept for a topic that is lost until the subscriber has
//! noticed, so that one who never looks costs nothing more.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use holdfast_projections::ports::Change;
use holdfast_projections::topic::Topic;
use tokio::sync::Notify;

use super::line::Line;
use crate::metrics::SocketMetrics;

/// So many changes may wait for one subscriber.
pub const WAITING_MAX: usize = 512;
/// A subscriber that has not looked for so long after it lost something is cut off.
pub const BLIND_MAX: Duration = Duration::from_secs(8);

/// What was waiting.
#[derive(Debug, Default)]
pub struct Taken {
    /// These topics lost changes.
    pub lost: BTreeSet<Topic>,
    /// In the order of their cursors.
    pub changes: Vec<Arc<Change>>,
    /// The hub has given this subscriber up.
    pub cut: bool,
}

impl Taken {
    /// Whether there was nothing.
    pub fn is_empty(&self) -> bool {
        self.lost.is_empty() && self.changes.is_empty() && !self.cut
    }
}

#[derive(Debug, Default)]
struct Waiting {
    topics: BTreeSet<Topic>,
    changes: VecDeque<Arc<Change>>,
    lost: BTreeSet<Topic>,
    blind_since: Option<Instant>,
    cut: bool,
}

/// One subscriber's queue.
#[derive(Debug)]
pub struct Mailbox {
    waiting: Mutex<Waiting>,
    most: usize,
    filled: Notify,
    metrics: SocketMetrics,
    line: Option<Arc<Line>>,
}

impl Mailbox {
    /// An empty one for at most so many changes. The line is cut when its owner never looks.
    pub fn new(most: usize, metrics: SocketMetrics, line: Option<Arc<Line>>) -> Self {
        Self { waiting: Mutex::default(), most, filled: Notify::new(), metrics, line }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes changes of these topics from now on.
    pub(super) fn open(&self, topics: &[Topic]) {
        self.waiting().topics.extend(topics);
    }

    /// Of which topics it takes changes.
    pub(super) fn topics(&self) -> Vec<Topic> {
        self.waiting().topics.iter().copied().collect()
    }

    /// Takes no more of these topics.
    pub(super) fn shut(&self, topics: &[Topic]) {
        let mut waiting = self.waiting();
        for topic in topics {
            waiting.topics.remove(topic);
            waiting.lost.remove(topic);
        }
    }

    /// Puts a change in, or loses it. Never waits. Answers whether the subscriber is worth telling
    /// any more.
    pub(super) fn put(&self, change: &Arc<Change>, now: Instant) -> bool {
        let mut waiting = self.waiting();
        if let Some(since) = waiting.blind_since
            && now.saturating_duration_since(since) > BLIND_MAX
        {
            waiting.cut = true;
            drop(waiting);
            self.filled.notify_one();
            self.cut_line();
            return false;
        }
        let wanted = |waiting: &Waiting, topic: &Topic| waiting.topics.contains(topic);
        let fresh = |topic: &&Topic| wanted(&waiting, topic) && !waiting.lost.contains(*topic);
        if !change.topics.iter().any(|topic| fresh(&topic)) {
            return true;
        }
        if waiting.changes.len() < self.most {
            waiting.changes.push_back(Arc::clone(change));
            self.metrics.queued.inc();
        } else {
            self.lose(&mut waiting, change.topics.clone(), now);
        }
        drop(waiting);
        self.filled.notify_one();
        true
    }

    /// Loses everything: the views were switched, and what was told may not follow from them.
    pub(super) fn lose_all(&self, now: Instant) {
        let mut waiting = self.waiting();
        let topics = waiting.topics.iter().copied().collect();
        self.lose(&mut waiting, topics, now);
        drop(waiting);
        self.filled.notify_one();
    }

    fn lose(&self, waiting: &mut Waiting, more: Vec<Topic>, now: Instant) {
        let dropped = std::mem::take(&mut waiting.changes);
        self.metrics.queued.dec_by(count(dropped.len()));
        let topics = dropped.iter().flat_map(|change| change.topics.iter().copied()).chain(more);
        let topics: Vec<_> = topics.filter(|topic| waiting.topics.contains(topic)).collect();
        waiting.lost.extend(topics);
        waiting.blind_since.get_or_insert(now);
    }

    /// Up to `limit` of what waits.
    pub fn take(&self, limit: usize) -> Taken {
        let mut waiting = self.waiting();
        let size = waiting.changes.len().min(limit);
        let changes: Vec<_> = waiting.changes.drain(..size).collect();
        self.metrics.queued.dec_by(count(changes.len()));
        waiting.blind_since = None;
        Taken { lost: std::mem::take(&mut waiting.lost), changes, cut: waiting.cut }
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        let waiting = self.waiting();
        waiting.changes.is_empty() && waiting.lost.is_empty() && !waiting.cut
    }

    /// Returns when there may be something to take. A hint: look, do not believe.
    pub async fn filled(&self) {
        self.filled.notified().await;
    }

    /// Ends the connection at once, whatever is still on its way.
    pub fn cut_line(&self) {
        if let Some(line) = &self.line {
            line.cut();
        }
    }
}

impl Drop for Mailbox {
    fn drop(&mut self) {
        let left = self.waiting().changes.len();
        self.metrics.queued.dec_by(count(left));
    }
}

fn count(size: usize) -> u64 {
    u64::try_from(size).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use holdfast_domain::log::Position;
    use holdfast_domain::time::Timestamp;
    use holdfast_projections::document::Key;
    use holdfast_projections::topic::Cursor;

    use super::*;

    fn topic(last: u8) -> Topic {
        Topic::Me(format!("018f2a10-7c5e-7000-8000-00000000000{last}").parse().unwrap())
    }

    fn change(position: u64, topics: &[Topic]) -> Arc<Change> {
        Arc::new(Change {
            cursor: Cursor::of(Position(position), 1, 0),
            topics: topics.to_vec(),
            view: "reservations".to_owned(),
            key: Key::new(position),
            data: None,
            accepted_at: Timestamp::from_micros(0),
        })
    }

    fn positions(taken: &Taken) -> Vec<u64> {
        taken.changes.iter().map(|change| change.cursor.position.0).collect()
    }

    #[test]
    fn a_full_mailbox_loses_what_it_holds_and_says_of_which_topics() {
        let (one, other, metrics) = (topic(1), topic(2), SocketMetrics::default());
        let mailbox = Mailbox::new(3, metrics.clone(), None);
        mailbox.open(&[one, other]);
        let now = Instant::now();
        for position in 1..=3 {
            assert!(mailbox.put(&change(position, &[one]), now));
        }
        assert_eq!(metrics.queued.get(), 3);
        assert!(mailbox.put(&change(4, &[one]), now));
        assert_eq!(metrics.queued.get(), 0, "nothing of it is kept");
        // The other topic goes on; the lost one waits until that was noticed.
        mailbox.put(&change(5, &[other]), now);
        mailbox.put(&change(6, &[one]), now);
        let taken = mailbox.take(9);
        assert_eq!((taken.lost.clone(), positions(&taken)), ([one].into(), vec![5]));
        mailbox.put(&change(7, &[one]), now);
        assert_eq!(positions(&mailbox.take(9)), [7]);
        mailbox.shut(&[one]);
        mailbox.put(&change(8, &[one]), now);
        assert!(mailbox.is_empty());
    }

    #[test]
    fn one_who_lost_something_and_never_looks_is_given_up() {
        let one = topic(1);
        let mailbox = Mailbox::new(1, SocketMetrics::default(), None);
        mailbox.open(&[one]);
        let start = Instant::now();
        mailbox.put(&change(1, &[one]), start);
        mailbox.put(&change(2, &[one]), start);
        assert!(mailbox.put(&change(3, &[one]), start + BLIND_MAX));
        let late = start + BLIND_MAX + Duration::from_millis(1);
        assert!(!mailbox.put(&change(4, &[one]), late));
        assert!(mailbox.take(9).cut);
        let mailbox = Mailbox::new(1, SocketMetrics::default(), None);
        mailbox.open(&[one]);
        mailbox.lose_all(start);
        assert_eq!(mailbox.take(9).lost, [one].into());
        assert!(mailbox.put(&change(5, &[one]), late), "one who has looked is not");
    }
}
