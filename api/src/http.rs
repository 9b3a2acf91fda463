//! The HTTP edge: what every route shares. A route itself only names its body, its use case and its
//! answer. Business rules are not here.

#[expect(unused_qualifications, reason = "the describing macro qualifies what it repeats")]
pub mod audit;
pub mod auth;
pub mod command;
pub mod cors;
pub mod cursor;
pub mod describe;
pub mod etag;
pub mod finish;
pub mod gate;
pub mod headers;
pub mod history;
pub mod idempotency;
pub mod ids;
pub mod json;
pub mod keys;
pub mod limits;
pub mod list;
pub mod methods;
#[expect(unused_qualifications, reason = "the describing macro qualifies what it repeats")]
pub mod offerings;
pub mod ops;
pub mod party;
pub mod payments;
pub mod peer;
pub mod present;
pub mod problem;
pub mod problem_pages;
pub mod query;
pub mod quotes;
pub mod read;
pub mod refusals;
#[expect(unused_qualifications, reason = "the describing macro qualifies what it repeats")]
pub mod reservations;
#[expect(unused_qualifications, reason = "the describing macro qualifies what it repeats")]
pub mod resources;
#[expect(unused_qualifications, reason = "the describing macro qualifies what it repeats")]
pub mod slots;
pub mod sse;
pub mod test_clock;
pub mod text;
