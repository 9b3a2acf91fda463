//! Revisions over HTTP: `ETag: "<revision>"` on answers, `If-Match` on commands.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::http::header::{HeaderValue, IF_MATCH};
use actix_web::{FromRequest, HttpRequest};
use holdfast_domain::log::Revision;

use super::problem::Problem;
use crate::problems::Code;

/// The `ETag` of a revision.
pub fn etag(revision: Revision) -> HeaderValue {
    // Digits between quotation marks are always a header value.
    HeaderValue::from_str(&format!("\"{revision}\""))
        .unwrap_or_else(|_impossible| HeaderValue::from_static("\"\""))
}

/// What the caller believes the revision to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IfMatch {
    /// She says nothing.
    Absent,
    /// Any, as long as there is one.
    Any,
    /// This one.
    Revision(Revision),
}

impl IfMatch {
    /// Refuses when the current revision is another one.
    pub fn check(self, current: Option<Revision>) -> Result<(), Problem> {
        let holds = match self {
            Self::Absent => true,
            Self::Any => current.is_some(),
            Self::Revision(revision) => current == Some(revision),
        };
        if holds {
            return Ok(());
        }
        let problem = Problem::new(Code::RevisionMismatch);
        Err(match current {
            Some(revision) => problem.with("current_revision", revision),
            None => problem,
        })
    }
}

fn read(request: &HttpRequest) -> Result<IfMatch, Problem> {
    let bad = || Problem::new(Code::BadIfMatch);
    let mut values = request.headers().get_all(IF_MATCH);
    let Some(value) = values.next() else { return Ok(IfMatch::Absent) };
    if values.next().is_some() {
        return Err(bad());
    }
    let text = value.to_str().map_err(|_not_ascii| bad())?.trim();
    if text == "*" {
        return Ok(IfMatch::Any);
    }
    let digits = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).ok_or_else(bad)?;
    let number: u64 = digits.parse().map_err(|_not_a_number| bad())?;
    // One spelling per revision: no sign, no leading zeros.
    if number.to_string() == digits { Ok(IfMatch::Revision(Revision(number))) } else { Err(bad()) }
}

impl FromRequest for IfMatch {
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

    fn header(value: &str) -> Result<IfMatch, Problem> {
        read(&TestRequest::post().insert_header((IF_MATCH, value)).to_http_request())
    }

    #[test]
    fn an_etag_comes_back_as_it_was_given() {
        let tag = etag(Revision(7));
        assert_eq!(header(tag.to_str().unwrap()).unwrap(), IfMatch::Revision(Revision(7)));
        assert_eq!(header("*").unwrap(), IfMatch::Any);
        assert_eq!(read(&TestRequest::post().to_http_request()).unwrap(), IfMatch::Absent);
        for wrong in ["", "7", "W/\"7\"", "\"-1\"", "\"+7\"", "\"07\"", "\"7\", \"8\"", "\"x\""] {
            assert_eq!(header(wrong).unwrap_err().code(), Code::BadIfMatch, "{wrong}");
        }
    }

    #[test]
    fn another_revision_is_a_412_that_names_the_current_one() {
        assert!(IfMatch::Absent.check(None).is_ok());
        assert!(IfMatch::Any.check(Some(Revision(0))).is_ok());
        assert!(IfMatch::Any.check(None).is_err());
        let why = IfMatch::Revision(Revision(1)).check(Some(Revision(2))).unwrap_err();
        assert_eq!(why.status(), 412);
        assert_eq!(why.body()["current_revision"], 2);
    }
}
