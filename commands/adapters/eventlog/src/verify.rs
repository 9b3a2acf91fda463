//! The offline verifier: recomputes both chains over stored events and commits and reports the
//! first place where they do not hold. Pure and adapter-free: it judges a live log and an export
//! alike, and needs nothing but the format document.
//!
//! What no verifier can see by itself: a log that was rewritten completely, with all hashes
//! recomputed, or cut at the end of a commit. Against those stands a [`Checkpoint`] that the
//! auditor already holds.

use std::collections::BTreeMap;
use std::fmt;

use holdfast_domain::log::{Hash, Position, Revision, StoredBatch, StoredEvent};

use crate::chain::{Link, Member, batch_hash};

/// A commit that an auditor has seen before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Checkpoint {
    /// Its number.
    pub number: u64,
    /// Its link in the global chain.
    pub hash: Hash,
}

/// What does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Broken {
    /// The event's bytes do not give the stored hash after its predecessor's.
    EventHash,
    /// The event is not the next one of its stream.
    Revision,
    /// The event does not come after the one before it, or its append ends before it.
    Position,
    /// The commit is not the next one.
    BatchNumber,
    /// The commit does not begin or end at an event, or an append runs beyond it.
    BatchBounds,
    /// The commit's events do not give the stored hash after its predecessor's.
    BatchHash,
    /// Events that no commit covers.
    Uncovered,
    /// The log ends before the checkpoint, or has another commit there.
    Checkpoint,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::EventHash => "the event's hash does not follow from its bytes",
            Self::Revision => "the event is not the next one of its stream",
            Self::Position => "the event stands out of order",
            Self::BatchNumber => "the commit is not the next one",
            Self::BatchBounds => "the commit's bounds do not fit its events",
            Self::BatchHash => "the commit's hash does not follow from its events",
            Self::Uncovered => "no commit covers these events",
            Self::Checkpoint => "the log does not contain the checkpoint",
        })
    }
}

/// The first place where the log does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What does not hold.
    pub what: Broken,
    /// Where in the log.
    pub position: Position,
    /// In which stream, when it is about an event.
    pub stream: Option<String>,
    /// At which number in the stream, when it is about an event.
    pub revision: Option<Revision>,
    /// What should stand there.
    pub expected: String,
    /// What stands there.
    pub found: String,
}

/// What was verified, and how it ended.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Report {
    /// How many events were seen.
    pub events: u64,
    /// How many commits were seen.
    pub batches: u64,
    /// The head of each stream.
    pub streams: BTreeMap<String, (Revision, Hash)>,
    /// The last commit: what an auditor keeps as the next checkpoint.
    pub head: Option<Checkpoint>,
    /// The first failure; after it things are counted, not judged.
    pub failure: Option<Failure>,
}

/// Judges events and commits as they come: a commit after its events, all in order.
#[derive(Debug, Default)]
pub struct Verifier {
    report: Report,
    last: Position,
    uncovered: Vec<Member>,
    /// The store keeps no chain over the log.
    streams_only: bool,
    checkpoint: Option<Checkpoint>,
}

impl Verifier {
    /// For a whole log.
    pub fn new() -> Self {
        Self::default()
    }

    /// For a whole log on a store that keeps no chain over it: the last events of a stream, or a whole
    /// stream, can be missing without a trace.
    pub fn of_streams() -> Self {
        Self { streams_only: true, ..Self::default() }
    }

    /// For a whole log that must contain a commit which the auditor has seen.
    pub fn with_checkpoint(checkpoint: Checkpoint) -> Self {
        Self { checkpoint: Some(checkpoint), ..Self::default() }
    }

    /// The next event, by position.
    pub fn event(&mut self, event: &StoredEvent) {
        self.report.events = self.report.events.saturating_add(1);
        let before = self.report.streams.get(&event.stream).copied();
        let next = before.map_or(Revision(0), |(revision, _)| revision.next());
        let hash = Link::of(event).hash(before.map_or(Hash::ZERO, |(_, hash)| hash));
        if event.position <= self.last || event.append_end < event.position {
            let expected = format!("after {}, its append not before itself", self.last);
            let found = format!("{}, its append to {}", event.position, event.append_end);
            self.fail_at(Broken::Position, event, expected, found);
        } else if event.revision != next {
            self.fail_at(Broken::Revision, event, next.to_string(), event.revision.to_string());
        } else if event.hash != hash {
            self.fail_at(Broken::EventHash, event, hash.to_string(), event.hash.to_string());
        }
        self.last = event.position;
        if !self.streams_only {
            let (position, append_end) = (event.position, event.append_end);
            self.uncovered.push(Member { position, append_end, hash: event.hash });
        }
        self.report.streams.insert(event.stream.clone(), (event.revision, event.hash));
    }

    /// The next commit, after its events.
    pub fn batch(&mut self, batch: &StoredBatch) {
        self.report.batches = self.report.batches.saturating_add(1);
        let members = std::mem::take(&mut self.uncovered);
        let before = self.report.head;
        let number = before.map_or(0, |head| head.number).saturating_add(1);
        let previous = before.map_or(Hash::ZERO, |head| head.hash);
        let bounds = members.first().zip(members.last());
        let bounds = bounds.map(|(first, last)| (first.position, last.position));
        let inside = members.iter().all(|member| member.append_end <= batch.last);
        let hash =
            batch_hash(previous, batch.number, batch.first, batch.last, members.iter().copied());
        if batch.number != number {
            self.fail_in(Broken::BatchNumber, batch, number.to_string(), batch.number.to_string());
        } else if bounds != Some((batch.first, batch.last)) || !inside {
            let found = format!("{} to {}", batch.first, batch.last);
            self.fail_in(Broken::BatchBounds, batch, format!("{bounds:?}"), found);
        } else if batch.hash != hash {
            self.fail_in(Broken::BatchHash, batch, hash.to_string(), batch.hash.to_string());
        }
        self.report.head = Some(Checkpoint { number: batch.number, hash: batch.hash });
        if let Some(seen) = self.checkpoint.filter(|seen| seen.number == batch.number) {
            self.checkpoint = None;
            if seen.hash != batch.hash {
                let (expected, found) = (seen.hash.to_string(), batch.hash.to_string());
                self.fail_in(Broken::Checkpoint, batch, expected, found);
            }
        }
    }

    /// The end of the log.
    pub fn finish(mut self) -> Report {
        if let Some(first) = self.uncovered.first().copied() {
            self.fail(Failure {
                what: Broken::Uncovered,
                position: first.position,
                stream: None,
                revision: None,
                expected: "a commit".to_owned(),
                found: format!("{} events after the last commit", self.uncovered.len()),
            });
        }
        if let Some(seen) = self.checkpoint {
            self.fail(Failure {
                what: Broken::Checkpoint,
                position: self.last,
                stream: None,
                revision: None,
                expected: format!("commit {} with hash {}", seen.number, seen.hash),
                found: format!("{} commits", self.report.batches),
            });
        }
        self.report
    }

    fn fail_at(&mut self, what: Broken, event: &StoredEvent, expected: String, found: String) {
        self.fail(Failure {
            what,
            position: event.position,
            stream: Some(event.stream.clone()),
            revision: Some(event.revision),
            expected,
            found,
        });
    }

    fn fail_in(&mut self, what: Broken, batch: &StoredBatch, expected: String, found: String) {
        let position = batch.first;
        self.fail(Failure { what, position, stream: None, revision: None, expected, found });
    }

    fn fail(&mut self, failure: Failure) {
        self.report.failure.get_or_insert(failure);
    }
}

/// Verifies a whole log from its parts, each in order.
pub fn verify<'a>(
    events: impl IntoIterator<Item = &'a StoredEvent>,
    batches: impl IntoIterator<Item = &'a StoredBatch>,
    checkpoint: Option<Checkpoint>,
) -> Report {
    let mut verifier = Verifier { checkpoint, ..Verifier::default() };
    let mut events = events.into_iter().peekable();
    for batch in batches {
        while let Some(event) = events.next_if(|event| event.position <= batch.last) {
            verifier.event(event);
        }
        verifier.batch(batch);
    }
    events.for_each(|event| verifier.event(event));
    verifier.finish()
}
