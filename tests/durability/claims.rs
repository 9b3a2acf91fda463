//! A second, simpler account of who has what: claims as plain records by hold, told by events alone
//! and without the engine's own deciders, so that a mistake there does not excuse itself here.

use std::collections::BTreeMap;

use holdfast_domain::booking::calendar::CalendarEvent;
use holdfast_domain::booking::session::SessionEvent;
use holdfast_domain::ids::{HoldId, ReservationId};
use holdfast_domain::time::{Interval, Timestamp};

/// Until when a claim keeps others away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Until {
    /// This instant.
    At(Timestamp),
    /// It is sold.
    Ever,
}

/// Somebody's part of something scarce.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Claim {
    /// None is a class on a calendar.
    pub(crate) reservation: Option<ReservationId>,
    /// Which time, on a calendar.
    pub(crate) blocks: Option<Interval>,
    pub(crate) takes: u32,
    deadline: Timestamp,
    pub(crate) until: Until,
}

impl Claim {
    pub(crate) fn is_live(&self, now: Timestamp) -> bool {
        match self.until {
            Until::At(end) => now < end,
            Until::Ever => true,
        }
    }
}

/// The claims of one calendar or one class.
#[derive(Debug, Clone, Default)]
pub(crate) struct Claims(pub(crate) BTreeMap<HoldId, Claim>);

/// The hold that an event of a calendar is about.
pub(crate) const fn hold_on_calendar(event: &CalendarEvent) -> HoldId {
    match *event {
        CalendarEvent::HoldPlaced { hold, .. }
        | CalendarEvent::TimeBlocked { hold, .. }
        | CalendarEvent::HoldPinned { hold, .. }
        | CalendarEvent::HoldUnpinned { hold }
        | CalendarEvent::HoldConverted { hold }
        | CalendarEvent::HoldReleased { hold }
        | CalendarEvent::HoldExpired { hold } => hold,
    }
}

/// The hold that an event of a class is about; none when the class itself begins.
pub(crate) const fn hold_in_class(event: &SessionEvent) -> Option<HoldId> {
    match *event {
        SessionEvent::Scheduled { .. } => None,
        SessionEvent::SeatsHeld { hold, .. }
        | SessionEvent::SeatsPinned { hold, .. }
        | SessionEvent::SeatsUnpinned { hold }
        | SessionEvent::SeatsConfirmed { hold }
        | SessionEvent::SeatsReleased { hold }
        | SessionEvent::SeatsExpired { hold } => Some(hold),
    }
}

/// What an event did that cannot have happened.
pub(crate) type Impossible = String;

impl Claims {
    pub(crate) fn calendar(
        &mut self,
        event: &CalendarEvent,
        now: Timestamp,
    ) -> Result<(), Impossible> {
        match *event {
            CalendarEvent::HoldPlaced { hold, reservation, blocks, weight, expires_at, .. } => {
                let takes = (Some(blocks), weight);
                self.place(hold, Some(reservation), takes, Until::At(expires_at))
            }
            CalendarEvent::TimeBlocked { hold, blocks, weight, .. } => {
                self.place(hold, None, (Some(blocks), weight), Until::Ever)
            }
            CalendarEvent::HoldPinned { hold, pinned_until } => self.pin(hold, pinned_until, now),
            CalendarEvent::HoldUnpinned { hold } => self.unpin(hold),
            CalendarEvent::HoldConverted { hold } => self.sell(hold, now),
            CalendarEvent::HoldReleased { hold } => self.free(hold),
            CalendarEvent::HoldExpired { hold } => self.expire(hold, now),
        }
    }

    pub(crate) fn session(
        &mut self,
        event: &SessionEvent,
        now: Timestamp,
    ) -> Result<(), Impossible> {
        match *event {
            SessionEvent::Scheduled { .. } => Ok(()),
            SessionEvent::SeatsHeld { hold, reservation, seats, expires_at } => {
                self.place(hold, Some(reservation), (None, seats), Until::At(expires_at))
            }
            SessionEvent::SeatsPinned { hold, pinned_until } => self.pin(hold, pinned_until, now),
            SessionEvent::SeatsUnpinned { hold } => self.unpin(hold),
            SessionEvent::SeatsConfirmed { hold } => self.sell(hold, now),
            SessionEvent::SeatsReleased { hold } => self.free(hold),
            SessionEvent::SeatsExpired { hold } => self.expire(hold, now),
        }
    }

    /// The most that is taken at any instant, or of the seats, as it stands at `now`.
    pub(crate) fn most(&self, now: Timestamp) -> u64 {
        let live = self.0.values().filter(|claim| claim.is_live(now));
        let (mut always, mut edges) = (0_u64, Vec::new());
        for claim in live {
            let takes = u64::from(claim.takes);
            match claim.blocks {
                None => always = always.saturating_add(takes),
                Some(blocks) => {
                    edges.push((blocks.end(), false, takes));
                    edges.push((blocks.start(), true, takes));
                }
            }
        }
        // Intervals are half-open: at one instant, what ends goes before what starts.
        edges.sort_unstable();
        let (mut load, mut most) = (0_u64, 0);
        for (_, starts, takes) in edges {
            load = if starts { load.saturating_add(takes) } else { load.saturating_sub(takes) };
            most = load.max(most);
        }
        most.saturating_add(always)
    }

    fn place(
        &mut self,
        hold: HoldId,
        reservation: Option<ReservationId>,
        (blocks, takes): (Option<Interval>, u32),
        until: Until,
    ) -> Result<(), Impossible> {
        let deadline = match until {
            Until::At(end) => end,
            Until::Ever => Timestamp::MAX,
        };
        let claim = Claim { reservation, blocks, takes, deadline, until };
        match self.0.insert(hold, claim) {
            None => Ok(()),
            Some(_) => Err(format!("hold {hold} is placed twice")),
        }
    }

    fn claim(&mut self, hold: HoldId) -> Result<&mut Claim, Impossible> {
        self.0.get_mut(&hold).ok_or_else(|| format!("hold {hold} is not there"))
    }

    fn live(&mut self, hold: HoldId, now: Timestamp) -> Result<&mut Claim, Impossible> {
        let claim = self.claim(hold)?;
        if claim.is_live(now) { Ok(claim) } else { Err(format!("hold {hold} was over")) }
    }

    fn pin(&mut self, hold: HoldId, until: Timestamp, now: Timestamp) -> Result<(), Impossible> {
        self.live(hold, now)?.until = Until::At(until);
        Ok(())
    }

    fn unpin(&mut self, hold: HoldId) -> Result<(), Impossible> {
        let claim = self.claim(hold)?;
        claim.until = Until::At(claim.deadline);
        Ok(())
    }

    fn sell(&mut self, hold: HoldId, now: Timestamp) -> Result<(), Impossible> {
        self.live(hold, now)?.until = Until::Ever;
        Ok(())
    }

    fn free(&mut self, hold: HoldId) -> Result<(), Impossible> {
        self.claim(hold)?;
        self.0.remove(&hold);
        Ok(())
    }

    fn expire(&mut self, hold: HoldId, now: Timestamp) -> Result<(), Impossible> {
        if self.claim(hold)?.is_live(now) {
            return Err(format!("hold {hold} expired before its time"));
        }
        self.free(hold)
    }
}
