//! How a token arrives over HTTP: one `Authorization: Bearer` header. The gate checks it once per
//! request; a handler names [`Caller`] among its arguments to learn who calls.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::http::header::{AUTHORIZATION, HeaderMap, HeaderValue, WWW_AUTHENTICATE};
use actix_web::{FromRequest, HttpMessage as _, HttpRequest};
use holdfast_domain::actor::Role;

use super::problem::Problem;
use crate::auth::{Caller, TokenError};
use crate::problems::Code;

/// The token of a request.
pub fn bearer(headers: &HeaderMap) -> Result<&str, TokenError> {
    let mut values = headers.get_all(AUTHORIZATION);
    let value = values.next().ok_or(TokenError::Missing)?;
    if values.next().is_some() {
        // Two headers: a proxy and we could each believe another one.
        return Err(TokenError::Malformed);
    }
    let text = value.to_str().map_err(|_not_ascii| TokenError::Malformed)?;
    let (scheme, token) = text.split_once(' ').ok_or(TokenError::Malformed)?;
    if scheme.eq_ignore_ascii_case("bearer") { Ok(token) } else { Err(TokenError::Malformed) }
}

/// The caller must have one of these roles.
pub fn require_role(caller: &Caller, allowed: &[Role]) -> Result<(), Problem> {
    if allowed.iter().any(|role| caller.has(*role)) {
        Ok(())
    } else {
        Err(Problem::new(Code::Forbidden))
    }
}

impl From<TokenError> for Problem {
    fn from(why: TokenError) -> Self {
        let (code, challenge) = match why {
            TokenError::Missing => (Code::TokenMissing, "Bearer"),
            TokenError::Malformed => (Code::TokenMalformed, INVALID),
            TokenError::Algorithm => (Code::TokenAlgorithm, INVALID),
            TokenError::KeyUnknown => (Code::TokenKeyUnknown, INVALID),
            TokenError::Signature => (Code::TokenSignature, INVALID),
            TokenError::Expired => (Code::TokenExpired, INVALID),
            TokenError::NotYetValid => (Code::TokenNotYetValid, INVALID),
            TokenError::Claims => (Code::TokenClaims, INVALID),
            TokenError::KeysUnavailable => {
                return Self::new(Code::TokenKeysUnavailable).because(why).retry_after(5);
            }
        };
        Self::new(code).header(WWW_AUTHENTICATE, HeaderValue::from_static(challenge))
    }
}

const INVALID: &str = "Bearer error=\"invalid_token\"";

/// A handler behind a route that needs a token receives its caller. On a route that needs none it
/// is a mistake of ours to ask, and is answered as one.
impl FromRequest for Caller {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _body: &mut Payload) -> Self::Future {
        let caller = request.extensions().get::<Self>().cloned();
        ready(caller.ok_or_else(|| Problem::internal("a public route asks for its caller")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_bearer_header_is_read() {
        let headers = |values: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(AUTHORIZATION, HeaderValue::from_static(value));
            }
            headers
        };
        assert_eq!(bearer(&headers(&["Bearer a.b.c"])), Ok("a.b.c"));
        assert_eq!(bearer(&headers(&["bearer a.b.c"])), Ok("a.b.c"));
        assert_eq!(bearer(&headers(&[])), Err(TokenError::Missing));
        for wrong in [&["Bearer a", "Bearer a"][..], &["Basic a"], &["Bearer"], &[""]] {
            assert_eq!(bearer(&headers(wrong)), Err(TokenError::Malformed), "{wrong:?}");
        }
    }
}
