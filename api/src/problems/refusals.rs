//! The domain's refusals as problems: one code for each, and the fields that help. Every variant is
//! named, so that a new one has to be thought about here.

use holdfast_domain::booking::calendar::CalendarRefusal;
use holdfast_domain::booking::hold::ClaimRefusal;
use holdfast_domain::booking::offering::OfferingRefusal;
use holdfast_domain::booking::reservation::ReservationRefusal;
use holdfast_domain::booking::resource::ResourceRefusal;
use holdfast_domain::booking::session::SessionRefusal;
use holdfast_domain::payment::PaymentRefusal;

use super::Code;
use crate::http::problem::Problem;

impl From<ClaimRefusal> for Problem {
    fn from(refusal: ClaimRefusal) -> Self {
        Self::new(match refusal {
            ClaimRefusal::Gone(_) => Code::HoldGone,
            ClaimRefusal::Expired(_) => Code::HoldExpired,
            ClaimRefusal::StillRunning(_) => Code::HoldStillRunning,
        })
    }
}

impl From<CalendarRefusal> for Problem {
    fn from(refusal: CalendarRefusal) -> Self {
        match refusal {
            CalendarRefusal::SlotTaken => Self::new(Code::SlotTaken),
            CalendarRefusal::Claim(refusal) => refusal.into(),
        }
    }
}

impl From<OfferingRefusal> for Problem {
    fn from(refusal: OfferingRefusal) -> Self {
        let code = match refusal {
            OfferingRefusal::NotFound => Code::NotFound,
            OfferingRefusal::AlreadyDrafted => Code::AlreadyExists,
            OfferingRefusal::OfferNotOpen => Code::OfferNotOpen,
            OfferingRefusal::InvalidDuration => Code::InvalidDuration,
            OfferingRefusal::InvalidCapacity => Code::InvalidCapacity,
            OfferingRefusal::CapacityOfSlot => {
                return Self::new(Code::InvalidCapacity)
                    .detail(refusal.to_string())
                    .at("/capacity", "invalid_capacity");
            }
            OfferingRefusal::PriceTooLow { least } => {
                return Self::new(Code::PriceTooLow)
                    .with("least", least)
                    .at("/price/amount", "price_too_low");
            }
            OfferingRefusal::WrongKind => Code::WrongKind,
            OfferingRefusal::InThePast => Code::InThePast,
        };
        Self::new(code)
    }
}

impl From<ReservationRefusal> for Problem {
    fn from(refusal: ReservationRefusal) -> Self {
        match refusal {
            ReservationRefusal::NotFound => Self::new(Code::NotFound),
            ReservationRefusal::AlreadyRequested => Self::new(Code::AlreadyExists),
            ReservationRefusal::InvalidState { status } => {
                // `status` is the answer's own field, so the state goes by its full name.
                Self::new(Code::InvalidState)
                    .detail(refusal.to_string())
                    .with("reservation_status", status.to_string())
            }
            ReservationRefusal::HoldExpired { expired_at } => {
                Self::new(Code::HoldExpired).with("expired_at", expired_at)
            }
            ReservationRefusal::QuoteNotValid => Self::new(Code::QuoteNotValid),
        }
    }
}

impl From<ResourceRefusal> for Problem {
    fn from(refusal: ResourceRefusal) -> Self {
        Self::new(match refusal {
            ResourceRefusal::NotFound => Code::NotFound,
            ResourceRefusal::AlreadyRegistered => Code::AlreadyExists,
            ResourceRefusal::InvalidCapacity => Code::InvalidCapacity,
            ResourceRefusal::ScheduleTooLarge => Code::ScheduleTooLarge,
            ResourceRefusal::DateOverriddenTwice => Code::DateOverriddenTwice,
            ResourceRefusal::EmptyHours => Code::EmptyHours,
        })
    }
}

impl From<SessionRefusal> for Problem {
    fn from(refusal: SessionRefusal) -> Self {
        match refusal {
            SessionRefusal::NotFound => Self::new(Code::NotFound),
            SessionRefusal::AlreadyScheduled => Self::new(Code::AlreadyExists),
            SessionRefusal::CapacityExceeded { left } => {
                Self::new(Code::CapacityExceeded).with("left", left)
            }
            SessionRefusal::InvalidPartySize => Self::new(Code::InvalidPartySize),
            SessionRefusal::BookingClosed { closed_at } => {
                Self::new(Code::BookingClosed).with("closed_at", closed_at)
            }
            SessionRefusal::Claim(refusal) => refusal.into(),
        }
    }
}

impl From<PaymentRefusal> for Problem {
    fn from(refusal: PaymentRefusal) -> Self {
        match refusal {
            PaymentRefusal::NotFound => Self::new(Code::NotFound),
            PaymentRefusal::AlreadyInitiated => Self::new(Code::AlreadyExists),
            PaymentRefusal::AmountMismatch { due } => {
                Self::new(Code::AmountMismatch).with("due", due)
            }
            PaymentRefusal::PaymentInFlight => Self::new(Code::PaymentInFlight),
            PaymentRefusal::AlreadyConfirmed => Self::new(Code::AlreadyConfirmed),
            PaymentRefusal::NotUnderReview => Self::new(Code::NotUnderReview),
            PaymentRefusal::UnderReview => Self::new(Code::UnderReview),
            PaymentRefusal::TooManyRefunds { max } => {
                Self::new(Code::TooManyRefunds).with("max", max)
            }
            PaymentRefusal::InvalidRefundAmount { refundable } => {
                Self::new(Code::InvalidRefundAmount).with("refundable", refundable)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_keeps_what_helps() {
        let problem = Problem::from(SessionRefusal::CapacityExceeded { left: 2 });
        assert_eq!((problem.status().as_u16(), &problem.body()["left"]), (409, &2.into()));
        let expired_at = "2026-11-01T00:00:00Z".parse().unwrap();
        let body = Problem::from(ReservationRefusal::HoldExpired { expired_at }).body();
        assert_eq!(body["expired_at"], "2026-11-01T00:00:00Z");
        let absent = Problem::from(PaymentRefusal::NotFound);
        assert_eq!(absent.body(), Problem::new(Code::NotFound).body());
    }
}
