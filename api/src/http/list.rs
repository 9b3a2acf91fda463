//! Lists of a view, page by page. A route says which entries its own parameters mean and which of
//! them the caller may see; everything else is the same for all lists and stands here.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest, HttpResponse};
use holdfast_projections::document::{Document, Key};
use holdfast_projections::ports::{Entry, Query};
use holdfast_projections::reader::At;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use utoipa::IntoParams;

use super::cursor::Scope;
use super::problem::Problem;
use super::query;
use super::read::{Page, at, page_limit, wait_for};
use crate::auth::Caller;
use crate::state::State;

/// What every list takes beside its own parameters.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct Paging {
    /// At most so many.
    limit: Option<u32>,
    /// Where the page before ended.
    cursor: Option<String>,
    /// Wait until the views show this position, at most 2 s.
    min_position: Option<u64>,
}

/// The names of its fields.
const PAGING: [&str; 3] = ["limit", "cursor", "min_position"];

/// A list as it was asked for; `T` are the parameters of its own, and must deny unknown fields.
#[derive(Debug)]
pub(crate) struct List<T> {
    own: T,
    paging: Paging,
}

fn read<T: DeserializeOwned>(text: &str) -> Result<List<T>, Problem> {
    let is_paging = |pair: &&str| PAGING.contains(&pair.split('=').next().unwrap_or_default());
    let (paging, own): (Vec<&str>, Vec<&str>) = text.split('&').partition(is_paging);
    Ok(List { own: query::read(&own.join("&"))?, paging: query::read(&paging.join("&"))? })
}

impl<T: DeserializeOwned> FromRequest for List<T> {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _body: &mut Payload) -> Self::Future {
        ready(read(request.query_string()))
    }
}

impl<T> List<T> {
    /// A page of a view, each document read as a `D`. `narrow` makes the query of the route's own
    /// parameters and of the caller's rights, once the views are where the client wants them.
    pub(crate) async fn of<D: Serialize + DeserializeOwned>(
        self,
        view: &'static str,
        state: &State,
        caller: &Caller,
        narrow: impl AsyncFnOnce(T) -> Result<Query, Problem>,
    ) -> Result<HttpResponse, Problem> {
        let Paging { limit, cursor, min_position } = self.paging;
        wait_for(state, min_position).await?;
        let query = narrow(self.own).await?;
        // Of what is asked for: a cursor is worth nothing for another list.
        let filter = format!("{query:?}");
        let scope = Scope { purpose: view, principal: Some(caller.principal), filter: &filter };
        let limit = page_limit(state, limit)?;
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
        let (items, parked) = shown::<D>(&entries)?;
        Ok(at(position, &Page { items, next_cursor, parked }))
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::problems::Code;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Own {
        from: Option<i64>,
    }

    #[test]
    fn a_list_takes_its_own_parameters_and_those_of_every_list() {
        let list = read::<Own>("limit=5&from=7&cursor=a%20b&min_position=9").unwrap();
        assert_eq!(list.own.from, Some(7));
        let Paging { limit, cursor, min_position } = list.paging;
        assert_eq!((limit, min_position), (Some(5), Some(9)));
        assert_eq!(cursor.as_deref(), Some("a b"));
        assert!(read::<Own>("").is_ok());
        let wrong = ["limit=x", "from=x", "limit=1&limit=1", "from=1&from=1", "to=1", "limits=1"];
        for wrong in wrong {
            assert_eq!(read::<Own>(wrong).unwrap_err().code(), Code::InvalidQuery, "{wrong}");
        }
    }

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
}
