//! Opening hours as instants: wall-clock rules of a zone become stretches of time, by the gap and
//! fold policy of [`crate::time::zone`]. A time that the clock skips is never inside, a time that
//! it shows twice is inside twice. What is taken of the open time is the calendar's business.

use crate::booking::resource::{Hours, Schedule};
use crate::time::zone::{Fold, LocalDate, Zone};
use crate::time::{Interval, Timestamp};

/// How many dates one look covers at most: the longest booking window and some days around it.
const DATES_MAX: usize = 800;

/// A stretch that is open without a break.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Run {
    /// From its opening to its closing.
    pub(super) open: Interval,
    /// Where offered times are counted from, rising: its start, and the first opening of each date
    /// inside. A resource that never closes is so counted anew each day, and what is offered on a
    /// date does not depend on how far before it somebody looks.
    pub(super) anchors: Vec<Timestamp>,
}

/// The open time between `from` and `to`, in order, as few ranges as possible. Looks at no more
/// than 800 dates.
pub fn open_ranges(
    schedule: &Schedule,
    zone: &Zone,
    from: Timestamp,
    to: Timestamp,
) -> Vec<Interval> {
    runs(schedule, zone, from, to)
        .into_iter()
        .filter_map(|run| {
            Interval::try_new(run.open.start().max(from), run.open.end().min(to)).ok()
        })
        .collect()
}

/// Whether `booked` starts at a whole minute and lies inside opening hours: such a time can be
/// asked for, whether it is one of those that are offered or not.
pub fn is_open(schedule: &Schedule, zone: &Zone, booked: Interval) -> bool {
    whole_minute(booked.start()) == booked.start()
        && runs(schedule, zone, booked.start(), booked.end())
            .iter()
            .any(|run| run.open.contains(&booked))
}

/// The first whole minute that is not before `at`.
pub(super) fn whole_minute(at: Timestamp) -> Timestamp {
    const MINUTE: i64 = 60_000_000;
    let beyond = at.micros().rem_euclid(MINUTE);
    if beyond == 0 {
        at
    } else {
        Timestamp::from_micros(at.micros().saturating_add(MINUTE.saturating_sub(beyond)))
    }
}

/// Everything that is open on the dates from the one before `from` to the one of `to`. The date
/// before is looked at because its hours may run past midnight.
pub(super) fn runs(schedule: &Schedule, zone: &Zone, from: Timestamp, to: Timestamp) -> Vec<Run> {
    let last = zone.date(to);
    let dates =
        std::iter::successors(Some(zone.date(from).minus_days(1)), |date| Some(date.next()));
    let mut openings: Vec<Opening> = dates
        .take_while(|date| *date <= last)
        .take(DATES_MAX)
        .flat_map(|date| openings_on(schedule, zone, date))
        .collect();
    openings.sort_by_key(|opening| opening.hours);
    let away = merged_absences(schedule);
    merge(openings).iter().flat_map(|run| without(run, &away)).collect()
}

/// The hours of one date as instants.
struct Opening {
    hours: Interval,
    first_of_date: bool,
}

fn openings_on(schedule: &Schedule, zone: &Zone, date: LocalDate) -> Vec<Opening> {
    let hours: Vec<_> = schedule
        .hours_on(date)
        .into_iter()
        .filter_map(|hours| instants(hours, zone, date))
        .collect();
    let first = hours.iter().map(Interval::start).min();
    hours
        .into_iter()
        .map(|hours| Opening { hours, first_of_date: Some(hours.start()) == first })
        .collect()
}

/// Hours that lie wholly in a gap have no instants.
fn instants(hours: Hours, zone: &Zone, date: LocalDate) -> Option<Interval> {
    let closes_on = if hours.to > hours.from { date } else { date.next() };
    let (opens, _) = zone.instant(date, hours.from, Fold::Earlier);
    let (closes, _) = zone.instant(closes_on, hours.to, Fold::Later);
    Interval::try_new(opens, closes).ok()
}

/// Joins what touches or overlaps; the openings come in order of their start.
fn merge(openings: Vec<Opening>) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for Opening { hours, first_of_date } in openings {
        match runs.last_mut() {
            Some(run) if hours.start() <= run.open.end() => {
                run.open = joined(run.open, hours);
                if first_of_date && run.anchors.last() != Some(&hours.start()) {
                    run.anchors.push(hours.start());
                }
            }
            Some(_) | None => runs.push(Run { open: hours, anchors: vec![hours.start()] }),
        }
    }
    runs
}

fn joined(one: Interval, other: Interval) -> Interval {
    Interval::try_new(one.start().min(other.start()), one.end().max(other.end())).unwrap_or(one)
}

fn merged_absences(schedule: &Schedule) -> Vec<Interval> {
    let mut absences = schedule.time_off.clone();
    absences.sort_unstable();
    let mut merged: Vec<Interval> = Vec::new();
    for absence in absences {
        match merged.last_mut() {
            Some(last) if absence.start() <= last.end() => *last = joined(*last, absence),
            Some(_) | None => merged.push(absence),
        }
    }
    merged
}

/// What is left of a run when somebody is away; each piece is counted from its own start.
fn without(run: &Run, away: &[Interval]) -> Vec<Run> {
    let (mut left, mut pieces) = (run.open.start(), Vec::new());
    let beyond = [run.open.end()];
    let starts = away.iter().filter(|absence| absence.overlaps(&run.open));
    let ends = starts.clone().map(Interval::end);
    for (closes, opens_again) in starts.map(Interval::start).chain(beyond).zip(ends.chain(beyond)) {
        if let Ok(open) = Interval::try_new(left, closes) {
            let later = run.anchors.iter().filter(|at| left < **at && **at < closes);
            let anchors = std::iter::once(left).chain(later.copied()).collect();
            pieces.push(Run { open, anchors });
        }
        left = opens_again;
    }
    pieces
}
