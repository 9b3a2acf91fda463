//! Headers that every answer carries, and the one that a request may bring along for tracing.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderMap, HeaderName, HeaderValue, REFERRER_POLICY,
    SERVER, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use actix_web::{FromRequest, HttpRequest};

/// What an API answer may do when a browser shows it: nothing.
const API_POLICY: &str = "default-src 'none'; frame-ancestors 'none'";
/// Pages of ours: scripts and styles from here only; the API's description page styles inline.
const PAGE_POLICY: &str = "default-src 'self'; style-src 'self' 'unsafe-inline'; \
                           img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'";

/// Adds what is missing. Answers are private unless their route said otherwise.
pub fn harden(path: &str, headers: &mut HeaderMap) {
    let mut ensure = |name: HeaderName, value: &'static str| {
        if !headers.contains_key(&name) {
            headers.insert(name, HeaderValue::from_static(value));
        }
    };
    let page = path.starts_with("/docs") || path.starts_with("/problems");
    ensure(CONTENT_SECURITY_POLICY, if page { PAGE_POLICY } else { API_POLICY });
    ensure(CACHE_CONTROL, "no-store");
    ensure(X_CONTENT_TYPE_OPTIONS, "nosniff");
    ensure(X_FRAME_OPTIONS, "DENY");
    ensure(REFERRER_POLICY, "no-referrer");
    drop(headers.remove(SERVER));
}

/// The W3C trace context of a request, when it is one: it is stored beside the facts as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Traceparent(pub Option<String>);

impl Traceparent {
    /// The trace context of these headers, when it is well formed.
    pub fn of(headers: &HeaderMap) -> Self {
        let value = headers.get("traceparent").and_then(|value| value.to_str().ok());
        Self(value.and_then(traceparent))
    }
}

fn traceparent(text: &str) -> Option<String> {
    let parts: Vec<&str> = text.split('-').collect();
    let [version, trace, parent, flags] = parts.as_slice() else { return None };
    let hex = |part: &str, length: usize| {
        part.len() == length && part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    };
    let something = |part: &str| part.bytes().any(|byte| byte != b'0');
    let valid = *version == "00"
        && hex(trace, 32)
        && something(trace)
        && hex(parent, 16)
        && something(parent)
        && hex(flags, 2);
    valid.then(|| text.to_owned())
}

impl FromRequest for Traceparent {
    type Error = actix_web::Error;
    type Future = Ready<Result<Self, Self::Error>>;

    fn from_request(request: &HttpRequest, _body: &mut Payload) -> Self::Future {
        ready(Ok(Self::of(request.headers())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_well_formed_trace_context_is_kept() {
        let good = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        assert_eq!(traceparent(good).as_deref(), Some(good));
        for wrong in [
            "",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-x",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-1\n",
        ] {
            assert_eq!(traceparent(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_route_may_say_otherwise_about_caching() {
        let mut headers = HeaderMap::new();
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("public"));
        headers.insert(SERVER, HeaderValue::from_static("x"));
        harden("/v1/x", &mut headers);
        assert_eq!(headers.get(CACHE_CONTROL).unwrap(), "public");
        assert_eq!(headers.get(X_CONTENT_TYPE_OPTIONS).unwrap(), "nosniff");
        assert!(!headers.contains_key(SERVER));
    }
}
