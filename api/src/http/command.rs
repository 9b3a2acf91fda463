//! What every command's handler shares: who asks, under which key and revision, for real or to try,
//! and how the answer is written. A handler itself names a body and a use case.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::http::StatusCode;
use actix_web::http::header::{ETAG, HeaderName, HeaderValue};
use actix_web::{FromRequest, HttpMessage as _, HttpRequest, HttpResponse, HttpResponseBuilder};
use holdfast_commands::failpoint;
use holdfast_commands::request::{Answer, CommandError, Request, WouldWrite};
use holdfast_commands::use_case::UseCase;
use holdfast_domain::actor::{Actor, Role};
use holdfast_domain::ids::PrincipalId;
use holdfast_domain::log::Position;
use serde::{Deserialize, Serialize};
use tracing_actix_web::RequestId;
use utoipa::ToSchema;

use super::etag::{IfMatch, etag};
use super::headers::Traceparent;
use super::idempotency::IdempotencyKey;
use super::problem::{MEDIA_TYPE, Problem};
use super::query;
use crate::auth::Caller;
use crate::problems::Code;
use crate::routes::{Access, Row};
use crate::state::State;

/// The position of the last event that an answer knows of.
pub const POSITION: HeaderName = HeaderName::from_static("holdfast-position");
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// The query of a command.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Trial {
    #[serde(default)]
    dry_run: bool,
}

/// The circumstances of a command, from its headers, its path and its token.
#[derive(Debug, Clone)]
pub struct Command {
    /// Who asks.
    pub caller: Caller,
    actor: Actor,
    key: IdempotencyKey,
    if_match: IfMatch,
    traceparent: Option<String>,
    path: String,
    request_id: String,
    dry_run: bool,
}

impl Command {
    /// Who asks.
    pub const fn principal(&self) -> PrincipalId {
        self.caller.principal
    }

    /// Whether the caller acts in this role on this route.
    pub fn acts_as(&self, role: Role) -> bool {
        self.caller.has(role)
    }

    /// The same command, in the role that carries it.
    #[must_use]
    pub fn acting_as(self, role: Role) -> Self {
        let actor = Actor::User { id: self.principal(), role };
        Self { actor, ..self }
    }

    /// The command's circumstances; `body` is what was asked, to the byte.
    pub fn request(&self, body: &[u8]) -> Request {
        Request {
            command_id: self.key.command(self.principal()),
            remembered_as: None,
            fingerprint: self.key.fingerprint(body),
            actor: self.actor.clone(),
            correlation: None,
            causation: None,
            traceparent: self.traceparent.clone(),
            path: self.path.clone(),
            request_id: self.request_id.clone(),
            if_match: match self.if_match {
                IfMatch::Revision(revision) => Some(revision),
                // Whatever is there: the use case refuses what is not.
                IfMatch::Absent | IfMatch::Any => None,
            },
            dry_run: self.dry_run,
        }
    }
}

fn read(request: &HttpRequest) -> Result<Command, Problem> {
    let row = request.extensions().get::<&'static Row>().copied();
    let caller = request.extensions().get::<Caller>().cloned();
    let (Some(row), Some(caller)) = (row, caller) else {
        return Err(Problem::internal("a command on a public route"));
    };
    let allowed: &[Role] = match row.access {
        Access::Roles(roles) | Access::LocalOr(roles) => roles,
        Access::Public => &[],
    };
    let actor = caller.acting_as(allowed).ok_or(Problem::new(Code::Forbidden))?;
    let mut none = Payload::None;
    let key = IdempotencyKey::from_request(request, &mut none).into_inner()?;
    let if_match = IfMatch::from_request(request, &mut none).into_inner()?;
    let trial: Trial = query::read(request.query_string())?;
    let request_id = request.extensions().get::<RequestId>().map(ToString::to_string);
    Ok(Command {
        caller,
        actor,
        key,
        if_match,
        traceparent: Traceparent::of(request.headers()).0,
        path: request.path().to_owned(),
        request_id: request_id.unwrap_or_default(),
        dry_run: trial.dry_run,
    })
}

impl FromRequest for Command {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _body: &mut Payload) -> Self::Future {
        ready(read(request))
    }
}

/// What a dry run would write.
#[derive(Debug, Serialize, ToSchema)]
pub struct DryRun {
    /// The events, in order.
    pub would_write: Vec<DryEvent>,
}

/// An event that a dry run would write.
#[derive(Debug, Serialize, ToSchema)]
pub struct DryEvent {
    /// Where to.
    pub stream: String,
    /// The stored name.
    #[serde(rename = "type")]
    pub kind: String,
    /// The version of its shape.
    pub schema: u32,
    /// Its fields.
    pub data: serde_json::Value,
}

fn dry_event(fact: &WouldWrite) -> Result<DryEvent, Problem> {
    let data = fact.event.serialize_payload(serde_json::value::Serializer);
    Ok(DryEvent {
        stream: fact.stream.to_string(),
        kind: fact.event.name(),
        schema: fact.event.kind().1,
        data: data.map_err(Problem::internal)?,
    })
}

/// Has a use case decided, counts what came of it, and writes the answer. `body` is what was asked,
/// to the byte.
pub async fn run(
    state: &State,
    command: &Command,
    body: &[u8],
    use_case: impl UseCase + 'static,
) -> Result<HttpResponse, Problem> {
    let name = use_case.name();
    let answer = state.node.engine.execute(use_case, command.request(body)).await;
    state.metrics.commands.decided(name, outcome(&answer));
    respond(answer)
}

/// What came of a command, as a word from a short list.
pub fn outcome(answer: &Result<Answer, CommandError>) -> &'static str {
    match answer {
        Ok(answer) if answer.replayed => "replayed",
        Ok(answer) if answer.would_write.is_some() => "tried",
        Ok(answer) if answer.status < 400 => "accepted",
        Ok(_) | Err(CommandError::Refused(_) | CommandError::KeyReused) => "refused",
        Err(CommandError::InFlight | CommandError::Contended | CommandError::Overloaded) => {
            "turned_away"
        }
        Err(CommandError::ClockBehind | CommandError::Unavailable(_)) => "failed",
    }
}

/// The head of an answer that is not known yet.
pub fn checking(position: Position, replayed: bool) -> HttpResponseBuilder {
    let mut response = HttpResponse::Accepted();
    if position > Position::START {
        response.insert_header((POSITION, HeaderValue::from(position.0)));
    }
    if replayed {
        response.insert_header((REPLAYED, HeaderValue::from_static("true")));
    }
    response
}

/// Writes an answer.
pub fn respond(answer: Result<Answer, CommandError>) -> Result<HttpResponse, Problem> {
    let answer = answer?;
    failpoint::hit("reply.before_write");
    if let Some(facts) = &answer.would_write {
        let would_write = facts.iter().map(dry_event).collect::<Result<_, _>>()?;
        return Ok(HttpResponse::Ok().json(DryRun { would_write }));
    }
    let status = StatusCode::from_u16(answer.status).map_err(Problem::internal)?;
    let mut response = HttpResponse::build(status);
    let kind = if status.is_success() { "application/json" } else { MEDIA_TYPE };
    response.content_type(kind);
    if answer.position > Position::START {
        response.insert_header((POSITION, HeaderValue::from(answer.position.0)));
    }
    if let Some(revision) = answer.revision {
        response.insert_header((ETAG, etag(revision)));
    }
    if answer.replayed {
        response.insert_header((REPLAYED, HeaderValue::from_static("true")));
    }
    Ok(response.body(answer.body))
}
