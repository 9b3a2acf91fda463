//! What a rule's no looks like: each refusal has one code, and the facts that help.

use holdfast_commands::refusal::Refusal;
use holdfast_commands::request::CommandError;
use holdfast_domain::booking::hold::ClaimRefusal;
use holdfast_domain::booking::offering::OfferingRefusal;
use holdfast_domain::booking::reservation::ReservationRefusal;
use holdfast_domain::booking::resource::ResourceRefusal;
use holdfast_domain::booking::session::SessionRefusal;
use holdfast_domain::payment::PaymentRefusal;
use serde_json::json;

use super::problem::Problem;
use crate::problems::Code;

/// The problem of a refusal.
pub fn problem(refusal: &Refusal) -> Problem {
    match refusal {
        Refusal::Resource(refusal) => of_resource(*refusal),
        Refusal::Offering(refusal) => of_offering(*refusal),
        Refusal::Session(refusal) => of_session(*refusal),
        Refusal::Reservation(refusal) => of_reservation(*refusal),
        Refusal::Payment(refusal) => of_payment(*refusal),
        Refusal::Claim(refusal) => of_claim(*refusal),
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

fn of_resource(refusal: ResourceRefusal) -> Problem {
    Problem::new(match refusal {
        ResourceRefusal::NotFound => Code::NotFound,
        ResourceRefusal::AlreadyRegistered => Code::AlreadyExists,
        ResourceRefusal::InvalidCapacity => Code::InvalidCapacity,
        ResourceRefusal::ScheduleTooLarge => Code::ScheduleTooLarge,
        ResourceRefusal::DateOverriddenTwice => Code::DateOverriddenTwice,
        ResourceRefusal::EmptyHours => Code::EmptyHours,
    })
}

fn of_offering(refusal: OfferingRefusal) -> Problem {
    Problem::new(match refusal {
        OfferingRefusal::NotFound => Code::NotFound,
        OfferingRefusal::AlreadyDrafted => Code::AlreadyExists,
        OfferingRefusal::OfferNotOpen => Code::OfferNotOpen,
        OfferingRefusal::InvalidDuration => Code::InvalidDuration,
        OfferingRefusal::InvalidCapacity => Code::InvalidCapacity,
        OfferingRefusal::WrongKind => Code::WrongKind,
        OfferingRefusal::InThePast => Code::InThePast,
    })
}

fn of_session(refusal: SessionRefusal) -> Problem {
    match refusal {
        SessionRefusal::NotFound => Problem::new(Code::NotFound),
        SessionRefusal::AlreadyScheduled => Problem::new(Code::AlreadyExists),
        SessionRefusal::CapacityExceeded { left } => {
            Problem::new(Code::CapacityExceeded).with("left", left)
        }
        SessionRefusal::InvalidPartySize => Problem::new(Code::InvalidPartySize),
        SessionRefusal::BookingClosed { closed_at } => {
            Problem::new(Code::BookingClosed).with("closed_at", closed_at)
        }
        SessionRefusal::Claim(refusal) => of_claim(refusal),
    }
}

fn of_reservation(refusal: ReservationRefusal) -> Problem {
    match refusal {
        ReservationRefusal::NotFound => Problem::new(Code::NotFound),
        ReservationRefusal::AlreadyRequested => Problem::new(Code::AlreadyExists),
        ReservationRefusal::InvalidState { status } => {
            // The word `status` itself belongs to the problem document.
            Problem::new(Code::InvalidState).with("current_status", status)
        }
        ReservationRefusal::HoldExpired { expired_at } => {
            Problem::new(Code::HoldExpired).with("expired_at", expired_at)
        }
        ReservationRefusal::QuoteNotValid => Problem::new(Code::QuoteNotValid),
    }
}

fn of_payment(refusal: PaymentRefusal) -> Problem {
    match refusal {
        PaymentRefusal::NotFound => Problem::new(Code::NotFound),
        PaymentRefusal::AlreadyInitiated => Problem::new(Code::AlreadyExists),
        PaymentRefusal::AmountMismatch { due } => {
            Problem::new(Code::AmountMismatch).with("due", due)
        }
        PaymentRefusal::PaymentInFlight => Problem::new(Code::PaymentInFlight),
        PaymentRefusal::AlreadyConfirmed => Problem::new(Code::AlreadyConfirmed),
        PaymentRefusal::UnderReview => Problem::new(Code::UnderReview),
        PaymentRefusal::InvalidRefundAmount { refundable } => {
            Problem::new(Code::InvalidRefundAmount).with("refundable", refundable)
        }
    }
}

fn of_claim(refusal: ClaimRefusal) -> Problem {
    Problem::new(match refusal {
        ClaimRefusal::Gone(_) | ClaimRefusal::Expired(_) => Code::HoldExpired,
        ClaimRefusal::StillRunning(_) => Code::HoldStillRunning,
    })
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
