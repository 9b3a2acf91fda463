//! Free-slot search over random hours, bookings and zones, around the days on which clocks are set:
//! what is offered is open, free, and in order; what could be booked is not far from an offer; and
//! opening hours say of each minute what the wall clock says.

use holdfast_domain::booking::calendar::{Calendar, CalendarCommand};
use holdfast_domain::booking::offering::Terms;
use holdfast_domain::booking::resource::{DateOverride, Hours, Registered, Schedule, WeeklyHours};
use holdfast_domain::booking::slots::{Search, Slot, free_slots, is_open, open_ranges};
use holdfast_domain::decider::Decider;
use holdfast_domain::ids::{HoldId, PrincipalId, ReservationId};
use holdfast_domain::time::zone::{LocalDate, LocalTime, Weekday, Zone};
use holdfast_domain::time::{Interval, Timestamp, minutes};
use proptest::prelude::*;
use proptest::sample::select;
use uuid::Uuid;

use crate::harness::{Verdict, assert_caught, assert_law, ensure};

/// Zones, each with a day on which its clock is set forward, one on which it is set back, or none.
const DAYS: [(&str, &str); 9] = [
    ("America/New_York", "2026-03-08"),
    ("America/New_York", "2026-11-01"),
    ("Europe/Berlin", "2026-03-29"),
    ("Europe/Berlin", "2026-10-25"),
    // Set by half an hour.
    ("Australia/Lord_Howe", "2026-04-05"),
    ("Australia/Lord_Howe", "2026-10-04"),
    // Set at midnight.
    ("Asia/Beirut", "2026-03-29"),
    ("Asia/Beirut", "2026-10-25"),
    ("Asia/Seoul", "2026-03-09"),
];

/// Minutes of a day from midnight, in steps of five.
type Fives = u16;

#[derive(Debug, Clone)]
struct World {
    resource: Registered,
    terms: Terms,
    /// Starts and lengths in minutes from the opening, weights.
    bookings: Vec<(u32, u32, u32)>,
    from: Timestamp,
    to: Timestamp,
}

fn time(fives: Fives) -> LocalTime {
    let count = fives.saturating_mul(5);
    format!("{:02}:{:02}", count.div_euclid(60), count.rem_euclid(60)).parse().unwrap()
}

fn hours() -> impl Strategy<Value = Hours> {
    (0_u16..288, 0_u16..289)
        .prop_filter("hours have a length", |(from, to)| from != to)
        .prop_map(|(from, to)| Hours { from: time(from), to: time(to) })
}

fn schedule(zone: &Zone, day: LocalDate) -> impl Strategy<Value = Schedule> + use<> {
    let around = [day.minus_days(1), day, day.next()];
    let days: Vec<Weekday> = around.iter().map(|date| date.weekday()).collect();
    let weekly = (select(days), hours()).prop_map(|(day, hours)| WeeklyHours {
        day,
        from: hours.from,
        to: hours.to,
    });
    let dates = (prop::option::weighted(0.2, prop::collection::vec(hours(), 0..3)))
        .prop_map(move |hours| hours.map(|hours| DateOverride { date: day, hours }));
    let midnight = zone.instant(day, time(0), holdfast_domain::time::zone::Fold::Earlier).0;
    let away = (0_u64..172_800, 1_u64..20_000).prop_map(move |(start, length)| {
        let start = midnight.plus(std::time::Duration::from_secs(start));
        Interval::try_new(start, start.plus(std::time::Duration::from_secs(length))).unwrap()
    });
    (prop::collection::vec(weekly, 1..6), dates, prop::collection::vec(away, 0..3)).prop_map(
        |(weekly, dates, time_off)| Schedule {
            weekly,
            overrides: dates.into_iter().collect(),
            time_off,
        },
    )
}

fn terms() -> impl Strategy<Value = Terms> {
    (1_u32..120, 0_u32..30, 0_u32..30).prop_map(|(duration, before, after)| {
        serde_json::from_value(serde_json::json!({
            "duration_minutes": duration,
            "price": {"amount": 50_000, "currency": "KRW"},
            "buffers": {"before_minutes": before, "after_minutes": after},
            "min_notice_minutes": 0,
            "booking_window_days": 365,
            "booking_deadline_minutes": 0,
            "hold_minutes": 10,
            "capacity": null,
            "cancellation_policy": {"grace": null, "tiers": []},
        }))
        .unwrap()
    })
}

fn worlds() -> impl Strategy<Value = World> {
    let placed = select(DAYS.to_vec()).prop_flat_map(|(zone, day)| {
        let (zone, day): (Zone, LocalDate) = (zone.parse().unwrap(), day.parse().unwrap());
        (Just(zone.clone()), Just(day), schedule(&zone, day))
    });
    let bookings = prop::collection::vec((0_u32..4_000, 1_u32..180, 1_u32..3), 0..20);
    let window = (0_u32..3_000, 1_u32..2_000);
    (placed, 1_u32..4, terms(), bookings, window).prop_map(
        |((zone, day, schedule), capacity, terms, bookings, (after, length))| {
            let fold = holdfast_domain::time::zone::Fold::Earlier;
            let opening = zone.instant(day.minus_days(1), time(0), fold).0;
            let from = opening.plus(minutes(after));
            let resource = Registered {
                owner: PrincipalId::from_uuid(Uuid::from_u128(1)),
                display_name: "anyone".to_owned(),
                zone,
                capacity,
                schedule_version: 1,
                schedule,
            };
            World { resource, terms, bookings, from, to: from.plus(minutes(length)) }
        },
    )
}

impl World {
    fn now(&self) -> Timestamp {
        self.from.minus(minutes(2_880))
    }

    /// Places what fits of the bookings, wherever it stands.
    fn calendar(&self) -> Calendar {
        let place = |calendar: Calendar, (number, booking): (u128, &(u32, u32, u32))| {
            let (start, length, weight) = *booking;
            let start = self.from.minus(minutes(500)).plus(minutes(start));
            let booked = Interval::try_new(start, start.plus(minutes(length))).unwrap();
            let wanted = Wanted { number, booked, blocks: booked, weight };
            book(self, calendar, wanted)
        };
        (1_u128..).zip(&self.bookings).fold(Calendar::default(), |calendar, numbered| {
            place(calendar.clone(), numbered).unwrap_or(calendar)
        })
    }

    fn search<'a>(&'a self, calendar: &'a Calendar) -> Search<'a> {
        Search {
            resource: &self.resource,
            terms: &self.terms,
            calendar,
            from: self.from,
            to: self.to,
            now: self.now(),
            seats: 1,
            limit: 10_000,
        }
    }

    fn is_open(&self, booked: Interval) -> bool {
        is_open(&self.resource.schedule, &self.resource.zone, booked)
    }
}

/// A booking to be tried.
#[derive(Clone, Copy)]
struct Wanted {
    number: u128,
    booked: Interval,
    blocks: Interval,
    weight: u32,
}

/// The calendar with one more booking; `None` when it was refused.
fn book(world: &World, calendar: Calendar, wanted: Wanted) -> Option<Calendar> {
    let Wanted { number, booked, blocks, weight } = wanted;
    let place = CalendarCommand::Place {
        hold: HoldId::from_uuid(Uuid::from_u128(number)),
        reservation: ReservationId::from_uuid(Uuid::from_u128(number)),
        booked,
        blocks,
        weight,
        capacity: world.resource.capacity,
        expires_at: world.now().plus(minutes(10)),
        now: world.now(),
    };
    let events = calendar.decide(&place).ok()?;
    Some(events.iter().fold(calendar, Calendar::evolve))
}

/// The naive load: minute by minute, over everything that is there.
fn load(calendar: &Calendar, within: Interval) -> u32 {
    let each = std::iter::successors(Some(within.start()), |at| {
        Some(at.plus(minutes(1))).filter(|next| *next < within.end())
    });
    each.map(|at| {
        let covers = |blocks: Interval| blocks.start() <= at && at < blocks.end();
        let there = calendar.allocations().filter(|(_, it)| covers(it.blocks));
        there.fold(0_u32, |sum, (_, it)| sum.saturating_add(it.weight))
    })
    .max()
    .unwrap_or(0)
}

/// What is offered can be had, as often as it says, and comes in order inside the window.
fn offers_hold(world: &World, calendar: &Calendar, slots: &[Slot]) -> Verdict {
    let starts: Vec<_> = slots.iter().map(|slot| slot.interval.start()).collect();
    ensure(starts.is_sorted_by(|one, next| one < next), || format!("order {starts:?}"))?;
    for slot in slots {
        let Slot { interval, seats_left } = *slot;
        let right_length = world.terms.booked(interval.start()) == Some(interval);
        ensure(right_length, || format!("{interval:?} has another length"))?;
        let inside = world.from <= interval.start() && interval.start() < world.to;
        ensure(inside, || format!("{interval:?} is outside the window"))?;
        ensure(world.is_open(interval), || format!("{interval:?} is not open"))?;
        let blocks = world.terms.blocks(interval);
        let taken = load(calendar, blocks);
        let all = world.resource.capacity;
        ensure(taken.saturating_add(seats_left) == all && seats_left > 0, || {
            format!("{interval:?} leaves {seats_left} of {all}, but {taken} is taken")
        })?;
        let wanted = Wanted { number: 1_000, booked: interval, blocks, weight: seats_left };
        let booked = book(world, calendar.clone(), wanted);
        ensure(booked.is_some(), || format!("{interval:?} was offered and then refused"))?;
    }
    Ok(())
}

/// Whatever minute could be booked, an offer starts less than one duration before it.
fn offers_suffice(world: &World, calendar: &Calendar, slots: &[Slot]) -> Verdict {
    let duration = minutes(world.terms.duration_minutes);
    let mut start = world.from.plus(duration);
    while start < world.to {
        let booked = world.terms.booked(start).unwrap();
        let blocks = world.terms.blocks(booked);
        if load(calendar, blocks) < world.resource.capacity && world.is_open(booked) {
            let earliest = start.minus(duration);
            let near = slots.iter().map(|slot| slot.interval.start());
            let near = near.into_iter().any(|offered| earliest < offered && offered <= start);
            ensure(near, || format!("{start} could be booked, and nothing near is offered"))?;
        }
        // Not every minute: it would be the same answer many times over.
        start = start.plus(minutes(13));
    }
    Ok(())
}

fn law(world: &World, find: impl Fn(&Search<'_>) -> Vec<Slot>) -> Verdict {
    let calendar = world.calendar();
    let slots = find(&world.search(&calendar));
    offers_hold(world, &calendar, &slots)?;
    offers_suffice(world, &calendar, &slots)
}

/// What the wall clock says of an instant: whether one of the rules of its date, or of the date
/// before, covers the time it shows.
fn wall_clock_says_open(world: &World, at: Timestamp) -> bool {
    let Registered { zone, schedule, .. } = &world.resource;
    let local = zone.intent(at).local;
    let (date, clock) = local.split_once('T').unwrap();
    let date: LocalDate = date.parse().unwrap();
    let clock: LocalTime = clock.chars().take(5).collect::<String>().parse().unwrap();
    let today = schedule
        .hours_on(date)
        .into_iter()
        .any(|hours| hours.from <= clock && (clock < hours.to || hours.to < hours.from));
    let tonight = schedule
        .hours_on(date.minus_days(1))
        .into_iter()
        .any(|hours| hours.to < hours.from && clock < hours.to);
    let away = schedule.time_off.iter().any(|away| away.start() <= at && at < away.end());
    (today || tonight) && !away
}

/// Where the clock is set back, a range closes at the later of two instants and opens at the
/// earlier: it may be open though the wall clock alone would not say so, never the other way round.
fn hours_hold(world: &World, open: impl Fn(&World, Interval) -> bool) -> Verdict {
    let zone = &world.resource.zone;
    let ranges = open_ranges(&world.resource.schedule, zone, world.from, world.to);
    let apart = ranges.is_sorted_by(|one, next| one.end() < next.start());
    ensure(apart, || format!("ranges that touch are not joined: {ranges:?}"))?;
    let mut at = world.from;
    while at < world.to {
        // A minute that absence cuts in two is neither open nor closed.
        let minute = Interval::try_new(at, at.plus(minutes(1))).unwrap();
        let cuts = |edge: Timestamp| at < edge && edge < minute.end();
        let absences = &world.resource.schedule.time_off;
        if !absences.iter().any(|away| cuts(away.start()) || cuts(away.end())) {
            let (found, wall) = (open(world, minute), wall_clock_says_open(world, at));
            let set_back =
                zone.offset(at.minus(minutes(180))) != zone.offset(at.plus(minutes(180)));
            ensure(found == wall || (found && set_back), || {
                format!("{at} is open: {found}, but the wall clock says {wall}")
            })?;
            let listed = ranges.iter().any(|range| range.contains(&minute));
            ensure(listed == found || minute.end() > world.to, || {
                format!("{at} in a range: {listed}")
            })?;
        }
        at = at.plus(minutes(17));
    }
    Ok(())
}

#[test]
fn what_is_offered_can_be_booked_and_what_can_be_booked_is_near_an_offer() {
    assert_law(&worlds(), |world| law(&world, free_slots));
}

#[test]
fn opening_hours_are_what_the_wall_clock_says() {
    assert_law(&worlds(), |world| hours_hold(&world, World::is_open));
}

#[test]
fn a_search_that_forgets_something_is_noticed() {
    assert_caught("bookings are forgotten", &worlds(), |world| {
        law(&world, |search| free_slots(&Search { calendar: &Calendar::default(), ..*search }))
    });
    assert_caught("buffers are forgotten", &worlds(), |world| {
        let mut terms = world.terms.clone();
        terms.buffers = holdfast_domain::booking::offering::Buffers::default();
        law(&world, |search| free_slots(&Search { terms: &terms, ..*search }))
    });
    assert_caught("the zone is forgotten", &worlds(), |world| {
        let resource = Registered { zone: Zone::utc(), ..world.resource.clone() };
        law(&world, |search| free_slots(&Search { resource: &resource, ..*search }))
    });
    assert_caught("every second offer is forgotten", &worlds(), |world| {
        law(&world, |search| free_slots(search).into_iter().step_by(2).collect())
    });
    assert_caught("absence is forgotten", &worlds(), |world| {
        let mut resource = world.resource.clone();
        resource.schedule.time_off.clear();
        law(&world, |search| free_slots(&Search { resource: &resource, ..*search }))
    });
}

#[test]
fn hours_by_a_fixed_offset_are_noticed() {
    assert_caught("the clock is never set", &worlds(), |world| {
        hours_hold(&world, |world, minute| {
            // The offset of a week before, as a table of fixed offsets would have it.
            let zone = &world.resource.zone;
            let week = minutes(7 * 24 * 60);
            let shifted = |offset: &str| {
                let (hours, rest) = offset.split_at(3);
                let hours: i64 = hours.parse().unwrap();
                let rest: i64 = rest.trim_start_matches(':').parse().unwrap();
                hours.saturating_mul(60).saturating_add(rest)
            };
            let now = shifted(&zone.offset(minute.start()));
            let then = shifted(&zone.offset(minute.start().minus(week)));
            let wrong = then.saturating_sub(now).saturating_mul(60_000_000);
            let moved = |at: Timestamp| Timestamp::from_micros(at.micros().saturating_add(wrong));
            let bounds = (moved(minute.start()), moved(minute.end()));
            world.is_open(Interval::try_new(bounds.0, bounds.1).unwrap())
        })
    });
}
