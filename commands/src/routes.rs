//! Which streams belong to an id that a caller names. These facts never change, so they are cached;
//! the decision judges the streams themselves.

use std::sync::Arc;

use holdfast_domain::booking::offering::{Drafted, Offering};
use holdfast_domain::booking::reservation::Reservation;
use holdfast_domain::booking::session::Session;
use holdfast_domain::booking::{Authority, offering_stream, payment_stream, reservation_stream};
use holdfast_domain::ids::{OfferingId, PaymentId, ReservationId, SessionId};
use holdfast_domain::log::{EventLog, Revision, StreamId};
use holdfast_domain::payment::Payment;
use moka::sync::Cache;

use crate::about::About;
use crate::request::CommandError;
use crate::state::{Known, State};

/// How many routes stay in memory.
const CACHED_MAX: u64 = 20_000;

/// Finds streams by id.
#[derive(Debug, Clone)]
pub struct Routes {
    log: Arc<dyn EventLog>,
    reservations: Cache<ReservationId, About>,
    payments: Cache<PaymentId, ReservationId>,
    offerings: Cache<OfferingId, Arc<Drafted>>,
}

impl Routes {
    /// Over this log.
    pub fn new(log: Arc<dyn EventLog>) -> Self {
        Self {
            log,
            reservations: Cache::new(CACHED_MAX),
            payments: Cache::new(CACHED_MAX),
            offerings: Cache::new(CACHED_MAX),
        }
    }

    async fn state(&self, stream: StreamId) -> Result<State, CommandError> {
        let events = self.log.load(stream, Revision(0)).await;
        let events = events.map_err(|error| CommandError::Unavailable(error.to_string()))?;
        Ok(Known::fold(stream, &events).state)
    }

    /// What belongs to a reservation; `None` when there is none.
    pub async fn reservation(&self, id: ReservationId) -> Result<Option<About>, CommandError> {
        if let Some(about) = self.reservations.get(&id) {
            return Ok(Some(about));
        }
        let State::Reservation(Reservation::Requested(paper)) =
            self.state(reservation_stream(id)).await?
        else {
            return Ok(None);
        };
        let booking = &paper.booking;
        let about = About {
            reservation: id,
            payment: booking.payment,
            authority: booking.authority,
            resource: booking.resource,
            offering: booking.sold.offering,
            customer: booking.customer,
            provider: booking.provider,
        };
        self.reservations.insert(id, about);
        Ok(Some(about))
    }

    /// What belongs to a payment; `None` when there is none.
    pub async fn payment(&self, id: PaymentId) -> Result<Option<About>, CommandError> {
        if let Some(reservation) = self.payments.get(&id) {
            return self.reservation(reservation).await;
        }
        let State::Payment(Payment::Initiated(account)) = self.state(payment_stream(id)).await?
        else {
            return Ok(None);
        };
        self.payments.insert(id, account.reservation);
        self.reservation(account.reservation).await
    }

    /// An offering as it was written down: its provider, resource and kind never change. `None`
    /// when there is none.
    pub async fn offering(&self, id: OfferingId) -> Result<Option<Arc<Drafted>>, CommandError> {
        if let Some(offering) = self.offerings.get(&id) {
            return Ok(Some(offering));
        }
        let State::Offering(Offering::Drafted(offering)) = self.state(offering_stream(id)).await?
        else {
            return Ok(None);
        };
        let offering = Arc::new(offering);
        self.offerings.insert(id, Arc::clone(&offering));
        Ok(Some(offering))
    }

    /// The offering of a class; `None` when there is no such class.
    pub async fn session(&self, id: SessionId) -> Result<Option<OfferingId>, CommandError> {
        match self.state(Authority::Session(id).stream()).await? {
            State::Session(Session::Scheduled(seats)) => Ok(Some(seats.plan.offering)),
            State::Session(Session::Absent)
            | State::Resource(_)
            | State::Calendar(_)
            | State::Offering(_)
            | State::Reservation(_)
            | State::Payment(_) => Ok(None),
        }
    }
}
