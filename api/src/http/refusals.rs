//! What a rule's no looks like: each refusal has one code, and the facts that help.

use holdfast_commands::refusal::Refusal;
use holdfast_commands::request::CommandError;
use serde_json::json;

use super::problem::Problem;
use crate::problems::Code;

/// The problem of a refusal.
pub fn problem(refusal: &Refusal) -> Problem {
    match refusal {
        Refusal::Resource(refusal) => (*refusal).into(),
        Refusal::Offering(refusal) => (*refusal).into(),
        Refusal::Session(refusal) => (*refusal).into(),
        Refusal::Reservation(refusal) => (*refusal).into(),
        Refusal::Payment(refusal) => (*refusal).into(),
        Refusal::Claim(refusal) => (*refusal).into(),
        Refusal::SlotTaken { alternatives } => {
            let alternatives: Vec<_> = alternatives
                .iter()
                .map(|free| json!({"starts_at": free.start(), "ends_at": free.end()}))
                .collect();
            Problem::new(Code::SlotTaken).with("alternatives", alternatives)
        }
        Refusal::CapacityExceeded { capacity } => {
            Problem::new(Code::CapacityExceeded).with("capacity", capacity)
        }
        Refusal::InvalidPartySize => {
            Problem::new(Code::InvalidPartySize).at("/party_size", "invalid_party_size")
        }
        Refusal::OutsideSchedule => Problem::new(Code::OutsideSchedule),
        Refusal::InThePast => Problem::new(Code::InThePast),
        Refusal::BookingClosed { latest } => {
            Problem::new(Code::BookingClosed).with("closed_at", latest)
        }
        Refusal::TooEarly { from } => Problem::new(Code::TooEarly).with("not_before", from),
        Refusal::DurationMismatch { minutes } => {
            Problem::new(Code::DurationMismatch).with("duration_minutes", minutes)
        }
        Refusal::SelfBooking => Problem::new(Code::SelfBooking),
        Refusal::SessionNotInOffer => Problem::new(Code::SessionNotInOffer),
        Refusal::AmountMismatch { total } => Problem::new(Code::AmountMismatch).with("due", total),
        Refusal::PaymentDeclined { code } => {
            Problem::new(Code::PaymentDeclined).with("provider_code", code)
        }
        Refusal::SeatNotHeld => Problem::new(Code::SeatNotHeld),
        Refusal::PaymentReturned { pending, returned, owed } => Problem::new(Code::PaymentReturned)
            .with("refund_pending", pending)
            .with("refunded", returned)
            .with("refund_owed", owed),
        Refusal::AmountOutOfRange => Problem::new(Code::AmountOutOfRange),
        Refusal::Forbidden => Problem::new(Code::Forbidden),
        Refusal::RevisionMismatch { actual } => {
            let problem = Problem::new(Code::RevisionMismatch);
            match actual {
                Some(revision) => problem.with("current_revision", revision),
                None => problem,
            }
        }
    }
}

impl From<CommandError> for Problem {
    fn from(error: CommandError) -> Self {
        match error {
            CommandError::Refused(refusal) => problem(&refusal),
            CommandError::KeyReused => Self::new(Code::IdempotencyKeyReused),
            CommandError::InFlight => Self::new(Code::RequestInFlight).retry_after(1),
            CommandError::Contended => Self::new(Code::VersionConflict).retry_after(1),
            CommandError::ClockBehind | CommandError::Overloaded => {
                Self::new(Code::Unavailable).because(error).retry_after(1)
            }
            CommandError::Unavailable(cause) => Self::unavailable(cause),
        }
    }
}
