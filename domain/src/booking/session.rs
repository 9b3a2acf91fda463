//! The authority over the seats of a dated class.
//!
//! - S1 Seats held, pinned and confirmed never exceed the capacity.
//! - S5 No hold after the booking deadline, nor from the start on; the deadline itself still books
//!   when it comes before the start.
//! - A hold past its deadline counts as free even when no timer ran.

use std::collections::BTreeMap;

use crate::booking::hold::{Claim, ClaimCommand, ClaimFact, ClaimRefusal, Phase};
use crate::decider::Decider;
use crate::event::define::events;
use crate::ids::{HoldId, OfferingId, ReservationId, ResourceId};
use crate::time::zone::TimeIntent;
use crate::time::{Interval, Timestamp};

events! {
    /// What happens to the seats of a class.
    pub enum SessionEvent {
        /// The class was put on the calendar.
        "scheduled" v 1 => Scheduled {
            /// What is taught.
            offering: OfferingId,
            /// Whose calendar it blocks.
            resource: ResourceId,
            /// The claim on that calendar.
            block: HoldId,
            /// When it starts, as it was meant.
            starts: TimeIntent,
            /// When it takes place, half-open.
            held: Interval,
            /// How many seats; none is no limit.
            capacity: Option<u32>,
            /// How many must come for it to take place.
            min_capacity: Option<u32>,
            /// The last instant at which it can be booked, if it comes before the start.
            booking_closes_at: Timestamp,
        },
        /// A reservation holds seats until a deadline.
        "seats_held" v 1 => SeatsHeld {
            /// The claim.
            hold: HoldId,
            /// For whom.
            reservation: ReservationId,
            /// How many.
            seats: u32,
            /// First instant at which the hold is over.
            expires_at: Timestamp,
        },
        /// The seats stand beyond their deadline, because money is in flight.
        "seats_pinned" v 1 => SeatsPinned {
            /// The claim.
            hold: HoldId,
            /// First instant at which the pin holds nothing.
            pinned_until: Timestamp,
        },
        /// The money did not come; the hold's own deadline counts again.
        "seats_unpinned" v 1 => SeatsUnpinned {
            /// The claim.
            hold: HoldId,
        },
        /// The seats are sold.
        "seats_confirmed" v 1 => SeatsConfirmed {
            /// The claim.
            hold: HoldId,
        },
        /// The seats are free again, because they were given back.
        "seats_released" v 1 => SeatsReleased {
            /// The claim.
            hold: HoldId,
        },
        /// The seats are free again, because the deadline passed.
        "seats_expired" v 1 => SeatsExpired {
            /// The claim.
            hold: HoldId,
        },
    }
}

/// What can be asked of a class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SessionCommand {
    /// Put it on the calendar.
    Schedule(Schedule),
    /// Hold seats for a reservation.
    Place {
        /// A fresh id.
        hold: HoldId,
        /// For whom.
        reservation: ReservationId,
        /// How many.
        seats: u32,
        /// When the hold ends by itself.
        expires_at: Timestamp,
        /// The instant of judgement.
        now: Timestamp,
        /// Whether the deadline for booking is ignored: money that came late for a seat that was
        /// booked in time.
        after_deadline: bool,
    },
    /// Something about a claim that was placed before.
    Claim(HoldId, ClaimCommand),
}

/// A class to be put on the calendar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    /// What is taught.
    pub offering: OfferingId,
    /// Whose calendar it blocks.
    pub resource: ResourceId,
    /// The claim on that calendar.
    pub block: HoldId,
    /// When it starts, as it was meant.
    pub starts: TimeIntent,
    /// When it takes place.
    pub held: Interval,
    /// How many seats; none is no limit.
    pub capacity: Option<u32>,
    /// How many must come.
    pub min_capacity: Option<u32>,
    /// The last instant at which it can be booked, if it comes before the start.
    pub booking_closes_at: Timestamp,
}

/// Why a class says no.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SessionRefusal {
    /// There is no such class.
    #[error("there is no such session")]
    NotFound,
    /// It was scheduled before, differently.
    #[error("the session is already scheduled")]
    AlreadyScheduled,
    /// Fewer seats are left than were asked for.
    #[error("only {left} seats are left")]
    CapacityExceeded {
        /// How many are left.
        left: u32,
    },
    /// No seat, or more than anyone may take.
    #[error("a party has at least one person")]
    InvalidPartySize,
    /// The deadline for booking has passed.
    #[error("booking closed at {closed_at}")]
    BookingClosed {
        /// The last instant at which it could be booked.
        closed_at: Timestamp,
    },
    /// The hold is not one that this can be asked of.
    #[error(transparent)]
    Claim(#[from] ClaimRefusal),
}

/// The state of a class.
#[expect(clippy::large_enum_variant, reason = "the empty one exists only before the first event")]
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Session {
    /// Nothing was scheduled under this id.
    #[default]
    Absent,
    /// It is on the calendar.
    Scheduled(Seats),
}

/// A scheduled class and who has its seats.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seats {
    /// What was scheduled.
    pub plan: Schedule,
    claims: BTreeMap<HoldId, (Claim, u32)>,
}

impl Seats {
    /// Seats that others cannot have at `now`.
    pub fn taken(&self, now: Timestamp) -> u32 {
        self.claims
            .values()
            .filter(|(claim, _)| claim.is_live(now))
            .fold(0, |sum, (_, seats)| sum.saturating_add(*seats))
    }

    /// Seats that can still be had at `now`; no limit is none.
    pub fn left(&self, now: Timestamp) -> Option<u32> {
        self.plan.capacity.map(|capacity| capacity.saturating_sub(self.taken(now)))
    }

    /// One claim and its seats.
    pub fn claim(&self, hold: HoldId) -> Option<&(Claim, u32)> {
        self.claims.get(&hold)
    }

    /// Every claim that was not resolved, live or overdue.
    pub fn claims(&self) -> impl Iterator<Item = (HoldId, &(Claim, u32))> {
        self.claims.iter().map(|(hold, claim)| (*hold, claim))
    }

    fn place(
        &self,
        seats: u32,
        now: Timestamp,
        after_deadline: bool,
    ) -> Result<(), SessionRefusal> {
        if seats == 0 {
            return Err(SessionRefusal::InvalidPartySize);
        }
        let closed_at = self.plan.booking_closes_at;
        let closed = now > closed_at || now >= self.plan.held.start();
        if closed && !after_deadline {
            return Err(SessionRefusal::BookingClosed { closed_at });
        }
        match self.left(now) {
            Some(left) if seats > left => Err(SessionRefusal::CapacityExceeded { left }),
            Some(_) | None => Ok(()),
        }
    }

    fn apply(&mut self, hold: HoldId, fact: ClaimFact) {
        if let Some((claim, _)) = self.claims.get_mut(&hold) {
            match claim.after(fact) {
                Some(next) => *claim = next,
                None => drop(self.claims.remove(&hold)),
            }
        }
    }
}

impl Session {
    /// The class, when there is one.
    pub fn seats(&self) -> Result<&Seats, SessionRefusal> {
        match self {
            Self::Absent => Err(SessionRefusal::NotFound),
            Self::Scheduled(seats) => Ok(seats),
        }
    }

    fn with(self, change: impl FnOnce(&mut Seats)) -> Self {
        match self {
            Self::Absent => Self::Absent,
            Self::Scheduled(mut seats) => {
                change(&mut seats);
                Self::Scheduled(seats)
            }
        }
    }
}

impl Decider for Session {
    type Command = SessionCommand;
    type Event = SessionEvent;
    type Refusal = SessionRefusal;

    fn decide(&self, command: &SessionCommand) -> Result<Vec<SessionEvent>, SessionRefusal> {
        match command {
            SessionCommand::Schedule(plan) => match self {
                Self::Absent => Ok(vec![scheduled(plan.clone())]),
                Self::Scheduled(seats) if seats.plan == *plan => Ok(vec![]),
                Self::Scheduled(_) => Err(SessionRefusal::AlreadyScheduled),
            },
            SessionCommand::Place { hold, reservation, seats, expires_at, now, after_deadline } => {
                let class = self.seats()?;
                if let Some(known) = class.claim(*hold) {
                    return again(*hold, known, (*reservation, *seats), class.left(*now), *now);
                }
                class.place(*seats, *now, *after_deadline)?;
                let overdue = class.claims().filter(|(_, (claim, _))| !claim.is_live(*now));
                let expired = overdue.map(|(hold, _)| SessionEvent::SeatsExpired { hold });
                let held = SessionEvent::SeatsHeld {
                    hold: *hold,
                    reservation: *reservation,
                    seats: *seats,
                    expires_at: *expires_at,
                };
                Ok(expired.chain([held]).collect())
            }
            SessionCommand::Claim(hold, command) => {
                let (claim, _) = self.seats()?.claim(*hold).ok_or(ClaimRefusal::Gone(*hold))?;
                let fact = claim.decide(*hold, *command)?;
                Ok(fact.map(|fact| event_of(*hold, fact)).into_iter().collect())
            }
        }
    }

    fn evolve(self, event: &SessionEvent) -> Self {
        match event {
            SessionEvent::Scheduled {
                offering,
                resource,
                block,
                starts,
                held,
                capacity,
                min_capacity,
                booking_closes_at,
            } => Self::Scheduled(Seats {
                plan: Schedule {
                    offering: *offering,
                    resource: *resource,
                    block: *block,
                    starts: starts.clone(),
                    held: *held,
                    capacity: *capacity,
                    min_capacity: *min_capacity,
                    booking_closes_at: *booking_closes_at,
                },
                claims: BTreeMap::new(),
            }),
            SessionEvent::SeatsHeld { hold, reservation, seats, expires_at } => {
                let (expires_at, phase) = (*expires_at, Phase::Held);
                let claim = Claim { reservation: *reservation, expires_at, phase };
                self.with(|class| {
                    class.claims.insert(*hold, (claim, *seats));
                })
            }
            SessionEvent::SeatsPinned { hold, pinned_until } => {
                self.with(|class| class.apply(*hold, ClaimFact::Pinned { until: *pinned_until }))
            }
            SessionEvent::SeatsUnpinned { hold } => {
                self.with(|class| class.apply(*hold, ClaimFact::Unpinned))
            }
            SessionEvent::SeatsConfirmed { hold } => {
                self.with(|class| class.apply(*hold, ClaimFact::Converted))
            }
            SessionEvent::SeatsReleased { hold } => {
                self.with(|class| class.apply(*hold, ClaimFact::Released))
            }
            SessionEvent::SeatsExpired { hold } => {
                self.with(|class| class.apply(*hold, ClaimFact::Expired))
            }
        }
    }
}

/// What follows when a hold of this id is placed again. An id is used once: the same claim is
/// already so, another one would let go of the first without a word.
fn again(
    hold: HoldId,
    (claim, taken): &(Claim, u32),
    (reservation, seats): (ReservationId, u32),
    left: Option<u32>,
    now: Timestamp,
) -> Result<Vec<SessionEvent>, SessionRefusal> {
    if claim.reservation != reservation || *taken != seats {
        Err(SessionRefusal::CapacityExceeded { left: left.unwrap_or(0) })
    } else if claim.is_live(now) {
        Ok(vec![])
    } else {
        Err(ClaimRefusal::Expired(hold).into())
    }
}

fn scheduled(plan: Schedule) -> SessionEvent {
    SessionEvent::Scheduled {
        offering: plan.offering,
        resource: plan.resource,
        block: plan.block,
        starts: plan.starts,
        held: plan.held,
        capacity: plan.capacity,
        min_capacity: plan.min_capacity,
        booking_closes_at: plan.booking_closes_at,
    }
}

fn event_of(hold: HoldId, fact: ClaimFact) -> SessionEvent {
    match fact {
        ClaimFact::Pinned { until } => SessionEvent::SeatsPinned { hold, pinned_until: until },
        ClaimFact::Unpinned => SessionEvent::SeatsUnpinned { hold },
        ClaimFact::Converted => SessionEvent::SeatsConfirmed { hold },
        ClaimFact::Released => SessionEvent::SeatsReleased { hold },
        ClaimFact::Expired => SessionEvent::SeatsExpired { hold },
    }
}
