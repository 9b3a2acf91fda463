//! The state of one stream as a document: where the API has a document for it, that one; else what
//! the aggregate holds, in the same words.

use holdfast_commands::ports::Presenter as _;
use holdfast_commands::state::{Known, State};
use holdfast_domain::booking::calendar::{Calendar, Holder};
use holdfast_domain::ids::{OfferingId, ReservationId, ResourceId, SessionId};
use holdfast_domain::log::StreamId;
use holdfast_domain::payment::Account;
use serde_json::{Value, json};

use crate::cli::Failure;
use crate::http::present::Shown;

/// The document of a stream as it is known; null when nothing was written to it.
pub fn document(stream: StreamId, known: &Known) -> Result<Value, Failure> {
    let Some(revision) = known.revision() else { return Ok(Value::Null) };
    let id = stream.id();
    let absent = || Ok(Value::Null);
    let bytes = match &known.state {
        State::Resource(state) => match state.registered() {
            Ok(resource) => Shown.resource(ResourceId::from_uuid(id), resource, revision),
            Err(_absent) => return absent(),
        },
        State::Offering(state) => match state.drafted() {
            Ok(offering) => Shown.offering(OfferingId::from_uuid(id), offering, revision),
            Err(_absent) => return absent(),
        },
        State::Session(state) => match state.seats() {
            Ok(seats) => Shown.session(SessionId::from_uuid(id), seats, revision),
            Err(_absent) => return absent(),
        },
        State::Reservation(state) => match state.paper() {
            Ok(paper) => Shown.reservation(ReservationId::from_uuid(id), paper, None, revision),
            Err(_absent) => return absent(),
        },
        State::Calendar(calendar) => return claims(calendar),
        State::Payment(payment) => match payment.account() {
            Ok(account) => return self::account(account),
            Err(_absent) => return absent(),
        },
    };
    Ok(serde_json::from_slice(&bytes)?)
}

fn claims(calendar: &Calendar) -> Result<Value, Failure> {
    let claims = calendar.allocations().map(|(hold, allocation)| {
        let holder = match &allocation.holder {
            Holder::Reservation(claim) => json!({
                "reservation": claim.reservation,
                "phase": format!("{:?}", claim.phase).to_lowercase(),
                "expires_at": claim.expires_at,
            }),
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
    Ok(json!({"claims": claims.collect::<serde_json::Map<_, _>>()}))
}

fn account(account: &Account) -> Result<Value, Failure> {
    let refunds = account.refunds.iter().map(|(id, refund)| {
        let stage = format!("{:?}", refund.stage);
        (id.to_string(), json!({"amount": refund.amount, "reason": refund.reason, "stage": stage}))
    });
    Ok(json!({
        "reservation": account.reservation,
        "customer": account.customer,
        "amount": account.amount,
        "stage": format!("{:?}", account.stage),
        "attempts": account.attempts,
        "captured": account.captured,
        "refunded": account.refunded(),
        "refund_pending": account.refund_pending(),
        "refund_owed": account.refund_owed(),
        "last_decline": account.last_decline,
        "refunds": refunds.collect::<serde_json::Map<_, _>>(),
    }))
}
