//! `calendar`: what is taken of a resource's time, one document per claim under
//! `<resource>/<hold>`. A claim that is given back leaves; its topic gets a tombstone.

use holdfast_domain::booking::calendar::CalendarEvent;
use holdfast_domain::event::Event;
use holdfast_domain::ids::{HoldId, ReservationId, ResourceId, SessionId};
use holdfast_domain::log::{Position, Recorded};
use holdfast_domain::time::{Interval, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::document::{FoldError, Indexes, Key};
use crate::topic::Topic;
use crate::typed::View;

/// One claim on a resource's time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AllocationDocument {
    /// Whose time.
    #[schema(value_type = String, format = Uuid)]
    pub resource_id: ResourceId,
    /// The claim.
    #[schema(value_type = String, format = Uuid)]
    pub hold_id: HoldId,
    /// The booking that has it.
    #[schema(value_type = Option<String>, format = Uuid)]
    pub reservation_id: Option<ReservationId>,
    /// The class that has it.
    #[schema(value_type = Option<String>, format = Uuid)]
    pub session_id: Option<SessionId>,
    /// Where the claim stands.
    pub status: AllocationStatus,
    /// When the booked time starts.
    #[schema(value_type = String, format = DateTime)]
    pub starts_at: Timestamp,
    /// When the booked time ends.
    #[schema(value_type = String, format = DateTime)]
    pub ends_at: Timestamp,
    /// From when on others are kept away: the buffers are inside.
    #[schema(value_type = String, format = DateTime)]
    pub blocked_from: Timestamp,
    /// Until when others are kept away.
    #[schema(value_type = String, format = DateTime)]
    pub blocked_until: Timestamp,
    /// How much of the resource's capacity it takes.
    pub weight: u32,
    /// When an unpinned hold is over.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub expires_at: Option<Timestamp>,
    /// When a pin holds nothing any more.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub pinned_until: Option<Timestamp>,
    /// The position of the last event that it shows.
    #[schema(value_type = u64)]
    pub position: Position,
}

/// Where a claim stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AllocationStatus {
    /// Until its deadline.
    Held,
    /// Beyond it, because money is in flight.
    Pinned,
    /// Sold.
    Booked,
    /// Taken by a class.
    Blocked,
}

impl AllocationDocument {
    /// Whether it keeps others away at `now`: a hold past its deadline is free even when nobody has
    /// written that down yet.
    pub fn is_live(&self, now: Timestamp) -> bool {
        match self.status {
            AllocationStatus::Held => self.expires_at.is_some_and(|end| now < end),
            AllocationStatus::Pinned => self.pinned_until.is_some_and(|end| now < end),
            AllocationStatus::Booked | AllocationStatus::Blocked => true,
        }
    }

    const fn name(&self) -> &'static str {
        match self.status {
            AllocationStatus::Held => "held",
            AllocationStatus::Pinned => "pinned",
            AllocationStatus::Booked => "booked",
            AllocationStatus::Blocked => "blocked",
        }
    }
}

/// The view.
#[derive(Debug, Clone, Copy)]
pub struct Calendar;

/// The claim that an event is about.
pub(super) const fn claim_of(fact: &CalendarEvent) -> HoldId {
    match fact {
        CalendarEvent::HoldPlaced { hold, .. }
        | CalendarEvent::HoldPinned { hold, .. }
        | CalendarEvent::HoldUnpinned { hold }
        | CalendarEvent::HoldConverted { hold }
        | CalendarEvent::HoldReleased { hold }
        | CalendarEvent::HoldExpired { hold }
        | CalendarEvent::TimeBlocked { hold, .. } => *hold,
    }
}

impl View for Calendar {
    type Document = AllocationDocument;
    const NAME: &'static str = "calendar";
    const VERSION: u32 = 1;
    const LANE: u16 = 3;
    const SHARED: bool = true;

    fn key(&self, event: &Recorded) -> Option<Key> {
        let Event::Calendar(fact) = &event.event else { return None };
        Some(Key::new(format_args!("{}/{}", event.stream.id(), claim_of(fact))))
    }

    fn fold(
        &self,
        key: &Key,
        document: Option<AllocationDocument>,
        event: &Recorded,
    ) -> Result<Option<AllocationDocument>, FoldError> {
        let Event::Calendar(fact) = &event.event else { return Ok(document) };
        let known = document.ok_or_else(|| FoldError::Missing(key.clone()));
        let position = event.position;
        let changed = |known: Result<AllocationDocument, _>, status, pinned_until| {
            known.map(|known| Some(AllocationDocument { status, pinned_until, position, ..known }))
        };
        match fact {
            CalendarEvent::HoldPlaced {
                reservation, booked, blocks, weight, expires_at, ..
            } => Ok(Some(AllocationDocument {
                reservation_id: Some(*reservation),
                expires_at: Some(*expires_at),
                ..placed(event, claim_of(fact), (*booked, *blocks), *weight)
            })),
            CalendarEvent::TimeBlocked { session, blocks, weight, .. } => {
                Ok(Some(AllocationDocument {
                    session_id: Some(*session),
                    status: AllocationStatus::Blocked,
                    ..placed(event, claim_of(fact), (*blocks, *blocks), *weight)
                }))
            }
            CalendarEvent::HoldPinned { pinned_until, .. } => {
                changed(known, AllocationStatus::Pinned, Some(*pinned_until))
            }
            CalendarEvent::HoldUnpinned { .. } => changed(known, AllocationStatus::Held, None),
            CalendarEvent::HoldConverted { .. } => changed(known, AllocationStatus::Booked, None),
            CalendarEvent::HoldReleased { .. } | CalendarEvent::HoldExpired { .. } => {
                known.map(|_gone| None)
            }
        }
    }

    fn indexes(&self, document: &AllocationDocument) -> Indexes {
        Indexes {
            status: Some(document.name().to_owned()),
            resource: Some(document.resource_id.to_string()),
            at: Some(document.blocked_from.micros()),
            until: Some(document.blocked_until.micros()),
            ..Indexes::default()
        }
    }

    fn topics(&self, document: &AllocationDocument) -> Vec<Topic> {
        vec![Topic::Calendar(document.resource_id)]
    }
}

fn placed(
    event: &Recorded,
    hold_id: HoldId,
    (booked, blocks): (Interval, Interval),
    weight: u32,
) -> AllocationDocument {
    AllocationDocument {
        resource_id: ResourceId::from_uuid(event.stream.id()),
        hold_id,
        reservation_id: None,
        session_id: None,
        status: AllocationStatus::Held,
        starts_at: booked.start(),
        ends_at: booked.end(),
        blocked_from: blocks.start(),
        blocked_until: blocks.end(),
        weight,
        expires_at: None,
        pinned_until: None,
        position: event.position,
    }
}
