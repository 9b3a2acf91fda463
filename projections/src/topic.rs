//! What one can subscribe to, and the cursors that order its changes. Who may see a topic is the
//! edge's business.

use std::fmt;
use std::str::FromStr;

use holdfast_domain::ids::{InvalidId, OfferingId, PrincipalId, ReservationId, ResourceId};
use holdfast_domain::log::Position;

/// A subject whose changes are kept in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Topic {
    /// One booking and its payment.
    Reservation(ReservationId),
    /// What is taken of a resource's time.
    Calendar(ResourceId),
    /// The free starts of an offering, one key per local date.
    Slots(OfferingId),
    /// One's own bookings and payments.
    Me(PrincipalId),
    /// How far the views are. Served from the runner's status; no change is kept for it.
    Projections,
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reservation(id) => write!(f, "reservation:{id}"),
            Self::Calendar(id) => write!(f, "resource:{id}:calendar"),
            Self::Slots(id) => write!(f, "offering:{id}:slots"),
            Self::Me(id) => write!(f, "me:{id}"),
            Self::Projections => f.write_str("projections"),
        }
    }
}

impl FromStr for Topic {
    type Err = InvalidId;
    fn from_str(text: &str) -> Result<Self, InvalidId> {
        if text == "projections" {
            return Ok(Self::Projections);
        }
        let (subject, rest) = text.split_once(':').ok_or(InvalidId)?;
        match (subject, rest.split_once(':')) {
            ("reservation", None) => rest.parse().map(Self::Reservation),
            ("me", None) => rest.parse().map(Self::Me),
            ("resource", Some((id, "calendar"))) => id.parse().map(Self::Calendar),
            ("offering", Some((id, "slots"))) => id.parse().map(Self::Slots),
            (_, _) => Err(InvalidId),
        }
    }
}

/// The place of a change: the position of its event, and its number among the changes of that
/// event. It follows from the log and the projectors alone, so a rebuild, a restored store or
/// another node gives the same change the same cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Cursor {
    /// The position of the event.
    pub position: Position,
    /// Which of its changes: the view's lane in the upper half, a count in the lower.
    pub ordinal: u64,
}

impl Cursor {
    /// Before the first change.
    pub const START: Self = Self { position: Position::START, ordinal: 0 };

    /// After every change of the events up to `position`, as the views were when their registry
    /// was at `revision`. A later switch of a view makes even such a cursor too old.
    pub fn after(position: Position, revision: u64) -> Self {
        Self { position, ordinal: Self::LAST.saturating_add(revision).min(u64::MAX >> 1) }
    }

    /// Above every change of a position, and half of what SQL stores can count with a sign.
    const LAST: u64 = 1 << 62;

    /// The change number `count` of the view in `lane`.
    pub fn of(position: Position, lane: u16, count: u32) -> Self {
        Self { position, ordinal: u64::from(lane) << 32 | u64::from(count) }
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.position, self.ordinal)
    }
}

/// The text is not a cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a cursor")]
pub struct InvalidCursor;

impl FromStr for Cursor {
    type Err = InvalidCursor;
    fn from_str(text: &str) -> Result<Self, InvalidCursor> {
        let (position, ordinal) = text.split_once('.').ok_or(InvalidCursor)?;
        let number = |digits: &str| digits.parse().map_err(|_not_a_number| InvalidCursor);
        let cursor = Self { position: Position(number(position)?), ordinal: number(ordinal)? };
        // One spelling, and within what the stores can compare.
        let fits = cursor.position.0 < 1 << 53 && cursor.ordinal <= u64::MAX >> 1;
        if fits && cursor.to_string() == text { Ok(cursor) } else { Err(InvalidCursor) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_round_trip_and_nothing_else_is_read() {
        let id = "018f2a10-7c5e-7000-8000-000000000001";
        for text in [
            format!("reservation:{id}"),
            format!("resource:{id}:calendar"),
            format!("offering:{id}:slots"),
            format!("me:{id}"),
            "projections".to_owned(),
        ] {
            assert_eq!(text.parse::<Topic>().unwrap().to_string(), text);
        }
        for wrong in ["", "me", "me:", "events", "reservation:x", "resource:x:calendar"] {
            assert!(wrong.parse::<Topic>().is_err(), "{wrong}");
        }
        assert!(format!("resource:{id}").parse::<Topic>().is_err());
        assert!(format!("reservation:{id}:calendar").parse::<Topic>().is_err());
    }

    #[test]
    fn cursors_are_ordered_by_position_then_lane_then_count() {
        let at = |position, lane, count| Cursor::of(Position(position), lane, count);
        assert!(at(1, 9, 9) < at(2, 0, 0) && at(2, 0, 9) < at(2, 1, 0));
        assert!(at(2, u16::MAX, u32::MAX) < Cursor::after(Position(2), 0));
        assert!(Cursor::after(Position(2), 1) < Cursor::after(Position(2), 2));
        assert_eq!(at(2, 1, 3).to_string().parse(), Ok(at(2, 1, 3)));
        assert_eq!("02.1".parse::<Cursor>(), Err(InvalidCursor));
        assert_eq!("1.18446744073709551615".parse::<Cursor>(), Err(InvalidCursor));
    }
}
