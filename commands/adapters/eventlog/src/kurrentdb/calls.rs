//! What is asked of the cluster: exact appends, reads of a stream, reads of everything that is ours.

use eventstore::{
    AppendToStreamOptions, EventData, Position as Place, ReadAllOptions, ReadStream,
    ReadStreamOptions, RecordedEvent, StreamPosition, StreamState, SubscribeToAllOptions,
    Subscription, SubscriptionFilter,
};
use holdfast_domain::log::{Category, Position, ReadError, Revision};

use super::envelope::{self, Found};
use super::link::{Failure, Link};

/// Where a read of everything begins.
#[derive(Debug, Clone, Copy)]
pub(super) enum Along {
    /// Behind a position, forwards.
    After(Position),
    /// At a position where an event stands, forwards.
    At(Position),
    /// Before a position, backwards, that position excluded.
    Before(Position),
    /// At the end, backwards.
    End,
}

const fn place(position: Position) -> Place {
    Place { commit: position.0, prepare: position.0 }
}

async fn all(mut read: ReadStream) -> eventstore::Result<Vec<RecordedEvent>> {
    let mut events = Vec::new();
    while let Some(event) = read.next().await? {
        events.extend(event.event);
    }
    Ok(events)
}

impl Link {
    fn named(&self, stream: &str) -> String {
        format!("{}{stream}", self.prefix)
    }

    /// The events of aggregates and nothing else: not the server's, not remembered answers.
    fn ours(&self) -> SubscriptionFilter {
        Category::ALL.iter().fold(SubscriptionFilter::on_stream_name(), |filter, category| {
            filter.add_prefix(self.named(&format!("{}-", category.name())))
        })
    }

    /// Opens an event that was read.
    pub(super) fn open(&self, recorded: RecordedEvent) -> Result<Found, ReadError> {
        envelope::open(&self.prefix, recorded)
    }

    /// Appends under an exact expectation; answers the position of the write.
    pub(super) async fn append(
        &self,
        stream: &str,
        base: Option<Revision>,
        events: &[EventData],
    ) -> Result<Position, Failure> {
        let state = base.map_or(StreamState::NoStream, |base| StreamState::StreamRevision(base.0));
        let options = AppendToStreamOptions::default().stream_state(state);
        let stream = &self.named(stream);
        let written = self.ask(|client| {
            let (options, events) = (options.clone(), events.to_vec());
            async move { client.append_to_stream(stream.as_str(), &options, events).await }
        });
        match written.await {
            Ok(written) => Ok(Position(written.position.prepare)),
            // To an append that is no answer: any stream can be begun.
            Err(Failure::Missing) => Err(Failure::Unclear("the append was not found".to_owned())),
            Err(why) => Err(why),
        }
    }

    /// Up to `limit` events of a stream from a revision on; none when there is no such stream.
    pub(super) async fn read(
        &self,
        stream: &str,
        from: Revision,
        limit: usize,
    ) -> Result<Vec<RecordedEvent>, Failure> {
        let options = ReadStreamOptions::default()
            .forwards()
            .position(StreamPosition::Position(from.0))
            .max_count(limit);
        self.read_with(stream, options).await
    }

    /// The last event of a stream.
    pub(super) async fn last(&self, stream: &str) -> Result<Option<RecordedEvent>, Failure> {
        let options =
            ReadStreamOptions::default().backwards().position(StreamPosition::End).max_count(1);
        Ok(self.read_with(stream, options).await?.pop())
    }

    async fn read_with(
        &self,
        stream: &str,
        options: ReadStreamOptions,
    ) -> Result<Vec<RecordedEvent>, Failure> {
        let stream = &self.named(stream);
        let read = self.ask(|client| {
            let options = options.clone();
            async move { all(client.read_stream(stream.as_str(), &options).await?).await }
        });
        match read.await {
            Err(Failure::Missing) => Ok(Vec::new()),
            other => other,
        }
    }

    /// Up to `limit` events of ours in the order of the log, or against it.
    pub(super) async fn read_all(
        &self,
        along: Along,
        limit: usize,
    ) -> Result<Vec<RecordedEvent>, Failure> {
        let options = ReadAllOptions::default().filter(self.ours());
        let options = match along {
            // The place itself is part of a read that goes forwards.
            Along::After(Position::START) => {
                options.position(StreamPosition::Start).max_count(limit)
            }
            Along::After(after) => options
                .forwards()
                .position(StreamPosition::Position(place(after)))
                .max_count(limit.saturating_add(1)),
            Along::At(at) => {
                options.forwards().position(StreamPosition::Position(place(at))).max_count(limit)
            }
            Along::Before(before) => options
                .backwards()
                .position(StreamPosition::Position(place(before)))
                .max_count(limit),
            Along::End => options.backwards().position(StreamPosition::End).max_count(limit),
        };
        let read = self.ask(|client| {
            let options = options.clone();
            async move { all(client.read_all(&options).await?).await }
        });
        let mut events = match read.await {
            Err(Failure::Missing) => Vec::new(),
            other => other?,
        };
        events.retain(|event| match along {
            Along::After(after) => event.position.prepare > after.0,
            Along::Before(before) => event.position.prepare < before.0,
            Along::At(_) | Along::End => true,
        });
        events.truncate(limit);
        Ok(events)
    }

    /// Follows what is ours from behind a position; `None` when there is no way to the cluster.
    pub(super) async fn subscribe(&self, after: Position) -> Option<(u64, Subscription)> {
        let from = if after == Position::START {
            StreamPosition::Start
        } else {
            StreamPosition::Position(place(after))
        };
        let options = SubscribeToAllOptions::default().filter(self.ours()).position(from);
        let (generation, client) = self.client().await;
        Some((generation, client.ok()?.subscribe_to_all(&options).await))
    }
}
