//! `reservations`: a booking as its customer and its provider see it, with where its payment
//! stands. Fed by the reservation's events and by the payment's, which name their reservation.

use holdfast_domain::booking::Authority;
use holdfast_domain::booking::reservation::{
    Booking, CancellationReason, CancelledBy, Quote, ReservationEvent, Status,
};
use holdfast_domain::event::Event;
use holdfast_domain::ids::{
    OfferingId, PaymentId, PrincipalId, ReservationId, ResourceId, SessionId,
};
use holdfast_domain::log::{Recorded, Revision};
use holdfast_domain::money::Money;
use holdfast_domain::payment::PaymentEvent;
use holdfast_domain::policy::RefundTerms;
use holdfast_domain::time::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::payments::{PaymentStatus, reservation_of};
use super::schema::{MoneyShape, QuoteShape, RefundTermsShape};
use crate::document::{FoldError, Indexes, Key};
use crate::topic::Topic;
use crate::typed::View;

/// A booking.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReservationDocument {
    /// Its id.
    #[schema(value_type = String, format = Uuid)]
    pub id: ReservationId,
    /// Where it stands.
    #[schema(value_type = String, example = "confirmed")]
    pub status: Status,
    /// Who booked.
    #[schema(value_type = String, format = Uuid)]
    pub customer: PrincipalId,
    /// Who provides the service.
    #[schema(value_type = String, format = Uuid)]
    pub provider: PrincipalId,
    /// What was booked.
    #[schema(value_type = String, format = Uuid)]
    pub offering_id: OfferingId,
    /// Where.
    #[schema(value_type = String, format = Uuid)]
    pub resource_id: ResourceId,
    /// The class, when it is one.
    #[schema(value_type = Option<String>, format = Uuid)]
    pub session_id: Option<SessionId>,
    /// For how many people.
    pub party_size: u32,
    /// When it starts.
    #[schema(value_type = String, format = DateTime)]
    pub starts_at: Timestamp,
    /// When it is over.
    #[schema(value_type = String, format = DateTime)]
    pub ends_at: Timestamp,
    /// The zone in which the start was meant.
    pub zone: String,
    /// When the hold ends, or ended, by itself.
    #[schema(value_type = String, format = DateTime)]
    pub hold_expires_at: Timestamp,
    /// The price and the policy that were agreed.
    #[schema(value_type = QuoteShape)]
    pub quote: Quote,
    /// Where the payment stands; none when nothing is due.
    pub payment: Option<PaymentSummary>,
    /// How it was called off, if it was.
    pub cancellation: Option<CancellationSummary>,
    /// The revision of the reservation's stream, for the `ETag`.
    #[schema(value_type = u64)]
    pub revision: Revision,
}

/// Where the payment of a booking stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PaymentSummary {
    /// The payment's id, which the provider of payments sees too.
    #[schema(value_type = String, format = Uuid)]
    pub order_id: PaymentId,
    /// How much is due.
    #[schema(value_type = MoneyShape)]
    pub amount: Money,
    /// Where it stands.
    pub status: PaymentStatus,
    /// What was taken.
    #[schema(value_type = MoneyShape)]
    pub captured: Money,
    /// What was returned.
    #[schema(value_type = MoneyShape)]
    pub refunded: Money,
    /// What is being returned.
    #[schema(value_type = MoneyShape)]
    pub refund_pending: Money,
    /// What the provider of payments would not return, and is owed.
    #[schema(value_type = MoneyShape)]
    pub refund_owed: Money,
    /// The code of the last decline.
    pub last_decline: Option<String>,
}

/// How a booking was called off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CancellationSummary {
    /// By whom.
    #[schema(value_type = String, example = "customer")]
    pub by: CancelledBy,
    /// Why, as a code.
    #[schema(value_type = Option<String>)]
    pub reason: Option<CancellationReason>,
    /// What is returned.
    #[schema(value_type = RefundTermsShape)]
    pub refund: RefundTerms,
}

/// The view.
#[derive(Debug, Clone, Copy)]
pub struct Reservations;

impl View for Reservations {
    type Document = ReservationDocument;
    const NAME: &'static str = "reservations";
    const VERSION: u32 = 2;
    const LANE: u16 = 1;

    fn key(&self, event: &Recorded) -> Option<Key> {
        match &event.event {
            Event::Reservation(_) => Some(Key::new(event.stream.id())),
            // What an initiated payment says is in the booking already.
            Event::Payment(PaymentEvent::Initiated { .. }) => None,
            Event::Payment(payment) => Some(Key::new(reservation_of(payment))),
            Event::Resource(_) | Event::Calendar(_) | Event::Offering(_) | Event::Session(_) => {
                None
            }
        }
    }

    fn fold(
        &self,
        key: &Key,
        document: Option<ReservationDocument>,
        event: &Recorded,
    ) -> Result<Option<ReservationDocument>, FoldError> {
        if let Event::Reservation(ReservationEvent::Requested { booking, hold_expires_at }) =
            &event.event
        {
            return Ok(Some(requested(booking, *hold_expires_at, event)));
        }
        let mut document = document.ok_or_else(|| FoldError::Missing(key.clone()))?;
        match &event.event {
            Event::Reservation(fact) => {
                document.revision = event.revision;
                document.apply(fact);
            }
            Event::Payment(fact) => {
                let payment = document.payment.as_mut();
                payment.ok_or_else(|| FoldError::Missing(key.clone()))?.apply(fact)?;
            }
            Event::Resource(_) | Event::Calendar(_) | Event::Offering(_) | Event::Session(_) => {}
        }
        Ok(Some(document))
    }

    fn indexes(&self, document: &ReservationDocument) -> Indexes {
        Indexes {
            owner: Some(document.customer.to_string()),
            provider: Some(document.provider.to_string()),
            status: Some(document.status.name().to_owned()),
            resource: Some(document.resource_id.to_string()),
            offering: Some(document.offering_id.to_string()),
            at: Some(document.starts_at.micros()),
            until: Some(document.ends_at.micros()),
        }
    }

    fn topics(&self, document: &ReservationDocument) -> Vec<Topic> {
        let mut topics = vec![Topic::Reservation(document.id), Topic::Me(document.customer)];
        if document.provider != document.customer {
            topics.push(Topic::Me(document.provider));
        }
        topics
    }
}

fn requested(
    booking: &Booking,
    hold_expires_at: Timestamp,
    event: &Recorded,
) -> ReservationDocument {
    let zero = Money::zero(booking.quote.total.currency());
    ReservationDocument {
        id: ReservationId::from_uuid(event.stream.id()),
        status: Status::Held,
        customer: booking.customer,
        provider: booking.provider,
        offering_id: booking.sold.offering,
        resource_id: booking.resource,
        session_id: match booking.authority {
            Authority::Session(session) => Some(session),
            Authority::Calendar(_) => None,
        },
        party_size: booking.party_size,
        starts_at: booking.booked.start(),
        ends_at: booking.booked.end(),
        zone: booking.starts.zone.name().to_owned(),
        hold_expires_at,
        payment: booking.payment.map(|order_id| PaymentSummary {
            order_id,
            amount: booking.quote.total,
            status: PaymentStatus::Pending,
            captured: zero,
            refunded: zero,
            refund_pending: zero,
            refund_owed: zero,
            last_decline: None,
        }),
        quote: booking.quote.clone(),
        cancellation: None,
        revision: event.revision,
    }
}

impl ReservationDocument {
    fn apply(&mut self, fact: &ReservationEvent) {
        match fact {
            ReservationEvent::Requested { .. } | ReservationEvent::CancellationQuoted { .. } => {}
            ReservationEvent::PaymentStarted { .. } => self.status = Status::PaymentInFlight,
            ReservationEvent::PaymentFailed { .. } | ReservationEvent::Reinstated { .. } => {
                self.status = Status::Held;
            }
            ReservationEvent::Confirmed { .. } => self.status = Status::Confirmed,
            ReservationEvent::Expired {} => self.status = Status::Expired,
            ReservationEvent::Abandoned { by, reason } => {
                self.status = Status::Abandoned;
                self.cancellation = Some(CancellationSummary {
                    by: *by,
                    reason: *reason,
                    refund: RefundTerms::nothing_paid(self.quote.total.currency()),
                });
            }
            ReservationEvent::Cancelled { by, reason, refund } => {
                self.status = Status::Cancelled;
                self.cancellation =
                    Some(CancellationSummary { by: *by, reason: *reason, refund: *refund });
            }
        }
    }
}

impl PaymentSummary {
    fn apply(&mut self, fact: &PaymentEvent) -> Result<(), FoldError> {
        match fact {
            PaymentEvent::Initiated { .. } | PaymentEvent::RefundOutcomeUnknown { .. } => {}
            PaymentEvent::ConfirmStarted { .. } => self.status = PaymentStatus::Confirming,
            PaymentEvent::OutcomeUnknown { .. } => self.status = PaymentStatus::Checking,
            PaymentEvent::ReviewRequired { .. } => self.status = PaymentStatus::Review,
            PaymentEvent::Captured { amount, .. } => {
                self.status = PaymentStatus::Captured;
                self.captured = *amount;
            }
            PaymentEvent::ReviewResolved { amount, .. } => {
                let zero = Money::zero(amount.currency());
                self.status = PaymentStatus::Captured;
                self.captured = *amount;
                (self.refunded, self.refund_pending, self.refund_owed) = (zero, zero, zero);
            }
            PaymentEvent::Declined { code, .. } => {
                self.status = PaymentStatus::Declined;
                self.last_decline = Some(code.clone());
            }
            PaymentEvent::RefundRequested { amount, .. } => {
                self.refund_pending = self.refund_pending.plus(*amount)?;
            }
            PaymentEvent::RefundSucceeded { amount, .. } => {
                self.refund_pending = self.refund_pending.minus(*amount)?;
                self.refunded = self.refunded.plus(*amount)?;
            }
            PaymentEvent::RefundRefused { amount, .. } => {
                self.refund_pending = self.refund_pending.minus(*amount)?;
                self.refund_owed = self.refund_owed.plus(*amount)?;
            }
        }
        Ok(())
    }
}
