//! How the outcome of a command is shown: the same documents that the views keep, made from the
//! aggregates that the command left. A test compares the two.

use holdfast_commands::ports::Presenter;
use holdfast_commands::refusal::Refusal;
use holdfast_commands::request::Request;
use holdfast_domain::booking::Authority;
use holdfast_domain::booking::hold::Phase;
use holdfast_domain::booking::offering::Drafted;
use holdfast_domain::booking::reservation::{CancellationQuote, Paper, Stage as Paperwork};
use holdfast_domain::booking::resource::Registered;
use holdfast_domain::booking::session::Seats;
use holdfast_domain::ids::{
    CancellationQuoteId, OfferingId, PaymentId, RefundId, ReservationId, ResourceId, SessionId,
};
use holdfast_domain::log::{Recorded, Revision};
use holdfast_domain::money::Money;
use holdfast_domain::payment::{Account, Refund, RefundReason, RefundStage, Stage};
use holdfast_domain::policy::RefundTerms;
use holdfast_domain::time::Timestamp;
use holdfast_projections::document::{Documents, Key};
use holdfast_projections::projector::Projector as _;
use holdfast_projections::typed::Typed;
use holdfast_projections::views::offerings::OfferingDocument;
use holdfast_projections::views::payments::{PaymentStatus, Payments, RefundStatus};
use holdfast_projections::views::reservations::{
    CancellationSummary, PaymentSummary, ReservationDocument,
};
use holdfast_projections::views::resources::ResourceDocument;
use holdfast_projections::views::schema::{MoneyShape, RefundTermsShape};
use holdfast_projections::views::sessions::SessionDocument;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::problem::Problem;
use super::refusals::problem;

/// What a cancellation would return, and until when that can be accepted.
#[derive(Debug, Serialize, ToSchema)]
pub struct CancellationOffer {
    /// To be named when cancelling.
    #[schema(value_type = String, format = Uuid)]
    pub quote_id: CancellationQuoteId,
    /// Which reservation.
    #[schema(value_type = String, format = Uuid)]
    pub reservation_id: ReservationId,
    /// What it returns, and why.
    #[schema(value_type = RefundTermsShape)]
    pub refund: RefundTerms,
    /// The last instant at which it can be accepted.
    #[schema(value_type = String, format = DateTime)]
    pub valid_until: Timestamp,
}

/// A return of money.
#[derive(Debug, Serialize, ToSchema)]
pub struct RefundShown {
    /// Its id.
    #[schema(value_type = String, format = Uuid)]
    pub refund_id: RefundId,
    /// Of which payment.
    #[schema(value_type = String, format = Uuid)]
    pub order_id: PaymentId,
    /// How much.
    #[schema(value_type = MoneyShape)]
    pub amount: Money,
    /// Why.
    #[schema(value_type = String, example = "goodwill")]
    pub reason: RefundReason,
    /// Where it stands.
    pub status: RefundStatus,
}

/// Shows outcomes as JSON.
#[derive(Debug, Clone, Copy)]
pub struct Shown;

/// What is shown always serialises: plain structs with text keys. An empty body would only hide a
/// mistake of ours in a test.
fn json(document: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(document).unwrap_or_default()
}

impl Presenter for Shown {
    fn resource(&self, id: ResourceId, resource: &Registered, revision: Revision) -> Vec<u8> {
        json(&ResourceDocument {
            id,
            owner: resource.owner,
            display_name: resource.display_name.clone(),
            zone: resource.zone.name().to_owned(),
            capacity: resource.capacity,
            schedule_version: resource.schedule_version,
            schedule: resource.schedule.clone(),
            revision,
        })
    }

    fn offering(&self, id: OfferingId, offering: &Drafted, revision: Revision) -> Vec<u8> {
        let terms = offering.terms.clone();
        json(&OfferingDocument {
            id,
            provider: offering.provider,
            resource_id: offering.resource,
            title: offering.title.clone(),
            kind: offering.kind,
            status: offering.availability,
            version: offering.version,
            duration_minutes: terms.duration_minutes,
            price: terms.price,
            buffers: terms.buffers,
            min_notice_minutes: terms.min_notice_minutes,
            booking_window_days: terms.booking_window_days,
            booking_deadline_minutes: terms.booking_deadline_minutes,
            hold_minutes: terms.hold_minutes,
            capacity: terms.capacity,
            cancellation_policy: terms.cancellation_policy,
            revision,
        })
    }

    fn session(&self, id: SessionId, class: &Seats, revision: Revision) -> Vec<u8> {
        let seats = |sold: bool| {
            let of_kind =
                class.claims().filter(|(_, (claim, _))| (claim.phase == Phase::Firm) == sold);
            of_kind.fold(0_u32, |sum, (_, (_, seats))| sum.saturating_add(*seats))
        };
        let (seats_taken, seats_held) = (seats(true), seats(false));
        let gone = seats_taken.saturating_add(seats_held);
        let plan = &class.plan;
        json(&SessionDocument {
            id,
            offering_id: plan.offering,
            resource_id: plan.resource,
            starts_at: plan.held.start(),
            ends_at: plan.held.end(),
            zone: plan.starts.zone.name().to_owned(),
            capacity: plan.capacity,
            min_capacity: plan.min_capacity,
            booking_closes_at: plan.booking_closes_at,
            seats_taken,
            seats_held,
            seats_left: plan.capacity.map(|capacity| capacity.saturating_sub(gone)),
            revision,
        })
    }

    fn reservation(
        &self,
        id: ReservationId,
        paper: &Paper,
        payment: Option<(PaymentId, &Account)>,
        revision: Revision,
    ) -> Vec<u8> {
        let booking = &paper.booking;
        json(&ReservationDocument {
            id,
            status: paper.status(),
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
            hold_expires_at: paper.hold_expires_at,
            quote: booking.quote.clone(),
            payment: payment.map(|(order, account)| payment_summary(order, account)),
            cancellation: cancellation(paper),
            revision,
        })
    }

    fn refund(&self, order_id: PaymentId, refund_id: RefundId, refund: &Refund) -> Vec<u8> {
        json(&RefundShown {
            refund_id,
            order_id,
            amount: refund.amount,
            reason: refund.reason,
            status: match refund.stage {
                RefundStage::Pending { .. } => RefundStatus::Pending,
                RefundStage::Succeeded { .. } => RefundStatus::Succeeded,
                RefundStage::Refused { .. } => RefundStatus::Refused,
            },
        })
    }

    fn cancellation_quote(&self, id: ReservationId, quote: &CancellationQuote) -> Vec<u8> {
        json(&CancellationOffer {
            quote_id: quote.id,
            reservation_id: id,
            refund: quote.refund,
            valid_until: quote.valid_until,
        })
    }

    fn refusal(&self, refusal: &Refusal, request: &Request) -> (u16, Vec<u8>) {
        let problem = problem(refusal);
        let mut body = problem.body();
        for (name, value) in [("instance", &request.path), ("request_id", &request.request_id)] {
            drop(body.insert(name.to_owned(), Value::String(value.clone())));
        }
        (problem.status().as_u16(), json(&body))
    }
}

/// Where a payment stands, in the words of the contract.
pub(crate) fn payment_summary(order_id: PaymentId, account: &Account) -> PaymentSummary {
    PaymentSummary {
        order_id,
        amount: account.amount,
        status: match &account.stage {
            Stage::Open { declined: None } => PaymentStatus::Pending,
            Stage::Open { declined: Some(_) } => PaymentStatus::Declined,
            Stage::Confirming(_) => PaymentStatus::Confirming,
            Stage::Unknown(_) => PaymentStatus::Checking,
            Stage::Captured { .. } => PaymentStatus::Captured,
            Stage::Review { .. } => PaymentStatus::Review,
        },
        captured: account.captured,
        refunded: account.refunded(),
        refund_pending: account.refund_pending(),
        refund_owed: account.refund_owed(),
        last_decline: account.last_decline.clone(),
    }
}

fn cancellation(paper: &Paper) -> Option<CancellationSummary> {
    match &paper.stage {
        Paperwork::Cancelled { by, reason, refund } => {
            Some(CancellationSummary { by: *by, reason: *reason, refund: *refund })
        }
        Paperwork::Abandoned { by, reason } => Some(CancellationSummary {
            by: *by,
            reason: *reason,
            refund: RefundTerms::nothing_paid(paper.booking.quote.total.currency()),
        }),
        Paperwork::Held
        | Paperwork::PaymentInFlight
        | Paperwork::Confirmed { .. }
        | Paperwork::Expired => None,
    }
}

/// A payment as its view would show it after these events; its attempts are only in the events.
pub(crate) fn payment_at(events: &[Recorded]) -> Result<Option<Vec<u8>>, Problem> {
    let view = Typed(Payments);
    let Some(first) = events.first() else { return Ok(None) };
    let mut documents = Documents::default();
    for event in events {
        view.fold(event, &mut documents).map_err(Problem::internal)?;
    }
    let key = Key::new(first.stream.id());
    Ok(documents.get(&key).map(|document| document.as_str().as_bytes().to_vec()))
}
