//! The authority over a resource's open-ended time. Every interval that anything takes of a
//! resource is decided here, across all its offerings, so two of them can never overlap beyond its
//! capacity.
//!
//! - C1 At every instant the weights of live claims, buffers included, fit the capacity.
//! - C2 A hold resolves at most once; its id is used once.
//! - C5 A hold past its deadline counts as free even when no timer ran; its expiry is written in
//!   the same append as the hold that replaces it.

use std::collections::BTreeMap;

use crate::booking::hold::{Claim, ClaimCommand, ClaimFact, ClaimRefusal, Phase};
use crate::decider::Decider;
use crate::event::define::events;
use crate::ids::{HoldId, ReservationId, SessionId};
use crate::time::{Interval, Timestamp};

events! {
    /// What happens to the time of a resource.
    pub enum CalendarEvent {
        /// A reservation holds an interval until a deadline.
        "hold_placed" v 1 => HoldPlaced {
            /// The claim.
            hold: HoldId,
            /// For whom.
            reservation: ReservationId,
            /// What is booked, half-open.
            booked: Interval,
            /// What is kept free of others: the booked time with its buffers.
            blocks: Interval,
            /// How much of the resource's capacity it takes.
            weight: u32,
            /// First instant at which the hold is over.
            expires_at: Timestamp,
        },
        /// The hold stands beyond its deadline, because money is in flight.
        "hold_pinned" v 1 => HoldPinned {
            /// The claim.
            hold: HoldId,
            /// First instant at which the pin holds nothing.
            pinned_until: Timestamp,
        },
        /// The money did not come; the hold's own deadline counts again.
        "hold_unpinned" v 1 => HoldUnpinned {
            /// The claim.
            hold: HoldId,
        },
        /// The interval is sold.
        "hold_converted" v 1 => HoldConverted {
            /// The claim.
            hold: HoldId,
        },
        /// The interval is free again, because it was given back.
        "hold_released" v 1 => HoldReleased {
            /// The claim.
            hold: HoldId,
        },
        /// The interval is free again, because the deadline passed.
        "hold_expired" v 1 => HoldExpired {
            /// The claim.
            hold: HoldId,
        },
        /// A class takes the interval, all of the resource.
        "time_blocked" v 1 => TimeBlocked {
            /// The claim.
            hold: HoldId,
            /// The class.
            session: SessionId,
            /// What it takes, half-open.
            blocks: Interval,
            /// The resource's whole capacity.
            weight: u32,
        },
    }
}

/// What can be asked of a calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CalendarCommand {
    /// Hold an interval for a reservation.
    Place {
        /// A fresh id.
        hold: HoldId,
        /// For whom.
        reservation: ReservationId,
        /// What is booked.
        booked: Interval,
        /// What it keeps others from.
        blocks: Interval,
        /// How much of the capacity it takes.
        weight: u32,
        /// The capacity of the resource.
        capacity: u32,
        /// When the hold ends by itself.
        expires_at: Timestamp,
        /// The instant of judgement.
        now: Timestamp,
    },
    /// Take an interval for a class.
    Block {
        /// A fresh id.
        hold: HoldId,
        /// The class.
        session: SessionId,
        /// What it takes.
        blocks: Interval,
        /// The capacity of the resource: a class takes all of it.
        capacity: u32,
        /// The instant of judgement.
        now: Timestamp,
    },
    /// Something about a claim that was placed before.
    Claim(HoldId, ClaimCommand),
}

/// Why a calendar says no.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CalendarRefusal {
    /// The interval, or a part of it, is taken.
    #[error("the time is taken")]
    SlotTaken,
    /// The hold is not one that this can be asked of.
    #[error(transparent)]
    Claim(#[from] ClaimRefusal),
}

/// Who has an interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holder {
    /// A reservation, by a claim that has phases.
    Reservation(Claim),
    /// A class; it stays.
    Session(SessionId),
}

/// A live part of a calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allocation {
    /// Who has it.
    pub holder: Holder,
    /// What is booked.
    pub booked: Interval,
    /// What is kept free of others.
    pub blocks: Interval,
    /// How much of the capacity it takes.
    pub weight: u32,
}

impl Allocation {
    /// Whether it keeps others away at `now`.
    pub fn is_live(&self, now: Timestamp) -> bool {
        match self.holder {
            Holder::Reservation(claim) => claim.is_live(now),
            Holder::Session(_) => true,
        }
    }

    /// What follows when a hold of this id is placed again. An id is used once: the same claim is
    /// already so, another one would let go of the first without a word.
    fn again(
        &self,
        hold: HoldId,
        reservation: ReservationId,
        takes: (Interval, u32),
        now: Timestamp,
    ) -> Result<Vec<CalendarEvent>, CalendarRefusal> {
        let same = match self.holder {
            Holder::Reservation(claim) => claim.reservation == reservation,
            Holder::Session(_) => false,
        };
        if !same || takes != (self.blocks, self.weight) {
            Err(CalendarRefusal::SlotTaken)
        } else if self.is_live(now) {
            Ok(vec![])
        } else {
            Err(ClaimRefusal::Expired(hold).into())
        }
    }
}

/// The unresolved claims on a resource's time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Calendar {
    allocations: BTreeMap<HoldId, Allocation>,
    /// The same, by the start of what they block, to find neighbours without a full scan.
    by_start: BTreeMap<(Timestamp, HoldId), Timestamp>,
    /// The longest stretch ever blocked: no neighbour starts earlier than this before a time.
    longest: std::time::Duration,
}

impl Calendar {
    /// Every claim that was not resolved, live or overdue.
    pub fn allocations(&self) -> impl Iterator<Item = (HoldId, &Allocation)> {
        self.allocations.iter().map(|(hold, allocation)| (*hold, allocation))
    }

    /// One claim.
    pub fn allocation(&self, hold: HoldId) -> Option<&Allocation> {
        self.allocations.get(&hold)
    }

    /// The claim of a reservation.
    pub fn claim(&self, hold: HoldId) -> Option<&Claim> {
        match self.allocations.get(&hold).map(|allocation| &allocation.holder) {
            Some(Holder::Reservation(claim)) => Some(claim),
            Some(Holder::Session(_)) | None => None,
        }
    }

    /// The claims that share an instant with `wanted`, by start.
    pub fn overlapping(&self, wanted: Interval) -> impl Iterator<Item = (HoldId, &Allocation)> {
        let lowest = HoldId::from_uuid(uuid::Uuid::nil());
        let from = (wanted.start().minus(self.longest), lowest);
        self.by_start
            .range(from..(wanted.end(), lowest))
            .filter(move |(_, end)| **end > wanted.start())
            .filter_map(|((_, hold), _)| self.allocations.get(hold).map(|found| (*hold, found)))
    }

    /// Whether `weight` more fits everywhere in `wanted` at `now`.
    pub fn fits(&self, wanted: Interval, weight: u32, capacity: u32, now: Timestamp) -> bool {
        self.load(wanted, now).saturating_add(weight) <= capacity
    }

    /// The most that is taken at any instant of `wanted`, as it stands at `now`.
    pub fn load(&self, wanted: Interval, now: Timestamp) -> u32 {
        // Load only rises where a claim starts, so it is enough to look there and at the beginning.
        let live: Vec<_> = self
            .overlapping(wanted)
            .filter(|(_, allocation)| allocation.is_live(now))
            .map(|(_, allocation)| (allocation.blocks, allocation.weight))
            .collect();
        let starts = live.iter().map(|(blocks, _)| blocks.start().max(wanted.start()));
        let load_at = |instant| {
            live.iter()
                .filter(|(blocks, _)| blocks.start() <= instant && instant < blocks.end())
                .fold(0_u32, |sum, (_, weight)| sum.saturating_add(*weight))
        };
        starts.map(load_at).max().unwrap_or(0)
    }

    /// When something of what is taken in `wanted` is free again, first; `None` when nothing is
    /// taken there at `now`.
    pub fn first_end(&self, wanted: Interval, now: Timestamp) -> Option<Timestamp> {
        self.overlapping(wanted)
            .filter(|(_, allocation)| allocation.is_live(now))
            .map(|(_, allocation)| allocation.blocks.end())
            .min()
    }

    /// The expiries that must be written before `wanted` can be given to another.
    fn overdue(&self, wanted: Interval, now: Timestamp) -> impl Iterator<Item = CalendarEvent> {
        self.overlapping(wanted)
            .filter(move |(_, allocation)| !allocation.is_live(now))
            .map(|(hold, _)| CalendarEvent::HoldExpired { hold })
    }

    fn insert(&mut self, hold: HoldId, allocation: Allocation) {
        let blocks = allocation.blocks;
        self.longest = self.longest.max(blocks.end().since(blocks.start()));
        self.by_start.insert((blocks.start(), hold), blocks.end());
        self.allocations.insert(hold, allocation);
    }

    fn apply(&mut self, hold: HoldId, fact: ClaimFact) {
        let Some(allocation) = self.allocations.get_mut(&hold) else { return };
        let resolved = match &mut allocation.holder {
            Holder::Reservation(claim) => match claim.after(fact) {
                Some(next) => {
                    *claim = next;
                    false
                }
                None => true,
            },
            Holder::Session(_) => matches!(fact, ClaimFact::Released),
        };
        if resolved {
            self.by_start.remove(&(allocation.blocks.start(), hold));
            self.allocations.remove(&hold);
        }
    }
}

impl Decider for Calendar {
    type Command = CalendarCommand;
    type Event = CalendarEvent;
    type Refusal = CalendarRefusal;

    fn decide(&self, command: &CalendarCommand) -> Result<Vec<CalendarEvent>, CalendarRefusal> {
        match *command {
            CalendarCommand::Place {
                hold,
                reservation,
                booked,
                blocks,
                weight,
                capacity,
                expires_at,
                now,
            } => {
                if let Some(known) = self.allocations.get(&hold) {
                    return known.again(hold, reservation, (blocks, weight), now);
                }
                if !self.fits(blocks, weight, capacity, now) {
                    return Err(CalendarRefusal::SlotTaken);
                }
                let placed = CalendarEvent::HoldPlaced {
                    hold,
                    reservation,
                    booked,
                    blocks,
                    weight,
                    expires_at,
                };
                Ok(self.overdue(blocks, now).chain([placed]).collect())
            }
            CalendarCommand::Block { hold, session, blocks, capacity, now } => {
                if let Some(known) = self.allocations.get(&hold) {
                    let same = known.holder == Holder::Session(session) && known.blocks == blocks;
                    return if same { Ok(vec![]) } else { Err(CalendarRefusal::SlotTaken) };
                }
                if !self.fits(blocks, capacity, capacity, now) {
                    return Err(CalendarRefusal::SlotTaken);
                }
                let blocked =
                    CalendarEvent::TimeBlocked { hold, session, blocks, weight: capacity };
                Ok(self.overdue(blocks, now).chain([blocked]).collect())
            }
            CalendarCommand::Claim(hold, command) => {
                let claim = self.claim(hold).ok_or(ClaimRefusal::Gone(hold))?;
                let fact = claim.decide(hold, command)?;
                Ok(fact.map(|fact| event_of(hold, fact)).into_iter().collect())
            }
        }
    }

    fn evolve(mut self, event: &CalendarEvent) -> Self {
        match *event {
            CalendarEvent::HoldPlaced { hold, reservation, booked, blocks, weight, expires_at } => {
                let claim = Claim { reservation, expires_at, phase: Phase::Held };
                let holder = Holder::Reservation(claim);
                self.insert(hold, Allocation { holder, booked, blocks, weight });
            }
            CalendarEvent::TimeBlocked { hold, session, blocks, weight } => {
                let holder = Holder::Session(session);
                self.insert(hold, Allocation { holder, booked: blocks, blocks, weight });
            }
            CalendarEvent::HoldPinned { hold, pinned_until } => {
                self.apply(hold, ClaimFact::Pinned { until: pinned_until });
            }
            CalendarEvent::HoldUnpinned { hold } => self.apply(hold, ClaimFact::Unpinned),
            CalendarEvent::HoldConverted { hold } => self.apply(hold, ClaimFact::Converted),
            CalendarEvent::HoldReleased { hold } => self.apply(hold, ClaimFact::Released),
            CalendarEvent::HoldExpired { hold } => self.apply(hold, ClaimFact::Expired),
        }
        self
    }
}

fn event_of(hold: HoldId, fact: ClaimFact) -> CalendarEvent {
    match fact {
        ClaimFact::Pinned { until } => CalendarEvent::HoldPinned { hold, pinned_until: until },
        ClaimFact::Unpinned => CalendarEvent::HoldUnpinned { hold },
        ClaimFact::Converted => CalendarEvent::HoldConverted { hold },
        ClaimFact::Released => CalendarEvent::HoldReleased { hold },
        ClaimFact::Expired => CalendarEvent::HoldExpired { hold },
    }
}
