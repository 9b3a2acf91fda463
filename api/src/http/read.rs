//! What every read shares: waiting until a position is visible, the shape of a page, and the
//! position at which an answer is true.

use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::http::header::{ETAG, HeaderValue};
use holdfast_domain::log::{Position, Revision};
use holdfast_projections::document::Key;
use holdfast_projections::reader::{At, ReadFailure};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::command::POSITION;
use super::etag::etag;
use super::problem::Problem;
use crate::problems::Code;
use crate::state::State;

/// How long a read waits for a position that is not visible yet.
const WAIT_MAX: Duration = Duration::from_secs(2);

/// A page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct Page<T> {
    /// The entries.
    pub items: Vec<T>,
    /// Where the next page starts; none when this is the last.
    pub next_cursor: Option<String>,
    /// How many entries of this page cannot be shown now and are left out; absent when none.
    #[serde(skip_serializing_if = "is_zero")]
    #[schema(required = false)]
    pub parked: usize,
}

impl<T> Page<T> {
    /// A page of which nothing is left out.
    pub const fn new(items: Vec<T>, next_cursor: Option<String>) -> Self {
        Self { items, next_cursor, parked: 0 }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the serializer passes by reference")]
const fn is_zero(count: &usize) -> bool {
    *count == 0
}

/// What a read of one thing takes.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct One {
    /// Wait until the views show this position, at most 2 s.
    pub min_position: Option<u64>,
}

/// What a read of one thing takes whose past can be asked for.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct OneAsOf {
    /// Wait until the views show this position, at most 2 s.
    pub min_position: Option<u64>,
    /// As it was at this position or instant; for auditors and admins.
    pub as_of: Option<String>,
}

/// Waits until the views show `position`, or says that they do not yet.
pub async fn wait_for(state: &State, position: Option<u64>) -> Result<(), Problem> {
    let Some(position) = position else { return Ok(()) };
    let deadline = tokio::time::sleep(WAIT_MAX);
    state.node.reader.wait_for(Position(position), deadline).await?;
    Ok(())
}

/// One document of a view; a 404 when there is none.
pub async fn find<T: DeserializeOwned>(
    state: &State,
    view: &'static str,
    key: impl std::fmt::Display,
) -> Result<At<T>, Problem> {
    let At { position, value } = state.node.reader.value::<T>(view, Key::new(key)).await?;
    let value = value.ok_or(Problem::new(Code::NotFound))?;
    Ok(At { position, value })
}

/// An answer with the position at which it is true.
pub fn at<T: Serialize>(position: Position, value: &T) -> HttpResponse {
    HttpResponse::Ok().insert_header((POSITION, HeaderValue::from(position.0))).json(value)
}

/// The same, with the revision of what is shown.
pub fn at_revision<T: Serialize>(
    position: Position,
    revision: Revision,
    value: &T,
) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((POSITION, HeaderValue::from(position.0)))
        .insert_header((ETAG, etag(revision)))
        .json(value)
}

/// How many entries a page may have.
pub fn page_limit(state: &State, asked: Option<u32>) -> Result<u32, Problem> {
    let most = state.config.limits.page_items_max;
    match asked {
        None => Ok(most.min(50)),
        Some(limit) if (1..=most).contains(&limit) => Ok(limit),
        Some(_) => Err(Problem::new(Code::InvalidQuery)
            .detail(format!("`limit` is a number from 1 to {most}."))),
    }
}

impl From<ReadFailure> for Problem {
    fn from(failure: ReadFailure) -> Self {
        match failure {
            ReadFailure::Behind { at, .. } => {
                Self::new(Code::ReadModelBehind).with("position", at).retry_after(1)
            }
            ReadFailure::Unrecognised
            | ReadFailure::Parked(_)
            | ReadFailure::Building(_)
            | ReadFailure::Store(_) => Self::unavailable(failure),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_says_how_many_are_missing_only_when_some_are() {
        let said = |parked| {
            let page = Page { items: vec![1], next_cursor: None, parked };
            serde_json::to_value(page).unwrap().get("parked").cloned()
        };
        assert_eq!((said(0), said(2)), (None, Some(2.into())));
    }
}
