//! What every read shares: waiting until a position is visible, pages with authenticated cursors,
//! and the position at which an answer is true.

use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::http::header::{ETAG, HeaderValue};
use holdfast_domain::log::{Position, Revision};
use holdfast_projections::document::{Document, Key};
use holdfast_projections::ports::{Entry, Query};
use holdfast_projections::reader::{At, ReadFailure};
use serde::Serialize;
use serde::de::DeserializeOwned;
use utoipa::ToSchema;

use super::command::POSITION;
use super::cursor::Scope;
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

/// A list to be read.
#[derive(Debug)]
pub struct Wanted<'a> {
    /// Of which view.
    pub view: &'static str,
    /// Which entries.
    pub query: Query,
    /// Where the page before ended.
    pub cursor: Option<String>,
    /// Whom and what its cursors are made for.
    pub scope: Scope<'a>,
}

/// A page of a view's list, each document read as a `T`.
pub async fn list<T: Serialize + DeserializeOwned>(
    state: &State,
    wanted: Wanted<'_>,
) -> Result<HttpResponse, Problem> {
    let Wanted { view, query, cursor, scope } = wanted;
    let limit = query.limit;
    let after: Option<(i64, String)> =
        cursor.map(|text| state.cursors.open(&scope, &text)).transpose()?;
    let query = Query {
        after: after.map(|(at, key)| (at, Key::new(key))),
        // One more than the page holds says whether there is another.
        limit: limit.saturating_add(1),
        ..query
    };
    let At { position, value: mut entries } = state.node.reader.list(view, query).await?;
    let size = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = entries.len() > size;
    entries.truncate(size);
    let last = entries.last().filter(|_| more);
    let next_cursor = last
        .map(|entry| state.cursors.seal(&scope, &(entry.at, entry.key.as_str())))
        .transpose()?;
    let (items, parked) = shown::<T>(&entries)?;
    Ok(at(position, &Page { items, next_cursor, parked }))
}

/// What can be shown of these entries, and how many cannot: one row that does not read must not
/// hide the others, and nobody may believe that it is not there.
fn shown<T: DeserializeOwned>(entries: &[Entry]) -> Result<(Vec<T>, usize), Problem> {
    let documents = entries.iter().filter_map(|entry| entry.document.as_ref());
    let items: Vec<T> =
        documents.map(Document::read).collect::<Result<_, _>>().map_err(Problem::internal)?;
    let parked = entries.len().saturating_sub(items.len());
    Ok((items, parked))
}

impl From<ReadFailure> for Problem {
    fn from(failure: ReadFailure) -> Self {
        match failure {
            ReadFailure::Behind { at, .. } => {
                Self::new(Code::ReadModelBehind).with("position", at).retry_after(1)
            }
            ReadFailure::Parked(_) | ReadFailure::Building(_) | ReadFailure::Store(_) => {
                Self::unavailable(failure)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(key: &str, document: Option<u32>) -> Entry {
        let document = document.map(|value| Document::of(&value).unwrap());
        Entry { key: Key::new(key), at: 0, document }
    }

    #[test]
    fn a_parked_entry_is_left_out_and_counted() {
        let entries = [entry("a", Some(1)), entry("b", None), entry("c", Some(3))];
        assert_eq!(shown::<u32>(&entries).unwrap(), (vec![1, 3], 1));
        assert!(shown::<String>(&entries).is_err(), "a row of another shape is a fault of ours");
    }

    #[test]
    fn a_page_says_how_many_are_missing_only_when_some_are() {
        let said = |parked| {
            let page = Page { items: vec![1], next_cursor: None, parked };
            serde_json::to_value(page).unwrap().get("parked").cloned()
        };
        assert_eq!((said(0), said(2)), (None, Some(2.into())));
    }
}
