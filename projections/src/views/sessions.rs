//! `sessions`: a dated class with the seats that are taken, held and left. Seats are counted as
//! their events say; a hold past its deadline counts until its expiry is written down.
//!
//! An event about a claim names only the claim, so the view also keeps `<session>/<hold>` with the
//! number of seats. Those documents have no columns: no list ever shows them.

use holdfast_domain::booking::session::SessionEvent;
use holdfast_domain::event::Event;
use holdfast_domain::ids::{HoldId, OfferingId, ResourceId, SessionId};
use holdfast_domain::log::{Recorded, Revision};
use holdfast_domain::time::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::document::{Document, Documents, FoldError, Indexes, Key};
use crate::projector::{Announcement, Projector};

/// A class on the calendar.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SessionDocument {
    /// Its id.
    #[schema(value_type = String, format = Uuid)]
    pub id: SessionId,
    /// What is taught.
    #[schema(value_type = String, format = Uuid)]
    pub offering_id: OfferingId,
    /// Whose calendar it blocks.
    #[schema(value_type = String, format = Uuid)]
    pub resource_id: ResourceId,
    /// When it starts.
    #[schema(value_type = String, format = DateTime)]
    pub starts_at: Timestamp,
    /// When it is over.
    #[schema(value_type = String, format = DateTime)]
    pub ends_at: Timestamp,
    /// The zone in which the start was meant.
    pub zone: String,
    /// How many seats; none is no limit.
    pub capacity: Option<u32>,
    /// How many must come for it to take place.
    pub min_capacity: Option<u32>,
    /// The last instant at which it can be booked, if it comes before the start.
    #[schema(value_type = String, format = DateTime)]
    pub booking_closes_at: Timestamp,
    /// Seats that are sold.
    pub seats_taken: u32,
    /// Seats that are held for a payment.
    pub seats_held: u32,
    /// Seats that can still be had; none is no limit.
    pub seats_left: Option<u32>,
    /// The revision of its stream, for the `ETag`.
    #[schema(value_type = u64)]
    pub revision: Revision,
}

/// What a claim took, until it is resolved.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Claim {
    seats: u32,
    sold: bool,
}

/// The view.
#[derive(Debug, Clone, Copy)]
pub struct Sessions;

/// The claim that an event is about, if it is about one.
pub(super) const fn claim_of(fact: &SessionEvent) -> Option<HoldId> {
    match fact {
        SessionEvent::Scheduled { .. } => None,
        SessionEvent::SeatsHeld { hold, .. }
        | SessionEvent::SeatsPinned { hold, .. }
        | SessionEvent::SeatsUnpinned { hold }
        | SessionEvent::SeatsConfirmed { hold }
        | SessionEvent::SeatsReleased { hold }
        | SessionEvent::SeatsExpired { hold } => Some(*hold),
    }
}

fn claim_key(event: &Recorded, hold: HoldId) -> Key {
    Key::new(format_args!("{}/{hold}", event.stream.id()))
}

impl Projector for Sessions {
    fn name(&self) -> &'static str {
        "sessions"
    }

    fn version(&self) -> u32 {
        1
    }

    fn lane(&self) -> u16 {
        6
    }

    fn is_shared(&self) -> bool {
        true
    }

    fn keys(&self, event: &Recorded) -> Vec<Key> {
        let Event::Session(fact) = &event.event else { return vec![] };
        let class = Key::new(event.stream.id());
        let claim = claim_of(fact).map(|hold| claim_key(event, hold));
        [Some(class), claim].into_iter().flatten().collect()
    }

    fn fold(&self, event: &Recorded, documents: &mut Documents) -> Result<(), FoldError> {
        let Event::Session(fact) = &event.event else { return Ok(()) };
        let key = Key::new(event.stream.id());
        let mut class = match scheduled(event, fact) {
            Some(class) => class,
            None => documents.read::<SessionDocument>(&key)?,
        };
        if let Some(hold) = claim_of(fact) {
            let claim_key = claim_key(event, hold);
            let before = documents.find::<Claim>(&claim_key)?;
            let known = before.ok_or_else(|| FoldError::Missing(claim_key.clone()));
            let after = match fact {
                SessionEvent::Scheduled { .. } => before,
                SessionEvent::SeatsHeld { seats, .. } => Some(Claim { seats: *seats, sold: false }),
                SessionEvent::SeatsPinned { .. } | SessionEvent::SeatsUnpinned { .. } => {
                    Some(known?)
                }
                SessionEvent::SeatsConfirmed { .. } => Some(Claim { sold: true, ..known? }),
                SessionEvent::SeatsReleased { .. } | SessionEvent::SeatsExpired { .. } => {
                    known.map(|_gone| None)?
                }
            };
            class.recount(before, after);
            documents.set(&claim_key, after.map(|claim| Document::of(&claim)).transpose()?);
        }
        class.revision = event.revision;
        documents.put(&key, &class)
    }

    fn indexes(&self, key: &Key, document: &Document) -> Result<Indexes, FoldError> {
        if key.as_str().contains('/') {
            return Ok(Indexes::default());
        }
        let class: SessionDocument = document.read()?;
        Ok(Indexes {
            resource: Some(class.resource_id.to_string()),
            offering: Some(class.offering_id.to_string()),
            at: Some(class.starts_at.micros()),
            until: Some(class.ends_at.micros()),
            ..Indexes::default()
        })
    }

    /// The seats of a class are news on its offering's slots; that view tells them.
    fn announce(
        &self,
        _event: &Recorded,
        _before: &Documents,
        _after: &Documents,
    ) -> Result<Vec<Announcement>, FoldError> {
        Ok(vec![])
    }
}

fn scheduled(event: &Recorded, fact: &SessionEvent) -> Option<SessionDocument> {
    let SessionEvent::Scheduled {
        offering,
        resource,
        starts,
        held,
        capacity,
        min_capacity,
        booking_closes_at,
        ..
    } = fact
    else {
        return None;
    };
    Some(SessionDocument {
        id: SessionId::from_uuid(event.stream.id()),
        offering_id: *offering,
        resource_id: *resource,
        starts_at: held.start(),
        ends_at: held.end(),
        zone: starts.zone.name().to_owned(),
        capacity: *capacity,
        min_capacity: *min_capacity,
        booking_closes_at: *booking_closes_at,
        seats_taken: 0,
        seats_held: 0,
        seats_left: *capacity,
        revision: event.revision,
    })
}

impl SessionDocument {
    fn recount(&mut self, before: Option<Claim>, after: Option<Claim>) {
        let seats = |claim: Option<Claim>, sold: bool| {
            claim.filter(|claim| claim.sold == sold).map_or(0, |claim| claim.seats)
        };
        let moved = |count: u32, sold: bool| {
            count.saturating_sub(seats(before, sold)).saturating_add(seats(after, sold))
        };
        (self.seats_taken, self.seats_held) =
            (moved(self.seats_taken, true), moved(self.seats_held, false));
        let gone = self.seats_taken.saturating_add(self.seats_held);
        self.seats_left = self.capacity.map(|capacity| capacity.saturating_sub(gone));
    }
}
