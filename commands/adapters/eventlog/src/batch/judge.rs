//! The judgement of a commit: each batch against what the store knows and what the batches before
//! it in the same commit write. Pure, and the same for every store.

use std::collections::{BTreeMap, BTreeSet};

use holdfast_domain::ids::CommandId;
use holdfast_domain::log::{
    AnsweredCommand, AppendError, Appended, Expected, Hash, Head, Position, Revision, StoredBatch,
    StreamId,
};

use super::{Prepared, PreparedWrite};
use crate::chain::{Link, Member, batch_hash};
use crate::store::{AnswerRow, Commit, EventRow, Known, Standing, Stood, Stretch, Tail, Wanted};

/// Up to where a group's own batches have written each stream.
pub(crate) type Written = BTreeMap<StreamId, Head>;

/// The judgement of one batch; it counts once the commit is durable.
pub(crate) type Outcome = Result<Appended, AppendError>;

/// What a commit of these batches has to read.
pub(crate) fn wanted(batches: &[&Prepared]) -> Wanted {
    let mut wanted = Wanted::default();
    for batch in batches {
        wanted.streams.extend(batch.writes.iter().map(|write| write.stream));
        wanted.streams.extend(batch.guards.iter().map(|guard| guard.stream));
        wanted.commands.extend(batch.command.as_ref().map(|record| record.id));
    }
    wanted
}

/// The parts of streams that have to be read to tell a repeated append from a conflict.
pub(crate) fn suspects(batches: &[&Prepared], known: &Known) -> BTreeSet<Stretch> {
    let mut stretches = BTreeSet::new();
    for write in batches.iter().flat_map(|batch| &batch.writes) {
        let Some(head) = known.heads.get(&write.stream) else { continue };
        let from = match write.expected {
            Expected::NoStream => Revision(0),
            Expected::Head(expected) if expected == *head => continue,
            Expected::Head(expected) => expected.revision,
            Expected::InGroup(revision) => revision,
        };
        let count = u64::try_from(write.events.len()).unwrap_or(u64::MAX);
        if from <= head.revision {
            let to = Revision(from.0.saturating_add(count)).min(head.revision);
            stretches.insert((write.stream, from, to));
        }
    }
    stretches
}

/// Judges the batches of one commit in order and collects what is to be written.
#[derive(Debug)]
pub(crate) struct Judge<'a> {
    known: Known,
    stood: Stood,
    /// After an unclear commit the task looks for its own batches: then a remembered answer that
    /// is exactly the batch's own is not somebody else's.
    resolving: bool,
    tail: Tail,
    position: Position,
    heads: BTreeMap<StreamId, Head>,
    answers: BTreeMap<CommandId, AnswerRow<'a>>,
    commit: Commit<'a>,
}

impl<'a> Judge<'a> {
    pub(crate) fn new(known: Known, stood: Stood, tail: Tail, resolving: bool) -> Self {
        let commit =
            Commit { events: Vec::new(), heads: BTreeMap::new(), answers: Vec::new(), batch: None };
        let (heads, answers) = (BTreeMap::new(), BTreeMap::new());
        Self { known, stood, resolving, tail, position: tail.position, heads, answers, commit }
    }

    /// What all of it writes; the store makes its link in the global chain.
    pub(crate) fn into_unlinked(self) -> Commit<'a> {
        Commit { heads: self.heads, ..self.commit }
    }

    /// What all of it writes, with its link in the global chain.
    pub(crate) fn into_commit(self) -> Commit<'a> {
        let tail = self.tail;
        let mut commit = self.into_unlinked();
        if let Some((first, last)) = commit.events.first().zip(commit.events.last()) {
            let (first, last) = (first.position, last.position);
            let number = tail.batch.saturating_add(1);
            let members = commit.events.iter().map(|row| Member {
                position: row.position,
                append_end: row.append_end,
                hash: row.hash,
            });
            let hash = batch_hash(tail.hash, number, first, last, members);
            commit.batch = Some(StoredBatch { number, first, last, hash });
        }
        commit
    }

    /// Judges the next batch; `written` belongs to its group.
    pub(crate) fn judge(&mut self, batch: &'a Prepared, written: &mut Written) -> Outcome {
        if let Some(fault) = &batch.fault {
            return Err(AppendError::Unsupported(fault.clone()));
        }
        if let Some(answered) = batch.command.as_ref().and_then(|record| self.answered(record.id)) {
            let own = self.resolving && batch.command.as_ref() == Some(&answered.record);
            return match self.repeated(batch, written).filter(|_| own) {
                Some(repeated) => {
                    written.extend(repeated.heads.iter().copied());
                    Ok(Appended { position: answered.position, ..repeated })
                }
                None => Err(AppendError::Answered(Box::new(answered))),
            };
        }
        if let Some(conflict) = batch
            .writes
            .iter()
            .find_map(|write| self.conflict(write.stream, write.expected, written))
        {
            let repeated = self.repeated(batch, written).ok_or(conflict)?;
            written.extend(repeated.heads.iter().copied());
            self.remember(batch, repeated.position);
            return Ok(repeated);
        }
        if let Some(conflict) = batch
            .guards
            .iter()
            .find_map(|guard| self.conflict(guard.stream, guard.expected, written))
        {
            return Err(conflict);
        }
        Ok(self.append(batch, written))
    }

    fn answered(&self, command: CommandId) -> Option<AnsweredCommand> {
        let waiting = self
            .answers
            .get(&command)
            .map(|row| AnsweredCommand { record: row.record.clone(), position: row.position });
        waiting.or_else(|| self.known.answered.get(&command).cloned())
    }

    fn head(&self, stream: StreamId) -> Option<Head> {
        self.heads.get(&stream).or_else(|| self.known.heads.get(&stream)).copied()
    }

    /// The conflict, when a stream is not as a decision knew it.
    fn conflict(
        &self,
        stream: StreamId,
        expected: Expected,
        written: &Written,
    ) -> Option<AppendError> {
        let actual = self.head(stream);
        let fits = base(stream, expected, written).is_ok_and(|base| base == actual);
        (!fits).then_some(AppendError::Conflict { stream, expected, actual })
    }

    /// What stands, when exactly these events were appended before under the same expectations.
    fn repeated(&self, batch: &Prepared, written: &Written) -> Option<Appended> {
        let mut position = Position::START;
        let mut heads = Vec::with_capacity(batch.writes.len());
        for write in &batch.writes {
            let base = base(write.stream, write.expected, written).ok()?;
            let (revision, last) = self.stands(write, base)?;
            position = position.max(last.position);
            heads.push((write.stream, Head { revision, hash: last.hash }));
        }
        Some(Appended { position, heads })
    }

    /// The last of the write's events, when all of them stand right after `base`.
    fn stands(&self, write: &PreparedWrite, base: Option<Head>) -> Option<(Revision, Standing)> {
        let mut next = match base {
            None => Revision(0),
            Some(head) => {
                let same = self.stood.get(&(write.stream, head.revision))?.hash == head.hash;
                same.then(|| head.revision.next())?
            }
        };
        let mut last = None;
        for event in &write.events {
            let standing = self.stood.get(&(write.stream, next))?;
            if standing.event_id != Some(event.event_id) {
                return None;
            }
            last = Some((next, *standing));
            next = next.next();
        }
        last
    }

    /// Writes the batch; every expectation holds.
    fn append(&mut self, batch: &'a Prepared, written: &mut Written) -> Appended {
        let count = u64::try_from(batch.events).unwrap_or(u64::MAX);
        let append_end = Position(self.position.0.saturating_add(count));
        let mut heads = Vec::with_capacity(batch.writes.len());
        for write in &batch.writes {
            let mut head = self.head(write.stream);
            if let Some(base) = head {
                // A repetition later in this commit is recognised by what it was based on.
                self.stood.entry((write.stream, base.revision)).or_insert(Standing {
                    event_id: None,
                    hash: base.hash,
                    position: Position::START,
                });
            }
            let name = write.stream.to_string();
            for event in &write.events {
                self.position = Position(self.position.0.saturating_add(1));
                let revision = head.map_or(Revision(0), |head| head.revision.next());
                let link = Link {
                    stream: &name,
                    revision,
                    name: &event.name,
                    schema: event.schema,
                    accepted_at: event.accepted_at,
                    metadata: &event.metadata,
                    payload: &event.payload,
                };
                let hash = link.hash(head.map_or(Hash::ZERO, |head| head.hash));
                head = Some(Head { revision, hash });
                let standing =
                    Standing { event_id: Some(event.event_id), hash, position: self.position };
                self.stood.insert((write.stream, revision), standing);
                self.commit.events.push(EventRow {
                    stream: write.stream,
                    revision,
                    position: self.position,
                    append_end,
                    event,
                    hash,
                });
            }
            if let Some(head) = head {
                self.heads.insert(write.stream, head);
                written.insert(write.stream, head);
                heads.push((write.stream, head));
            }
        }
        self.remember(batch, self.position);
        Appended { position: self.position, heads }
    }

    fn remember(&mut self, batch: &'a Prepared, position: Position) {
        if let Some(record) = &batch.command {
            let row = AnswerRow { record, position };
            self.answers.insert(record.id, row);
            self.commit.answers.push(row);
        }
    }
}

/// An expectation upon a batch of the same group that did not write.
#[derive(Debug)]
pub(crate) struct Unmet;

/// The head that an expectation names; none is no stream.
pub(crate) fn base(
    stream: StreamId,
    expected: Expected,
    written: &Written,
) -> Result<Option<Head>, Unmet> {
    match expected {
        Expected::NoStream => Ok(None),
        Expected::Head(head) => Ok(Some(head)),
        Expected::InGroup(revision) => match written.get(&stream) {
            Some(head) if head.revision == revision => Ok(Some(*head)),
            Some(_) | None => Err(Unmet),
        },
    }
}
