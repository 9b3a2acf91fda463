//! An answer of the node, and what a test asks of it. Each question fails with the whole answer, so
//! that a red test tells what was said instead.

use reqwest::header::HeaderMap;
use serde_json::Value;

/// What came back.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, to the byte.
    pub bytes: Vec<u8>,
    /// The body as JSON; null when it is none.
    pub body: Value,
    /// What was asked, for messages.
    pub asked: String,
}

impl Answer {
    /// The body of a success with this status.
    #[track_caller]
    pub fn expect(&self, status: u16) -> &Value {
        assert_eq!(self.status, status, "{} answered {}", self.asked, self.text());
        &self.body
    }

    /// The body of a 200.
    #[track_caller]
    pub fn ok(&self) -> &Value {
        self.expect(200)
    }

    /// The body of a 201.
    #[track_caller]
    pub fn created(&self) -> &Value {
        self.expect(201)
    }

    /// The problem of this status and code, judged in all that every problem promises.
    #[track_caller]
    pub fn refused(&self, status: u16, code: &str) -> &Value {
        assert_eq!(
            (self.status, self.code()),
            (status, code),
            "{} answered {}",
            self.asked,
            self.text()
        );
        assert_eq!(self.header("content-type"), Some("application/problem+json"));
        assert_eq!(self.body["status"], status);
        assert_eq!(self.body["type"], format!("/problems/{code}"));
        for field in ["title", "detail", "instance", "request_id"] {
            assert!(self.body[field].is_string(), "{field} in {}", self.text());
        }
        &self.body
    }

    /// The code of a problem; empty when it is none.
    pub fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or_default()
    }

    /// A header, when it is there.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// The position that the answer names.
    #[track_caller]
    pub fn position(&self) -> u64 {
        let text = self.header("holdfast-position");
        text.unwrap_or_else(|| panic!("{} names no position", self.asked)).parse().unwrap()
    }

    /// The revision that the answer names, as it goes into `If-Match`.
    #[track_caller]
    pub fn etag(&self) -> &str {
        self.header("etag").unwrap_or_else(|| panic!("{} names no revision", self.asked))
    }

    /// Whether the answer was remembered from an earlier copy.
    pub fn is_replay(&self) -> bool {
        self.header("idempotency-replayed") == Some("true")
    }

    /// The body as text, for messages.
    pub fn text(&self) -> String {
        format!("{} {}", self.status, String::from_utf8_lossy(&self.bytes))
    }
}

/// A text field of a body.
#[track_caller]
pub fn text(body: &Value, field: &str) -> String {
    body[field].as_str().unwrap_or_else(|| panic!("no text `{field}` in {body}")).to_owned()
}

/// The number in a field of a body.
#[track_caller]
pub fn number(body: &Value, pointer: &str) -> u64 {
    let found = body.pointer(pointer).and_then(Value::as_u64);
    found.unwrap_or_else(|| panic!("no number at `{pointer}` in {body}"))
}
