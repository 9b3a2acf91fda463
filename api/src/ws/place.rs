//! Cursors of pushes on the wire: opaque, authenticated, bound to the principal and to the topics.
//! They name the life of the log, so that one from before a restore is recognised.

use holdfast_domain::ids::{Epoch, PrincipalId};
use holdfast_domain::log::Position;
use holdfast_projections::topic::Cursor;

use crate::http::cursor::{Cursors, Scope};
use crate::http::problem::Problem;
use crate::problems::Code;

/// Up to where a subscriber has heard everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// In which life of the log.
    pub epoch: Epoch,
    /// Of the changes of the views, when it hears any.
    pub changes: Option<Cursor>,
    /// Of the events of the log, when it hears any.
    pub events: Option<Position>,
}

fn scope(principal: PrincipalId, topics: &str) -> Scope<'_> {
    Scope { purpose: "ws", principal: Some(principal), filter: topics }
}

impl Place {
    /// Writes a place for one principal and these topics.
    pub fn seal(
        &self,
        cursors: &Cursors,
        principal: PrincipalId,
        topics: &str,
    ) -> Result<String, Problem> {
        let changes = self.changes.map(|cursor| cursor.to_string());
        cursors.write(&scope(principal, topics), &(self.epoch, changes, self.events))
    }

    /// Reads a place that was written for this principal and these topics.
    pub fn open(
        cursors: &Cursors,
        principal: PrincipalId,
        topics: &str,
        text: &str,
    ) -> Result<Self, Problem> {
        type Written = (Epoch, Option<String>, Option<Position>);
        let (epoch, changes, events): Written = cursors.read(&scope(principal, topics), text)?;
        let changes = changes.map(|text| text.parse::<Cursor>()).transpose();
        let changes = changes.map_err(|_not_ours| Problem::new(Code::BadCursor))?;
        Ok(Self { epoch, changes, events })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_by_whom_it_was_written_for_and_for_the_same_topics() {
        let data = tempfile::tempdir().unwrap();
        let [one, other] = [1, 2].map(|last| {
            format!("018f2a10-7c5e-7000-8000-00000000000{last}").parse::<PrincipalId>().unwrap()
        });
        let epoch = "018f2a10-7c5e-7000-8000-000000000009".parse().unwrap();
        let cursors = Cursors::new(crate::keys::Keys::open(data.path()).unwrap().cursor, epoch);
        let changes = Some(Cursor::of(Position(7), 3, 1));
        let place = Place { epoch, changes, events: Some(Position(9)) };
        let text = place.seal(&cursors, one, "me").unwrap();
        assert_eq!(Place::open(&cursors, one, "me", &text).unwrap(), place);
        assert!(Place::open(&cursors, other, "me", &text).is_err());
        assert!(Place::open(&cursors, one, "events", &text).is_err());
        assert!(Place::open(&cursors, one, "me", "7.1").is_err());
    }
}
