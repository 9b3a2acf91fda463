//! What the simulator knows: the entries of its ledger, what they add up to, and what it answers
//! to a request. Pure; the file is [`super::ledger`]'s business, and lateness the gateway's.

use std::collections::BTreeMap;

use holdfast_commands::ports::{Capture, CaptureRequest, RefundRequest, Return};
use holdfast_domain::ids::{PaymentId, RefundId};
use holdfast_domain::money::Money;
use serde::{Deserialize, Serialize};

use super::movements::{Movement, Movements, Order};
use super::script::{RefundScript, Script};

/// One line of the ledger. `key` is the idempotency key of the request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Entry {
    /// A request came and was lost before anything was done.
    Lost { key: String, order: PaymentId, payment_key: String, amount: Money },
    /// Money was taken; `amount` was asked for.
    Captured {
        key: String,
        order: PaymentId,
        payment_key: String,
        amount: Money,
        taken: Money,
        transaction: String,
    },
    /// No money was taken.
    Declined { key: String, order: PaymentId, payment_key: String, amount: Money, code: String },
    /// Money was returned.
    Returned { key: String, order: PaymentId, refund: RefundId, amount: Money, transaction: String },
    /// No money was returned.
    Refused { key: String, order: PaymentId, refund: RefundId, amount: Money, code: String },
}

/// What happens to a request: what is written down first, what is true then, and whether the
/// answer arrives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ruling<A> {
    pub(super) entry: Option<Entry>,
    pub(super) answer: A,
    pub(super) arrival: Arrival,
}

/// How an answer travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Arrival {
    AtOnce,
    Late,
    Never,
}

impl<A> Ruling<A> {
    fn said(answer: A) -> Self {
        Self { entry: None, answer, arrival: Arrival::AtOnce }
    }
}

/// A capture that was asked for under one key; no outcome when the request was lost.
#[derive(Debug, Clone)]
struct AskedCapture {
    order: PaymentId,
    payment_key: String,
    amount: Money,
    outcome: Option<Capture>,
}

/// A return of money that was asked for under one key.
#[derive(Debug, Clone)]
struct AskedReturn {
    order: PaymentId,
    refund: RefundId,
    amount: Money,
    outcome: Return,
}

/// Everything the ledger says.
#[derive(Debug, Default)]
pub(super) struct Book {
    captures: BTreeMap<String, AskedCapture>,
    returns: BTreeMap<String, AskedReturn>,
    /// The last word about a refund.
    return_words: BTreeMap<(PaymentId, RefundId), Return>,
    /// The authorisation with which an order was captured.
    captured_with: BTreeMap<PaymentId, String>,
    movements: Movements,
}

impl Book {
    pub(super) fn movements(&self) -> &Movements {
        &self.movements
    }

    /// What became of one attempt to capture an order.
    pub(super) fn capture_of(&self, order: PaymentId, key: &str) -> Option<Capture> {
        let asked = self.captures.get(key).filter(|asked| asked.order == order)?;
        asked.outcome.clone()
    }

    pub(super) fn return_of(&self, order: PaymentId, refund: RefundId) -> Option<Return> {
        self.return_words.get(&(order, refund)).cloned()
    }

    /// Judges a capture. One effect per idempotency key, one capture per order.
    pub(super) fn capture(&self, request: &CaptureRequest) -> Ruling<Capture> {
        let script = Script::of(&request.payment_key);
        let arrival = if script == Some(Script::Slow) { Arrival::Late } else { Arrival::AtOnce };
        let asked = self.captures.get(&request.idempotency_key);
        if let Some(asked) = asked {
            let same = asked.order == request.order
                && asked.payment_key == request.payment_key
                && asked.amount == request.amount;
            if !same {
                return Ruling::said(declined("IDEMPOTENCY_KEY_REUSED"));
            }
            if let Some(answer) = asked.outcome.clone() {
                return Ruling { entry: None, answer, arrival };
            }
        }
        if self.captured_with.contains_key(&request.order) {
            return decline(request, "ALREADY_PROCESSED_PAYMENT");
        }
        match script {
            None => decline(request, "INVALID_PAYMENT_KEY"),
            Some(Script::LostBeforeCapture | Script::LostBeforeDecline) if asked.is_none() => {
                lose(request)
            }
            Some(Script::Decline | Script::LostBeforeDecline) => {
                decline(request, "REJECT_CARD_PAYMENT")
            }
            Some(Script::LostAfterCapture) => self.take(request, request.amount, Arrival::Never),
            Some(Script::AmountDiffers) => {
                let other = request.amount.minor().saturating_sub(1);
                let other = Money::try_new(other, request.amount.currency());
                self.take(request, other.unwrap_or(request.amount), arrival)
            }
            Some(Script::Approve | Script::Slow | Script::LostBeforeCapture) => {
                self.take(request, request.amount, arrival)
            }
        }
    }

    /// Judges a return of money. One effect per idempotency key, never more than is left.
    pub(super) fn refund(&self, request: &RefundRequest) -> Ruling<Return> {
        if let Some(asked) = self.returns.get(&request.idempotency_key) {
            let same = asked.order == request.order
                && asked.refund == request.refund
                && asked.amount == request.amount;
            return Ruling::said(if same {
                asked.outcome.clone()
            } else {
                Return::Refused { code: "IDEMPOTENCY_KEY_REUSED".to_owned() }
            });
        }
        let Some(payment_key) = self.captured_with.get(&request.order) else {
            return refuse(request, "NOT_FOUND_PAYMENT");
        };
        let balance = self.movements.orders.get(&request.order).and_then(Order::balance);
        let fits = balance.is_some_and(|left| request.amount.exceeds(left) == Ok(false));
        if !fits || request.amount.is_zero() {
            return refuse(request, "NOT_CANCELABLE_AMOUNT");
        }
        match RefundScript::of(payment_key) {
            RefundScript::Approve => self.give_back(request, Arrival::AtOnce),
            RefundScript::LostAfterReturn => self.give_back(request, Arrival::Never),
            RefundScript::Refuse => refuse(request, "NOT_CANCELABLE_PAYMENT"),
        }
    }

    /// Takes an entry in.
    pub(super) fn enter(&mut self, entry: Entry) {
        match entry {
            Entry::Lost { key, order, payment_key, amount } => {
                self.asked(key, AskedCapture { order, payment_key, amount, outcome: None });
            }
            Entry::Captured { key, order, payment_key, amount, taken, transaction } => {
                let movement = Movement {
                    transaction: transaction.clone(),
                    amount: taken,
                    idempotency_key: key.clone(),
                    refund: None,
                };
                self.movements.add(order, movement);
                drop(self.captured_with.insert(order, payment_key.clone()));
                let outcome = Some(Capture::Captured { transaction, amount: taken });
                self.asked(key, AskedCapture { order, payment_key, amount, outcome });
            }
            Entry::Declined { key, order, payment_key, amount, code } => {
                let outcome = Some(Capture::Declined { code });
                self.asked(key, AskedCapture { order, payment_key, amount, outcome });
            }
            Entry::Returned { key, order, refund, amount, transaction } => {
                let movement = Movement {
                    transaction: transaction.clone(),
                    amount,
                    idempotency_key: key.clone(),
                    refund: Some(refund),
                };
                self.movements.add(order, movement);
                let outcome = Return::Returned { transaction };
                self.asked_return(key, AskedReturn { order, refund, amount, outcome });
            }
            Entry::Refused { key, order, refund, amount, code } => {
                let outcome = Return::Refused { code };
                self.asked_return(key, AskedReturn { order, refund, amount, outcome });
            }
        }
    }

    fn asked(&mut self, key: String, asked: AskedCapture) {
        drop(self.captures.insert(key, asked));
    }

    fn asked_return(&mut self, key: String, asked: AskedReturn) {
        let word = asked.outcome.clone();
        drop(self.return_words.insert((asked.order, asked.refund), word));
        drop(self.returns.insert(key, asked));
    }

    /// The name of the next movement of money; movements are numbered, so it is the same again
    /// when a ledger is played again.
    fn next_transaction(&self) -> String {
        format!("sim_tx_{}", self.movements.count().saturating_add(1))
    }

    fn take(&self, request: &CaptureRequest, taken: Money, arrival: Arrival) -> Ruling<Capture> {
        let transaction = self.next_transaction();
        let entry = Entry::Captured {
            key: request.idempotency_key.clone(),
            order: request.order,
            payment_key: request.payment_key.clone(),
            amount: request.amount,
            taken,
            transaction: transaction.clone(),
        };
        let answer = Capture::Captured { transaction, amount: taken };
        Ruling { entry: Some(entry), answer, arrival }
    }

    fn give_back(&self, request: &RefundRequest, arrival: Arrival) -> Ruling<Return> {
        let transaction = self.next_transaction();
        let entry = Entry::Returned {
            key: request.idempotency_key.clone(),
            order: request.order,
            refund: request.refund,
            amount: request.amount,
            transaction: transaction.clone(),
        };
        Ruling { entry: Some(entry), answer: Return::Returned { transaction }, arrival }
    }
}

fn declined(code: &str) -> Capture {
    Capture::Declined { code: code.to_owned() }
}

fn decline(request: &CaptureRequest, code: &str) -> Ruling<Capture> {
    let entry = Entry::Declined {
        key: request.idempotency_key.clone(),
        order: request.order,
        payment_key: request.payment_key.clone(),
        amount: request.amount,
        code: code.to_owned(),
    };
    Ruling { entry: Some(entry), ..Ruling::said(declined(code)) }
}

fn lose(request: &CaptureRequest) -> Ruling<Capture> {
    let entry = Entry::Lost {
        key: request.idempotency_key.clone(),
        order: request.order,
        payment_key: request.payment_key.clone(),
        amount: request.amount,
    };
    Ruling { entry: Some(entry), answer: declined("LOST"), arrival: Arrival::Never }
}

fn refuse(request: &RefundRequest, code: &str) -> Ruling<Return> {
    let entry = Entry::Refused {
        key: request.idempotency_key.clone(),
        order: request.order,
        refund: request.refund,
        amount: request.amount,
        code: code.to_owned(),
    };
    let answer = Return::Refused { code: code.to_owned() };
    Ruling { entry: Some(entry), ..Ruling::said(answer) }
}
