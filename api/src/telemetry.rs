//! Log lines: text on a terminal, JSON elsewhere, always on standard error, because standard output
//! belongs to data. What is logged is ids and codes, never tokens, bodies or names.

use std::io::IsTerminal as _;

use actix_web::Error;
use actix_web::HttpMessage as _;
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use tracing::Span;
use tracing_actix_web::{RequestId, RootSpanBuilder};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::util::{SubscriberInitExt as _, TryInitError};

use crate::config::{Config, LogFormat};

/// Why logging cannot start.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// Not a filter.
    #[error("log: {0}")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    /// It runs already.
    #[error("logging was started before: {0}")]
    Twice(#[from] TryInitError),
}

/// Starts logging for the process. Once.
pub fn start(config: &Config) -> Result<(), TelemetryError> {
    let filter = EnvFilter::try_new(&config.log_filter)?;
    let json = match config.log_format {
        LogFormat::Json => true,
        LogFormat::Text => false,
        LogFormat::Auto => !std::io::stderr().is_terminal(),
    };
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    if json {
        lines.json().flatten_event(true).finish().try_init()?;
    } else {
        lines.with_ansi(std::io::stderr().is_terminal()).finish().try_init()?;
    }
    Ok(())
}

/// The span of a request: method, path and id. The query is left out, it may hold what somebody
/// should not have put there.
#[derive(Debug)]
pub struct RequestSpan;

impl RootSpanBuilder for RequestSpan {
    fn on_request_start(request: &ServiceRequest) -> Span {
        let id = request.extensions().get::<RequestId>().map(ToString::to_string);
        let path: String = request.path().chars().take(512).collect();
        tracing::info_span!(
            "request",
            request_id = id.unwrap_or_default(),
            method = request.method().as_str(),
            path,
        )
    }

    fn on_request_end<B: MessageBody>(_span: Span, _outcome: &Result<ServiceResponse<B>, Error>) {
        // What there is to say was said on the way out, once.
    }
}
