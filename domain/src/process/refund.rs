//! Returning money that was captured. One refund of a payment is at the provider at a time.
//!
//! | refund | step |
//! | --- | --- |
//! | pending, not yet due | wait |
//! | promised by a cancellation, not asked for | write the intent |
//! | pending, asked never or soon after a vain try | send, or send again under the same key |
//! | pending, asked in vain for longer | read |
//! | succeeded, refused | rest: a refused one is owed, and visible as such |

use crate::booking::payment_stream;
use crate::booking::reservation::Stage as Paperwork;
use crate::decider::Decider;
use crate::event::Event;
use crate::ids::{PaymentId, RefundId};
use crate::payment::{Account, Payment, PaymentCommand, Refund, RefundReason, RefundStage};
use crate::process::{Call, Situation, Step, retry};

/// The next step about the oldest refund that is not settled.
pub fn next(situation: &Situation<'_>) -> Step {
    let Some((order, account)) = situation.payment else { return Step::Rest };
    let pending = |refund: &Refund| match refund.stage {
        RefundStage::Pending { tries, next_step_at } => Some((tries, next_step_at)),
        RefundStage::Succeeded { .. } | RefundStage::Refused { .. } => None,
    };
    // One that was asked for already goes first: a second one waits until its outcome is known. A
    // crash can leave one that was asked for without a trace, so the others go by their number:
    // their instants can be the same.
    let first = account
        .refunds
        .iter()
        .filter_map(|(id, refund)| pending(refund).map(|stage| (*id, refund, stage)))
        .min_by_key(|(_, refund, (tries, _))| (*tries == 0, refund.number));
    let Some((refund, entry, (tries, next_step_at))) = first else {
        return owed(situation, order, account);
    };
    if situation.now < next_step_at && !(situation.inline && tries == 0) {
        return Step::Wait(next_step_at);
    }
    Step::Call(Call::Refund {
        order,
        refund,
        amount: entry.amount,
        idempotency_key: entry.idempotency_key.clone(),
        tries,
        ask: retry::ask(tries),
    })
}

/// A cancellation promised money and nobody asked for it yet: on a store that writes one stream
/// after the other, a crash can come in between.
fn owed(situation: &Situation<'_>, order: PaymentId, account: &Account) -> Step {
    let Paperwork::Cancelled { refund: terms, .. } = situation.paper.stage else {
        return Step::Rest;
    };
    let asked = account.refunds.values().any(|refund| refund.reason == RefundReason::Cancellation);
    let Ok(amount) = terms.amount.at_most(account.refundable()) else { return Step::Rest };
    if asked || amount.is_zero() {
        return Step::Rest;
    }
    let refund = RefundId::derive(order, account.next_refund());
    let command = PaymentCommand::RequestRefund {
        refund,
        amount,
        reason: RefundReason::Cancellation,
        idempotency_key: refund.to_string(),
        inline_until: situation.now,
    };
    match Payment::Initiated(account.clone()).decide(&command) {
        Ok(facts) => Step::Record(
            facts.into_iter().map(|fact| (payment_stream(order), Event::from(fact))).collect(),
        ),
        Err(_nothing_to_return) => Step::Rest,
    }
}
