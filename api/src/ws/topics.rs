//! The topics as clients name them, and who may hear of them. The same rule for sockets and for
//! server-sent events. A topic that the caller may not see is refused alike whether it exists or
//! not.

use std::sync::Arc;
use std::time::Duration;

use holdfast_domain::actor::Role;
use holdfast_domain::booking::offering::Availability;
use holdfast_domain::ids::{OfferingId, PrincipalId, ReservationId, ResourceId};
use holdfast_projections::document::Key;
use holdfast_projections::topic::Topic;
use holdfast_projections::typed::View as _;
use holdfast_projections::views::offerings::{OfferingDocument, Offerings};
use holdfast_projections::views::resources::{ResourceDocument, Resources};

use crate::auth::Caller;
use crate::http::problem::Problem;
use crate::state::State;

/// How long a right that the views do not show yet may take to be seen.
const SEEN_WITHIN: Duration = Duration::from_secs(2);

/// What can be heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// Changes of the views.
    Changes(Topic),
    /// How far the views are.
    Projections,
    /// Every event of the log.
    Events,
}

impl Subject {
    /// Reads a topic's name; `me` is the caller's own.
    pub fn read(name: &str, me: PrincipalId) -> Option<Self> {
        match name {
            "me" => Some(Self::Changes(Topic::Me(me))),
            "projections" => Some(Self::Projections),
            "events" => Some(Self::Events),
            other => match other.parse().ok()? {
                // One's own topic has one name, and nobody else's has any.
                Topic::Me(_) | Topic::Projections => None,
                topic @ (Topic::Reservation(_) | Topic::Calendar(_) | Topic::Slots(_)) => {
                    Some(Self::Changes(topic))
                }
            },
        }
    }
}

/// Whether the caller may hear of it.
pub async fn may_hear(state: &State, caller: &Caller, subject: Subject) -> Result<bool, Problem> {
    let overseer = caller.has(Role::Auditor) || caller.has(Role::Admin);
    match subject {
        Subject::Events => Ok(caller.has(Role::Auditor)),
        Subject::Projections | Subject::Changes(Topic::Projections) => Ok(caller.has(Role::Admin)),
        Subject::Changes(Topic::Me(id)) => Ok(id == caller.principal),
        Subject::Changes(Topic::Reservation(id)) => {
            Ok(overseer || takes_part(state, caller, id).await?)
        }
        Subject::Changes(Topic::Calendar(id)) => {
            Ok(overseer || seen(state, || owns(state, caller, id)).await?)
        }
        Subject::Changes(Topic::Slots(id)) => seen(state, || may_book(state, caller, id)).await,
    }
}

async fn takes_part(state: &State, caller: &Caller, id: ReservationId) -> Result<bool, Problem> {
    let about = state.node.engine.routes().reservation(id).await.map_err(Problem::unavailable)?;
    Ok(about.is_some_and(|about| {
        about.customer == caller.principal || about.provider == caller.principal
    }))
}

async fn owns(state: &State, caller: &Caller, id: ResourceId) -> Result<bool, Problem> {
    let found = state.node.reader.value::<ResourceDocument>(Resources::NAME, Key::new(id)).await?;
    Ok(found.value.is_some_and(|resource| resource.owner == caller.principal))
}

async fn may_book(state: &State, caller: &Caller, id: OfferingId) -> Result<bool, Problem> {
    let found = state.node.reader.value::<OfferingDocument>(Offerings::NAME, Key::new(id)).await?;
    Ok(found.value.is_some_and(|offering| {
        offering.status == Availability::Published || offering.provider == caller.principal
    }))
}

/// Asks the views; when they refuse, asks again when they are as far as the log is now, so that
/// what the caller was told a moment ago is not unknown here.
async fn seen<F, A>(state: &State, ask: F) -> Result<bool, Problem>
where
    F: Fn() -> A,
    A: Future<Output = Result<bool, Problem>>,
{
    if ask().await? {
        return Ok(true);
    }
    let feed = Arc::clone(&state.node.feed);
    let head = feed.head().await.map_err(Problem::unavailable)?.position;
    state.node.reader.wait_for(head, tokio::time::sleep(SEEN_WITHIN)).await?;
    ask().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_has_one_name() {
        let id = "018f2a10-7c5e-7000-8000-000000000001";
        let me: PrincipalId = id.parse().unwrap();
        assert_eq!(Subject::read("me", me), Some(Subject::Changes(Topic::Me(me))));
        assert_eq!(Subject::read("events", me), Some(Subject::Events));
        let reservation = Topic::Reservation(id.parse().unwrap());
        let name = format!("reservation:{id}");
        assert_eq!(Subject::read(&name, me), Some(Subject::Changes(reservation)));
        for wrong in [format!("me:{id}"), String::new(), "reservation:".into(), "Events".into()] {
            assert_eq!(Subject::read(&wrong, me), None, "{wrong}");
        }
    }
}
