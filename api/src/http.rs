//! The HTTP edge: what every route shares. A route itself only names its body, its use case and its
//! answer. Business rules are not here.

pub mod auth;
pub mod command;
pub mod cors;
pub mod cursor;
pub mod etag;
pub mod finish;
pub mod gate;
pub mod headers;
pub mod idempotency;
pub mod ids;
pub mod json;
pub mod keys;
pub mod limits;
pub mod ops;
pub mod peer;
pub mod present;
pub mod problem;
pub mod problem_pages;
pub mod query;
pub mod read;
pub mod refusals;
pub mod sse;
