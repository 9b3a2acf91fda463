//! The name that a client gives to a command, so that saying it twice changes nothing: the
//! `Idempotency-Key` header within the scope of caller, method and path, and the fingerprint of what
//! was asked. Remembering the answer is the log's business.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use holdfast_domain::ids::{CommandId, PrincipalId};
use holdfast_domain::log::Hash;
use sha2::{Digest as _, Sha256};

use super::problem::Problem;
use crate::problems::Code;

const KEY_CHARS_MAX: usize = 255;

/// The header of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyKey {
    key: String,
    method: String,
    path: String,
    query: String,
}

impl IdempotencyKey {
    /// The command's id, the same on each retry.
    pub fn command(&self, principal: PrincipalId) -> CommandId {
        CommandId::of_request(principal, &self.method, &self.path, &self.key)
    }

    /// What was asked: query and body. Another fingerprint under the same id is a mistake.
    pub fn fingerprint(&self, body: &[u8]) -> Hash {
        let length = u64::try_from(self.query.len()).unwrap_or(u64::MAX);
        let digest = Sha256::new()
            .chain_update(length.to_be_bytes())
            .chain_update(self.query.as_bytes())
            .chain_update(body);
        Hash(digest.finalize().into())
    }
}

fn read(request: &HttpRequest) -> Result<IdempotencyKey, Problem> {
    let mut values = request.headers().get_all("idempotency-key");
    let value = values.next().ok_or(Problem::new(Code::IdempotencyKeyRequired))?;
    let visible = |bytes: &[u8]| bytes.iter().all(u8::is_ascii_graphic);
    let invalid = || Problem::new(Code::IdempotencyKeyInvalid);
    let bytes = value.as_bytes();
    if bytes.is_empty() {
        return Err(Problem::new(Code::IdempotencyKeyRequired));
    }
    if values.next().is_some() || bytes.len() > KEY_CHARS_MAX || !visible(bytes) {
        return Err(invalid());
    }
    Ok(IdempotencyKey {
        key: value.to_str().map_err(|_not_ascii| invalid())?.to_owned(),
        method: request.method().as_str().to_owned(),
        path: request.path().to_owned(),
        query: request.query_string().to_owned(),
    })
}

impl FromRequest for IdempotencyKey {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _body: &mut Payload) -> Self::Future {
        ready(read(request))
    }
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    fn request(key: &str) -> TestRequest {
        TestRequest::post().uri("/v1/a?dry_run=true").insert_header(("idempotency-key", key))
    }

    #[test]
    fn a_key_is_visible_ascii_of_bounded_length() {
        assert!(read(&request("a").to_http_request()).is_ok());
        assert!(read(&request(&"a".repeat(255)).to_http_request()).is_ok());
        let code = |request: TestRequest| read(&request.to_http_request()).unwrap_err().code();
        assert_eq!(code(TestRequest::post()), Code::IdempotencyKeyRequired);
        assert_eq!(code(request("")), Code::IdempotencyKeyRequired);
        for wrong in ["a".repeat(256), "a b".to_owned(), "\u{e9}".to_owned()] {
            assert_eq!(code(request(&wrong)), Code::IdempotencyKeyInvalid, "{wrong}");
        }
        let twice = request("a").append_header(("idempotency-key", "a"));
        assert_eq!(code(twice), Code::IdempotencyKeyInvalid);
    }

    #[test]
    fn the_fingerprint_tells_query_and_body_apart() {
        let key = read(&request("a").to_http_request()).unwrap();
        let other = IdempotencyKey { query: "dry_run=tru".to_owned(), ..key.clone() };
        assert_eq!(key.fingerprint(b"x"), key.fingerprint(b"x"));
        assert_ne!(key.fingerprint(b"x"), key.fingerprint(b"y"));
        assert_ne!(key.fingerprint(b"x"), other.fingerprint(b"ex"));
    }
}
