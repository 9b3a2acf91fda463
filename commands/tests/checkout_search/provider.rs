//! What the provider of payments does with a call, and what becomes of its answer.

use holdfast_commands::checkout::{Report, Said};
use holdfast_domain::booking::reservation::ReservationEvent;
use holdfast_domain::booking::reservation_stream;
use holdfast_domain::event::Event;
use holdfast_domain::ids::RefundId;
use holdfast_domain::money::Money;
use holdfast_domain::payment::{Account, ConfirmOutcome, RefundOutcome, RefundStage};
use holdfast_domain::process::Call;
use holdfast_domain::process::retry::{self, Ask};

use crate::fault::Fault;
use crate::model::{Node, order};
use crate::moves::{Move, ignores};
use crate::setting::money;

/// What the provider makes of a request that it sees for the first time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Whim {
    /// It does what it was asked to.
    Does,
    /// It takes or returns nothing.
    Declines,
    /// It takes another amount.
    TakesAnother,
}

/// The provider acts on a call, or it is lost before or after.
pub(crate) fn provider_moves(
    node: &Node,
    customer: usize,
    call: &Call,
    for_caller: bool,
    next: &mut Vec<Move>,
) {
    let lossy = node.customers[customer].losses < node.setting.customers[customer].losses;
    for whim in [Whim::Does, Whim::Declines, Whim::TakesAnother] {
        let mut acted = node.clone();
        let Some(said) = act(&mut acted, customer, call, whim) else { continue };
        let mut heard = acted.clone();
        heard.customers[customer].in_flight = None;
        report(&mut heard, customer, said, for_caller);
        let label = format!("the provider {whim:?} for {customer}: {}", in_short(call));
        next.push(Move { label, after: heard, of_itself: true });
        if lossy {
            lose(acted, customer, call, for_caller, next);
        }
    }
    if lossy {
        lose(node.clone(), customer, call, for_caller, next);
    }
}

fn in_short(call: &Call) -> String {
    match call {
        Call::Capture { attempt, tries, ask, .. } => format!("capture {attempt}.{tries} {ask:?}"),
        Call::Refund { refund, amount, tries, .. } => format!("refund {refund} {amount} {tries}"),
    }
}

/// A call whose answer comes, and is good.
pub(crate) fn answer(node: &mut Node, customer: usize, call: &Call) {
    let said = act(node, customer, call, Whim::Does).unwrap();
    report(node, customer, said, true);
}

/// No answer comes back: the caller writes that down, or dies before it can.
fn lose(mut node: Node, customer: usize, call: &Call, for_caller: bool, next: &mut Vec<Move>) {
    node.customers[customer].losses += 1;
    node.customers[customer].in_flight = None;
    let died = node.clone();
    let label = format!("the process dies during {customer}'s {}", in_short(call));
    next.push(Move { label, after: died, of_itself: true });
    let (Call::Capture { tries, .. } | Call::Refund { tries, .. }) = call;
    let next_try_at = retry::next_try_at(tries + 1, node.now);
    let said = match call {
        Call::Capture { attempt, .. } => Said::OfCapture {
            attempt: *attempt,
            outcome: if node.fault == Fault::LostIsDeclined {
                ConfirmOutcome::Declined { code: "TIMEOUT".into() }
            } else {
                ConfirmOutcome::Unknown { next_try_at }
            },
        },
        Call::Refund { refund, .. } => {
            Said::OfRefund { refund: *refund, outcome: RefundOutcome::Unknown { next_try_at } }
        }
    };
    report(&mut node, customer, said, for_caller);
    let label = format!("the answer to {customer}'s {} is lost", in_short(call));
    next.push(Move { label, after: node, of_itself: true });
}

/// What the provider does and says. `None` when this outcome cannot be.
fn act(node: &mut Node, customer: usize, call: &Call, whim: Whim) -> Option<Said> {
    match call {
        Call::Capture { attempt, idempotency_key, amount, ask, .. } => {
            let taken = capture(node, customer, idempotency_key, (*amount, *ask), whim)?;
            let transaction = idempotency_key.clone();
            let outcome = if taken == 0 {
                ConfirmOutcome::Declined { code: "NO".into() }
            } else if node.fault == Fault::OddIsPaid {
                ConfirmOutcome::Captured { transaction, amount: *amount }
            } else {
                ConfirmOutcome::Captured { transaction, amount: money(taken) }
            };
            Some(Said::OfCapture { attempt: *attempt, outcome })
        }
        Call::Refund { refund, amount, idempotency_key, tries, .. } => {
            let losses = node.customers[customer].losses;
            let key = if node.fault == Fault::RefundWithoutKey {
                format!("{idempotency_key}-{tries}-{losses}")
            } else {
                idempotency_key.clone()
            };
            one_at_a_time(node, customer, *refund);
            let returned = give_back(node, customer, key, *amount, whim)?;
            let outcome = if returned || node.fault == Fault::RefusedIsReturned {
                RefundOutcome::Succeeded { transaction: refund.to_string() }
            } else {
                RefundOutcome::Refused { code: "TOO_OLD".into() }
            };
            Some(Said::OfRefund { refund: *refund, outcome })
        }
    }
}

/// Takes money once per key; says how much was taken under it.
fn capture(
    node: &mut Node,
    customer: usize,
    key: &str,
    (amount, ask): (Money, Ask),
    whim: Whim,
) -> Option<u64> {
    let habits = node.setting.customers[customer];
    let entry = &mut node.customers[customer];
    let known = entry.ledger.captures.get(key).copied();
    let spontaneous = match (known, ask) {
        (Some(taken), _) => Some(taken),
        (None, Ask::ReadFinally) => Some(0),
        (None, Ask::Again | Ask::Read) => None,
    };
    if let Some(settled) = spontaneous {
        return (whim == Whim::Does).then_some(settled);
    }
    let taken = match whim {
        Whim::Does => amount.minor(),
        Whim::Declines if entry.declines < habits.declines => {
            entry.declines += 1;
            0
        }
        Whim::TakesAnother if entry.oddities < habits.oddities => {
            entry.oddities += 1;
            amount.minor() - 1
        }
        Whim::Declines | Whim::TakesAnother => return None,
    };
    entry.ledger.captures.insert(key.to_owned(), taken);
    entry.ledger.captured += taken;
    Some(taken)
}

/// Returns money once per key; says whether it was returned under it.
fn give_back(
    node: &mut Node,
    customer: usize,
    key: String,
    amount: Money,
    whim: Whim,
) -> Option<bool> {
    let habits = node.setting.customers[customer];
    let entry = &mut node.customers[customer];
    if let Some(settled) = entry.ledger.returns.get(&key).copied() {
        return (whim == Whim::Does).then_some(settled);
    }
    let returned = match whim {
        Whim::Does => {
            entry.ledger.returned += amount.minor();
            true
        }
        Whim::Declines if entry.refusals < habits.refusals => {
            entry.refusals += 1;
            false
        }
        Whim::Declines | Whim::TakesAnother => return None,
    };
    entry.ledger.returns.insert(key, returned);
    Some(returned)
}

/// Complains when a refund is asked for while nobody knows what became of another one.
fn one_at_a_time(node: &mut Node, customer: usize, refund: RefundId) {
    let before = node.customers[customer].ledger.asked.replace(refund);
    let Some(before) = before.filter(|before| *before != refund) else { return };
    let open = |account: &Account| {
        let entry = account.refunds.get(&before);
        entry.is_some_and(|entry| matches!(entry.stage, RefundStage::Pending { .. }))
    };
    if node.account(customer).is_some_and(open) {
        node.complaint = Some(format!("two refunds of {customer} are at the provider"));
    }
}

fn report(node: &mut Node, customer: usize, said: Said, for_caller: bool) {
    let about = node.about(customer);
    let captured = matches!(said, Said::OfCapture { outcome: ConfirmOutcome::Captured { .. }, .. });
    if node.fault == Fault::ConfirmAnyway && captured {
        let stream = reservation_stream(about.reservation);
        let paid = node.setting.total(customer);
        let event = Event::from(ReservationEvent::Confirmed { paid, confirmed_at: node.now });
        let known = node.states.get_mut(&stream).unwrap();
        known.state = known.state.clone().evolve(&event);
    }
    if ignores(node, customer) {
        return;
    }
    node.decide(&Report { about, order: order(customer), said, for_caller }).unwrap();
}
