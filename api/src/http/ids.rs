//! Ids in paths. One that is not written as an id is a 422; one that names nothing is the route's
//! 404, the same for what is absent and for what belongs to somebody else.

use std::future::{Ready, ready};
use std::str::FromStr;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};

use super::problem::Problem;
use crate::problems::Code;

/// The `{id}` of a path.
#[derive(Debug, Clone, Copy)]
pub struct Id<T>(pub T);

/// Any other id of a path.
pub fn path_id<T: FromStr>(request: &HttpRequest, name: &str) -> Result<T, Problem> {
    let text = request.match_info().get(name).unwrap_or_default();
    text.parse().map_err(|_not_an_id| Problem::new(Code::InvalidId))
}

impl<T: FromStr> FromRequest for Id<T> {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _body: &mut Payload) -> Self::Future {
        ready(path_id(request, "id").map(Self))
    }
}
