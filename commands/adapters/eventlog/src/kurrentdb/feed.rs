//! The log in order, and streams as they are stored. A page is read up to the end of an append: the
//! events say how many of theirs are still to come.

use holdfast_domain::log::{Hash, Position, ReadError, Revision, StoredEvent};

use super::calls::Along;
use super::envelope::Found;
use super::{Core, PAGE};

impl Core {
    /// Up to `limit` events behind a position; with `whole`, and the rest of the last one's append.
    pub(super) async fn behind(
        &self,
        after: Position,
        limit: usize,
        whole: bool,
    ) -> Result<Vec<StoredEvent>, ReadError> {
        let mut found: Vec<Found> = Vec::new();
        let mut at = after;
        let mut missing = limit;
        while missing > 0 {
            let wanted = missing.min(PAGE);
            let read = self.link.read_all(Along::After(at), wanted).await;
            let read = read.map_err(|why| ReadError::Unavailable(why.why()))?;
            let came = read.len();
            found.extend(
                read.into_iter()
                    .map(|recorded| self.link.open(recorded))
                    .collect::<Result<Vec<_>, _>>()?,
            );
            at = found.last().map_or(at, |last| last.event.position);
            missing = match (limit.saturating_sub(found.len()), found.last()) {
                (0, Some(last)) => usize::try_from(last.left).unwrap_or(0),
                (more, _) if came == wanted => more,
                (_, _) => 0,
            };
        }
        if let Some(last) = found.last() {
            self.seen(last.event.position);
        }
        let mut events = with_ends(found);
        if !whole {
            events.truncate(limit);
        }
        Ok(events)
    }

    /// The events of a stream from a revision on, with what their appends know.
    pub(super) async fn of_stream(
        &self,
        stream: &str,
        from: Revision,
        limit: usize,
    ) -> Result<Vec<Found>, ReadError> {
        let mut found: Vec<Found> = Vec::new();
        let mut missing = limit;
        while missing > 0 {
            let wanted = missing.min(PAGE);
            let next = found.last().map_or(from, |last| last.event.revision.next());
            let read = self.link.read(stream, next, wanted).await;
            let read = read.map_err(|why| ReadError::Unavailable(why.why()))?;
            let came = read.len();
            found.extend(
                read.into_iter()
                    .map(|recorded| self.link.open(recorded))
                    .collect::<Result<Vec<_>, _>>()?,
            );
            missing = match (limit.saturating_sub(found.len()), found.last()) {
                (0, Some(last)) => usize::try_from(last.left).unwrap_or(0),
                (more, _) if came == wanted => more,
                (_, _) => 0,
            };
        }
        Ok(found)
    }

    /// The link of the last event at or before a position.
    pub(super) async fn hash_at(&self, position: Position) -> Result<Option<Hash>, ReadError> {
        let unavailable = |why: super::link::Failure| ReadError::Unavailable(why.why());
        if position == Position::START {
            return Ok(None);
        }
        // Nearly always it is the position of an event.
        if let Ok(read) = self.link.read_all(Along::At(position), 1).await
            && let Some(there) = read.into_iter().find(|it| it.position.prepare == position.0)
        {
            return Ok(Some(self.link.open(there)?.event.hash));
        }
        // A read may begin only where an event stands: so look from the end towards the position.
        let mut along = Along::End;
        loop {
            let read = self.link.read_all(along, PAGE).await.map_err(unavailable)?;
            let last = read.last().map(|last| Position(last.position.prepare));
            if let Some(there) = read.into_iter().find(|it| it.position.prepare <= position.0) {
                return Ok(Some(self.link.open(there)?.event.hash));
            }
            let Some(last) = last else { return Ok(None) };
            along = Along::Before(last);
        }
    }
}

/// Fills in where appends end.
pub(super) fn with_ends(found: Vec<Found>) -> Vec<StoredEvent> {
    let mut events: Vec<StoredEvent> = Vec::with_capacity(found.len());
    let mut end = None;
    for Found { mut event, left, .. } in found.into_iter().rev() {
        // Events of one append stand side by side.
        let of_the_same = if left == 0 { None } else { end };
        event.append_end = of_the_same.unwrap_or(event.position);
        end = Some(event.append_end);
        events.push(event);
    }
    events.reverse();
    events
}
