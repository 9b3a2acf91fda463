//! What a log is when nothing has to be durable: its events by position, and three indexes.

use std::collections::{BTreeMap, BTreeSet};

use holdfast_domain::ids::{CommandId, EventId};
use holdfast_domain::log::{
    AnsweredCommand, Hash, Head, Position, Revision, StoredBatch, StoredEvent, StreamId,
};

use crate::store::{Commit, Known, Standing, Stood, StoreError, Stretch, Tail, Wanted};

/// The whole log.
#[derive(Debug, Clone, Default)]
pub(crate) struct State {
    events: BTreeMap<Position, (EventId, StoredEvent)>,
    streams: BTreeMap<(String, Revision), Position>,
    heads: BTreeMap<StreamId, Head>,
    ids: BTreeSet<EventId>,
    answers: BTreeMap<CommandId, AnsweredCommand>,
    batches: Vec<StoredBatch>,
}

impl State {
    pub(crate) fn tail(&self) -> Tail {
        let position = self.events.last_key_value().map_or(Position::START, |(last, _)| *last);
        let last = self.batches.last();
        Tail {
            position,
            batch: last.map_or(0, |batch| batch.number),
            hash: last.map_or(Hash::ZERO, |batch| batch.hash),
        }
    }

    pub(crate) fn known(&self, wanted: &Wanted) -> Known {
        let head = |stream| self.heads.get(&stream).map(|head| (stream, *head));
        let answer = |id| self.answers.get(&id).map(|answered| (id, answered.clone()));
        Known {
            heads: wanted.streams.iter().copied().filter_map(head).collect(),
            answered: wanted.commands.iter().copied().filter_map(answer).collect(),
        }
    }

    pub(crate) fn stood(&self, stretches: &BTreeSet<Stretch>) -> Stood {
        let mut stood = Stood::new();
        for (stream, from, to) in stretches {
            let name = stream.to_string();
            for ((_, revision), position) in self.streams.range((name.clone(), *from)..=(name, *to))
            {
                if let Some((id, event)) = self.events.get(position) {
                    let standing =
                        Standing { event_id: Some(*id), hash: event.hash, position: *position };
                    stood.insert((*stream, *revision), standing);
                }
            }
        }
        stood
    }

    /// Writes all of a commit, or nothing.
    pub(crate) fn write(&mut self, commit: &Commit<'_>) -> Result<(), StoreError> {
        let mut fresh = BTreeSet::new();
        for row in &commit.events {
            let id = row.event.event_id;
            if self.ids.contains(&id) || !fresh.insert(id) {
                return Err(StoreError::Rejected(format!("event id {id} is used elsewhere")));
            }
        }
        self.ids.append(&mut fresh);
        for row in &commit.events {
            let stored = StoredEvent {
                stream: row.stream.to_string(),
                revision: row.revision,
                position: row.position,
                append_end: row.append_end,
                name: row.event.name.clone(),
                schema: row.event.schema,
                accepted_at: row.event.accepted_at,
                metadata: row.event.metadata.clone(),
                payload: row.event.payload.clone(),
                hash: row.hash,
            };
            self.streams.insert((stored.stream.clone(), row.revision), row.position);
            self.events.insert(row.position, (row.event.event_id, stored));
        }
        self.heads.extend(commit.heads.iter().map(|(stream, head)| (*stream, *head)));
        for row in &commit.answers {
            let answered = AnsweredCommand { record: row.record.clone(), position: row.position };
            self.answers.insert(row.record.id, answered);
        }
        self.batches.extend(commit.batch);
        Ok(())
    }

    pub(crate) fn answered(&self, command: CommandId) -> Option<AnsweredCommand> {
        self.answers.get(&command).cloned()
    }

    fn after(&self, position: Position) -> impl Iterator<Item = &StoredEvent> {
        let next = Position(position.0.saturating_add(1));
        self.events.range(next..).map(|(_, (_, event))| event)
    }

    pub(crate) fn stored(&self, after: Position, limit: usize) -> Vec<StoredEvent> {
        self.after(after).take(limit).cloned().collect()
    }

    /// Up to `limit` events and the rest of the last one's append.
    pub(crate) fn page(&self, after: Position, limit: usize) -> Vec<StoredEvent> {
        let end = self.after(after).take(limit).last().map(|event| event.append_end);
        let Some(end) = end else { return Vec::new() };
        self.after(after).take_while(|event| event.position <= end).cloned().collect()
    }

    pub(crate) fn stream(&self, name: &str, from: Revision, limit: usize) -> Vec<StoredEvent> {
        let last = Revision(u64::MAX);
        self.streams
            .range((name.to_owned(), from)..=(name.to_owned(), last))
            .filter_map(|(_, position)| self.events.get(position))
            .map(|(_, event)| event.clone())
            .take(limit)
            .collect()
    }

    pub(crate) fn hash_at(&self, position: Position) -> Option<Hash> {
        self.events.range(..=position).next_back().map(|(_, (_, event))| event.hash)
    }

    pub(crate) fn batches(&self, after: u64, limit: usize) -> Vec<StoredBatch> {
        let later = self.batches.iter().filter(|batch| batch.number > after);
        later.take(limit).copied().collect()
    }
}
