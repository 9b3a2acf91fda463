//! Samples of what happens to resources, calendars, offerings, sessions and reservations.

use holdfast_domain::booking::Authority;
use holdfast_domain::booking::calendar::CalendarEvent;
use holdfast_domain::booking::offering::{
    Buffers, OfferingEvent, OfferingKind, SoldVersion, Terms,
};
use holdfast_domain::booking::reservation::{
    Booking, CancellationReason, CancelledBy, Quote, QuoteLine, ReservationEvent,
};
use holdfast_domain::booking::resource::{
    DateOverride, Hours, ResourceEvent, Schedule, WeeklyHours,
};
use holdfast_domain::booking::session::SessionEvent;
use holdfast_domain::event::Event;
use holdfast_domain::ids::{CancellationQuoteId, HoldId, OfferingId, PaymentId, SessionId};
use holdfast_domain::policy::{CancellationPolicy, Notice, RefundRule, RefundTerms};
use holdfast_domain::time::zone::Weekday;

use super::{at, between, customer, hold, krw, provider, reservation, resource, starts, uuid};

pub(super) fn samples() -> Vec<Event> {
    let mut all: Vec<Event> = resources().into_iter().map(Event::from).collect();
    all.extend(calendars().into_iter().map(Event::from));
    all.extend(offerings().into_iter().map(Event::from));
    all.extend(sessions().into_iter().map(Event::from));
    all.extend(reservations().into_iter().map(Event::from));
    all
}

fn session() -> SessionId {
    SessionId::from_uuid(uuid(6))
}

fn offering() -> OfferingId {
    OfferingId::from_uuid(uuid(5))
}

fn resources() -> [ResourceEvent; 2] {
    let (from, to) = ("09:00".parse().unwrap(), "18:30".parse().unwrap());
    let schedule = Schedule {
        weekly: vec![WeeklyHours { day: Weekday::Mon, from, to }],
        overrides: vec![
            DateOverride { date: "2026-03-09".parse().unwrap(), hours: vec![Hours { from, to }] },
            DateOverride { date: "2026-05-05".parse().unwrap(), hours: vec![] },
        ],
        time_off: vec![between("2026-08-01T00:00:00Z", "2026-08-08T00:00:00Z")],
    };
    [
        ResourceEvent::Registered {
            owner: provider(),
            display_name: "1번 방".to_owned(),
            zone: "Asia/Seoul".parse().unwrap(),
            capacity: 2,
        },
        ResourceEvent::SchedulePublished { version: 1, schedule },
    ]
}

fn calendars() -> [CalendarEvent; 7] {
    let hold = hold();
    [
        CalendarEvent::HoldPlaced {
            hold,
            reservation: reservation(),
            booked: between("2026-03-09T05:00:00Z", "2026-03-09T06:00:00Z"),
            blocks: between("2026-03-09T04:50:00Z", "2026-03-09T06:10:00Z"),
            weight: 1,
            expires_at: at("2026-03-01T00:10:00Z"),
        },
        CalendarEvent::HoldPinned { hold, pinned_until: at("2026-03-01T00:25:00.5Z") },
        CalendarEvent::HoldUnpinned { hold },
        CalendarEvent::HoldConverted { hold },
        CalendarEvent::HoldReleased { hold },
        CalendarEvent::HoldExpired { hold },
        CalendarEvent::TimeBlocked {
            hold: HoldId::of_session(session()),
            session: session(),
            blocks: between("2026-03-09T05:00:00Z", "2026-03-09T06:00:00Z"),
            weight: 2,
        },
    ]
}

fn offerings() -> [OfferingEvent; 3] {
    let terms = Terms {
        duration_minutes: 60,
        price: krw(50_000),
        buffers: Buffers { before_minutes: 10, after_minutes: 10 },
        min_notice_minutes: 120,
        booking_window_days: 60,
        booking_deadline_minutes: 30,
        hold_minutes: 10,
        capacity: Some(12),
        cancellation_policy: CancellationPolicy::standard(),
    };
    [
        OfferingEvent::Drafted {
            provider: provider(),
            resource: resource(),
            title: "Vinyasa 60".to_owned(),
            kind: OfferingKind::Slot,
            terms,
        },
        OfferingEvent::Published { version: 1, resource: resource() },
        OfferingEvent::Paused { resource: resource() },
    ]
}

fn sessions() -> [SessionEvent; 7] {
    let hold = hold();
    [
        SessionEvent::Scheduled {
            offering: offering(),
            resource: resource(),
            block: HoldId::of_session(session()),
            starts: starts(),
            held: between("2026-03-09T05:00:00Z", "2026-03-09T06:00:00Z"),
            capacity: Some(12),
            min_capacity: Some(3),
            booking_closes_at: at("2026-03-09T04:30:00Z"),
        },
        SessionEvent::SeatsHeld {
            hold,
            reservation: reservation(),
            seats: 2,
            expires_at: at("2026-03-01T00:10:00Z"),
        },
        SessionEvent::SeatsPinned { hold, pinned_until: at("2026-03-01T00:25:00Z") },
        SessionEvent::SeatsUnpinned { hold },
        SessionEvent::SeatsConfirmed { hold },
        SessionEvent::SeatsReleased { hold },
        SessionEvent::SeatsExpired { hold },
    ]
}

fn booking() -> Booking {
    Booking {
        customer: customer(),
        provider: provider(),
        sold: SoldVersion { offering: offering(), version: 1 },
        resource: resource(),
        authority: Authority::Calendar(resource()),
        hold: hold(),
        party_size: 1,
        starts: starts(),
        booked: between("2026-03-09T05:00:00Z", "2026-03-09T06:00:00Z"),
        blocks: between("2026-03-09T05:00:00Z", "2026-03-09T06:10:00Z"),
        quote: Quote {
            lines: vec![QuoteLine {
                title: "Vinyasa 60".to_owned(),
                quantity: 1,
                unit_price: krw(50_000),
                amount: krw(50_000),
            }],
            total: krw(50_000),
            cancellation_policy: CancellationPolicy::standard(),
        },
        payment: Some(PaymentId::from_uuid(uuid(7))),
    }
}

fn reservations() -> [ReservationEvent; 9] {
    let refund = RefundTerms {
        amount: krw(25_000),
        kept: krw(25_000),
        because: RefundRule::Tier {
            notice: Notice::Minutes(120),
            until: at("2026-03-09T03:00:00Z"),
        },
    };
    let payment = PaymentId::from_uuid(uuid(7));
    [
        ReservationEvent::Requested {
            booking: Box::new(booking()),
            hold_expires_at: at("2026-03-01T00:10:00Z"),
        },
        ReservationEvent::PaymentStarted { payment },
        ReservationEvent::PaymentFailed { payment, code: "REJECT_CARD_COMPANY".to_owned() },
        ReservationEvent::Confirmed {
            paid: krw(50_000),
            confirmed_at: at("2026-03-01T00:05:00.123456Z"),
        },
        ReservationEvent::Expired {},
        ReservationEvent::Abandoned {
            by: CancelledBy::Provider,
            reason: Some(CancellationReason::ProviderUnavailable),
        },
        ReservationEvent::CancellationQuoted {
            by: CancelledBy::Customer,
            quote: CancellationQuoteId::from_uuid(uuid(8)),
            refund,
            valid_until: at("2026-03-09T00:15:00Z"),
        },
        ReservationEvent::Cancelled {
            by: CancelledBy::Customer,
            reason: Some(CancellationReason::Illness),
            refund,
        },
        ReservationEvent::Reinstated { hold: HoldId::derive(reservation(), 1) },
    ]
}
