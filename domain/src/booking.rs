//! What can be booked, and who has it. Seat first, paper second: every scarce thing has one stream
//! that decides about it, a [`calendar`] for a resource's time or a [`session`] for the seats of a
//! class; a [`reservation`] is the paper about what that stream granted.

pub mod calendar;
pub mod hold;
pub mod inventory;
pub mod offering;
pub mod reservation;
pub mod resource;
pub mod session;
pub mod slots;

use serde::{Deserialize, Serialize};

use crate::ids::{OfferingId, PaymentId, ReservationId, ResourceId, SessionId};
use crate::stream::{Category, StreamId};

/// Which stream decides about the scarce thing of a reservation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(tag = "kind", content = "id", rename_all = "snake_case")]
pub enum Authority {
    /// The time of a resource.
    Calendar(ResourceId),
    /// The seats of a class.
    Session(SessionId),
}

impl Authority {
    /// Its stream.
    pub const fn stream(&self) -> StreamId {
        match self {
            Self::Calendar(resource) => StreamId::new(Category::Calendar, *resource.as_uuid()),
            Self::Session(session) => StreamId::new(Category::Session, *session.as_uuid()),
        }
    }
}

/// The stream of a resource's rules.
pub const fn resource_stream(id: ResourceId) -> StreamId {
    StreamId::new(Category::Resource, *id.as_uuid())
}

/// The stream of a reservation.
pub const fn reservation_stream(id: ReservationId) -> StreamId {
    StreamId::new(Category::Reservation, *id.as_uuid())
}

/// The stream of a payment.
pub const fn payment_stream(id: PaymentId) -> StreamId {
    StreamId::new(Category::Payment, *id.as_uuid())
}

/// The stream of an offering.
pub const fn offering_stream(id: OfferingId) -> StreamId {
    StreamId::new(Category::Offering, *id.as_uuid())
}
