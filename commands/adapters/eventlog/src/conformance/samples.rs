//! One sample of every stored event, for the golden files and for tests that need all of them.

mod booking;
mod payment;

use holdfast_domain::event::Event;
use holdfast_domain::ids::{HoldId, PrincipalId, ReservationId, ResourceId};
use holdfast_domain::money::{Currency, Money};
use holdfast_domain::time::zone::{Choice, TimeIntent};
use holdfast_domain::time::{Interval, Timestamp};
use uuid::Uuid;

/// One of each, with optional fields filled in.
pub fn samples() -> Vec<Event> {
    let mut all = booking::samples();
    all.extend(payment::samples());
    all
}

fn uuid(n: u128) -> Uuid {
    Uuid::from_u128(0x018f_2a10_7c5e_7000_8000 << 48 | n)
}

fn resource() -> ResourceId {
    ResourceId::from_uuid(uuid(1))
}

fn reservation() -> ReservationId {
    ReservationId::from_uuid(uuid(2))
}

fn hold() -> HoldId {
    HoldId::derive(reservation(), 0)
}

fn customer() -> PrincipalId {
    PrincipalId::from_uuid(uuid(3))
}

fn provider() -> PrincipalId {
    PrincipalId::from_uuid(uuid(4))
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn between(start: &str, end: &str) -> Interval {
    Interval::try_new(at(start), at(end)).unwrap()
}

fn krw(minor: u64) -> Money {
    Money::try_new(minor, Currency::Krw).unwrap()
}

/// Two in the afternoon in Seoul.
fn starts() -> TimeIntent {
    TimeIntent {
        local: "2026-03-09T14:00:00".to_owned(),
        zone: "Asia/Seoul".parse().unwrap(),
        utc: at("2026-03-09T05:00:00Z"),
        tzdb: "2025b".to_owned(),
        choice: Choice::Exact,
    }
}
