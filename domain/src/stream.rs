//! The names of streams: one stream per aggregate, `<category>-<uuid>`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::ids::{EventId, InvalidId};

/// The kinds of streams: one per aggregate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Category {
    /// A bookable person or room: its availability rules.
    Resource,
    /// The authority over a resource's open-ended time.
    Calendar,
    /// What can be booked.
    Offering,
    /// The authority over the seats of a dated class.
    Session,
    /// A customer's booking.
    Reservation,
    /// A payment and its refunds.
    Payment,
}

impl Category {
    /// Every category.
    pub const ALL: [Self; 6] = [
        Self::Resource,
        Self::Calendar,
        Self::Offering,
        Self::Session,
        Self::Reservation,
        Self::Payment,
    ];

    /// The stored name; it holds no hyphen.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Resource => "resource",
            Self::Calendar => "calendar",
            Self::Offering => "offering",
            Self::Session => "session",
            Self::Reservation => "reservation",
            Self::Payment => "payment",
        }
    }
}

/// The name of a stream: `<category>-<uuid>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct StreamId {
    category: Category,
    id: Uuid,
}

impl StreamId {
    /// The stream of the aggregate `id` in `category`.
    pub const fn new(category: Category, id: Uuid) -> Self {
        Self { category, id }
    }

    /// Which kind of aggregate it holds.
    pub const fn category(&self) -> Category {
        self.category
    }

    /// The aggregate's id.
    pub const fn id(&self) -> Uuid {
        self.id
    }
}

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.category.name(), self.id.hyphenated())
    }
}

impl FromStr for StreamId {
    type Err = InvalidId;
    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let (category, id) = text.split_once('-').ok_or(InvalidId)?;
        let category =
            Category::ALL.into_iter().find(|known| known.name() == category).ok_or(InvalidId)?;
        let canonical: EventId = id.parse()?;
        Ok(Self { category, id: *canonical.as_uuid() })
    }
}

impl TryFrom<String> for StreamId {
    type Error = InvalidId;
    fn try_from(text: String) -> Result<Self, InvalidId> {
        text.parse()
    }
}

impl From<StreamId> for String {
    fn from(stream: StreamId) -> Self {
        stream.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stream_names_round_trip_and_nothing_else_is_read() {
        let name = "calendar-018f2a10-7c5e-7000-8000-000000000001";
        assert_eq!(name.parse::<StreamId>().unwrap().to_string(), name);
        for wrong in
            ["calendar", "calendar-", "nothing-018f2a10-7c5e-7000-8000-000000000001", "calendar-x"]
        {
            assert_eq!(wrong.parse::<StreamId>(), Err(InvalidId), "{wrong}");
        }
    }
}
