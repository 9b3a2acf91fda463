//! Reads of a stream and of everything, once or for as long as the caller listens.

use std::time::{SystemTime, UNIX_EPOCH};

use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream};
use regex::Regex;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};
use uuid::Uuid;

use crate::database::{Record, Refused};
use crate::service::Service;
use crate::wire::read::{
    CaughtUp, Checkpoint, Confirmation, Content, Count, EventPosition, Expression, Filter,
    Filtered, FromPosition, FromRevision, Options, ReadEvent, ReadReq, ReadResp, Recorded, Source,
    StreamNotFound, Subject, Window,
};
use crate::wire::{Id, Instant, Position, StreamIdentifier};
use crate::writing::deleted;

type Answers = BoxStream<'static, Result<ReadResp, Status>>;

/// How many records are looked at between two checkpoints when the caller does not say.
const WINDOW: u32 = 32;
/// How many answers wait for a caller that reads slowly.
const WAITING: usize = 64;

impl Service {
    pub(crate) async fn read(self, request: Request<ReadReq>) -> Result<Response<Answers>, Status> {
        let (metadata, _, request) = request.into_parts();
        self.shared.faults.unless_paused().await;
        self.led(&metadata, false)?;
        self.shared.faults.may_read()?;
        let options = request.options.ok_or_else(|| Status::invalid_argument("no options"))?;
        let sieve = Sieve::of(&options)?;
        let most = match options.count {
            Some(Count::Most(most)) => usize::try_from(most).unwrap_or(usize::MAX),
            Some(Count::Subscription(_)) => return self.follow(options, sieve),
            None => return Err(Status::invalid_argument("no count")),
        };
        let contents = match &options.source {
            Some(Source::Stream(source)) => {
                let name = source.stream.as_ref().map(StreamIdentifier::name).unwrap_or_default();
                self.of_stream(&name, source.from, &options, most)?
            }
            Some(Source::All(source)) => self.of_all(source.from, &options, &sieve, most),
            None => return Err(Status::invalid_argument("no source")),
        };
        let answers = contents.into_iter().map(|content| Ok(ReadResp { content: Some(content) }));
        Ok(Response::new(stream::iter(answers).boxed()))
    }

    fn of_stream(
        &self,
        name: &str,
        from: Option<FromRevision>,
        options: &Options,
        most: usize,
    ) -> Result<Vec<Content>, Status> {
        let database = self.shared.database();
        let seen = database.stream(name).map_err(|why| refusal(why, name))?;
        let Some(seen) = seen else {
            let stream = Some(StreamIdentifier::of(name));
            return Ok(vec![Content::StreamNotFound(StreamNotFound { stream })]);
        };
        let last = seen.last().map_or(0, |record| record.revision);
        let wanted = |record: &&&Record| match (from, options.direction) {
            (Some(FromRevision::At(at)), 0) => record.revision >= at,
            (Some(FromRevision::At(at)), _) => record.revision <= at,
            (Some(FromRevision::End(_)), 0) | (Some(FromRevision::Start(_)), 1..) => false,
            (_, _) => true,
        };
        let mut chosen: Vec<_> = seen.iter().filter(wanted).collect();
        if options.direction != 0 {
            chosen.reverse();
        }
        let to_the_end = options.direction == 0 && chosen.len() <= most;
        let events = chosen.into_iter().take(most);
        let mut contents: Vec<_> =
            events.map(|record| Content::Event(event(record, options))).collect();
        let knows_ends = options.control.is_some_and(|control| control.compatibility >= 1);
        if knows_ends && to_the_end {
            contents.push(Content::LastStreamPosition(last));
        }
        Ok(contents)
    }

    /// Forwards the position is inside; backwards it is the end of what is read.
    fn of_all(
        &self,
        from: Option<FromPosition>,
        options: &Options,
        sieve: &Sieve,
        most: usize,
    ) -> Vec<Content> {
        let database = self.shared.database();
        let passes = |record: &&Record| sieve.passes(record);
        let content = |record: &Record| Content::Event(event(record, options));
        if options.direction == 0 {
            let records = match from {
                Some(FromPosition::At(at)) => database.from(at.commit),
                Some(FromPosition::End(_)) => &[],
                Some(FromPosition::Start(_)) | None => database.from(0),
            };
            records.iter().filter(passes).take(most).map(content).collect()
        } else {
            let records = match from {
                Some(FromPosition::At(at)) => database.before(at.commit),
                Some(FromPosition::Start(_)) => &[],
                Some(FromPosition::End(_)) | None => database.before(u64::MAX),
            };
            records.iter().rev().filter(passes).take(most).map(content).collect()
        }
    }

    /// A subscription: what stands behind the place, then what comes.
    fn follow(self, options: Options, sieve: Sieve) -> Result<Response<Answers>, Status> {
        let of_stream = match &options.source {
            Some(Source::Stream(source)) => {
                Some(source.stream.as_ref().map(StreamIdentifier::name).unwrap_or_default())
            }
            Some(Source::All(_)) => None,
            None => return Err(Status::invalid_argument("no source")),
        };
        // The first position that was not looked at.
        let at = {
            let database = self.shared.database();
            match &options.source {
                Some(Source::All(source)) => match source.from {
                    Some(FromPosition::At(at)) => at.commit.saturating_add(1),
                    Some(FromPosition::End(_)) => database.end(),
                    Some(FromPosition::Start(_)) | None => 0,
                },
                Some(Source::Stream(source)) => match source.from {
                    Some(FromRevision::End(_)) => database.end(),
                    Some(FromRevision::At(_) | FromRevision::Start(_)) | None => 0,
                },
                None => 0,
            }
        };
        let (sender, receiver) = mpsc::channel(WAITING);
        let follower = Follower { service: self, options, sieve, of_stream, sender };
        tokio::spawn(follower.run(at));
        Ok(Response::new(ReceiverStream::new(receiver).boxed()))
    }
}

/// A task that follows the log for one caller.
struct Follower {
    service: Service,
    options: Options,
    sieve: Sieve,
    of_stream: Option<String>,
    sender: mpsc::Sender<Result<ReadResp, Status>>,
}

impl Follower {
    async fn run(self, mut at: u64) {
        let mut end = self.service.shared.end.subscribe();
        let id = Uuid::new_v4().to_string();
        let confirmed = Content::Confirmation(Confirmation { subscription_id: id });
        let mut said = self.say(confirmed).await;
        let (mut looked_at, mut caught_up) = (0, false);
        while said.is_ok() {
            let batch: Vec<Record> =
                self.service.shared.database().from(at).iter().take(100).cloned().collect();
            for record in &batch {
                at = record.position.saturating_add(1);
                said = said.and(self.look_at(record, &mut looked_at).await);
            }
            if !batch.is_empty() {
                continue;
            }
            if !caught_up {
                caught_up = true;
                said = said.and(self.say_caught_up(at).await);
            }
            let changed = tokio::select! {
                changed = end.wait_for(|end| *end > at) => changed.is_ok(),
                () = self.sender.closed() => false,
            };
            if !changed {
                return;
            }
            self.service.shared.faults.unless_paused().await;
        }
    }

    async fn look_at(&self, record: &Record, looked_at: &mut u32) -> Result<(), Gone> {
        if self.wants(record) {
            self.say(Content::Event(event(record, &self.options))).await?;
        }
        if self.of_stream.is_none() && self.sieve.is_filter() {
            *looked_at += 1;
            if *looked_at >= self.sieve.window {
                *looked_at = 0;
                let (commit, prepare) = (record.position, record.position);
                let checkpoint = Checkpoint { commit, prepare, at: Some(now()) };
                self.say(Content::Checkpoint(checkpoint)).await?;
            }
        }
        Ok(())
    }

    fn wants(&self, record: &Record) -> bool {
        let Some(name) = &self.of_stream else { return self.sieve.passes(record) };
        let behind = match &self.options.source {
            Some(Source::Stream(source)) => match source.from {
                Some(FromRevision::At(revision)) => record.revision > revision,
                Some(FromRevision::Start(_) | FromRevision::End(_)) | None => true,
            },
            Some(Source::All(_)) | None => true,
        };
        record.stream == *name && behind
    }

    async fn say_caught_up(&self, at: u64) -> Result<(), Gone> {
        let last = at.checked_sub(1).map(|last| Position { commit: last, prepare: last });
        let position = last.filter(|_| self.of_stream.is_none());
        self.say(Content::CaughtUp(CaughtUp { at: Some(now()), revision: None, position })).await
    }

    async fn say(&self, content: Content) -> Result<(), Gone> {
        self.sender.send(Ok(ReadResp { content: Some(content) })).await.map_err(|_closed| Gone)
    }
}

/// The caller went away.
struct Gone;

/// What a read lets through.
#[derive(Debug)]
struct Sieve {
    by: Option<(Side, Test)>,
    window: u32,
}

#[derive(Debug, Clone, Copy)]
enum Side {
    Stream,
    EventType,
}

#[derive(Debug)]
enum Test {
    Prefixes(Vec<String>),
    Regex(Regex),
}

impl Sieve {
    fn of(options: &Options) -> Result<Self, Status> {
        let Some(Filtered::By(filter)) = &options.filter else {
            return Ok(Self { by: None, window: WINDOW });
        };
        let window = match filter.window {
            Some(Window::Most(most)) => most,
            Some(Window::Count(_)) | None => WINDOW,
        };
        let window = window.saturating_mul(filter.checkpoint_interval.max(1)).max(1);
        Ok(Self { by: Self::by(filter)?, window })
    }

    fn by(filter: &Filter) -> Result<Option<(Side, Test)>, Status> {
        let (side, Expression { regex, prefixes }) = match &filter.subject {
            Some(Subject::Stream(expression)) => (Side::Stream, expression),
            Some(Subject::EventType(expression)) => (Side::EventType, expression),
            None => return Ok(None),
        };
        let test = if prefixes.is_empty() {
            let regex = Regex::new(regex);
            Test::Regex(regex.map_err(|why| Status::invalid_argument(why.to_string()))?)
        } else {
            Test::Prefixes(prefixes.clone())
        };
        Ok(Some((side, test)))
    }

    const fn is_filter(&self) -> bool {
        self.by.is_some()
    }

    fn passes(&self, record: &Record) -> bool {
        let Some((side, test)) = &self.by else { return true };
        let subject = match side {
            Side::Stream => record.stream.as_str(),
            Side::EventType => record.event_type(),
        };
        match test {
            Test::Prefixes(prefixes) => prefixes.iter().any(|prefix| subject.starts_with(prefix)),
            Test::Regex(regex) => regex.is_match(subject),
        }
    }
}

fn refusal(why: Refused, stream: &str) -> Status {
    match why {
        Refused::Deleted => deleted(stream),
        Refused::Wrong(_) => Status::internal("a read expects nothing"),
    }
}

fn event(record: &Record, options: &Options) -> ReadEvent {
    let as_text = options.ids.is_some_and(|form| form.text.is_some());
    ReadEvent {
        event: Some(Recorded {
            id: Some(Id::of(record.id, as_text)),
            stream: Some(StreamIdentifier::of(&record.stream)),
            revision: record.revision,
            prepare: record.position,
            commit: record.position,
            metadata: record.metadata.clone(),
            custom_metadata: record.custom_metadata.clone(),
            data: record.data.clone(),
        }),
        position: Some(EventPosition::Commit(record.position)),
    }
}

fn now() -> Instant {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let seconds = i64::try_from(now.as_secs()).unwrap();
    Instant { seconds, nanos: now.subsec_nanos().cast_signed() }
}
