//! A payment under random commands and observations, in any order: captured once and exactly what
//! was due, or what a person accepted (P1), returned and being returned never more than captured (P2), one attempt in flight
//! (P4), a definite outcome never replaced by a weaker one (P6), and history gives the same state.

use std::collections::{BTreeMap, BTreeSet};

use holdfast_domain::booking::Authority;
use holdfast_domain::decider::{Decider, replay};
use holdfast_domain::event::Event;
use holdfast_domain::ids::{PrincipalId, RefundId, ReservationId, ResourceId};
use holdfast_domain::money::{Currency, Money};
use holdfast_domain::payment::{
    Account, ConfirmOutcome, Payment, PaymentCommand, PaymentEvent, PaymentRefusal, RefundOutcome,
    RefundReason, Resolution, ReviewDecision,
};
use holdfast_domain::time::Timestamp;
use proptest::prelude::*;
use uuid::Uuid;

use crate::harness::{Verdict, assert_caught, assert_law, ensure, stored};

const DUE: u64 = 10;

fn krw(minor: u64) -> Money {
    Money::try_new(minor, Currency::Krw).unwrap()
}

fn refund_id(number: u128) -> RefundId {
    RefundId::from_uuid(Uuid::from_u128(number))
}

fn reservation() -> ReservationId {
    ReservationId::from_uuid(Uuid::from_u128(7))
}

/// Observations name attempts and refunds that may not exist, and come late, early and twice.
fn commands() -> impl Strategy<Value = Vec<PaymentCommand>> {
    let at = Timestamp::from_micros(1_000_000);
    let start =
        (0_u8..4, prop_oneof![5 => Just(DUE), 1 => 0_u64..20]).prop_map(move |(key, amount)| {
            PaymentCommand::StartConfirm {
                payment_key: format!("key{key}"),
                amount: krw(amount),
                idempotency_key: format!("idempotency{key}"),
                inline_until: at,
            }
        });
    let captured = prop_oneof![6 => Just(DUE), 1 => 0_u64..20].prop_map(|amount| {
        ConfirmOutcome::Captured { transaction: "tx".to_owned(), amount: krw(amount) }
    });
    let said = prop_oneof![
        3 => captured,
        2 => Just(ConfirmOutcome::Declined { code: "NO".to_owned() }),
        2 => Just(ConfirmOutcome::Unknown { next_try_at: at }),
    ];
    let confirm = (0_u32..5, said)
        .prop_map(|(attempt, outcome)| PaymentCommand::RecordConfirm { attempt, outcome });
    let refund =
        (1_u128..9, 0_u64..12).prop_map(move |(refund, amount)| PaymentCommand::RequestRefund {
            refund: refund_id(refund),
            amount: krw(amount),
            reason: RefundReason::Goodwill,
            idempotency_key: format!("refund{refund}"),
            inline_until: at,
        });
    let returned = prop_oneof![
        Just(RefundOutcome::Succeeded { transaction: "tx".to_owned() }),
        Just(RefundOutcome::Refused { code: "NO".to_owned() }),
        Just(RefundOutcome::Unknown { next_try_at: at }),
    ];
    let record = (1_u128..9, returned).prop_map(|(refund, outcome)| PaymentCommand::RecordRefund {
        refund: refund_id(refund),
        outcome,
    });
    let resolve = (prop::bool::ANY, 1_u128..9).prop_map(move |(accepts, refund)| {
        PaymentCommand::ResolveReview(Resolution {
            decision: if accepts { ReviewDecision::Accept } else { ReviewDecision::Return },
            by: PrincipalId::from_uuid(Uuid::from_u128(3)),
            refund: refund_id(refund),
            now: at,
        })
    });
    let command = prop_oneof![2 => start, 3 => confirm, 4 => refund, 3 => record, 1 => resolve];
    prop::collection::vec(command, 1..40)
}

/// Where a refund stands, by the checker's account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Returned {
    Pending,
    Succeeded,
    Refused,
}

/// The checker's own account.
#[derive(Debug, Default)]
struct Book {
    attempts: u32,
    in_flight: bool,
    captured: Option<u64>,
    observed: Option<u64>,
    resolved: Option<ReviewDecision>,
    refunds: BTreeMap<RefundId, (u64, Returned)>,
}

impl Book {
    fn sum(&self, counts: impl Fn(Returned) -> bool) -> u64 {
        let counted = self.refunds.values().filter(|(_, stage)| counts(*stage));
        counted.fold(0, |sum, (amount, _)| sum.saturating_add(*amount))
    }

    fn is_settled(&self) -> bool {
        self.captured.is_some() || self.observed.is_some()
    }

    fn take_in(&mut self, event: &PaymentEvent) -> Verdict {
        let open = |book: &Self, attempt: u32| {
            let known = !book.is_settled() && book.in_flight && book.attempts == attempt;
            ensure(known, || format!("a weaker word about attempt {attempt}"))
        };
        match event {
            PaymentEvent::Initiated { .. } => Err("initiated again".to_owned()),
            PaymentEvent::ConfirmStarted { attempt, .. } => {
                let free = !self.is_settled() && !self.in_flight;
                ensure(free, || format!("attempt {attempt} beside another"))?;
                self.attempts = self.attempts.saturating_add(1);
                self.in_flight = true;
                ensure(*attempt == self.attempts, || format!("attempt {attempt} is out of order"))
            }
            PaymentEvent::Captured { amount, .. } => {
                ensure(!self.is_settled(), || "captured twice".to_owned())?;
                self.captured = Some(amount.minor());
                ensure(amount.minor() == DUE, || format!("captured {amount}"))
            }
            PaymentEvent::Declined { attempt, .. } => {
                open(self, *attempt)?;
                self.in_flight = false;
                Ok(())
            }
            PaymentEvent::OutcomeUnknown { attempt, .. } => open(self, *attempt),
            PaymentEvent::ReviewRequired { observed, .. } => {
                ensure(!self.is_settled(), || "put under review late".to_owned())?;
                self.observed = Some(observed.minor());
                ensure(observed.minor() != DUE, || "reviewed without a reason".to_owned())
            }
            PaymentEvent::ReviewResolved { amount, decision, .. } => {
                let first = self.resolved.replace(*decision).is_none();
                ensure(first && self.captured.is_none(), || "decided twice".to_owned())?;
                self.captured = Some(amount.minor());
                let took = self.observed == self.captured;
                ensure(took, || format!("{amount} counts, {:?} came", self.observed))
            }
            PaymentEvent::RefundRequested { refund, amount, .. } => {
                let entry = (amount.minor(), Returned::Pending);
                let known = self.refunds.insert(*refund, entry);
                ensure(known.is_none(), || format!("{refund} was used twice"))
            }
            PaymentEvent::RefundSucceeded { refund, amount, .. } => {
                self.answer(*refund, *amount, Returned::Succeeded)
            }
            PaymentEvent::RefundRefused { refund, amount, .. } => {
                self.answer(*refund, *amount, Returned::Refused)
            }
            PaymentEvent::RefundOutcomeUnknown { refund, .. } => {
                let known = self.refunds.get(refund).map(|(_, stage)| *stage);
                ensure(known == Some(Returned::Pending), || format!("a weaker word about {refund}"))
            }
        }
    }

    fn answer(&mut self, refund: RefundId, amount: Money, stage: Returned) -> Verdict {
        let known = self.refunds.insert(refund, (amount.minor(), stage));
        let expected = Some((amount.minor(), Returned::Pending));
        ensure(known == expected, || format!("{refund} was answered twice"))
    }

    /// P2, and that the payment's own sums say the same.
    fn check(&self, account: &Account) -> Verdict {
        let captured = self.captured.unwrap_or(0);
        let returned = self.sum(|stage| stage != Returned::Refused);
        ensure(returned <= captured, || format!("{returned} returned of {captured}"))?;
        let says = [
            (account.captured, captured),
            (account.refunded(), self.sum(|stage| stage == Returned::Succeeded)),
            (account.refund_pending(), self.sum(|stage| stage == Returned::Pending)),
            (account.refund_owed(), self.sum(|stage| stage == Returned::Refused)),
            (account.refundable(), captured.saturating_sub(self.sum(|_any| true))),
        ];
        ensure(says.iter().all(|(sum, own)| sum.minor() == *own), || format!("sums {says:?}"))
    }

    /// A refusal to return money, or to take it, has a reason.
    fn explains(&self, command: &PaymentCommand, refusal: PaymentRefusal) -> Verdict {
        let right = match (command, refusal) {
            (
                PaymentCommand::RequestRefund { amount, .. },
                PaymentRefusal::InvalidRefundAmount { refundable },
            ) => {
                let left = self.captured.unwrap_or(0).saturating_sub(self.sum(|_any| true));
                refundable.minor() == left && (amount.is_zero() || amount.minor() > left)
            }
            (
                PaymentCommand::StartConfirm { amount, .. },
                PaymentRefusal::AmountMismatch { due },
            ) => due.minor() == DUE && amount.minor() != DUE,
            (PaymentCommand::StartConfirm { .. }, PaymentRefusal::PaymentInFlight) => {
                // An authorisation that was declined cannot be presented again at once.
                !self.is_settled() && self.attempts > 0
            }
            (PaymentCommand::StartConfirm { .. }, PaymentRefusal::AlreadyConfirmed) => {
                self.captured.is_some()
            }
            (PaymentCommand::StartConfirm { .. }, PaymentRefusal::UnderReview) => {
                self.observed.is_some() && self.captured.is_none()
            }
            (PaymentCommand::ResolveReview(word), PaymentRefusal::NotUnderReview) => {
                self.observed.is_none() || self.resolved.is_some_and(|it| it != word.decision)
            }
            (PaymentCommand::ResolveReview(word), PaymentRefusal::AmountMismatch { .. }) => {
                word.decision == ReviewDecision::Accept && self.observed == Some(0)
            }
            (_, _) => false,
        };
        ensure(right, || format!("{command:?} was answered {refusal:?}"))
    }
}

type Decision = Result<Vec<PaymentEvent>, PaymentRefusal>;

fn account(payment: &Payment) -> &Account {
    match payment {
        Payment::Initiated(account) => account,
        Payment::Absent => panic!("it was initiated"),
    }
}

/// Plays the commands through `decide` and the real `evolve`, and checks every prefix.
fn law(
    commands: &[PaymentCommand],
    decide: impl Fn(&Payment, &PaymentCommand) -> Decision,
) -> Verdict {
    let initiate = PaymentCommand::Initiate {
        reservation: reservation(),
        customer: PrincipalId::from_uuid(Uuid::from_u128(8)),
        authority: Authority::Calendar(ResourceId::from_uuid(Uuid::from_u128(9))),
        amount: krw(DUE),
    };
    let mut log = Payment::default().decide(&initiate).unwrap();
    let (mut payment, mut book) = (replay::<Payment>(&log), Book::default());
    for command in commands {
        match decide(&payment, command) {
            Err(refusal) => book.explains(command, refusal)?,
            Ok(events) => {
                for event in events {
                    book.take_in(&event)?;
                    payment = payment.evolve(&event);
                    log.push(event);
                    book.check(account(&payment))?;
                }
            }
        }
    }
    for event in log.iter().cloned().map(Event::Payment) {
        ensure(stored(&event) == event, || format!("{event:?} is stored differently"))?;
    }
    ensure(replay::<Payment>(&log) == payment, || "history gives another state".to_owned())
}

#[test]
fn a_payment_keeps_its_promises_at_every_prefix() {
    assert_law(&commands(), |commands| law(&commands, Payment::decide));
}

#[test]
fn histories_reach_every_kind_of_event() {
    let seen = std::cell::RefCell::new(BTreeSet::from(["initiated"]));
    assert_law(&commands(), |commands| {
        law(&commands, |payment, command| {
            let decision = payment.decide(command);
            seen.borrow_mut().extend(decision.iter().flatten().map(|event| event.kind().0));
            decision
        })
    });
    let all: BTreeSet<_> = PaymentEvent::DEFINITIONS.iter().map(|it| it.name).collect();
    assert_eq!(seen.into_inner(), all);
}

/// Grants a refund by what is left according to `left`.
fn generous(
    payment: &Payment,
    command: &PaymentCommand,
    left: impl Fn(&Account) -> Money,
) -> Decision {
    let decision = payment.decide(command);
    if let (
        PaymentCommand::RequestRefund { refund, amount, reason, idempotency_key, inline_until },
        Err(PaymentRefusal::InvalidRefundAmount { .. }),
    ) = (command, &decision)
        && !amount.is_zero()
        && amount.exceeds(left(account(payment))) == Ok(false)
    {
        return Ok(vec![PaymentEvent::RefundRequested {
            reservation: reservation(),
            refund: *refund,
            amount: *amount,
            reason: *reason,
            idempotency_key: idempotency_key.clone(),
            inline_until: *inline_until,
        }]);
    }
    decision
}

#[test]
fn a_payment_that_ignores_what_is_pending_is_noticed() {
    assert_caught("pending refunds do not count", &commands(), |commands| {
        law(&commands, |payment, command| {
            generous(payment, command, |account| {
                account.captured.minus(account.refunded()).unwrap()
            })
        })
    });
}

#[test]
fn a_payment_that_does_not_look_at_what_is_left_is_noticed() {
    assert_caught("the rest is not checked", &commands(), |commands| {
        law(&commands, |payment, command| generous(payment, command, |account| account.captured))
    });
}

#[test]
fn a_late_decline_that_replaces_a_capture_is_noticed() {
    assert_caught("the last word wins", &commands(), |commands| {
        law(&commands, |payment, command| {
            if let PaymentCommand::RecordConfirm {
                attempt,
                outcome: ConfirmOutcome::Declined { code },
            } = command
            {
                let (reservation, attempt) = (reservation(), *attempt);
                return Ok(vec![PaymentEvent::Declined {
                    reservation,
                    attempt,
                    code: code.clone(),
                }]);
            }
            payment.decide(command)
        })
    });
}

#[test]
fn a_second_capture_is_noticed() {
    assert_caught("each report of a capture is one", &commands(), |commands| {
        law(&commands, |payment, command| {
            if let PaymentCommand::RecordConfirm {
                attempt,
                outcome: ConfirmOutcome::Captured { transaction, amount },
            } = command
                && amount.minor() == DUE
            {
                return Ok(vec![PaymentEvent::Captured {
                    reservation: reservation(),
                    attempt: *attempt,
                    transaction: transaction.clone(),
                    amount: *amount,
                }]);
            }
            payment.decide(command)
        })
    });
}

#[test]
fn a_review_that_lets_more_count_than_came_is_noticed() {
    assert_caught("the price counts as captured", &commands(), |commands| {
        law(&commands, |payment, command| {
            let mut decision = payment.decide(command);
            for event in decision.iter_mut().flatten() {
                if let PaymentEvent::ReviewResolved { amount, .. } = event {
                    *amount = krw(DUE);
                }
            }
            decision
        })
    });
}
