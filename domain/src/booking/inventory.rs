//! The stream that decides about a seat, whichever kind it is. A reservation, a payment and the
//! processes around them ask it the same questions of a calendar and of a session.

use crate::booking::Authority;
use crate::booking::calendar::{Calendar, CalendarCommand, CalendarEvent, CalendarRefusal};
use crate::booking::hold::{Claim, ClaimCommand};
use crate::booking::reservation::Booking;
use crate::booking::session::{Session, SessionCommand, SessionEvent, SessionRefusal};
use crate::decider::Decider;
use crate::event::Event;
use crate::ids::{HoldId, ReservationId};
use crate::time::Timestamp;

/// Why a seat was not given, or a claim not changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InventoryRefusal {
    /// The calendar says no.
    #[error(transparent)]
    Calendar(#[from] CalendarRefusal),
    /// The session says no.
    #[error(transparent)]
    Session(#[from] SessionRefusal),
}

/// The state of an authority.
#[derive(Debug, Clone, Copy)]
pub enum Inventory<'a> {
    /// A resource's time.
    Calendar {
        /// Its claims.
        calendar: &'a Calendar,
        /// How many may use the resource at once.
        capacity: u32,
    },
    /// The seats of a class.
    Session(&'a Session),
}

/// A seat that is wanted.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// A fresh id for the claim.
    pub hold: HoldId,
    /// For whom.
    pub reservation: ReservationId,
    /// What was agreed.
    pub booking: &'a Booking,
    /// When the hold ends by itself.
    pub expires_at: Timestamp,
    /// The instant of judgement.
    pub now: Timestamp,
    /// Whether the seat was booked in time before, and the money came late.
    pub late: bool,
}

impl Authority {
    /// The fact that a claim placed in the same append is sold at once.
    pub const fn sold(&self, hold: HoldId) -> Event {
        match self {
            Self::Calendar(_) => Event::Calendar(CalendarEvent::HoldConverted { hold }),
            Self::Session(_) => Event::Session(SessionEvent::SeatsConfirmed { hold }),
        }
    }
}

impl Inventory<'_> {
    /// The claim, when it was not resolved.
    pub fn claim(&self, hold: HoldId) -> Option<Claim> {
        match self {
            Self::Calendar { calendar, .. } => calendar.claim(hold).copied(),
            Self::Session(session) => {
                session.seats().ok()?.claim(hold).map(|(claim, _seats)| *claim)
            }
        }
    }

    /// The facts that follow from a command about a claim.
    pub fn judge(
        &self,
        hold: HoldId,
        command: ClaimCommand,
    ) -> Result<Vec<Event>, InventoryRefusal> {
        match self {
            Self::Calendar { calendar, .. } => {
                let facts = calendar.decide(&CalendarCommand::Claim(hold, command))?;
                Ok(facts.into_iter().map(Event::from).collect())
            }
            Self::Session(session) => {
                let facts = session.decide(&SessionCommand::Claim(hold, command))?;
                Ok(facts.into_iter().map(Event::from).collect())
            }
        }
    }

    /// The facts that follow from holding a seat.
    pub fn place(&self, wanted: Wanted<'_>) -> Result<Vec<Event>, InventoryRefusal> {
        let Wanted { hold, reservation, booking, expires_at, now, late } = wanted;
        match self {
            Self::Calendar { calendar, capacity } => {
                let facts = calendar.decide(&CalendarCommand::Place {
                    hold,
                    reservation,
                    booked: booking.booked,
                    blocks: booking.blocks,
                    weight: booking.party_size,
                    capacity: *capacity,
                    expires_at,
                    now,
                })?;
                Ok(facts.into_iter().map(Event::from).collect())
            }
            Self::Session(session) => {
                let facts = session.decide(&SessionCommand::Place {
                    hold,
                    reservation,
                    seats: booking.party_size,
                    expires_at,
                    now,
                    after_deadline: late,
                })?;
                Ok(facts.into_iter().map(Event::from).collect())
            }
        }
    }
}
