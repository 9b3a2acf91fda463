//! What can be booked: a title, a price, a duration and the rules around them. Times of a `slot`
//! are taken from the resource's opening hours; a `class` has dated sessions.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::decider::Decider;
use crate::event::define::events;
use crate::ids::{OfferingId, PrincipalId, ResourceId};
use crate::money::Money;
use crate::policy::CancellationPolicy;
use crate::time::{Interval, Timestamp, minutes};

events! {
    /// What happens to an offering.
    pub enum OfferingEvent {
        /// It was written down; nobody can book it yet.
        "drafted" v 1 => Drafted {
            /// Who offers it.
            provider: PrincipalId,
            /// Whose time it takes.
            resource: ResourceId,
            /// Public catalogue text.
            title: String,
            /// How it is booked.
            kind: OfferingKind,
            /// The rules.
            terms: Terms,
        },
        /// It can be booked from now on.
        "published" v 1 => Published {
            /// Counts up from 1.
            version: u32,
            /// Whose time it takes.
            resource: ResourceId,
        },
        /// It cannot be booked until it is published again.
        "paused" v 1 => Paused {
            /// Whose time it takes.
            resource: ResourceId,
        },
    }
}

/// How an offering is booked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OfferingKind {
    /// At any free time.
    Slot,
    /// At dated sessions with seats.
    Class,
}

/// Time kept free around a booking.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Buffers {
    /// Before it, in minutes.
    #[serde(default)]
    pub before_minutes: u32,
    /// After it, in minutes.
    #[serde(default)]
    pub after_minutes: u32,
}

/// The rules of an offering.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Terms {
    /// How long it takes.
    pub duration_minutes: u32,
    /// What one person pays.
    pub price: Money,
    /// Time kept free around it.
    pub buffers: Buffers,
    /// How long before its start it must be booked, at least.
    pub min_notice_minutes: u32,
    /// How far ahead it can be booked, at most.
    pub booking_window_days: u32,
    /// How long before the start booking closes; the stricter of this and the notice counts.
    pub booking_deadline_minutes: u32,
    /// How long a seat is held for a payment.
    pub hold_minutes: u32,
    /// For classes: how many seats a session has unless it says otherwise; none is no limit.
    pub capacity: Option<u32>,
    /// What is returned on a cancellation.
    pub cancellation_policy: CancellationPolicy,
}

impl Terms {
    /// The booked time that starts at `start`.
    pub fn booked(&self, start: Timestamp) -> Option<Interval> {
        Interval::try_new(start, start.plus(minutes(self.duration_minutes))).ok()
    }

    /// The booked time with what is kept free around it.
    pub fn blocks(&self, booked: Interval) -> Interval {
        booked.widened(minutes(self.buffers.before_minutes), minutes(self.buffers.after_minutes))
    }

    /// The starts that can be booked at `now`, both inclusive: from the notice on, up to the window's
    /// end.
    pub fn bookable(&self, now: Timestamp) -> (Timestamp, Timestamp) {
        (now.plus(self.notice()), now.plus(self.window()))
    }

    /// The last instant at which what starts at `start` can be booked.
    pub fn closes_at(&self, start: Timestamp) -> Timestamp {
        start.minus(self.notice())
    }

    /// The first instant at which what starts at `start` can be booked.
    pub fn opens_at(&self, start: Timestamp) -> Timestamp {
        start.minus(self.window())
    }

    fn notice(&self) -> Duration {
        minutes(self.min_notice_minutes.max(self.booking_deadline_minutes))
    }

    fn window(&self) -> Duration {
        Duration::from_hours(24).saturating_mul(self.booking_window_days)
    }

    fn check(&self, kind: OfferingKind) -> Result<(), OfferingRefusal> {
        let day = 24 * 60;
        let lengths = [
            self.buffers.before_minutes <= day,
            self.buffers.after_minutes <= day,
            (1..=7 * day).contains(&self.duration_minutes),
            self.min_notice_minutes <= 366 * day,
            self.booking_deadline_minutes <= 366 * day,
            (1..=730).contains(&self.booking_window_days),
            (1..=day).contains(&self.hold_minutes),
        ];
        if lengths.contains(&false) {
            return Err(OfferingRefusal::InvalidDuration);
        }
        if self.capacity.is_some_and(|seats| !(1..=100_000).contains(&seats)) {
            return Err(OfferingRefusal::InvalidCapacity);
        }
        // How many a free time takes is said by the resource.
        if kind == OfferingKind::Slot && self.capacity.is_some() {
            return Err(OfferingRefusal::CapacityOfSlot);
        }
        let least = Money::least_charge(self.price.currency());
        if !self.price.is_zero() && self.price.minor() < least.minor() {
            return Err(OfferingRefusal::PriceTooLow { least });
        }
        Ok(())
    }
}

/// What can be asked of an offering.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OfferingCommand {
    /// Write it down.
    Draft {
        /// Who offers it.
        provider: PrincipalId,
        /// Whose time it takes.
        resource: ResourceId,
        /// Public catalogue text.
        title: String,
        /// How it is booked.
        kind: OfferingKind,
        /// The rules.
        terms: Terms,
    },
    /// Let it be booked.
    Publish {
        /// Who asks.
        by: PrincipalId,
    },
    /// Stop it from being booked.
    Pause {
        /// Who asks.
        by: PrincipalId,
    },
}

/// Why an offering says no.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OfferingRefusal {
    /// There is none of this id that the caller may see.
    #[error("there is no such offering")]
    NotFound,
    /// The id is taken.
    #[error("the offering already exists")]
    AlreadyDrafted,
    /// It is not published, or paused.
    #[error("the offering cannot be booked now")]
    OfferNotOpen,
    /// A length outside its limits.
    #[error("a duration, buffer, notice, window or hold is outside its limits")]
    InvalidDuration,
    /// No seat, or more than anyone has.
    #[error("a class has 1 to 100000 seats, or no limit")]
    InvalidCapacity,
    /// A free time takes as many as its resource.
    #[error("the capacity of free times is their resource's")]
    CapacityOfSlot,
    /// Not free, and less than can be charged.
    #[error("a price is 0 or at least {least}")]
    PriceTooLow {
        /// The least that can be charged.
        least: Money,
    },
    /// A slot offering has no sessions, a class has no free times.
    #[error("this kind of offering is booked differently")]
    WrongKind,
    /// A class that is already over for bookings when it is scheduled.
    #[error("the time lies in the past")]
    InThePast,
}

/// Whether an offering can be booked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Availability {
    /// Not yet.
    Draft,
    /// Now.
    Published,
    /// Not now.
    Paused,
}

/// The state of an offering.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Offering {
    /// Nothing was drafted under this id.
    #[default]
    Absent,
    /// It is there.
    Drafted(Drafted),
}

/// An offering that exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drafted {
    /// Who offers it.
    pub provider: PrincipalId,
    /// Whose time it takes.
    pub resource: ResourceId,
    /// Public catalogue text.
    pub title: String,
    /// How it is booked.
    pub kind: OfferingKind,
    /// The rules.
    pub terms: Terms,
    /// Whether it can be booked.
    pub availability: Availability,
    /// How often it was published.
    pub version: u32,
}

impl Offering {
    /// The offering, when there is one.
    pub fn drafted(&self) -> Result<&Drafted, OfferingRefusal> {
        match self {
            Self::Absent => Err(OfferingRefusal::NotFound),
            Self::Drafted(offering) => Ok(offering),
        }
    }

    /// The offering, when it can be booked and is of this kind.
    pub fn open(&self, kind: OfferingKind) -> Result<&Drafted, OfferingRefusal> {
        let offering = self.drafted()?;
        if offering.kind != kind {
            return Err(OfferingRefusal::WrongKind);
        }
        match offering.availability {
            Availability::Published => Ok(offering),
            Availability::Draft | Availability::Paused => Err(OfferingRefusal::OfferNotOpen),
        }
    }

    fn owned_by(&self, by: PrincipalId) -> Result<&Drafted, OfferingRefusal> {
        self.drafted().and_then(|offering| {
            if offering.provider == by { Ok(offering) } else { Err(OfferingRefusal::NotFound) }
        })
    }
}

impl Decider for Offering {
    type Command = OfferingCommand;
    type Event = OfferingEvent;
    type Refusal = OfferingRefusal;

    fn decide(&self, command: &OfferingCommand) -> Result<Vec<OfferingEvent>, OfferingRefusal> {
        match command {
            OfferingCommand::Draft { provider, resource, title, kind, terms } => {
                if *self != Self::Absent {
                    return Err(OfferingRefusal::AlreadyDrafted);
                }
                terms.check(*kind)?;
                Ok(vec![OfferingEvent::Drafted {
                    provider: *provider,
                    resource: *resource,
                    title: title.clone(),
                    kind: *kind,
                    terms: terms.clone(),
                }])
            }
            OfferingCommand::Publish { by } => {
                let offering = self.owned_by(*by)?;
                match offering.availability {
                    Availability::Published => Ok(vec![]),
                    Availability::Draft | Availability::Paused => {
                        let version = offering.version.saturating_add(1);
                        let resource = offering.resource;
                        Ok(vec![OfferingEvent::Published { version, resource }])
                    }
                }
            }
            OfferingCommand::Pause { by } => {
                let offering = self.owned_by(*by)?;
                match offering.availability {
                    Availability::Published => {
                        Ok(vec![OfferingEvent::Paused { resource: offering.resource }])
                    }
                    Availability::Draft | Availability::Paused => Ok(vec![]),
                }
            }
        }
    }

    fn evolve(self, event: &OfferingEvent) -> Self {
        match event {
            OfferingEvent::Drafted { provider, resource, title, kind, terms } => {
                Self::Drafted(Drafted {
                    provider: *provider,
                    resource: *resource,
                    title: title.clone(),
                    kind: *kind,
                    terms: terms.clone(),
                    availability: Availability::Draft,
                    version: 0,
                })
            }
            OfferingEvent::Published { version, .. } => {
                self.set(Availability::Published, Some(*version))
            }
            OfferingEvent::Paused { .. } => self.set(Availability::Paused, None),
        }
    }
}

impl Offering {
    fn set(self, availability: Availability, version: Option<u32>) -> Self {
        match self {
            Self::Absent => Self::Absent,
            Self::Drafted(offering) => {
                let version = version.unwrap_or(offering.version);
                Self::Drafted(Drafted { availability, version, ..offering })
            }
        }
    }
}

/// A reference to an offering and the version that was sold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SoldVersion {
    /// Which.
    pub offering: OfferingId,
    /// The version that was published when the seat was held.
    pub version: u32,
}
