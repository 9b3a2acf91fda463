//! Which web pages may call from a browser: by default the node's own only. Tokens travel in a
//! header, so cookies are never allowed along.

use actix_cors::Cors;

/// The middleware for the configured origins.
pub fn cors(origins: &[String]) -> Cors {
    let cors = Cors::default()
        .allowed_methods(["GET", "POST", "PUT"])
        .allowed_headers([
            "authorization",
            "content-type",
            "idempotency-key",
            "if-match",
            "last-event-id",
            "traceparent",
        ])
        .expose_headers([
            "etag",
            "holdfast-position",
            "idempotency-replayed",
            "retry-after",
            "ratelimit-limit",
            "ratelimit-remaining",
            "ratelimit-reset",
        ])
        .max_age(600);
    origins.iter().fold(cors, |cors, origin| cors.allowed_origin(origin))
}
