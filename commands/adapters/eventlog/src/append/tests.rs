//! The append task against a store that fails when it is told to: what is answered, and what is
//! never acknowledged.

use std::collections::{BTreeSet, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use futures_util::FutureExt as _;
use holdfast_domain::actor::Actor;
use holdfast_domain::booking::reservation::ReservationEvent;
use holdfast_domain::ids::{CommandId, CorrelationId, EventId};
use holdfast_domain::log::{
    Category, CommandRecord, Expected, Hash, Metadata, NewEvent, StreamId, Write,
};
use holdfast_domain::time::Timestamp;
use tokio::sync::Semaphore;
use uuid::Uuid;

use super::*;
use crate::memory::State;
use crate::store::{Commit, Known, Stood, StoreError, Stretch, Tail, Wanted};

/// What happens to a commit.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Fate {
    Fine,
    /// The write fails.
    WriteFails,
    /// The flush fails.
    FlushFails,
    /// It stands, but nobody hears of it.
    StandsUnheard,
    /// It does not stand, and nobody hears of it.
    LostUnheard,
    /// Somebody else has the store.
    Busy,
}

/// Memory with a fate per commit; waits for a permit before each, so that a queue can build up.
#[derive(Debug)]
struct Fated {
    state: Arc<Mutex<State>>,
    fates: VecDeque<Fate>,
    permits: Arc<Semaphore>,
    fate: Fate,
    /// What the store holds once the commit stands.
    pending: Option<State>,
    turns: Arc<Turns>,
}

/// What several ways to one store share.
#[derive(Debug)]
struct Turns {
    /// How many transactions have begun.
    begun: AtomicUsize,
    /// Whether the next commit to stand is heard of late.
    late: AtomicBool,
    /// When it is.
    heard: Semaphore,
}

impl Store for Fated {
    async fn begin(&mut self, wanted: &Wanted) -> Result<(Tail, Known), StoreError> {
        self.turns.begun.fetch_add(1, Ordering::SeqCst);
        self.permits.acquire().await.unwrap().forget();
        self.fate = self.fates.pop_front().unwrap_or(Fate::Fine);
        if self.fate == Fate::Busy {
            return Err(StoreError::Busy("locked".to_owned()));
        }
        let state = self.state.lock().unwrap();
        Ok((state.tail(), state.known(wanted)))
    }

    async fn stood(&mut self, stretches: &BTreeSet<Stretch>) -> Result<Stood, StoreError> {
        Ok(self.state.lock().unwrap().stood(stretches))
    }

    async fn write(&mut self, commit: &Commit<'_>) -> Result<(), StoreError> {
        if self.fate == Fate::WriteFails {
            return Err(StoreError::Failed("disk full".to_owned()));
        }
        let mut after = self.state.lock().unwrap().clone();
        after.write(commit)?;
        self.pending = Some(after);
        Ok(())
    }

    async fn commit(&mut self) -> Result<(), StoreError> {
        let pending = self.pending.take().unwrap();
        match self.fate {
            Fate::FlushFails => return Err(StoreError::Failed("input/output error".to_owned())),
            Fate::LostUnheard => return Err(StoreError::Lost("connection reset".to_owned())),
            Fate::Fine | Fate::StandsUnheard | Fate::WriteFails | Fate::Busy => {
                *self.state.lock().unwrap() = pending;
            }
        }
        if self.turns.late.swap(false, Ordering::SeqCst) {
            self.turns.heard.acquire().await.unwrap().forget();
        }
        match self.fate {
            Fate::StandsUnheard => Err(StoreError::Lost("connection reset".to_owned())),
            Fate::Fine | Fate::WriteFails | Fate::FlushFails | Fate::LostUnheard | Fate::Busy => {
                Ok(())
            }
        }
    }

    async fn rollback(&mut self) {
        self.pending = None;
    }
}

struct Rig {
    log: Arc<Appender<Fated>>,
    state: Arc<Mutex<State>>,
    permits: Arc<Semaphore>,
    turns: Arc<Turns>,
}

fn rig(fates: &[Fate], permits: usize) -> Rig {
    ways(1, fates, permits)
}

/// So many ways to one store.
fn ways(count: usize, fates: &[Fate], permits: usize) -> Rig {
    let state = Arc::new(Mutex::new(State::default()));
    let permits = Arc::new(Semaphore::new(permits));
    let (begun, late, heard) = (AtomicUsize::new(0), AtomicBool::new(false), Semaphore::new(0));
    let turns = Arc::new(Turns { begun, late, heard });
    let way = || Fated {
        state: Arc::clone(&state),
        fates: fates.iter().copied().collect(),
        permits: Arc::clone(&permits),
        fate: Fate::Fine,
        pending: None,
        turns: Arc::clone(&turns),
    };
    let stores: Vec<_> = (0..count).map(|_| way()).collect();
    // Only what the test does ends it.
    let (start, gathering) = (Position::START, Duration::from_hours(1));
    let log = Arc::new(Appender::gathering(stores, start, &Handle::current(), gathering));
    Rig { log, state, permits, turns }
}

fn batch(n: u128) -> Batch {
    let command = CommandId::of_step("append", &Uuid::from_u128(n), "once");
    let stream = StreamId::new(Category::Reservation, *command.as_uuid());
    let accepted_at = Timestamp::from_micros(1);
    let metadata = Metadata {
        event_id: EventId::derive(command, &stream, 0),
        command_id: command,
        causation_id: None,
        correlation_id: CorrelationId::from_uuid(*command.as_uuid()),
        actor: Actor::Process { name: "test".to_owned() },
        accepted_at,
        traceparent: None,
    };
    let events = vec![NewEvent { event: ReservationEvent::Expired {}.into(), metadata }];
    let (fingerprint, body) = (Hash::ZERO, vec![]);
    let record =
        CommandRecord { id: command, fingerprint, status: 200, body, revision: None, accepted_at };
    let writes = vec![Write { stream, expected: Expected::NoStream, events }];
    Batch { writes, guards: vec![], command: Some(record) }
}

async fn append(rig: &Rig, n: u128) -> Outcome {
    rig.log.append(vec![batch(n)]).await.pop().unwrap()
}

fn events(rig: &Rig) -> usize {
    rig.state.lock().unwrap().stored(Position::START, 9_999).len()
}

#[tokio::test]
async fn after_a_failed_write_or_flush_nothing_is_acknowledged() {
    for (fate, ambiguous) in [(Fate::WriteFails, false), (Fate::FlushFails, true)] {
        let rig = rig(&[Fate::Fine, fate], 100);
        let mut poisoned = rig.log.poisoned();
        assert!(append(&rig, 0).await.is_ok());
        let failed = append(&rig, 1).await;
        assert_eq!(matches!(failed, Err(AppendError::Ambiguous(_))), ambiguous, "{failed:?}");
        assert!(ambiguous || matches!(failed, Err(AppendError::Unavailable(_))), "{failed:?}");
        let why = poisoned.wait_for(Option::is_some).await.unwrap().clone();
        assert!(why.unwrap().contains("the store failed"));
        for n in 2..5 {
            let later = append(&rig, n).await;
            assert!(matches!(later, Err(AppendError::Unavailable(_))), "{later:?}");
        }
        assert_eq!(events(&rig), 1);
        assert_eq!(*rig.log.head().borrow(), Position(1));
    }
}

#[tokio::test]
async fn what_waits_when_the_store_fails_is_not_acknowledged() {
    let rig = rig(&[Fate::WriteFails], 0);
    let appends: tokio::task::JoinSet<_> = (0..4_000_u128)
        .filter(|n| n % 40 == 0)
        .map(|n| {
            let log = Arc::clone(&rig.log);
            async move { log.append((n..n + 40).map(batch).collect()).await }
        })
        .collect();
    tokio::task::yield_now().await;
    rig.permits.add_permits(1_000);
    let answers = appends.join_all().await.concat();
    assert_eq!(answers.len(), 4_000);
    assert!(answers.iter().all(|answer| matches!(answer, Err(AppendError::Unavailable(_)))));
    assert_eq!(events(&rig), 0);
}

#[tokio::test]
async fn a_lost_answer_is_looked_up_before_it_is_given() {
    for fate in [Fate::StandsUnheard, Fate::LostUnheard] {
        let rig = rig(&[fate], 100);
        let appended = append(&rig, 0).await.unwrap();
        assert_eq!((appended.position, appended.heads.len()), (Position(1), 1), "{fate:?}");
        assert_eq!(events(&rig), 1, "{fate:?}");
        assert!(matches!(append(&rig, 0).await, Err(AppendError::Answered(_))), "{fate:?}");
    }
}

#[tokio::test]
async fn an_answer_lost_twice_is_ambiguous() {
    let rig = rig(&[Fate::LostUnheard, Fate::LostUnheard], 100);
    let answer = append(&rig, 0).await;
    assert!(matches!(answer, Err(AppendError::Ambiguous(_))), "{answer:?}");
    assert!(append(&rig, 1).await.is_ok(), "a lost answer is no failed medium");
}

#[tokio::test]
async fn a_lost_answer_of_many_is_looked_up_for_each() {
    for fate in [Fate::StandsUnheard, Fate::LostUnheard] {
        let rig = rig(&[Fate::Fine, fate], 0);
        let log = Arc::clone(&rig.log);
        let appends: tokio::task::JoinSet<_> = (0..50_u128)
            .map(|n| {
                let log = Arc::clone(&log);
                async move { log.append(vec![batch(2 * n), batch(2 * n + 1)]).await }
            })
            .collect();
        tokio::task::yield_now().await;
        rig.permits.add_permits(1_000);
        let answers = appends.join_all().await.concat();
        let stand = answers.iter().filter(|answer| answer.is_ok()).count();
        assert_eq!((stand, events(&rig)), (100, 100), "{fate:?}: {answers:?}");
    }
}

#[tokio::test]
async fn a_lost_answer_that_cannot_be_looked_up_is_ambiguous_for_all() {
    for fate in [Fate::StandsUnheard, Fate::LostUnheard] {
        for size in [1_u128, 3] {
            let rig = rig(&[&[fate][..], &[Fate::Busy; 50]].concat(), 0);
            let appends: tokio::task::JoinSet<_> = (0..6_u128)
                .map(|n| {
                    let log = Arc::clone(&rig.log);
                    async move { log.append((n * 10..n * 10 + size).map(batch).collect()).await }
                })
                .collect();
            tokio::task::yield_now().await;
            rig.permits.add_permits(1_000);
            let answers = appends.join_all().await.concat();
            let ambiguous = |it: &Outcome| matches!(it, Err(AppendError::Ambiguous(_)));
            assert!(answers.iter().all(ambiguous), "{fate:?} {answers:?}");
        }
    }
}

#[tokio::test]
async fn a_busy_store_is_unavailable_and_not_poisoned() {
    let rig = rig(&[Fate::Busy], 100);
    let answer = append(&rig, 0).await;
    assert!(matches!(answer, Err(AppendError::Unavailable(_))), "{answer:?}");
    assert!(append(&rig, 0).await.is_ok());
    assert_eq!(*rig.log.poisoned().borrow(), None);
}

#[tokio::test]
async fn what_waits_is_committed_together_and_a_close_drains_it() {
    let rig = rig(&[], 0);
    let log = Arc::clone(&rig.log);
    let appends: tokio::task::JoinSet<_> = (0..300_u128)
        .map(|n| {
            let log = Arc::clone(&log);
            async move { log.append(vec![batch(n)]).await.pop().unwrap() }
        })
        .collect();
    // Each task of this one-threaded runtime has its turn: all of them wait for the store.
    for _turn in 0..10 {
        tokio::task::yield_now().await;
    }
    rig.permits.add_permits(10);
    assert!(!rig.log.close().await.is_empty());
    let answers = appends.join_all().await;
    assert!(answers.iter().all(Result::is_ok));
    let stats = rig.log.stats();
    assert_eq!((stats.batches, stats.events, stats.queue_depth), (300, 300, 0));
    assert!(stats.commits <= 2, "{stats:?}");
    let late = append(&rig, 999).await;
    assert!(matches!(late, Err(AppendError::Unavailable(_))), "{late:?}");
    assert!(rig.log.close().await.is_empty(), "a second close finds nothing to do");
}

#[tokio::test]
async fn a_commit_that_does_not_end_is_seen_although_nothing_waits_behind_it() {
    let rig = rig(&[], 0);
    assert_eq!(rig.log.stats().committing_for, None, "nobody asked for anything");
    let log = Arc::clone(&rig.log);
    let mut stuck = tokio::task::JoinSet::new();
    stuck.spawn(async move { log.append(vec![batch(0)]).await.pop().unwrap() });
    let under_way = async {
        loop {
            let stats = rig.log.stats();
            if let Some(age) = stats.committing_for {
                return (age, stats.queue_depth);
            }
            tokio::task::yield_now().await;
        }
    };
    let (first, waiting) = under_way.await;
    assert_eq!(waiting, 0);
    while rig.log.stats().committing_for.is_none_or(|age| age <= first) {
        tokio::task::yield_now().await;
    }
    rig.permits.add_permits(1);
    assert!(stuck.join_all().await.iter().all(Result::is_ok));
    // The answer is sent when the commit has ended.
    assert_eq!(rig.log.stats().committing_for, None);
}

/// Each task of this one-threaded runtime has some turns.
async fn everybody_goes_on() {
    for _turn in 0..20 {
        tokio::task::yield_now().await;
    }
}

fn spawn(rig: &Rig, numbers: impl IntoIterator<Item = u128>) -> tokio::task::JoinSet<Outcome> {
    let appends = numbers.into_iter().map(|n| {
        let log = Arc::clone(&rig.log);
        async move { log.append(vec![batch(n)]).await.pop().unwrap() }
    });
    appends.collect()
}

#[tokio::test]
async fn the_end_of_the_log_stays_when_an_earlier_commit_is_heard_of_late() {
    let rig = ways(2, &[], 100);
    rig.turns.late.store(true, Ordering::SeqCst);
    let first = spawn(&rig, [0]);
    everybody_goes_on().await;
    assert_eq!(events(&rig), 1, "it stands, and nobody has heard of it");
    assert_eq!(append(&rig, 1).await.unwrap().position, Position(2));
    rig.turns.heard.add_permits(1);
    let first = first.join_all().await.pop().unwrap().unwrap();
    assert_eq!((first.position, *rig.log.head().borrow()), (Position(1), Position(2)));
}

#[tokio::test]
async fn behind_a_commit_as_many_gather_as_it_has_and_no_longer_than_it_takes() {
    let rig = ways(2, &[], 0);
    let begun = || rig.turns.begun.load(Ordering::SeqCst);
    let mut appends = spawn(&rig, 0..3);
    everybody_goes_on().await;
    assert_eq!(begun(), 1);
    appends.spawn(spawn(&rig, 3..5).join_all().map(|mut all| all.pop().unwrap()));
    everybody_goes_on().await;
    assert_eq!(begun(), 1, "two wait for a third");
    appends.spawn(spawn(&rig, [5]).join_all().map(|mut all| all.pop().unwrap()));
    everybody_goes_on().await;
    assert_eq!(begun(), 2, "three do not wait for the three before them");
    let mut fewer = spawn(&rig, [6]);
    everybody_goes_on().await;
    assert_eq!(begun(), 2);
    rig.permits.add_permits(2);
    while fewer.join_next().now_or_never().is_none() {
        // One of both has ended, and what waits goes on without company.
        rig.permits.add_permits(1);
        everybody_goes_on().await;
    }
    assert!(appends.join_all().await.iter().all(Result::is_ok));
    assert_eq!(rig.log.stats().commits, 3);
}
