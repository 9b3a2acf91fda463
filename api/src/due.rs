//! The bridge from the view of deadlines to the port of the processes.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use holdfast_commands::ports::{Due, DueIndex, DuePage, DuePlace, DueUnavailable};
use holdfast_domain::ids::ReservationId;
use holdfast_domain::log::{Pending, Position};
use holdfast_domain::time::Timestamp;
use holdfast_projections::Reader;
use holdfast_projections::document::Key;
use holdfast_projections::ports::Query;
use holdfast_projections::reader::ReadFailure;
use holdfast_projections::views::due::{DUE, DueDocument};
use tokio::sync::{Mutex, watch};

/// How soon to look again while the view is being made.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// Reads what is due from the views.
#[derive(Debug)]
pub struct DueReads {
    reader: Reader,
    moved: Arc<Mutex<watch::Receiver<Position>>>,
}

impl DueReads {
    /// Over these views.
    pub fn new(reader: Reader) -> Self {
        let moved = Arc::new(Mutex::new(reader.watch()));
        Self { reader, moved }
    }

    async fn read(
        &self,
        now: Timestamp,
        after: Option<DuePlace>,
        limit: usize,
    ) -> Result<DuePage, DueUnavailable> {
        let unavailable = |why: String| DueUnavailable(why);
        // One more than asked for: the first that is not due yet says when to look again.
        let limit = u32::try_from(limit).unwrap_or(u32::MAX).saturating_add(1);
        let after = after.map(|place| (place.at, Key::new(place.key)));
        let query = Query { after, limit, ..Query::default() };
        let found = match self.reader.list(DUE, query).await {
            Ok(found) => found.value,
            // A node that just started: nothing is known to be due until the view is there.
            Err(ReadFailure::Building(_)) => {
                let next = Some(now.plus(LOOK_AGAIN));
                return Ok(DuePage { next, ..DuePage::default() });
            }
            Err(why) => return Err(unavailable(why.to_string())),
        };
        let (mut due, mut next) = (BTreeMap::<ReservationId, Timestamp>::new(), None);
        let full = found.len() >= usize::try_from(limit).unwrap_or(usize::MAX);
        let last = found.last().map(|entry| DuePlace { at: entry.at, key: entry.key.to_string() });
        for entry in found {
            // A parked entry is shown on health; the other entries go on.
            let Some(document) = entry.document else { continue };
            let document: DueDocument =
                document.read().map_err(|why| unavailable(why.to_string()))?;
            if document.due_at > now {
                next = Some(document.due_at);
                break;
            }
            // A reservation can stand here twice, for its seat and for its money.
            due.entry(document.reservation_id).or_insert(document.due_at);
        }
        let mut due: Vec<_> =
            due.into_iter().map(|(reservation, at)| Due { reservation, at }).collect();
        due.sort_by_key(|entry| entry.at);
        // Only a page that is due to its end can hide more.
        let after = last.filter(|_| full && next.is_none());
        Ok(DuePage { due, after, next })
    }
}

impl DueIndex for DueReads {
    fn due(
        &self,
        now: Timestamp,
        after: Option<DuePlace>,
        limit: usize,
    ) -> Pending<'_, Result<DuePage, DueUnavailable>> {
        Box::pin(self.read(now, after, limit))
    }

    fn changed(&self) -> Pending<'_, ()> {
        Box::pin(async move {
            let mut moved = self.moved.lock().await;
            if moved.changed().await.is_err() {
                // The runner is gone: nothing will change any more.
                std::future::pending::<()>().await;
            }
        })
    }
}
