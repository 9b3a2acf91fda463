//! The worlds that are searched: what can be booked, who wants it, and how much may go wrong. Each
//! is small in another direction, because all of it together would never end.

use holdfast_domain::booking::Authority;
use holdfast_domain::booking::reservation::CancelledBy;
use holdfast_domain::ids::{OfferingId, PrincipalId, ResourceId, SessionId};
use holdfast_domain::money::{Currency, Money};
use holdfast_domain::time::{Timestamp, minutes};
use uuid::Uuid;

/// What is scarce.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// An hour of a resource that takes one person.
    Slot,
    /// Seats of a class.
    Class { capacity: u32, closes_minutes: u32 },
}

/// What one customer wants, and what may go wrong with it. Everything is bounded: after its losses
/// the provider of payments answers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Habits {
    pub(crate) party: u32,
    /// Whether the seat is paid for as soon as it is held.
    pub(crate) at_once: bool,
    /// Captures that the customer tries.
    pub(crate) attempts: u32,
    /// Answers lost, or crashes, on the way of calls.
    pub(crate) losses: u8,
    /// Captures that the provider of payments declines.
    pub(crate) declines: u8,
    /// Captures of another amount than was asked for.
    pub(crate) oddities: u8,
    /// Refunds that the provider of payments refuses.
    pub(crate) refusals: u8,
    /// Who may call the booking off.
    pub(crate) cancelled_by: &'static [CancelledBy],
    /// Who may ask for the terms of a cancellation.
    pub(crate) quoted_to: &'static [CancelledBy],
    /// How often they ask.
    pub(crate) quotes: usize,
    /// Amounts that may be returned out of goodwill.
    pub(crate) goodwill: &'static [u64],
    /// How often that is done.
    pub(crate) gifts: usize,
}

impl Habits {
    /// Books for one, pays once, and all goes well.
    const SMOOTH: Self = Self {
        party: 1,
        at_once: false,
        attempts: 1,
        losses: 0,
        declines: 0,
        oddities: 0,
        refusals: 0,
        cancelled_by: &[],
        quoted_to: &[],
        quotes: 0,
        goodwill: &[],
        gifts: 0,
    };
}

/// A world to be searched.
#[derive(Debug)]
pub(crate) struct Setting {
    pub(crate) place: Place,
    /// What one person pays.
    pub(crate) price: u64,
    pub(crate) starts: Timestamp,
    pub(crate) customers: Vec<Habits>,
    /// Instants at which something changes that no process waits for.
    pub(crate) instants: Vec<Timestamp>,
    /// Whether it begins when the first customer has paid.
    pub(crate) paid: bool,
    /// How often the stream that decides about seats moves on, for somebody else's sake, before
    /// what a decision says about a seat is written, on a log that writes one stream after another.
    pub(crate) overtaken: u8,
}

impl Setting {
    pub(crate) fn authority(&self) -> Authority {
        match self.place {
            Place::Slot => Authority::Calendar(resource()),
            Place::Class { .. } => Authority::Session(session()),
        }
    }

    /// What a customer's party pays.
    pub(crate) fn total(&self, customer: usize) -> Money {
        money(self.price).times(self.customers[customer].party).unwrap()
    }

    /// How many people may come.
    pub(crate) fn capacity(&self) -> u32 {
        match self.place {
            Place::Slot => 1,
            Place::Class { capacity, .. } => capacity,
        }
    }
}

/// One seat and two who want it. The first one's calls go wrong in every way; the second is there
/// to want the same seat.
pub(crate) fn one_seat() -> Setting {
    let first = Habits {
        attempts: 2,
        losses: 1,
        declines: 1,
        oddities: 1,
        cancelled_by: &[CancelledBy::Customer],
        ..Habits::SMOOTH
    };
    Setting {
        place: Place::Slot,
        price: 50_000,
        starts: noon(),
        customers: vec![first, Habits::SMOOTH],
        instants: vec![],
        paid: false,
        overtaken: 0,
    }
}

/// A class of three seats, two parties of two and one person alone, of whom one pays with
/// difficulty and the others in an instant. Booking closes before the class begins, and money can
/// come after either.
pub(crate) fn paid_class() -> Setting {
    let starts = at("2026-03-09T01:30:00Z");
    let hard =
        Habits { party: 2, losses: 1, cancelled_by: &[CancelledBy::Provider], ..Habits::SMOOTH };
    let person = Habits { at_once: true, ..Habits::SMOOTH };
    let fickle = Habits { cancelled_by: &[CancelledBy::Customer], ..person };
    Setting {
        place: Place::Class { capacity: 3, closes_minutes: 20 },
        price: 20_000,
        starts,
        customers: vec![hard, Habits { party: 2, ..fickle }, person],
        instants: vec![after(starts.minus(minutes(20))), starts],
        paid: false,
        overtaken: 0,
    }
}

/// The same class when it costs nothing: whoever finds a seat has it, until it is given back.
pub(crate) fn free_class() -> Setting {
    let starts = at("2026-03-09T01:30:00Z");
    let by_anyone: &[_] = &[CancelledBy::Customer, CancelledBy::Provider, CancelledBy::System];
    let person = Habits { cancelled_by: by_anyone, ..Habits::SMOOTH };
    let pair = Habits { party: 2, ..person };
    Setting {
        place: Place::Class { capacity: 3, closes_minutes: 0 },
        price: 0,
        starts,
        customers: vec![pair, pair, person],
        instants: vec![starts.minus(minutes(1)), starts, after(starts), starts.plus(minutes(60))],
        paid: false,
        overtaken: 0,
    }
}

/// A seat that was paid for, and how money goes back: cancellations by either side, gifts before
/// and after, refunds that are lost or refused.
pub(crate) fn refunds() -> Setting {
    let customer = Habits {
        losses: 1,
        refusals: 1,
        cancelled_by: &[CancelledBy::Customer, CancelledBy::Provider],
        goodwill: &[15_000, 40_000],
        gifts: 2,
        ..Habits::SMOOTH
    };
    let half_is_due = after(morning().plus(minutes(30)));
    Setting { instants: vec![half_is_due, over()], ..paid_seat(customer) }
}

/// A seat that was paid for, and terms that are asked for, and taken up in time or too late, or by
/// the wrong side, or when a part was given back meanwhile.
pub(crate) fn quotes() -> Setting {
    let both: &[_] = &[CancelledBy::Customer, CancelledBy::Provider];
    let customer = Habits {
        cancelled_by: both,
        quoted_to: both,
        quotes: 2,
        goodwill: &[40_000],
        gifts: 1,
        ..Habits::SMOOTH
    };
    // Shortly before and after the regret period, and when nothing is due any more.
    let regret_ends = morning().plus(minutes(30));
    let instants = vec![regret_ends.minus(minutes(5)), after(regret_ends), nothing_is_due()];
    Setting { instants, ..paid_seat(customer) }
}

/// One seat and two who want it, on a log that writes one stream after another: a payment whose
/// answer is lost, cancellations and gifts of seats that break off in the middle.
pub(crate) fn overtaken_seat() -> Setting {
    let by = &[CancelledBy::Customer];
    let first = Habits { losses: 1, cancelled_by: by, ..Habits::SMOOTH };
    let second = Habits { cancelled_by: by, ..Habits::SMOOTH };
    Setting { customers: vec![first, second], overtaken: 1, ..one_seat() }
}

/// A class that costs nothing, on such a log.
pub(crate) fn overtaken_class() -> Setting {
    Setting { overtaken: 1, ..free_class() }
}

/// Refunds on such a log.
pub(crate) fn overtaken_refunds() -> Setting {
    Setting { overtaken: 1, ..refunds() }
}

fn paid_seat(customer: Habits) -> Setting {
    Setting {
        place: Place::Slot,
        price: 50_000,
        starts: noon(),
        customers: vec![customer],
        instants: vec![],
        paid: true,
        overtaken: 0,
    }
}

/// When a slot starts: later than any money can come late.
fn noon() -> Timestamp {
    at("2026-03-09T05:00:00Z")
}

/// The policy returns half up to two hours before the start.
fn nothing_is_due() -> Timestamp {
    after(noon().minus(minutes(120)))
}

/// The end of a slot.
fn over() -> Timestamp {
    noon().plus(minutes(60))
}

/// When every search begins: more than an hour before anything starts.
pub(crate) fn morning() -> Timestamp {
    at("2026-03-09T00:00:00Z")
}

/// The first instant after another.
pub(crate) fn after(instant: Timestamp) -> Timestamp {
    instant.plus(std::time::Duration::from_micros(1))
}

pub(crate) fn id(n: u128) -> Uuid {
    Uuid::from_u128(0x018f_2a10_7c5e_7000_8000_0000_0000_0000 | n)
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub(crate) fn money(minor: u64) -> Money {
    Money::try_new(minor, Currency::Krw).unwrap()
}

pub(crate) fn resource() -> ResourceId {
    ResourceId::from_uuid(id(1))
}

pub(crate) fn offering() -> OfferingId {
    OfferingId::from_uuid(id(2))
}

pub(crate) fn provider() -> PrincipalId {
    PrincipalId::from_uuid(id(3))
}

pub(crate) fn session() -> SessionId {
    SessionId::from_uuid(id(4))
}
