//! From a use case's decision to what the log is asked to append: events with their metadata, what
//! must not have changed, and the answer to remember.

use holdfast_domain::event::Event;
use holdfast_domain::ids::EventId;
use holdfast_domain::log::{
    Batch, CommandRecord, Expected, Guard, Metadata, NewEvent, Revision, StreamId, Write,
};
use holdfast_domain::time::Timestamp;

use crate::ports::Presenter;
use crate::refusal::Refusal;
use crate::request::Request;
use crate::state::States;
use crate::use_case::{Outcome, UseCase};

/// What was decided about one command.
#[derive(Debug)]
pub struct Decision {
    /// What to append; none when there is nothing to write and nothing to remember.
    pub batch: Option<Batch>,
    /// What the decision leads to.
    pub outcome: Outcome,
    /// The revision that the answer shows.
    pub revision: Option<Revision>,
    /// The facts, in order.
    pub journal: Vec<(StreamId, Event)>,
}

/// What was expected of each stream before the decision moved the states on.
pub type Before = Vec<(StreamId, Expected)>;

/// Notes what a use case's streams look like before it decides.
pub fn before(use_case: &dyn UseCase, states: &States) -> Before {
    let expected =
        |stream: &StreamId| states.get(stream).map_or(Expected::NoStream, |known| known.expected);
    use_case.streams().iter().map(|stream| (*stream, expected(stream))).collect()
}

/// The circumstances of an append.
#[derive(Debug)]
pub struct Frame<'a> {
    /// The command's circumstances.
    pub request: &'a Request,
    /// Which use case.
    pub use_case: &'a dyn UseCase,
    /// What its streams looked like before.
    pub before: Before,
    /// When the command was accepted.
    pub now: Timestamp,
    /// Whether the log can check streams that are only read.
    pub guards: bool,
}

impl Frame<'_> {
    /// The batch of an accepted decision.
    pub fn accepted(
        &self,
        outcome: Outcome,
        journal: Vec<(StreamId, Event)>,
        states: &States,
    ) -> Decision {
        let revision = states.get(&self.use_case.subject()).and_then(|known| known.revision());
        let answered =
            outcome.answer.as_ref().map(|(status, body)| self.record(*status, body, revision));
        let started = outcome.started.as_ref().map(|(id, status, body)| CommandRecord {
            id: *id,
            ..self.record(*status, body, revision)
        });
        let command = answered.or(started);
        let batch = self.batch(&journal, command);
        Decision { batch, outcome, revision, journal }
    }

    /// The batch that remembers a refusal, guarded by what it was decided on.
    pub fn refused(&self, refusal: &Refusal, presenter: &dyn Presenter) -> Decision {
        let (status, body) = presenter.refusal(refusal, self.request);
        let command = self.record(status, &body, None);
        let batch = self.batch(&[], Some(command));
        Decision {
            batch,
            outcome: Outcome::answer(status, body),
            revision: None,
            journal: Vec::new(),
        }
    }

    fn record(&self, status: u16, body: &[u8], revision: Option<Revision>) -> CommandRecord {
        CommandRecord {
            id: self.request.remembered_as.unwrap_or(self.request.command_id),
            fingerprint: self.request.fingerprint,
            status,
            body: body.to_vec(),
            revision,
            accepted_at: self.now,
        }
    }

    fn batch(
        &self,
        journal: &[(StreamId, Event)],
        command: Option<CommandRecord>,
    ) -> Option<Batch> {
        if journal.is_empty() && command.is_none() {
            return None;
        }
        let write = |(stream, facts): (StreamId, Vec<Event>)| Write {
            stream,
            expected: self.expected(stream),
            events: (0..)
                .zip(facts)
                .map(|(ordinal, event)| NewEvent {
                    event,
                    metadata: self.metadata(stream, ordinal),
                })
                .collect(),
        };
        let writes: Vec<Write> = in_order(journal).into_iter().map(write).collect();
        let written = |stream: &StreamId| writes.iter().any(|write| write.stream == *stream);
        let guards = if self.guards {
            let read = self.before.iter().filter(|(stream, _)| !written(stream));
            read.map(|(stream, expected)| Guard { stream: *stream, expected: *expected }).collect()
        } else {
            Vec::new()
        };
        Some(Batch { writes, guards, command })
    }

    fn expected(&self, stream: StreamId) -> Expected {
        self.before
            .iter()
            .find(|(known, _)| *known == stream)
            .map_or(Expected::NoStream, |(_, expected)| *expected)
    }

    fn metadata(&self, stream: StreamId, ordinal: u32) -> Metadata {
        Metadata {
            event_id: EventId::derive(self.request.command_id, &stream, ordinal),
            command_id: self.request.command_id,
            causation_id: self.request.causation,
            correlation_id: self.request.correlation.unwrap_or(self.use_case.correlation()),
            actor: self.request.actor.clone(),
            accepted_at: self.now,
            traceparent: self.request.traceparent.clone(),
        }
    }
}

/// The facts per stream, in the order in which a log writes that can write only one stream at a
/// time: as they were decided, but what takes a seat comes first. Whatever breaks off behind it, or
/// is refused because a stream moved on, no paper then says that a seat is sold which nobody took.
pub fn in_order(journal: &[(StreamId, Event)]) -> Vec<(StreamId, Vec<Event>)> {
    let mut writes: Vec<(StreamId, Vec<Event>)> = Vec::new();
    for (stream, event) in journal {
        match writes.iter_mut().find(|(known, _)| known == stream) {
            Some((_, facts)) => facts.push(event.clone()),
            None => writes.push((*stream, vec![event.clone()])),
        }
    }
    writes.sort_by_key(|(_, facts)| !facts.iter().any(Event::takes_a_seat));
    writes
}
