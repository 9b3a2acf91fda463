//! What the API's description says about every command and every error.

use std::collections::BTreeMap;

use utoipa::openapi::{RefOr, Response, ResponseBuilder};
use utoipa::{IntoParams, IntoResponses};

/// The headers and the query of a command.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "described, never built: the extractors read the headers")]
pub(crate) struct CommandHeaders {
    /// The client's name for the command, 1 to 255 visible characters. The same key and request:
    /// the same answer again.
    #[param(rename = "Idempotency-Key", required = true)]
    idempotency_key: String,
    /// The `ETag` that the client believes to be current.
    #[param(rename = "If-Match")]
    if_match: Option<String>,
    /// W3C trace context; stored beside the events.
    #[param(rename = "traceparent")]
    traceparent: Option<String>,
}

/// The query of a command.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "described, never built: the extractor reads the query")]
pub(crate) struct CommandQuery {
    /// Decide, append nothing, and list the events that would be written.
    dry_run: Option<bool>,
}

/// Every error is a problem document; the codes are listed under `/problems`.
#[derive(Debug)]
pub(crate) struct Problems;

impl IntoResponses for Problems {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let problem = ResponseBuilder::new()
            .description("A problem document (RFC 9457); its `code` is one of those at /problems")
            .build();
        BTreeMap::from([("default".to_owned(), RefOr::T(problem))])
    }
}
