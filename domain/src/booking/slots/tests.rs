//! The searches of the acceptance scenarios, to the slot.

use serde_json::json;

use super::*;
use crate::booking::calendar::{CalendarCommand, CalendarRefusal};
use crate::booking::hold::ClaimCommand;
use crate::booking::resource::Schedule;
use crate::decider::Decider;
use crate::ids::{HoldId, PrincipalId, ReservationId};
use crate::time::zone::{Choice, Zone};

struct Desk {
    resource: Registered,
    terms: Terms,
    calendar: Calendar,
    now: Timestamp,
    holds: u128,
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn span(start: &str, end: &str) -> Interval {
    Interval::try_new(at(start), at(end)).unwrap()
}

fn terms(duration: u32) -> Terms {
    serde_json::from_value(json!({
        "duration_minutes": duration,
        "price": {"amount": 50_000, "currency": "KRW"},
        "buffers": {"before_minutes": 0, "after_minutes": 0},
        "min_notice_minutes": 0,
        "booking_window_days": 365,
        "booking_deadline_minutes": 0,
        "hold_minutes": 10,
        "capacity": null,
        "cancellation_policy": {"grace": null, "tiers": []},
    }))
    .unwrap()
}

fn desk(zone: &str, now: &str, duration: u32, schedule: serde_json::Value) -> Desk {
    let resource = Registered {
        owner: PrincipalId::from_uuid(uuid::Uuid::from_u128(1)),
        display_name: "M1".to_owned(),
        zone: zone.parse().unwrap(),
        capacity: 1,
        schedule_version: 1,
        schedule: serde_json::from_value(schedule).unwrap(),
    };
    let (terms, calendar) = (terms(duration), Calendar::default());
    Desk { resource, terms, calendar, now: at(now), holds: 0 }
}

/// M1 of the scenarios: Monday 10:00-12:00 and 14:00-18:00, Wednesday 13:00-17:00, in Seoul.
fn mentor(duration: u32) -> Desk {
    let weekly = json!({"weekly": [
        {"day": "mon", "from": "10:00", "to": "12:00"},
        {"day": "mon", "from": "14:00", "to": "18:00"},
        {"day": "wed", "from": "13:00", "to": "17:00"},
    ]});
    desk("Asia/Seoul", "2026-03-08T12:00:00+09:00", duration, weekly)
}

impl Desk {
    /// Holds `booked` under this desk's terms.
    fn book(&mut self, booked: Interval) -> Result<HoldId, CalendarRefusal> {
        self.holds = self.holds.saturating_add(1);
        let hold = HoldId::from_uuid(uuid::Uuid::from_u128(self.holds));
        let place = CalendarCommand::Place {
            hold,
            reservation: ReservationId::from_uuid(uuid::Uuid::from_u128(self.holds)),
            booked,
            blocks: self.terms.blocks(booked),
            weight: 1,
            capacity: self.resource.capacity,
            expires_at: self.now.plus(minutes(10)),
            now: self.now,
        };
        self.ask(&place)?;
        Ok(hold)
    }

    fn confirm(&mut self, hold: HoldId) {
        let now = self.now;
        self.ask(&CalendarCommand::Claim(hold, ClaimCommand::Convert { now })).unwrap();
    }

    fn ask(&mut self, command: &CalendarCommand) -> Result<(), CalendarRefusal> {
        for event in self.calendar.decide(command)? {
            self.calendar = std::mem::take(&mut self.calendar).evolve(&event);
        }
        Ok(())
    }

    fn slots(&self, from: &str, to: &str) -> Vec<Slot> {
        free_slots(&Search {
            resource: &self.resource,
            terms: &self.terms,
            calendar: &self.calendar,
            from: at(from),
            to: at(to),
            now: self.now,
            seats: 1,
            limit: 1_000,
        })
    }

    /// The offered starts as the wall clock shows them, `HH:MM`.
    fn starts(&self, from: &str, to: &str) -> Vec<String> {
        let zone = &self.resource.zone;
        let starts = self.slots(from, to).into_iter().map(|slot| slot.interval.start());
        starts.map(|start| zone.intent(start).local.chars().skip(11).take(5).collect()).collect()
    }

    fn on_monday(&self) -> Vec<String> {
        self.starts("2026-03-09T00:00:00+09:00", "2026-03-10T00:00:00+09:00")
    }

    fn is_open(&self, start: &str, end: &str) -> bool {
        is_open(&self.resource.schedule, &self.resource.zone, span(start, end))
    }
}

#[test]
fn a_booking_cuts_the_range_and_the_rest_is_counted_from_its_end() {
    let mut half_hours = mentor(30);
    let hold =
        half_hours.book(span("2026-03-09T11:00:00+09:00", "2026-03-09T11:30:00+09:00")).unwrap();
    half_hours.confirm(hold);
    let hours = Desk { terms: terms(60), calendar: half_hours.calendar.clone(), ..mentor(60) };
    assert_eq!(hours.on_monday(), ["10:00", "14:00", "15:00", "16:00", "17:00"]);
    let starts = half_hours.on_monday();
    assert_eq!(starts[..3], ["10:00", "10:30", "11:30"]);
    assert_eq!(starts.len(), 3 + 8);
}

#[test]
fn bookings_may_touch_and_closed_time_is_not_open() {
    let mut desk = mentor(60);
    desk.book(span("2026-03-09T14:00:00+09:00", "2026-03-09T15:00:00+09:00")).unwrap();
    let next = span("2026-03-09T15:00:00+09:00", "2026-03-09T16:00:00+09:00");
    assert!(is_open(&desk.resource.schedule, &desk.resource.zone, next));
    assert!(desk.book(next).is_ok());
    assert!(!desk.is_open("2026-03-09T13:00:00+09:00", "2026-03-09T14:00:00+09:00"));
}

#[test]
fn a_time_is_open_only_inside_the_hours_and_at_a_whole_minute() {
    let desk = mentor(60);
    assert!(desk.is_open("2026-03-09T14:07:00+09:00", "2026-03-09T15:07:00+09:00"));
    for (start, end) in [
        ("2026-03-09T12:30:00+09:00", "2026-03-09T13:30:00+09:00"),
        ("2026-03-09T17:30:00+09:00", "2026-03-09T18:30:00+09:00"),
        ("2026-03-09T11:30:00+09:00", "2026-03-09T14:30:00+09:00"),
        ("2026-03-09T14:00:30+09:00", "2026-03-09T15:00:30+09:00"),
        ("2026-03-10T14:00:00+09:00", "2026-03-10T15:00:00+09:00"),
    ] {
        assert!(!desk.is_open(start, end), "{start}");
    }
}

#[test]
fn a_buffer_after_a_booking_keeps_the_next_away_across_offerings() {
    let range = json!({"weekly": [{"day": "mon", "from": "10:00", "to": "12:00"}]});
    let mut desk = desk("Asia/Seoul", "2026-03-08T12:00:00+09:00", 60, range);
    desk.terms.buffers.after_minutes = 10;
    desk.book(span("2026-03-09T10:00:00+09:00", "2026-03-09T11:00:00+09:00")).unwrap();
    desk.terms = terms(30);
    let at_eleven = span("2026-03-09T11:00:00+09:00", "2026-03-09T11:30:00+09:00");
    assert_eq!(desk.book(at_eleven), Err(CalendarRefusal::SlotTaken));
    assert_eq!(desk.on_monday(), ["11:10"]);
    assert!(desk.book(span("2026-03-09T11:10:00+09:00", "2026-03-09T11:40:00+09:00")).is_ok());
}

#[test]
fn a_buffer_before_the_next_is_kept_free_after_a_booking() {
    let mut desk = mentor(60);
    desk.book(span("2026-03-09T14:00:00+09:00", "2026-03-09T14:30:00+09:00")).unwrap();
    desk.terms.buffers.before_minutes = 20;
    assert_eq!(desk.on_monday(), ["10:00", "11:00", "14:50", "15:50", "16:50"]);
}

#[test]
fn opening_hours_keep_their_wall_clock_on_the_day_the_clock_is_put_forward() {
    let afternoon = json!({"weekly": [{"day": "sun", "from": "13:00", "to": "18:00"}]});
    let desk = desk("America/New_York", "2026-03-01T00:00:00Z", 60, afternoon);
    let (schedule, zone) = (&desk.resource.schedule, &desk.resource.zone);
    let open = open_ranges(schedule, zone, at("2026-03-08T00:00:00Z"), at("2026-03-09T12:00:00Z"));
    assert_eq!(open, [span("2026-03-08T17:00:00Z", "2026-03-08T22:00:00Z")]);
}

#[test]
fn no_slot_starts_in_the_hour_that_the_clock_skips() {
    let night = json!({"weekly": [{"day": "sun", "from": "02:00", "to": "04:00"}]});
    let desk = desk("America/New_York", "2026-03-01T00:00:00Z", 30, night);
    let starts = desk.starts("2026-03-08T00:00:00Z", "2026-03-09T00:00:00Z");
    assert_eq!(starts, ["03:00", "03:30"]);
    let whole_gap = json!({"weekly": [{"day": "sun", "from": "02:00", "to": "03:00"}]});
    let desk = Desk {
        resource: Registered {
            schedule: serde_json::from_value::<Schedule>(whole_gap).unwrap(),
            ..desk.resource
        },
        ..desk
    };
    assert!(desk.slots("2026-03-08T00:00:00Z", "2026-03-09T00:00:00Z").is_empty());
}

#[test]
fn a_start_that_the_clock_shows_twice_is_offered_once_per_instant() {
    let night = json!({"weekly": [{"day": "sun", "from": "00:30", "to": "03:00"}]});
    let mut desk = desk("America/New_York", "2026-10-20T00:00:00Z", 30, night);
    let (from, to) = ("2026-11-01T00:00:00Z", "2026-11-02T00:00:00Z");
    let starts = desk.starts(from, to);
    assert_eq!(starts, ["00:30", "01:00", "01:30", "01:00", "01:30", "02:00", "02:30"]);
    let slots = desk.slots(from, to);
    let zone = desk.resource.zone.clone();
    let labelled: Vec<_> = slots[1..5]
        .iter()
        .map(|slot| (slot.interval.start().to_string(), zone.offset(slot.interval.start())))
        .collect();
    let expected = [("05:00", "-04:00"), ("05:30", "-04:00"), ("06:00", "-05:00")]
        .into_iter()
        .chain([("06:30", "-05:00")])
        .map(|(time, offset)| (format!("2026-11-01T{time}:00Z"), offset.to_owned()));
    assert!(labelled.into_iter().eq(expected));
    assert_eq!(zone.intent(slots[1].interval.start()).choice, Choice::FoldEarlier);
    assert_eq!(zone.intent(slots[3].interval.start()).choice, Choice::FoldLater);
    // Each of the two can be booked, once.
    for slot in &slots {
        assert!(desk.book(slot.interval).is_ok());
        assert_eq!(desk.book(slot.interval), Err(CalendarRefusal::SlotTaken));
    }
    assert!(desk.slots(from, to).is_empty());
}

#[test]
fn a_night_in_which_the_clock_is_put_back_is_longer_and_can_be_booked_whole() {
    let night = json!({"weekly": [{"day": "sat", "from": "23:00", "to": "02:30"}]});
    let mut desk = desk("America/New_York", "2026-10-20T00:00:00Z", 270, night);
    let (from, to) = ("2026-10-31T12:00:00Z", "2026-11-01T12:00:00Z");
    let open = open_ranges(&desk.resource.schedule, &desk.resource.zone, at(from), at(to));
    assert_eq!(open, [span("2026-11-01T03:00:00Z", "2026-11-01T07:30:00Z")]);
    let slots = desk.slots(from, to);
    assert_eq!(slots.iter().map(|slot| slot.interval).collect::<Vec<_>>(), open);
    desk.book(open[0]).unwrap();
    desk.terms = terms(1);
    assert!(desk.slots(from, to).is_empty(), "it blocks all of the night");
}

#[test]
fn hours_that_touch_or_overlap_are_one_range_and_absence_cuts_it() {
    let schedule = json!({
        "weekly": [
            {"day": "mon", "from": "12:00", "to": "14:00"},
            {"day": "mon", "from": "10:00", "to": "12:00"},
            {"day": "mon", "from": "13:00", "to": "15:00"},
            {"day": "mon", "from": "22:00", "to": "24:00"},
            {"day": "tue", "from": "00:00", "to": "01:00"},
        ],
        "time_off": [
            {"start": "2026-03-09T13:00:00+09:00", "end": "2026-03-09T13:30:00+09:00"},
            {"start": "2026-03-09T13:10:00+09:00", "end": "2026-03-09T13:45:30+09:00"},
        ],
    });
    let desk = desk("Asia/Seoul", "2026-03-08T12:00:00+09:00", 60, schedule);
    let (from, to) = ("2026-03-09T00:00:00+09:00", "2026-03-10T12:00:00+09:00");
    let open = open_ranges(&desk.resource.schedule, &desk.resource.zone, at(from), at(to));
    assert_eq!(
        open,
        [
            span("2026-03-09T10:00:00+09:00", "2026-03-09T13:00:00+09:00"),
            span("2026-03-09T13:45:30+09:00", "2026-03-09T15:00:00+09:00"),
            span("2026-03-09T22:00:00+09:00", "2026-03-10T01:00:00+09:00"),
        ]
    );
    // After the absence the next whole minute counts; after midnight the date's own opening does.
    let starts = desk.starts(from, to);
    assert_eq!(starts, ["10:00", "11:00", "12:00", "13:46", "22:00", "23:00", "00:00"]);
}

#[test]
fn another_date_has_its_own_hours_or_none() {
    let schedule = json!({
        "weekly": [{"day": "mon", "from": "10:00", "to": "12:00"}],
        "overrides": [
            {"date": "2026-03-09", "hours": []},
            {"date": "2026-03-10", "hours": [{"from": "09:00", "to": "10:00"}]},
        ],
    });
    let desk = desk("Asia/Seoul", "2026-03-08T12:00:00+09:00", 60, schedule);
    assert!(desk.on_monday().is_empty());
    let starts = desk.starts("2026-03-10T00:00:00+09:00", "2026-03-17T00:00:00+09:00");
    assert_eq!(starts, ["09:00", "10:00", "11:00"]);
}

#[test]
fn notice_and_window_bound_what_is_offered() {
    let mut desk = mentor(60);
    desk.now = at("2026-03-09T10:30:00+09:00");
    assert_eq!(desk.on_monday(), ["11:00", "14:00", "15:00", "16:00", "17:00"]);
    desk.terms.min_notice_minutes = 270;
    assert_eq!(desk.on_monday(), ["15:00", "16:00", "17:00"], "15:00 itself is in time");
    desk.terms.min_notice_minutes = 0;
    desk.terms.booking_window_days = 7;
    desk.now = at("2026-03-02T15:00:00+09:00");
    assert_eq!(desk.on_monday(), ["10:00", "11:00", "14:00", "15:00"], "so is the window's end");
}

#[test]
fn an_expired_hold_is_offered_again_and_a_limit_is_kept() {
    let mut desk = mentor(60);
    desk.book(span("2026-03-09T10:00:00+09:00", "2026-03-09T11:00:00+09:00")).unwrap();
    assert_eq!(desk.on_monday()[0], "11:00");
    desk.now = desk.now.plus(minutes(10));
    assert_eq!(desk.on_monday()[0], "10:00");
    let slots = free_slots(&Search {
        resource: &desk.resource,
        terms: &desk.terms,
        calendar: &desk.calendar,
        from: Timestamp::MIN,
        to: Timestamp::MAX,
        now: desk.now,
        seats: 1,
        limit: 3,
    });
    assert_eq!(slots.len(), 3);
}

#[test]
fn a_room_for_several_says_how_many_more_it_takes() {
    let mut desk = mentor(60);
    desk.resource.capacity = 3;
    let first = span("2026-03-09T10:00:00+09:00", "2026-03-09T11:00:00+09:00");
    let left = |desk: &Desk| {
        let slots = desk.slots("2026-03-09T10:00:00+09:00", "2026-03-09T10:01:00+09:00");
        slots.first().map_or(0, |slot| slot.seats_left)
    };
    for expected in [3, 2, 1] {
        assert_eq!(left(&desk), expected);
        desk.book(first).unwrap();
    }
    assert_eq!(left(&desk), 0);
}

#[test]
fn a_date_is_offered_alike_however_far_before_it_one_looks() {
    let days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
    let weekly = days.map(|day| json!({"day": day, "from": "00:00", "to": "24:00"}));
    let always = json!({ "weekly": weekly });
    let desk = desk("Asia/Seoul", "2026-03-01T00:00:00+09:00", 50, always);
    let (from, to) = ("2026-03-20T12:00:00+09:00", "2026-03-21T12:00:00+09:00");
    let near = desk.slots(from, to);
    let mut far = desk.slots("2026-03-01T00:00:00+09:00", to);
    far.retain(|slot| slot.interval.start() >= at(from));
    assert_eq!(near, far);
    assert!(near.len() > 20);
    let zone: Zone = "Asia/Seoul".parse().unwrap();
    let midnight =
        near.iter().find(|slot| zone.intent(slot.interval.start()).local.contains("T00:00"));
    assert!(midnight.is_some(), "a day that never closes is counted from its own midnight");
}
