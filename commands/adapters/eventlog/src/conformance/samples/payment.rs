//! Samples of what happens to payments.

use holdfast_domain::booking::Authority;
use holdfast_domain::event::Event;
use holdfast_domain::ids::{PaymentId, RefundId};
use holdfast_domain::payment::{PaymentEvent, RefundReason, ReviewDecision};

use super::{at, customer, krw, reservation, resource, uuid};

pub(super) fn samples() -> Vec<Event> {
    captures().into_iter().chain(refunds()).map(Event::from).collect()
}

fn captures() -> [PaymentEvent; 7] {
    let (reservation, attempt) = (reservation(), 1);
    [
        PaymentEvent::Initiated {
            reservation,
            customer: customer(),
            authority: Authority::Calendar(resource()),
            amount: krw(50_000),
        },
        PaymentEvent::ConfirmStarted {
            reservation,
            attempt,
            payment_key: "authorisation-1".to_owned(),
            idempotency_key: "confirm-1".to_owned(),
            inline_until: at("2026-03-01T00:06:00Z"),
        },
        PaymentEvent::Captured {
            reservation,
            attempt,
            transaction: "movement-1".to_owned(),
            amount: krw(50_000),
        },
        PaymentEvent::Declined { reservation, attempt, code: "REJECT_CARD_COMPANY".to_owned() },
        PaymentEvent::OutcomeUnknown {
            reservation,
            attempt,
            tries: 2,
            next_try_at: at("2026-03-01T00:07:00Z"),
        },
        PaymentEvent::ReviewRequired {
            reservation,
            attempt,
            observed: krw(49_999),
            transaction: "movement-1".to_owned(),
        },
        PaymentEvent::ReviewResolved {
            reservation,
            decision: ReviewDecision::Return,
            by: customer(),
            amount: krw(49_999),
        },
    ]
}

fn refunds() -> [PaymentEvent; 4] {
    let reservation = reservation();
    let (refund, amount) = (RefundId::derive(PaymentId::from_uuid(uuid(7)), 0), krw(25_000));
    [
        PaymentEvent::RefundRequested {
            reservation,
            refund,
            amount,
            reason: RefundReason::Cancellation,
            idempotency_key: "refund-1".to_owned(),
            inline_until: at("2026-03-09T00:01:00Z"),
        },
        PaymentEvent::RefundSucceeded {
            reservation,
            refund,
            amount,
            transaction: "movement-2".to_owned(),
        },
        PaymentEvent::RefundRefused {
            reservation,
            refund,
            amount,
            code: "ACCOUNT_CLOSED".to_owned(),
        },
        PaymentEvent::RefundOutcomeUnknown {
            reservation,
            refund,
            tries: 1,
            next_try_at: at("2026-03-09T00:02:00Z"),
        },
    ]
}
