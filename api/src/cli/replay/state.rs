//! The state of one stream as a document: where the API has a document for it, that one; else what
//! the aggregate holds, in the same words.

use holdfast_commands::ports::Presenter as _;
use holdfast_commands::state::{Known, State};
use holdfast_domain::booking::calendar::{Calendar, Holder};
use holdfast_domain::booking::hold::Phase;
use holdfast_domain::ids::{OfferingId, PaymentId, ReservationId, ResourceId, SessionId};
use holdfast_domain::log::StreamId;
use holdfast_domain::payment::Account;
use holdfast_domain::time::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::cli::Failure;
use crate::http::present::{Shown, payment_summary};

/// The document of a stream as it is known; null when nothing was written to it.
pub fn document(stream: StreamId, known: &Known) -> Result<Value, Failure> {
    let Some(revision) = known.revision() else { return Ok(Value::Null) };
    let id = stream.id();
    // A stream with a revision is there; its aggregate can only be absent before the first event.
    let shown = match &known.state {
        State::Resource(state) => state
            .registered()
            .ok()
            .map(|resource| Shown.resource(ResourceId::from_uuid(id), resource, revision)),
        State::Offering(state) => state
            .drafted()
            .ok()
            .map(|offering| Shown.offering(OfferingId::from_uuid(id), offering, revision)),
        State::Session(state) => {
            state.seats().ok().map(|seats| Shown.session(SessionId::from_uuid(id), seats, revision))
        }
        State::Reservation(state) => state
            .paper()
            .ok()
            .map(|paper| Shown.reservation(ReservationId::from_uuid(id), paper, None, revision)),
        State::Calendar(calendar) => return Ok(claims(calendar)),
        State::Payment(payment) => {
            let account = payment.account().ok();
            return Ok(account.map_or(Value::Null, |it| self::account(id, it)));
        }
    };
    Ok(shown.map(|bytes| serde_json::from_slice(&bytes)).transpose()?.unwrap_or_default())
}

fn claims(calendar: &Calendar) -> Value {
    let claims = calendar.allocations().map(|(hold, allocation)| {
        let holder = match &allocation.holder {
            Holder::Reservation(claim) => {
                let (phase, until) = phase(claim.phase);
                let (reservation, expires_at) = (claim.reservation, claim.expires_at);
                json!({
                    "reservation": reservation, "expires_at": expires_at,
                    "phase": phase, "pinned_until": until,
                })
            }
            Holder::Session(session) => json!({"session": session}),
        };
        let claim = json!({
            "by": holder,
            "booked": allocation.booked,
            "blocks": allocation.blocks,
            "weight": allocation.weight,
        });
        (hold.to_string(), claim)
    });
    json!({"claims": claims.collect::<serde_json::Map<_, _>>()})
}

/// A phase as a word, and until when it is pinned.
const fn phase(phase: Phase) -> (&'static str, Option<Timestamp>) {
    match phase {
        Phase::Held => ("held", None),
        Phase::Pinned { until } => ("pinned", Some(until)),
        Phase::Firm => ("firm", None),
    }
}

fn account(id: Uuid, account: &Account) -> Value {
    let refunds = account.refunds.iter().map(|(id, refund)| {
        (id.to_string(), json!({"amount": refund.amount, "reason": refund.reason}))
    });
    json!({
        "payment": payment_summary(PaymentId::from_uuid(id), account),
        "reservation": account.reservation,
        "customer": account.customer,
        "attempts": account.attempts,
        "refund_owed": account.refund_owed(),
        "refunds": refunds.collect::<serde_json::Map<_, _>>(),
    })
}
