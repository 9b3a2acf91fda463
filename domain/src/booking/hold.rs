//! A claim on something scarce: a hold with a deadline, a pin while money is in flight, then firm
//! or gone. A calendar and a session judge their claims by these same rules.
//!
//! ```text
//! free --place--> HELD --pin--> PINNED --convert--> FIRM --release--> free
//!                  | expire/release  | unpin -> HELD
//!                  +-> free          +-> (pin lapses) free
//! ```

use crate::ids::{HoldId, ReservationId};
use crate::time::Timestamp;

/// Where a claim stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Held until its deadline.
    Held,
    /// Held beyond its deadline, because money is in flight, until the pin lapses. Every pin has an
    /// end: what a crash leaves behind frees itself.
    Pinned {
        /// First instant at which the pin holds nothing.
        until: Timestamp,
    },
    /// Sold.
    Firm,
}

/// A claim that was not resolved yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claim {
    /// For whom.
    pub reservation: ReservationId,
    /// First instant at which an unpinned hold is over.
    pub expires_at: Timestamp,
    /// Where it stands.
    pub phase: Phase,
}

/// What can be asked of a claim, whatever it claims.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClaimCommand {
    /// Keep it while money is in flight.
    Pin {
        /// Until when at most, unless its own deadline is later.
        until: Timestamp,
        /// The instant of judgement.
        now: Timestamp,
    },
    /// The money did not come: back to the deadline it had.
    Unpin,
    /// The money came.
    Convert {
        /// The instant of judgement.
        now: Timestamp,
    },
    /// Give it back.
    Release,
    /// Write down that its deadline has passed.
    Expire {
        /// The instant of judgement.
        now: Timestamp,
    },
}

/// What the owner of the claim records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClaimFact {
    /// It was pinned.
    Pinned {
        /// Until when at most.
        until: Timestamp,
    },
    /// The pin was taken off.
    Unpinned,
    /// It is sold.
    Converted,
    /// It was given back.
    Released,
    /// Its deadline had passed.
    Expired,
}

/// Why a claim command is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ClaimRefusal {
    /// There is no such live claim: it was resolved, or never placed.
    #[error("the hold {0} is gone")]
    Gone(HoldId),
    /// Its deadline has passed.
    #[error("the hold {0} has expired")]
    Expired(HoldId),
    /// Its deadline has not passed.
    #[error("the hold {0} is still running")]
    StillRunning(HoldId),
}

impl Claim {
    /// Whether it keeps others away at `now`. A deadline itself is already over.
    pub fn is_live(&self, now: Timestamp) -> bool {
        match self.phase {
            Phase::Held => now < self.expires_at,
            Phase::Pinned { until } => now < until,
            Phase::Firm => true,
        }
    }

    /// When it stops keeping others away by itself; never, once it is sold.
    pub const fn ends_at(&self) -> Option<Timestamp> {
        match self.phase {
            Phase::Held => Some(self.expires_at),
            Phase::Pinned { until } => Some(until),
            Phase::Firm => None,
        }
    }

    /// Judges a command; no fact means that it is already so.
    pub fn decide(
        &self,
        hold: HoldId,
        command: ClaimCommand,
    ) -> Result<Option<ClaimFact>, ClaimRefusal> {
        match command {
            ClaimCommand::Pin { until, now } => match self.phase {
                Phase::Firm => Ok(None),
                Phase::Held | Phase::Pinned { .. } if !self.is_live(now) => {
                    Err(ClaimRefusal::Expired(hold))
                }
                // A pin keeps the claim longer, never shorter: what was promised stays promised.
                Phase::Held | Phase::Pinned { .. } => {
                    Ok(Some(ClaimFact::Pinned { until: until.max(self.expires_at) }))
                }
            },
            ClaimCommand::Unpin => match self.phase {
                Phase::Pinned { .. } => Ok(Some(ClaimFact::Unpinned)),
                Phase::Held | Phase::Firm => Ok(None),
            },
            ClaimCommand::Convert { now } => match self.phase {
                Phase::Firm => Ok(None),
                Phase::Held | Phase::Pinned { .. } if !self.is_live(now) => {
                    Err(ClaimRefusal::Expired(hold))
                }
                Phase::Held | Phase::Pinned { .. } => Ok(Some(ClaimFact::Converted)),
            },
            ClaimCommand::Release => Ok(Some(ClaimFact::Released)),
            ClaimCommand::Expire { now } if self.is_live(now) => {
                Err(ClaimRefusal::StillRunning(hold))
            }
            ClaimCommand::Expire { .. } => Ok(Some(ClaimFact::Expired)),
        }
    }

    /// The claim after a fact; `None` when it is resolved.
    #[must_use]
    pub fn after(self, fact: ClaimFact) -> Option<Self> {
        let phase = match fact {
            ClaimFact::Pinned { until } => Phase::Pinned { until },
            ClaimFact::Unpinned => Phase::Held,
            ClaimFact::Converted => Phase::Firm,
            ClaimFact::Released | ClaimFact::Expired => return None,
        };
        Some(Self { phase, ..self })
    }
}
