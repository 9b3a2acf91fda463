//! `GET /v1/stream`: the same feed as the sockets, as server-sent events, for networks whose
//! proxies drop the upgrade. The `id` of an event is a cursor for all topics of the stream together;
//! a client that comes back sends the last one as `Last-Event-ID` and misses nothing.

use std::sync::Arc;
use std::time::Duration;

use actix_web::http::header::{CACHE_CONTROL, HeaderName};
use actix_web::{HttpRequest, HttpResponse, get, web};
use futures_util::stream::unfold;
use serde::Deserialize;
use tokio::time::{Instant, sleep, sleep_until};

use super::problem::Problem;
use super::query::Query;
use crate::auth::Caller;
use crate::problems::Code;
use crate::state::State;
use crate::wall_clock::unix_seconds;
use crate::ws::frames::{Frame, Kind};
use crate::ws::line::Line;
use crate::ws::sources::Filter;
use crate::ws::subscriber::{Ask, Subscriber};
use crate::ws::upgrade::check_origin;

/// A comment is sent when there was nothing else for so long.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// Rights are looked at again after so long.
const REVIEW: Duration = Duration::from_secs(20);
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// What is to be streamed.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wanted {
    /// Names of topics, by comma.
    topics: String,
    /// Of `events`: only stored names that begin like this.
    #[serde(rename = "type")]
    kind: Option<String>,
    /// Of `events`: only this stream.
    stream: Option<String>,
}

/// Changes as server-sent events: `event` is `change`, `resync` or `error`, `data` the frame of the
/// socket's protocol, `id` the cursor.
#[utoipa::path(tag = "pushes", params(
    ("topics" = String, Query, description = "Names of topics, by comma"),
    ("type" = Option<String>, Query, description = "Of `events`: the start of stored names"),
    ("stream" = Option<String>, Query, description = "Of `events`: one stream"),
    ("Last-Event-ID" = Option<String>, Header, description = "Goes on after this event"),
), responses(
    (status = 200, description = "A stream of events", content_type = "text/event-stream"),
    (status = 400, description = "A topic or the cursor is not understood"),
    (status = 403, description = "A topic that the caller may not see"),
    (status = 429, description = "The caller has too many sockets or topics"),
))]
#[get("/v1/stream")]
pub(crate) async fn stream(
    request: HttpRequest,
    caller: Caller,
    query: Query<Wanted>,
    state: web::Data<State>,
) -> Result<HttpResponse, Problem> {
    check_origin(request.headers(), &state.config.cors_origins)?;
    let Wanted { topics, kind, stream } = query.0;
    let mut topics: Vec<_> = topics.split(',').map(str::to_owned).collect();
    topics.sort_unstable();
    topics.dedup();
    let from = match request.headers().get(LAST_EVENT_ID).map(|value| value.to_str()) {
        None | Some(Ok("")) => None,
        Some(Ok(text)) => Some(text.to_owned()),
        Some(Err(_not_ascii)) => return Err(Code::BadCursor.into()),
    };
    let line = request.conn_data::<Arc<Line>>().cloned();
    let subscriber = Subscriber::new(&state, caller, line);
    let mut subscriber = subscriber.ok_or(Problem::new(Code::TooManySockets))?;
    subscriber.subscribe(Ask { topics, from, filter: Filter { kind, stream } }).await?;
    let review_at = after(REVIEW);
    let telling = Telling { state, subscriber, review_at, over: false };
    let body = unfold(telling, |mut telling| async move {
        let text = telling.next().await?;
        Some((Ok::<_, std::convert::Infallible>(web::Bytes::from(text)), telling))
    });
    Ok(HttpResponse::Ok()
        .content_type("text/event-stream")
        // Proxies that collect an answer before they pass it on are told not to.
        .insert_header((CACHE_CONTROL, "no-store, no-transform"))
        .insert_header(("x-accel-buffering", "no"))
        .streaming(body))
}

fn after(span: Duration) -> Instant {
    Instant::now().checked_add(span).unwrap_or_else(Instant::now)
}

/// A stream while it is told.
struct Telling {
    state: web::Data<State>,
    subscriber: Subscriber,
    review_at: Instant,
    over: bool,
}

enum Happened {
    Stop,
    TokenOver,
    Review,
    Quiet,
    Frame(Option<Frame>),
}

impl Telling {
    /// The next piece of the stream; `None` ends it.
    async fn next(&mut self) -> Option<String> {
        loop {
            if self.over || self.subscriber.is_idle() && !self.subscriber.has_more() {
                return None;
            }
            match self.happens().await {
                // The client has the last id: it goes on from there, at another node.
                Happened::Stop | Happened::Frame(None) => return None,
                Happened::TokenOver => {
                    self.over = true;
                    return Some(event(&Frame::error(Code::TokenExpired, None)));
                }
                Happened::Review => {
                    self.review_at = after(REVIEW);
                    self.subscriber.review().await;
                }
                Happened::Quiet => return Some(":\n\n".to_owned()),
                Happened::Frame(Some(frame)) => {
                    let text = event(&frame);
                    if !text.is_empty() {
                        return Some(text);
                    }
                }
            }
        }
    }

    async fn happens(&mut self) -> Happened {
        let left = self.subscriber.caller().expires_at.saturating_sub(unix_seconds());
        tokio::select! {
            biased;
            () = self.state.lifecycle.edge_stops().cancelled() => Happened::Stop,
            () = sleep(Duration::from_secs(left)) => Happened::TokenOver,
            () = sleep_until(self.review_at) => Happened::Review,
            frame = self.subscriber.next() => Happened::Frame(frame),
            () = sleep(HEARTBEAT) => Happened::Quiet,
        }
    }
}

/// A frame as an event. That a topic is heard is no event: its id alone tells the client where to
/// come back.
fn event(frame: &Frame) -> String {
    let id = frame.id.as_ref().map(|id| format!("id: {id}\n")).unwrap_or_default();
    let name = match frame.kind {
        Kind::Change => "change",
        Kind::Resync => "resync",
        Kind::Error => "error",
        Kind::Subscribed | Kind::Closing | Kind::Pong if id.is_empty() => return id,
        Kind::Subscribed | Kind::Closing | Kind::Pong => return format!("{id}\n"),
    };
    format!("{id}event: {name}\ndata: {}\n\n", frame.text)
}

#[cfg(test)]
mod tests {
    use holdfast_domain::log::Position;

    use super::*;

    #[test]
    fn a_frame_is_one_event_and_a_greeting_only_an_id() {
        let id = Some("c".to_owned());
        assert_eq!(
            event(&Frame::resync("me", id.clone())),
            "id: c\nevent: resync\ndata: {\"op\":\"resync\",\"topic\":\"me\"}\n\n"
        );
        assert_eq!(event(&Frame::subscribed("me", Position(1), id)), "id: c\n\n");
        assert_eq!(event(&Frame::subscribed("me", Position(1), None)), "");
    }
}
