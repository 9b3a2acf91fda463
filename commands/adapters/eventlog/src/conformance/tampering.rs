//! Tamper evidence: what a store gives out verifies, and no change of it does.

use std::sync::{Arc, Mutex};

use holdfast_domain::log::{
    Expected, Hash, Position, ReadError, Revision, StoredBatch, StoredEvent,
};

use super::scenery::{bare, judged_otherwise, one, record, remembered, stand, stream, write};
use super::{Place, Subject};
use crate::chain::{Link, Member, batch_hash};
use crate::codec::decode;
use crate::export::Line;
use crate::verify::{Checkpoint, Report, Verifier, verify};
use crate::walk::{verify_feed, verify_streams, walk};

type Parts = (Vec<StoredEvent>, Vec<StoredBatch>);

async fn filled(log: &Arc<dyn Subject>) -> Parts {
    let head = stand(log, one(1, stream(1), Expected::NoStream, 2)).await;
    for n in 2..6 {
        let batch = bare([write(n, stream(n), Expected::NoStream, 2), {
            write(n, stream(10 + n), Expected::NoStream, 1)
        }]);
        stand(log, remembered(batch, record(n, 201))).await;
    }
    let upon = one(7, stream(1), Expected::InGroup(Revision(2)), 2);
    log.append(vec![one(6, stream(1), Expected::Head(head), 1), upon]).await;
    (log.stored(Position::START, 999).await.unwrap(), log.batches(0, 999).await.unwrap())
}

/// The bytes that a store kept verify, over the live log and over an export of it.
pub async fn stored_bytes_verify_live_and_exported(place: &dyn Place) {
    let log = place.open().await;
    let (events, batches) = filled(&log).await;
    let feed: &dyn Subject = &*log;
    if !log.capabilities().atomic_batch {
        let live = verify_streams(feed).await.unwrap();
        assert_eq!((live.failure, batches.len()), (None, 0));
        assert_eq!((live.events, live.streams.len()), (u64::try_from(events.len()).unwrap(), 9));
        return judged_otherwise("a chain over the log", "the chains of the streams verify");
    }
    let live = verify_feed(feed, None).await.unwrap();
    assert_eq!(live.failure, None);
    assert_eq!(live.events, u64::try_from(events.len()).unwrap());
    assert_eq!(live.streams.len(), 9);
    assert_eq!(live, verify(&events, &batches, live.head));
    let lines = Mutex::new(Vec::new());
    walk(feed, |line| lines.lock().unwrap().push(line.write().unwrap())).await.unwrap();
    let read = lines.lock().unwrap().iter().map(|line| Line::read(line).unwrap()).collect();
    let (exported, commits) = parts(read);
    assert_eq!((&exported, &commits), (&events, &batches));
    assert_eq!(verify(&exported, &commits, None), live);
}

fn parts(lines: Vec<Line>) -> Parts {
    let (mut events, mut batches) = Parts::default();
    for line in lines {
        match line {
            Line::Event(event) => events.push(event),
            Line::Batch(batch) => batches.push(batch),
        }
    }
    (events, batches)
}

fn flip(bytes: &mut [u8], bit: usize) {
    bytes[bit / 8] ^= 1 << (bit % 8);
}

/// Every change of one field of one event, bit by bit where it is made of bytes.
fn changed_events(event: &StoredEvent) -> Vec<StoredEvent> {
    let mut changed = Vec::new();
    let mut with = |change: &dyn Fn(&mut StoredEvent)| {
        let mut other = event.clone();
        change(&mut other);
        changed.push(other);
    };
    for bit in 0..event.payload.len() * 8 {
        with(&|other| flip(&mut other.payload, bit));
    }
    for bit in 0..event.metadata.len() * 8 {
        with(&|other| flip(&mut other.metadata, bit));
    }
    for bit in 0..256 {
        with(&|other| flip(&mut other.hash.0, bit));
    }
    for bit in 0..64 {
        with(&|other| other.revision.0 ^= 1 << bit);
        with(&|other| other.position.0 ^= 1 << bit);
        with(&|other| other.append_end.0 ^= 1 << bit);
    }
    for bit in 0..32 {
        with(&|other| other.schema ^= 1 << bit);
    }
    with(&|other| other.stream = stream(77).to_string());
    with(&|other| other.name.push('x'));
    with(&|other| other.accepted_at = other.accepted_at.minus(std::time::Duration::from_micros(1)));
    with(&|other| {
        // A byte that wanders from one field into the next.
        let byte = other.metadata.pop().unwrap();
        other.payload.insert(0, byte);
    });
    changed
}

fn changed_batches(batch: StoredBatch) -> Vec<StoredBatch> {
    let mut changed = Vec::new();
    for bit in 0..256 {
        let mut other = batch;
        flip(&mut other.hash.0, bit);
        changed.push(other);
    }
    for bit in 0..64 {
        changed.push(StoredBatch { number: batch.number ^ 1 << bit, ..batch });
        changed.push(StoredBatch { first: Position(batch.first.0 ^ 1 << bit), ..batch });
        changed.push(StoredBatch { last: Position(batch.last.0 ^ 1 << bit), ..batch });
    }
    changed
}

/// Recomputes every hash, as an attacker with the format document would.
fn rechain((events, batches): &mut Parts) {
    let mut heads = std::collections::BTreeMap::new();
    for event in events.iter_mut() {
        let previous = heads.get(&event.stream).copied().unwrap_or(Hash::ZERO);
        event.hash = Link::of(event).hash(previous);
        heads.insert(event.stream.clone(), event.hash);
    }
    let mut previous = Hash::ZERO;
    for batch in batches {
        let inside = |event: &&StoredEvent| (batch.first..=batch.last).contains(&event.position);
        let members = events.iter().filter(inside).map(|event| Member {
            position: event.position,
            append_end: event.append_end,
            hash: event.hash,
        });
        batch.hash = batch_hash(previous, batch.number, batch.first, batch.last, members);
        previous = batch.hash;
    }
}

fn judged((events, batches): &Parts, checkpoint: Option<Checkpoint>) -> Report {
    verify(events, batches, checkpoint)
}

/// No change, deletion, swap, insertion or cut goes unnoticed; a log that was rewritten with all
/// its hashes is noticed by who holds a checkpoint.
pub async fn every_tampering_is_found(place: &dyn Place) {
    let log = place.open().await;
    let whole = filled(&log).await;
    if !log.capabilities().atomic_batch {
        return what_streams_show(&whole.0);
    }
    let (events, batches) = (whole.0.len(), whole.1.len());
    let report = judged(&whole, None);
    assert_eq!(report.failure, None);
    let mut tampered: Vec<(String, Parts)> = Vec::new();
    let mut with = |name: String, change: &dyn Fn(&mut Parts)| {
        let mut parts = whole.clone();
        change(&mut parts);
        tampered.push((name, parts));
    };
    for at in [0, events / 2, events - 1] {
        for (n, other) in changed_events(&whole.0[at]).into_iter().enumerate() {
            with(format!("event {at} changed {n}"), &|parts| parts.0[at] = other.clone());
        }
    }
    for at in [0, batches - 1] {
        for (n, other) in changed_batches(whole.1[at]).into_iter().enumerate() {
            with(format!("commit {at} changed {n}"), &|parts| parts.1[at] = other);
        }
    }
    for at in 0..events {
        with(format!("event {at} deleted"), &|parts| drop(parts.0.remove(at)));
        with(format!("event {at} doubled"), &|parts| {
            let again = parts.0[at].clone();
            parts.0.insert(at, again);
        });
        with(format!("event {at} swapped"), &|parts| parts.0.swap(at, (at + 1) % events));
    }
    for at in 0..batches {
        with(format!("commit {at} deleted"), &|parts| {
            parts.1.retain(|batch| *batch != whole.1[at]);
        });
        with(format!("commit {at} swapped"), &|parts| parts.1.swap(at, (at + 1) % batches));
    }
    with("events cut".to_owned(), &|parts| parts.0.truncate(events - 1));
    with("the last commit uncovered".to_owned(), &|parts| parts.1.truncate(batches - 1));
    with("a stream missing".to_owned(), &|parts| {
        parts.0.retain(|event| event.stream != stream(3).to_string());
    });
    assert!(tampered.len() > 1_000);
    for (name, parts) in &tampered {
        let found = judged(parts, None);
        assert!(found.failure.is_some() || *parts == whole, "not found: {name}");
    }
    cut_and_rechained(&whole, report.head);
}

/// What the chains of the streams show alone: every change of what is hashed, and every event that is
/// missing, doubled or moved, unless it is the last of its stream that is missing.
fn what_streams_show(events: &[StoredEvent]) {
    let judged = |events: &[StoredEvent]| {
        let mut verifier = Verifier::of_streams();
        for event in events {
            verifier.event(event);
        }
        verifier.finish().failure
    };
    assert_eq!(judged(events), None);
    let mut tampered = 0;
    for at in 0..events.len() {
        let event = &events[at];
        let sample = [0, events.len() / 2, events.len() - 1].contains(&at);
        let changed = if sample { changed_events(event) } else { Vec::new() };
        for other in changed {
            let place = (other.position, other.append_end) != (event.position, event.append_end);
            let mut parts = events.to_vec();
            parts[at] = other.clone();
            tampered += 1;
            assert!(place || judged(&parts).is_some(), "not found: {event:?} as {other:?}");
        }
        let later = events[at + 1..].iter().any(|later| later.stream == event.stream);
        let mut without = events.to_vec();
        without.remove(at);
        assert_eq!(judged(&without).is_some(), later, "event {at} deleted");
        let mut twice = events.to_vec();
        twice.insert(at, event.clone());
        assert!(judged(&twice).is_some(), "event {at} doubled");
    }
    assert!(tampered > 1_000);
    judged_otherwise("a chain over the log", "the chains of the streams show changes");
}

/// What only a checkpoint shows.
fn cut_and_rechained(whole: &Parts, head: Option<Checkpoint>) {
    let mut rewritten = whole.clone();
    rewritten.0[1].payload = b"{\"forged\":true}".to_vec();
    rechain(&mut rewritten);
    assert_eq!(judged(&rewritten, None).failure, None);
    assert!(judged(&rewritten, head).failure.is_some());
    let mut cut = whole.clone();
    let last = cut.1.pop().unwrap();
    cut.0.retain(|event| event.position < last.first);
    assert_eq!(judged(&cut, None).failure, None);
    assert!(judged(&cut, head).failure.is_some());
    assert_eq!(judged(whole, head).failure, None);
}

/// An event of a newer release is an error with its name and place, never skipped.
pub async fn an_unknown_event_stops_the_reader(place: &dyn Place) {
    let log = place.open().await;
    let (mut events, _) = filled(&log).await;
    let mut newer = events.remove(2);
    newer.schema = 99;
    let unknown =
        ReadError::UnknownEvent { name: newer.name.clone(), schema: 99, position: newer.position };
    assert_eq!(decode(newer), Err(unknown));
    let mut broken = events.remove(2);
    broken.payload.pop();
    assert!(matches!(decode(broken), Err(ReadError::Malformed { .. })));
    let mut misnamed = events.remove(2);
    misnamed.stream.push('0');
    assert!(matches!(decode(misnamed), Err(ReadError::Malformed { .. })));
}
