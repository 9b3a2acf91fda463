//! The way out: every error leaves as a problem document with path and request id, logged once;
//! every answer carries the hardening headers and is counted.

use std::time::Instant;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::error::InternalError;
use actix_web::http::StatusCode;
use actix_web::http::header::{ALLOW, CONTENT_TYPE, HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::web::Data;
use actix_web::{Error, HttpMessage as _, HttpResponse};
use tracing_actix_web::RequestId;

use super::headers::harden;
use super::problem::{MEDIA_TYPE, Problem};
use crate::problems::Code;
use crate::routes::Row;
use crate::state::State;

/// The longest path that is given back as `instance`.
const INSTANCE_CHARS_MAX: usize = 512;

/// What is remembered of a request until its answer leaves.
struct Asked {
    path: String,
    request_id: String,
    method: String,
    started: Instant,
}

/// The middleware.
pub async fn finish<B: MessageBody + 'static>(
    state: Data<State>,
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse, Error> {
    let id = request.extensions().get::<RequestId>().map(ToString::to_string);
    let asked = Asked {
        path: request.path().chars().take(INSTANCE_CHARS_MAX).collect(),
        request_id: id.unwrap_or_default(),
        method: request.method().as_str().to_owned(),
        started: Instant::now(),
    };
    match next.call(request).await {
        Ok(response) => {
            let mut response = response.map_into_boxed_body();
            if let Some(problem) = complete(&asked, response.response()) {
                response = response.into_response(problem);
            }
            harden(&asked.path, response.headers_mut());
            name_request(&asked, response.response_mut());
            let row = response.request().extensions().get::<&'static Row>().copied();
            count(&state, &asked, row, response.status());
            Ok(response)
        }
        Err(error) => {
            let plain = HttpResponse::from_error(error);
            let mut response = complete(&asked, &plain).unwrap_or(plain);
            harden(&asked.path, response.headers_mut());
            name_request(&asked, &mut response);
            count(&state, &asked, None, response.status());
            Err(InternalError::from_response("answered", response).into())
        }
    }
}

fn name_request(asked: &Asked, response: &mut HttpResponse) {
    if let Ok(id) = HeaderValue::from_str(&asked.request_id) {
        response.headers_mut().insert(HeaderName::from_static("x-request-id"), id);
    }
}

fn count(state: &State, asked: &Asked, row: Option<&'static Row>, status: StatusCode) {
    let route = row.map_or("unmatched", |row| row.path);
    // A method that no row has is counted as one, or a caller could make labels without end.
    let method = row.map_or("other", |row| row.method);
    state.metrics.http.answered(route, method, status.as_u16(), asked.started.elapsed());
    tracing::debug!(route, method = asked.method, status = status.as_u16(), "answered");
}

/// The finished problem of an answer that is an error and is not finished yet.
fn complete(asked: &Asked, response: &HttpResponse<BoxBody>) -> Option<HttpResponse> {
    if let Some(problem) = response.error().and_then(|error| error.as_error::<Problem>()) {
        log(asked, problem);
        let mut finished = problem.answer(&asked.path, &asked.request_id);
        keep_headers(response, &mut finished);
        return Some(finished);
    }
    // A JSON answer was written by a handler of ours: a remembered problem, a failing health.
    let ours = response
        .headers()
        .get(CONTENT_TYPE)
        .is_some_and(|kind| kind == MEDIA_TYPE || kind.as_bytes().starts_with(b"application/json"));
    if response.status().as_u16() < 400 || ours {
        return None;
    }
    // Answers of the HTTP layer itself: its words may tell too much, its status does not.
    let code = match response.status() {
        StatusCode::NOT_FOUND => Code::NotFound,
        StatusCode::METHOD_NOT_ALLOWED => Code::MethodNotAllowed,
        StatusCode::PAYLOAD_TOO_LARGE => Code::PayloadTooLarge,
        StatusCode::UNSUPPORTED_MEDIA_TYPE => Code::UnsupportedMediaType,
        StatusCode::FORBIDDEN => Code::Forbidden,
        StatusCode::SERVICE_UNAVAILABLE => Code::Unavailable,
        status if status.is_client_error() => Code::BadRequest,
        _server_error => Code::Internal,
    };
    let mut problem = Problem::new(code);
    if let Some(error) = response.error() {
        problem = problem.because(error);
    }
    log(asked, &problem);
    let mut finished = problem.answer(&asked.path, &asked.request_id);
    keep_headers(response, &mut finished);
    Some(finished)
}

/// What middlewares in between have added stays: CORS, `Allow`, rate limits.
fn keep_headers(from: &HttpResponse, to: &mut HttpResponse) {
    for (name, value) in from.headers() {
        let cors = name.as_str().starts_with("access-control-") || *name == "vary";
        if cors || *name == ALLOW || name.as_str().starts_with("ratelimit-") {
            to.headers_mut().insert(name.clone(), value.clone());
        }
    }
}

/// A refusal is an answer, not an error; only what is our fault is logged as one.
fn log(asked: &Asked, problem: &Problem) {
    if problem.code() == Code::Internal {
        log_failure(asked, problem);
    } else if problem.status().is_server_error() {
        log_outage(asked, problem);
    } else {
        log_refusal(asked, problem);
    }
}

fn log_failure(asked: &Asked, problem: &Problem) {
    let (request_id, path, cause) = (&asked.request_id, &asked.path, problem.cause());
    tracing::error!(request_id, path, cause, "failed");
}

fn log_outage(asked: &Asked, problem: &Problem) {
    let (request_id, path, cause) = (&asked.request_id, &asked.path, problem.cause());
    tracing::warn!(request_id, path, code = problem.code().entry().code, cause, "unavailable");
}

fn log_refusal(asked: &Asked, problem: &Problem) {
    let (request_id, path, cause) = (&asked.request_id, &asked.path, problem.cause());
    tracing::debug!(request_id, path, code = problem.code().entry().code, cause, "refused");
}
