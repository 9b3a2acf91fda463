//! What waits for one subscriber: a bounded queue that the hub fills without ever waiting. When it
//! is full, all of it is thrown away and its topics are marked as lost: the subscriber tells its
//! client to read them again. Nothing is kept for a topic that is lost until the subscriber has
//! noticed, so that one who never looks costs nothing more; and one for whom something waits and
//! who does not look for too long is deaf.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use holdfast_projections::topic::Topic;
use tokio::sync::Notify;

use super::line::Line;
use super::told::Told;
use crate::metrics::SocketMetrics;

/// So much may wait for one subscriber.
pub const WAITING_MAX: Room = Room { changes: 512, bytes: 512 << 10 };
/// A subscriber for whom something waits and who has not looked for so long is cut off.
pub const BLIND_MAX: Duration = Duration::from_secs(8);

/// What fits in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// So many changes.
    pub changes: usize,
    /// So many bytes of them. What waits for several subscribers is in memory once, and counts for
    /// each.
    pub bytes: usize,
}

/// What was waiting.
#[derive(Debug, Default)]
pub struct Taken {
    /// These topics lost changes.
    pub lost: BTreeSet<Topic>,
    /// In the order of their cursors.
    pub changes: Vec<Arc<Told>>,
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
    changes: VecDeque<Arc<Told>>,
    bytes: usize,
    lost: BTreeSet<Topic>,
    /// Since when something waits and nobody looked.
    unseen_since: Option<Instant>,
    cut: bool,
}

/// One subscriber's queue.
#[derive(Debug)]
pub struct Mailbox {
    waiting: Mutex<Waiting>,
    room: Room,
    filled: Notify,
    metrics: SocketMetrics,
    line: Option<Arc<Line>>,
}

impl Mailbox {
    /// An empty one. The line is cut when its owner never looks.
    pub fn new(room: Room, metrics: SocketMetrics, line: Option<Arc<Line>>) -> Self {
        Self { waiting: Mutex::default(), room, filled: Notify::new(), metrics, line }
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

    /// Puts a change in, or loses it. Never waits.
    pub(super) fn put(&self, told: &Arc<Told>, now: Instant) {
        let mut waiting = self.waiting();
        let fresh = |topic| waiting.topics.contains(topic) && !waiting.lost.contains(topic);
        if !told.topics.iter().any(fresh) {
            return;
        }
        let bytes = waiting.bytes.saturating_add(told.written.size());
        if waiting.changes.len() < self.room.changes && bytes <= self.room.bytes {
            waiting.changes.push_back(Arc::clone(told));
            waiting.bytes = bytes;
            waiting.unseen_since.get_or_insert(now);
            self.metrics.queued.inc();
        } else {
            self.lose(&mut waiting, &told.topics, now);
        }
        drop(waiting);
        self.filled.notify_one();
    }

    /// Loses everything: the views were switched, and what was told may not follow from them.
    pub(super) fn lose_all(&self, now: Instant) {
        let mut waiting = self.waiting();
        let topics: Vec<_> = waiting.topics.iter().copied().collect();
        self.lose(&mut waiting, &topics, now);
        drop(waiting);
        self.filled.notify_one();
    }

    fn lose(&self, waiting: &mut Waiting, more: &[Topic], now: Instant) {
        let dropped = std::mem::take(&mut waiting.changes);
        waiting.bytes = 0;
        self.metrics.queued.dec_by(count(dropped.len()));
        let topics = dropped.iter().flat_map(|told| &told.topics).chain(more);
        let topics: Vec<_> =
            topics.filter(|topic| waiting.topics.contains(topic)).copied().collect();
        waiting.lost.extend(topics);
        waiting.unseen_since.get_or_insert(now);
    }

    /// Up to `limit` of what waits.
    pub fn take(&self, limit: usize, now: Instant) -> Taken {
        let mut waiting = self.waiting();
        let size = waiting.changes.len().min(limit);
        let changes: Vec<_> = waiting.changes.drain(..size).collect();
        let bytes: usize = changes.iter().map(|told| told.written.size()).sum();
        waiting.bytes = waiting.bytes.saturating_sub(bytes);
        waiting.unseen_since = (!waiting.changes.is_empty()).then_some(now);
        self.metrics.queued.dec_by(count(changes.len()));
        Taken { lost: std::mem::take(&mut waiting.lost), changes, cut: waiting.cut }
    }

    /// Gives the subscriber up when it is deaf, and ends its connection. Answers whether it did.
    pub(super) fn give_up(&self, now: Instant) -> bool {
        let mut waiting = self.waiting();
        let unseen = waiting.unseen_since.map(|since| now.saturating_duration_since(since));
        let cut = unseen.is_some_and(|unseen| unseen > BLIND_MAX);
        waiting.cut |= cut;
        drop(waiting);
        if cut {
            self.metrics.dropped.inc();
            self.filled.notify_one();
            self.cut_line();
        }
        cut
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
    use holdfast_projections::document::Key;
    use holdfast_projections::topic::Cursor;

    use super::*;
    use crate::ws::frames::Written;

    fn topic(last: u8) -> Topic {
        Topic::Me(format!("018f2a10-7c5e-7000-8000-00000000000{last}").parse().unwrap())
    }

    fn change(position: u64, topics: &[Topic]) -> Arc<Told> {
        let key = Key::new(position);
        Arc::new(Told {
            cursor: Cursor::of(Position(position), 1, 0),
            topics: topics.to_vec(),
            written: Written::new(key.as_str(), Position(position), None),
        })
    }

    fn mailbox(changes: usize, bytes: usize, metrics: &SocketMetrics) -> Mailbox {
        Mailbox::new(Room { changes, bytes }, metrics.clone(), None)
    }

    fn positions(taken: &Taken) -> Vec<u64> {
        taken.changes.iter().map(|change| change.cursor.position.0).collect()
    }

    #[test]
    fn a_full_mailbox_loses_what_it_holds_and_says_of_which_topics() {
        let (one, other, metrics) = (topic(1), topic(2), SocketMetrics::default());
        let mailbox = mailbox(3, 1 << 20, &metrics);
        mailbox.open(&[one, other]);
        let now = Instant::now();
        for position in 1..=3 {
            mailbox.put(&change(position, &[one]), now);
        }
        assert_eq!(metrics.queued.get(), 3);
        mailbox.put(&change(4, &[one]), now);
        assert_eq!(metrics.queued.get(), 0, "nothing of it is kept");
        // The other topic goes on; the lost one waits until that was noticed.
        mailbox.put(&change(5, &[other]), now);
        mailbox.put(&change(6, &[one]), now);
        let taken = mailbox.take(9, now);
        assert_eq!((taken.lost.clone(), positions(&taken)), ([one].into(), vec![5]));
        mailbox.put(&change(7, &[one]), now);
        assert_eq!(positions(&mailbox.take(9, now)), [7]);
        mailbox.shut(&[one]);
        mailbox.put(&change(8, &[one]), now);
        assert!(mailbox.is_empty());
    }

    #[test]
    fn a_mailbox_is_full_by_bytes_too_and_what_was_taken_makes_room() {
        let (one, metrics, now) = (topic(1), SocketMetrics::default(), Instant::now());
        let size = change(1, &[one]).written.size();
        let mailbox = mailbox(99, 2 * size, &metrics);
        mailbox.open(&[one]);
        for position in [1, 2] {
            mailbox.put(&change(position, &[one]), now);
        }
        assert_eq!(positions(&mailbox.take(1, now)), [1]);
        mailbox.put(&change(3, &[one]), now);
        assert_eq!(metrics.queued.get(), 2);
        mailbox.put(&change(4, &[one]), now);
        assert_eq!(metrics.queued.get(), 0);
        assert_eq!(mailbox.take(9, now).lost, [one].into());
        // After a loss there is all the room again.
        for position in [5, 6] {
            mailbox.put(&change(position, &[one]), now);
        }
        assert_eq!(positions(&mailbox.take(9, now)), [5, 6]);
    }

    #[test]
    fn one_for_whom_something_waits_and_who_never_looks_is_given_up() {
        let (one, start) = (topic(1), Instant::now());
        let late = start + BLIND_MAX + Duration::from_millis(1);
        let lost = |mailbox: &Mailbox| mailbox.lose_all(start);
        let told = |mailbox: &Mailbox| {
            mailbox.put(&change(1, &[one]), start);
            mailbox.put(&change(2, &[one]), late);
        };
        let both: [&dyn Fn(&Mailbox); 2] = [&lost, &told];
        for waits in both {
            let mailbox = mailbox(9, 1 << 20, &SocketMetrics::default());
            mailbox.open(&[one]);
            assert!(!mailbox.give_up(late), "nothing waits");
            waits(&mailbox);
            assert!(!mailbox.give_up(start + BLIND_MAX));
            assert!(mailbox.give_up(late));
            assert!(mailbox.take(9, late).cut);
        }
        let mailbox = mailbox(9, 1 << 20, &SocketMetrics::default());
        mailbox.open(&[one]);
        told(&mailbox);
        assert_eq!(positions(&mailbox.take(1, late)), [1]);
        assert!(!mailbox.give_up(late + BLIND_MAX), "one who has looked is not");
        assert!(mailbox.give_up(late + BLIND_MAX + Duration::from_millis(1)), "the other waits");
    }
}
