//! Instants and intervals. What a wall clock says in a zone is [`zone`]'s business.

pub mod zone;

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};

/// Why a text or a pair of instants is not a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TimeError {
    /// Not RFC 3339 with an offset, or outside the years 1970 to 9999.
    #[error("not an RFC 3339 instant with an offset, between the years 1970 and 9999")]
    NotAnInstant,
    /// The end is not after the start.
    #[error("an interval must end after it starts")]
    EmptyInterval,
}

/// An instant in UTC, floored to microseconds, between the years 1970 and 9999.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Timestamp(i64);

/// 9999-12-31T23:59:59.999999Z in microseconds since 1970.
const LAST_MICROS: i64 = 253_402_300_799_999_999;

impl Timestamp {
    /// The earliest instant there is: 1970-01-01T00:00:00Z.
    pub const MIN: Self = Self(0);
    /// The latest instant there is: the end of the year 9999.
    pub const MAX: Self = Self(LAST_MICROS);

    /// From microseconds since 1970, clamped to what can be represented.
    pub const fn from_micros(micros: i64) -> Self {
        if micros < 0 {
            Self(0)
        } else if micros > LAST_MICROS {
            Self(LAST_MICROS)
        } else {
            Self(micros)
        }
    }

    /// Microseconds since 1970.
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// Later by `by`; saturates at the year 9999.
    #[must_use]
    pub fn plus(self, by: Duration) -> Self {
        let by = i64::try_from(by.as_micros()).unwrap_or(i64::MAX);
        Self::from_micros(self.0.saturating_add(by))
    }

    /// Earlier by `by`; saturates at 1970.
    #[must_use]
    pub fn minus(self, by: Duration) -> Self {
        let by = i64::try_from(by.as_micros()).unwrap_or(i64::MAX);
        Self::from_micros(self.0.saturating_sub(by))
    }

    /// How long after `earlier` this is; zero when it is not after.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

impl From<DateTime<Utc>> for Timestamp {
    fn from(instant: DateTime<Utc>) -> Self {
        Self::from_micros(instant.timestamp_micros())
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let instant = DateTime::<Utc>::from_timestamp_micros(self.0).unwrap_or_default();
        f.write_str(&instant.to_rfc3339_opts(SecondsFormat::AutoSi, true))
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Timestamp {
    type Err = TimeError;

    /// Reads RFC 3339 with any offset. A leap second reads as the first instant after it.
    fn from_str(text: &str) -> Result<Self, TimeError> {
        let instant = DateTime::parse_from_rfc3339(text).map_err(|_why| TimeError::NotAnInstant)?;
        let micros = instant.timestamp_micros();
        if (0..=LAST_MICROS).contains(&micros) {
            Ok(Self(micros))
        } else {
            Err(TimeError::NotAnInstant)
        }
    }
}

impl TryFrom<String> for Timestamp {
    type Error = TimeError;
    fn try_from(text: String) -> Result<Self, TimeError> {
        text.parse()
    }
}

impl From<Timestamp> for String {
    fn from(instant: Timestamp) -> Self {
        instant.to_string()
    }
}

/// A half-open stretch of time, `[start, end)`: two that touch do not overlap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "Bounds", into = "Bounds")]
pub struct Interval {
    start: Timestamp,
    end: Timestamp,
}

/// The stored form of an [`Interval`], not yet known to be one.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Bounds {
    start: Timestamp,
    end: Timestamp,
}

impl Interval {
    /// From its bounds; the end must be after the start.
    pub fn try_new(start: Timestamp, end: Timestamp) -> Result<Self, TimeError> {
        if start < end { Ok(Self { start, end }) } else { Err(TimeError::EmptyInterval) }
    }

    /// The first instant inside.
    pub const fn start(&self) -> Timestamp {
        self.start
    }

    /// The first instant after it.
    pub const fn end(&self) -> Timestamp {
        self.end
    }

    /// Whether the two share an instant.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.start < other.end && other.start < self.end
    }

    /// Whether all of `other` lies inside.
    pub fn contains(&self, other: &Self) -> bool {
        self.start <= other.start && other.end <= self.end
    }

    /// The same stretch with `before` and `after` added at its ends.
    #[must_use]
    pub fn widened(&self, before: Duration, after: Duration) -> Self {
        Self { start: self.start.minus(before), end: self.end.plus(after) }
    }
}

impl TryFrom<Bounds> for Interval {
    type Error = TimeError;
    fn try_from(bounds: Bounds) -> Result<Self, TimeError> {
        Self::try_new(bounds.start, bounds.end)
    }
}

impl From<Interval> for Bounds {
    fn from(interval: Interval) -> Self {
        Self { start: interval.start, end: interval.end }
    }
}

/// Whole minutes as a duration.
pub const fn minutes(count: u32) -> Duration {
    Duration::from_mins(1).saturating_mul(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn instants_are_floored_to_microseconds_and_written_in_utc() {
        assert_eq!(
            at("2026-03-09T10:00:00.1234567+09:00").to_string(),
            "2026-03-09T01:00:00.123456Z"
        );
        assert_eq!(at("2026-03-09T01:00:00Z").to_string(), "2026-03-09T01:00:00Z");
    }

    #[test]
    fn what_is_not_an_instant_is_refused() {
        for wrong in [
            "",
            "2026-03-09",
            "2026-03-09T10:00:00",
            "2026-02-30T00:00:00Z",
            "1969-12-31T23:59:59Z",
            "10000-01-01T00:00:00Z",
            "1e400",
        ] {
            assert_eq!(wrong.parse::<Timestamp>(), Err(TimeError::NotAnInstant), "{wrong}");
        }
    }

    #[test]
    fn intervals_that_touch_do_not_overlap() {
        let (a, b, c) =
            (at("2026-03-09T01:00:00Z"), at("2026-03-09T02:00:00Z"), at("2026-03-09T03:00:00Z"));
        let (first, second) = (Interval::try_new(a, b).unwrap(), Interval::try_new(b, c).unwrap());
        assert!(!first.overlaps(&second) && !second.overlaps(&first));
        assert!(first.overlaps(&Interval::try_new(a, c).unwrap()));
        assert_eq!(Interval::try_new(b, b), Err(TimeError::EmptyInterval));
    }
}
