//! The query string, read strictly: each parameter at most once, none that is not understood.

use std::collections::BTreeSet;
use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest, web};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::problem::Problem;
use crate::problems::Code;

/// The parameters of a request. `T` must deny unknown fields.
#[derive(Debug)]
pub struct Query<T>(pub T);

/// For routes that take no parameters: any is refused.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoParameters {}

/// Reads a query string.
pub fn read<T: DeserializeOwned>(text: &str) -> Result<T, Problem> {
    let wrong = |why: String| Problem::new(Code::InvalidQuery).detail(why);
    let pairs = web::Query::<Vec<(String, String)>>::from_query(text)
        .map_err(|why| wrong(why.to_string()))?;
    let mut names = BTreeSet::new();
    for (name, _) in pairs.iter() {
        if !names.insert(name.as_str()) {
            return Err(wrong("A parameter stands twice.".to_owned()));
        }
    }
    let value = web::Query::<T>::from_query(text).map_err(|why| wrong(why.to_string()))?;
    Ok(value.into_inner())
}

impl<T: DeserializeOwned> FromRequest for Query<T> {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _body: &mut Payload) -> Self::Future {
        ready(read(request.query_string()).map(Self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Eq, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Page {
        limit: Option<u16>,
        cursor: Option<String>,
    }

    #[test]
    fn a_route_without_parameters_takes_none() {
        assert!(read::<NoParameters>("").is_ok());
        assert_eq!(read::<NoParameters>("x=1").unwrap_err().code(), Code::InvalidQuery);
    }

    #[test]
    fn parameters_are_known_and_stand_once() {
        let page = read::<Page>("limit=5&cursor=a%20b").unwrap();
        assert_eq!(page, Page { limit: Some(5), cursor: Some("a b".to_owned()) });
        assert!(read::<Page>("").is_ok());
        for wrong in ["limit=-1", "limit=99999", "limit=", "limit=1&limit=1", "x=1", "filter[x]=1"]
        {
            assert_eq!(read::<Page>(wrong).unwrap_err().code(), Code::InvalidQuery, "{wrong}");
        }
    }
}
