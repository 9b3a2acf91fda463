//! Returning money that was captured. One refund of a payment is at the provider at a time.
//!
//! | refund | step |
//! | --- | --- |
//! | pending, not yet due | wait |
//! | pending, asked never or soon after a vain try | send, or send again under the same key |
//! | pending, asked in vain for longer | read |
//! | succeeded, refused | rest: a refused one is owed, and visible as such |

use crate::payment::{Refund, RefundStage};
use crate::process::{Call, Situation, Step, retry};

/// The next step about the oldest refund that is not settled.
pub fn next(situation: &Situation<'_>) -> Step {
    let Some((order, account)) = situation.payment else { return Step::Rest };
    let pending = |refund: &Refund| match refund.stage {
        RefundStage::Pending { tries, next_step_at } => Some((tries, next_step_at)),
        RefundStage::Succeeded { .. } | RefundStage::Refused { .. } => None,
    };
    let first = account
        .refunds
        .iter()
        .filter_map(|(id, refund)| pending(refund).map(|stage| (*id, refund, stage)))
        .min_by_key(|(id, _, (_, next_step_at))| (*next_step_at, *id));
    let Some((refund, entry, (tries, next_step_at))) = first else { return Step::Rest };
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
