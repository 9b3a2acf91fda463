//! The error type of handlers: an RFC 9457 answer in the making. The path, the request id and the
//! log line are added once, on the way out, by [`super::finish`]. A cause is for the log only and
//! never reaches the caller.

use std::borrow::Cow;
use std::fmt;

use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderName, HeaderValue, RETRY_AFTER};
use actix_web::{HttpResponse, ResponseError};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::problems::{Code, pages};

/// The media type of a problem.
pub const MEDIA_TYPE: &str = "application/problem+json";

/// One mistake in a body: where and what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FieldError {
    /// A JSON pointer (RFC 6901) into the body.
    pub pointer: String,
    /// What is wrong: `unknown_field`, `missing_field`, `invalid_type` or `invalid_value`.
    pub code: &'static str,
}

/// A reason not to do what was asked.
#[derive(Debug)]
pub struct Problem(Box<Contents>);

/// Boxed, because most results are not problems.
#[derive(Debug)]
struct Contents {
    code: Code,
    detail: Option<Cow<'static, str>>,
    fields: Map<String, Value>,
    errors: Vec<FieldError>,
    headers: Vec<(HeaderName, HeaderValue)>,
    cause: Option<String>,
}

impl Problem {
    /// A problem that says no more than its code.
    pub fn new(code: Code) -> Self {
        Self(Box::new(Contents {
            code,
            detail: None,
            fields: Map::new(),
            errors: Vec::new(),
            headers: Vec::new(),
            cause: None,
        }))
    }

    /// A failure of ours: the cause is logged once, under the request's id, and not shown.
    pub fn internal(cause: impl fmt::Display) -> Self {
        Self::new(Code::Internal).because(cause)
    }

    /// A store or a provider that cannot be reached now.
    pub fn unavailable(cause: impl fmt::Display) -> Self {
        Self::new(Code::Unavailable).because(cause).retry_after(1)
    }

    /// What is to be said about this very case. Never another caller's data.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<Cow<'static, str>>) -> Self {
        self.0.detail = Some(detail.into());
        self
    }

    /// A field that helps, for example `alternatives`.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Serialize) -> Self {
        // What cannot be written as JSON is left out rather than made a second failure.
        if let Ok(value) = serde_json::to_value(value) {
            drop(self.0.fields.insert(name.to_owned(), value));
        }
        self
    }

    /// A mistake in the body.
    #[must_use]
    pub fn at(mut self, pointer: impl Into<String>, code: &'static str) -> Self {
        self.0.errors.push(FieldError { pointer: pointer.into(), code });
        self
    }

    /// A header of the answer.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.headers.push((name, value));
        self
    }

    /// When to come back, in seconds.
    #[must_use]
    pub fn retry_after(self, seconds: u64) -> Self {
        self.header(RETRY_AFTER, HeaderValue::from(seconds))
    }

    /// What the log should say of it.
    #[must_use]
    pub fn because(mut self, cause: impl fmt::Display) -> Self {
        self.0.cause = Some(cause.to_string());
        self
    }

    /// Which problem.
    pub fn code(&self) -> Code {
        self.0.code
    }

    /// What the log should say of it.
    pub fn cause(&self) -> Option<&str> {
        self.0.cause.as_deref()
    }

    /// The mistakes in the body.
    pub fn errors(&self) -> &[FieldError] {
        &self.0.errors
    }

    /// The status of the answer.
    pub fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.0.code.entry().status)
            .unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// The body, as it is remembered with a refused command: without path and request id.
    pub fn body(&self) -> Map<String, Value> {
        let entry = self.0.code.entry();
        let detail = self.0.detail.as_deref().unwrap_or(entry.meaning);
        let mut body = self.0.fields.clone();
        let mut put = |name: &str, value: Value| drop(body.insert(name.to_owned(), value));
        put("type", json!(pages::path(self.0.code)));
        put("title", json!(entry.title));
        put("status", json!(entry.status));
        put("detail", json!(detail));
        put("code", json!(entry.code));
        if !self.0.errors.is_empty() {
            put("errors", json!(self.0.errors));
        }
        body
    }

    /// The answer to one request.
    pub fn answer(&self, instance: &str, request_id: &str) -> HttpResponse {
        let mut body = self.body();
        drop(body.insert("instance".to_owned(), json!(instance)));
        drop(body.insert("request_id".to_owned(), json!(request_id)));
        self.respond(&body)
    }

    fn respond(&self, body: &Map<String, Value>) -> HttpResponse {
        let mut response = HttpResponse::build(self.status());
        for header in &self.0.headers {
            response.append_header(header.clone());
        }
        response.content_type(MEDIA_TYPE).body(Value::Object(body.clone()).to_string())
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.code.entry().code)?;
        match self.0.detail.as_deref() {
            Some(detail) => write!(f, ": {detail}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Problem {}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        self.status()
    }

    fn error_response(&self) -> HttpResponse {
        self.respond(&self.body())
    }
}

impl From<Code> for Problem {
    fn from(code: Code) -> Self {
        Self::new(code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cause_is_not_shown() {
        let problem = Problem::internal("SELECT secret FROM t").with("left", 2);
        let body = Value::Object(problem.body());
        assert_eq!(body["code"], "internal");
        assert_eq!(body["type"], "/problems/internal");
        assert_eq!(body["left"], 2);
        assert!(!body.to_string().contains("SELECT"));
        assert_eq!(problem.cause(), Some("SELECT secret FROM t"));
    }

    #[test]
    fn a_helpful_field_cannot_replace_the_code() {
        let body = Problem::new(Code::SlotTaken).with("code", "other").body();
        assert_eq!(body["code"], "slot_taken");
    }
}
