//! Processes: pure functions from what the aggregates recorded, and the time, to the next step.
//! Their memory is the aggregates' own intents and deadlines; they have no stream of their own.
//! The same function is entered from the customer's call and from the runner. A process never
//! decides: it asks the aggregates, and takes no for an answer.

pub mod checkout;
pub mod refund;
pub mod retry;

use crate::booking::inventory::Inventory;
use crate::booking::reservation::Paper;
use crate::event::Event;
use crate::ids::{PaymentId, RefundId, ReservationId};
use crate::money::Money;
use crate::payment::Account;
use crate::process::retry::Ask;
use crate::stream::StreamId;
use crate::time::Timestamp;

/// Everything that a step about one reservation depends on.
#[derive(Debug, Clone, Copy)]
pub struct Situation<'a> {
    /// Which reservation.
    pub reservation: ReservationId,
    /// What it says.
    pub paper: &'a Paper,
    /// Its payment, when there is something to pay.
    pub payment: Option<(PaymentId, &'a Account)>,
    /// The stream that decides about its seat.
    pub inventory: Inventory<'a>,
    /// The instant of judgement.
    pub now: Timestamp,
    /// Whether the caller owns the step that an intent reserved for the customer's call.
    pub inline: bool,
}

/// A call to the provider of payments; its intent is recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Call {
    /// Take the money, once per key.
    Capture {
        /// Our name for the payment.
        order: PaymentId,
        /// Which attempt.
        attempt: u32,
        /// The provider's name for the customer's authorisation.
        payment_key: String,
        /// How much.
        amount: Money,
        /// The provider acts once per key.
        idempotency_key: String,
        /// How often it was asked in vain.
        tries: u32,
        /// How to ask.
        ask: Ask,
    },
    /// Return money, once per key.
    Refund {
        /// Our name for the payment.
        order: PaymentId,
        /// Our name for the refund.
        refund: RefundId,
        /// How much.
        amount: Money,
        /// The provider acts once per key.
        idempotency_key: String,
        /// How often it was asked in vain.
        tries: u32,
        /// How to ask.
        ask: Ask,
    },
}

/// What to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Nothing, until something else happens.
    Rest,
    /// Nothing before this instant.
    Wait(Timestamp),
    /// Write these facts, in this order, in one append.
    Record(Vec<(StreamId, Event)>),
    /// Call the provider of payments, and report what it said.
    Call(Call),
}

/// The next step about a reservation: the first process that has one.
pub fn next(situation: &Situation<'_>) -> Step {
    let steps = [checkout::next(situation), refund::next(situation)];
    let mut earliest = None;
    for step in steps {
        match step {
            Step::Record(_) | Step::Call(_) => return step,
            Step::Wait(at) => {
                earliest = Some(earliest.map_or(at, |known: Timestamp| known.min(at)));
            }
            Step::Rest => {}
        }
    }
    earliest.map_or(Step::Rest, Step::Wait)
}
