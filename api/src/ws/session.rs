//! One socket from the upgrade to its end: who is it, what does she ask, what is there for her. One
//! task, two directions, every wait bounded: a peer that does not read is cut off, a peer that does
//! not answer pings is given up, a token that ends ends its socket.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use actix_web::web::Data;
use actix_ws::{
    AggregatedMessage, AggregatedMessageStream, CloseCode, CloseReason, MessageStream,
    ProtocolError,
};
use futures_util::FutureExt as _;
use tokio::time::{Instant, interval_at, sleep, timeout};

use super::ending::{End, FAREWELL_MAX, broken, in_time};
use super::frames::{Asked, Frame};
use super::line::Line;
use super::pace::{Allowance, Heartbeat};
use super::sources::Filter;
use super::subscriber::{Ask, Subscriber};
use crate::auth::Caller;
use crate::http::problem::Problem;
use crate::problems::Code;
use crate::state::State;
use crate::wall_clock::unix_seconds;

/// How long a client may take to say who it is.
const AUTH_MAX: Duration = Duration::from_secs(5);
/// How often the peer is asked whether it is there.
const BEAT: Duration = Duration::from_secs(20);
/// The token is missing, not believed, or over.
const UNAUTHENTICATED: u16 = 4401;

/// A message, or the end of them.
type Incoming = Option<Result<AggregatedMessage, ProtocolError>>;

enum Happened {
    Stop,
    TokenOver,
    Beat,
    Message(Incoming),
    Frame(Option<Frame>),
}

/// One socket.
pub struct Session {
    state: Data<State>,
    socket: actix_ws::Session,
    messages: AggregatedMessageStream,
    line: Option<Arc<Line>>,
    allowance: Allowance,
    heartbeat: Heartbeat,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").field("heartbeat", &self.heartbeat).finish_non_exhaustive()
    }
}

impl Session {
    /// After the upgrade.
    pub fn new(
        state: Data<State>,
        socket: actix_ws::Session,
        messages: MessageStream,
        line: Option<Arc<Line>>,
    ) -> Self {
        let limits = &state.config.limits;
        let messages = messages
            .max_frame_size(limits.socket_frame_bytes_max)
            .aggregate_continuations()
            .max_continuation_size(limits.socket_frame_bytes_max);
        let allowance = Allowance::new(limits.socket_messages_per_second_max, Instant::now());
        Self { state, socket, messages, line, allowance, heartbeat: Heartbeat::default() }
    }

    /// To its end. The subscriber is there already when the token came with the upgrade.
    pub async fn run(mut self, subscriber: Option<Subscriber>) {
        let mut subscriber = match subscriber {
            Some(subscriber) => subscriber,
            None => match self.introduced().await {
                Ok(subscriber) => subscriber,
                Err(end) => return self.farewell(end, vec![]).await,
            },
        };
        let end = self.serve(&mut subscriber).await;
        let words = if end == End::Stopping { subscriber.last_words() } else { vec![] };
        self.farewell(end, words).await;
        // Only now: a socket counts until its connection is at its end.
        drop(subscriber);
    }

    /// Waits for the first message, which says who it is.
    async fn introduced(&mut self) -> Result<Subscriber, End> {
        let stop = self.state.lifecycle.edge_stops().clone();
        let unknown = End::Closed(CloseCode::Other(UNAUTHENTICATED), "no token");
        let deadline = later(AUTH_MAX);
        let caller = loop {
            let message = tokio::select! {
                biased;
                () = stop.cancelled() => return Err(End::Stopping),
                () = tokio::time::sleep_until(deadline) => return Err(unknown),
                message = self.messages.recv() => message,
            };
            let Some(text) = self.read(message).await? else { continue };
            match Asked::read(&text) {
                Ok(Asked::Auth { token }) => match self.judge(&token.0).await {
                    Ok(caller) => break caller,
                    Err(problem) => {
                        self.say(Frame::error(problem.code(), None)).await?;
                        return Err(not_let_in(problem.code()));
                    }
                },
                Ok(_) => {
                    self.say(Frame::error(Code::TokenMissing, None)).await?;
                    return Err(unknown);
                }
                Err(code) => {
                    self.say(Frame::error(code, None)).await?;
                    return Err(unknown);
                }
            }
        };
        if let Some(subscriber) = Subscriber::new(&self.state, caller, self.line.clone()) {
            return Ok(subscriber);
        }
        self.say(Frame::error(Code::TooManySockets, None)).await?;
        Err(End::Closed(CloseCode::Policy, "too many sockets"))
    }

    async fn judge(&self, token: &str) -> Result<Caller, Problem> {
        let caller = self.state.verifier.verify(token).await?;
        if caller.roles.is_empty() {
            return Err(Problem::new(Code::Forbidden));
        }
        self.state.limits.principal(caller.principal).await?;
        Ok(caller)
    }

    /// Until something ends it.
    async fn serve(&mut self, subscriber: &mut Subscriber) -> End {
        let stop = self.state.lifecycle.edge_stops().clone();
        let first = later(BEAT);
        let mut beats = interval_at(first, BEAT);
        let mut stopped = pin!(stop.cancelled());
        let mut token_over = pin!(sleep(left_of(subscriber)));
        loop {
            let happened = tokio::select! {
                biased;
                () = &mut stopped => Happened::Stop,
                () = &mut token_over => Happened::TokenOver,
                _ = beats.tick() => Happened::Beat,
                message = self.messages.recv() => Happened::Message(message),
                frame = subscriber.next() => Happened::Frame(frame),
            };
            // A frame changes nothing about the token, and there are many of them.
            let looks_again = !matches!(happened, Happened::Frame(_));
            if let Err(end) = self.meet(happened, subscriber).await {
                return end;
            }
            if looks_again {
                token_over.as_mut().reset(later(left_of(subscriber)));
            }
        }
    }

    async fn meet(&mut self, happened: Happened, subscriber: &mut Subscriber) -> Result<(), End> {
        match happened {
            Happened::Stop => Err(End::Stopping),
            // The machine's clock may have been set back while the sleep went on.
            Happened::TokenOver if unix_seconds() < subscriber.caller().expires_at => Ok(()),
            Happened::TokenOver => {
                self.say(Frame::error(Code::TokenExpired, None)).await?;
                Err(End::Closed(CloseCode::Other(UNAUTHENTICATED), "token expired"))
            }
            Happened::Beat => {
                if !self.heartbeat.beat() {
                    return Err(End::Slow);
                }
                subscriber.review().await;
                self.ping().await
            }
            Happened::Frame(Some(frame)) => {
                self.say(frame).await?;
                // What is ready leaves together with it.
                while let Some(frame) = subscriber.ready() {
                    self.say(frame).await?;
                }
                Ok(())
            }
            Happened::Frame(None) => Err(End::GivenUp),
            Happened::Message(message) => match self.read(message).await? {
                Some(text) => self.answer(&text, subscriber).await,
                None => Ok(()),
            },
        }
    }

    /// The text of a message, when it is one that asks something.
    async fn read(&mut self, message: Incoming) -> Result<Option<String>, End> {
        let message = match message {
            None => return Err(End::Gone),
            Some(Ok(message)) => message,
            Some(Err(why)) => return Err(broken(&why)),
        };
        self.heartbeat.alive();
        if !self.allowance.take(Instant::now()) {
            self.say(Frame::error(Code::RateLimited, None)).await?;
            return Err(End::Closed(CloseCode::Policy, "too many messages"));
        }
        match message {
            AggregatedMessage::Text(text) => Ok(Some(text.to_string())),
            AggregatedMessage::Binary(_) => {
                Err(End::Closed(CloseCode::Unsupported, "text frames only"))
            }
            AggregatedMessage::Ping(payload) => {
                in_time(self.socket.pong(&payload)).await?;
                Ok(None)
            }
            AggregatedMessage::Pong(_) => Ok(None),
            AggregatedMessage::Close(_) => Err(End::Closed(CloseCode::Normal, "")),
        }
    }

    async fn answer(&mut self, text: &str, subscriber: &mut Subscriber) -> Result<(), End> {
        match Asked::read(text) {
            Err(code) => self.say(Frame::error(code, None)).await,
            Ok(Asked::Ping {}) => self.say(Frame::pong()).await,
            Ok(Asked::Unsubscribe { topic }) => {
                subscriber.unsubscribe(&topic);
                Ok(())
            }
            Ok(Asked::Subscribe { topic, from, kind, stream }) => {
                let topics = vec![topic.clone()];
                let ask = Ask { topics, from, filter: Filter { kind, stream } };
                match subscriber.subscribe(ask).await {
                    Ok(()) => Ok(()),
                    Err(problem) => self.say(Frame::error(problem.code(), Some(&topic))).await,
                }
            }
            Ok(Asked::Auth { token }) => match self.judge(&token.0).await {
                Ok(caller) => {
                    if !subscriber.renew(caller) {
                        return Err(End::Closed(CloseCode::Policy, "another principal"));
                    }
                    subscriber.review().await;
                    Ok(())
                }
                // The token that was believed before is good until it ends.
                Err(problem) => self.say(Frame::error(problem.code(), None)).await,
            },
        }
    }

    async fn say(&mut self, frame: Frame) -> Result<(), End> {
        let mut sending = pin!(self.socket.text(frame.text));
        // Mostly there is room: then no clock is needed.
        if let Some(sent) = (&mut sending).now_or_never() {
            return sent.map_err(|_closed| End::Gone);
        }
        let stop = self.state.lifecycle.edge_stops();
        tokio::select! {
            sent = in_time(sending) => sent,
            // When the node stops there is less time for a peer that does not read.
            () = async { stop.cancelled().await; sleep(FAREWELL_MAX).await } => Err(End::Slow),
        }
    }

    async fn ping(&mut self) -> Result<(), End> {
        in_time(self.socket.ping(b"")).await
    }

    /// The last words. When they cannot be brought to the peer in time, the connection is cut.
    async fn farewell(mut self, end: End, words: Vec<Frame>) {
        let (code, why) = match end {
            End::Gone | End::GivenUp => return,
            End::Closed(code, words) => (code, words),
            End::Slow => (CloseCode::Again, "too slow"),
            End::Stopping => (CloseCode::Away, "the node stops"),
        };
        if end == End::Slow {
            self.state.metrics.sockets.dropped.inc();
        }
        let description = (!why.is_empty()).then(|| why.to_owned());
        let reason = CloseReason { code, description };
        let last_words = async {
            for frame in words {
                self.socket.text(frame.text).await?;
            }
            self.socket.close(Some(reason)).await?;
            // The peer answers with a close of its own; what else it sends is not read any more.
            while let Some(Ok(_unread)) = self.messages.recv().await {}
            Ok::<(), actix_ws::Closed>(())
        };
        let left = timeout(end.patience(), last_words).await;
        if left.is_err()
            && let Some(line) = &self.line
        {
            line.cut();
        }
    }
}

fn later(span: Duration) -> Instant {
    Instant::now().checked_add(span).unwrap_or_else(Instant::now)
}

/// How long the caller's token is good for, by the machine's clock.
fn left_of(subscriber: &Subscriber) -> Duration {
    Duration::from_secs(subscriber.caller().expires_at.saturating_sub(unix_seconds()))
}

/// How a socket ends whose first token does not let anybody in. Only a token that is not believed
/// is the token's fault: the others may come back with it, later or after a change of roles.
fn not_let_in(code: Code) -> End {
    match code.entry().status {
        401 => End::Closed(CloseCode::Other(UNAUTHENTICATED), "token not accepted"),
        403 => End::Closed(CloseCode::Policy, "not allowed"),
        _later => End::Closed(CloseCode::Again, "try again later"),
    }
}
