//! From a held seat to a sold one, whatever happens to the money on the way.
//!
//! | payment | reservation | seat | step |
//! | --- | --- | --- | --- |
//! | nothing in flight | held | deadline passed | expire seat and paper |
//! | nothing in flight | expired, given up, called off | not let go | let the seat go |
//! | confirming, the caller's | payment in flight | pinned | capture |
//! | confirming or unknown, due | any | live | capture again, or read |
//! | confirming or unknown, due | any | gone | read for the last time: nothing is captured any more |
//! | declined | payment in flight | pinned | unpin, back to held |
//! | under review, or unknown | payment in flight | pin lapsed | expire seat and paper |
//! | reviewed, to be returned | held, in flight | any | let the seat go, expire the paper |
//! | captured | held, in flight | live | sell the seat, confirm |
//! | captured | held, in flight | gone | expire the paper; then as below |
//! | captured, not returned | expired, given up | gone | take a fresh seat and reinstate, or return the money |
//!
//! Money that comes late has exactly two ends: the seat is taken again, or the money is returned.
//!
//! A log that writes one stream after the other can hold the end of a paper without the end of its
//! claim: the seat's stream moved on in between, and what was decided about it was not written.

use crate::booking::hold::ClaimCommand;
use crate::booking::inventory::Wanted;
use crate::booking::reservation::{Reservation, ReservationCommand, Stage as Paperwork};
use crate::booking::reservation_stream;
use crate::decider::Decider;
use crate::event::Event;
use crate::ids::{HoldId, PaymentId, RefundId};
use crate::payment::{
    Account, Attempt, Payment, PaymentCommand, RefundReason, ReviewDecision, Stage,
};
use crate::process::retry::Ask;
use crate::process::{Call, Situation, Step, retry};
use crate::stream::StreamId;
use crate::time::Timestamp;

/// The next step towards a sold seat or returned money.
pub fn next(situation: &Situation<'_>) -> Step {
    if let Some(step) = left_behind(situation) {
        return step;
    }
    let Some((order, account)) = situation.payment else { return without_payment(situation) };
    match &account.stage {
        Stage::Open { declined } => nothing_in_flight(situation, declined.as_deref()),
        Stage::Confirming(attempt) | Stage::Unknown(attempt) => {
            in_flight(situation, order, account, attempt)
        }
        Stage::Captured { reviewed: Some(ReviewDecision::Return), .. } => let_go(situation),
        Stage::Captured { .. } => captured(situation, order, account),
        Stage::Review { .. } => lapse(situation),
    }
}

/// Lets go of a seat that the end of its paper should have let go. The claim is named, so that
/// whoever has the seat by now keeps it. While the provider of payments is asked the claim stays: it
/// says for how long an answer may still come.
fn left_behind(situation: &Situation<'_>) -> Option<Step> {
    match situation.paper.stage {
        Paperwork::Expired | Paperwork::Abandoned { .. } | Paperwork::Cancelled { .. } => {}
        Paperwork::Held | Paperwork::PaymentInFlight | Paperwork::Confirmed { .. } => return None,
    }
    if situation.payment.is_some_and(|(_, account)| account.open_attempt().is_some()) {
        return None;
    }
    let seat = situation.inventory.judge(situation.paper.hold, ClaimCommand::Release).ok()?;
    let authority = situation.paper.booking.authority.stream();
    Some(Step::Record(seat.into_iter().map(|fact| (authority, fact)).collect()))
}

fn without_payment(situation: &Situation<'_>) -> Step {
    match situation.paper.stage {
        Paperwork::Held => lapse(situation),
        Paperwork::PaymentInFlight
        | Paperwork::Confirmed { .. }
        | Paperwork::Expired
        | Paperwork::Abandoned { .. }
        | Paperwork::Cancelled { .. } => Step::Rest,
    }
}

fn nothing_in_flight(situation: &Situation<'_>, declined: Option<&str>) -> Step {
    match (&situation.paper.stage, declined) {
        (Paperwork::PaymentInFlight, Some(code)) => {
            let seat = situation.inventory.judge(situation.paper.hold, ClaimCommand::Unpin);
            let code = code.to_owned();
            together(situation, seat.unwrap_or_default(), &ReservationCommand::FailPayment { code })
        }
        (_, _) => without_payment(situation),
    }
}

fn in_flight(
    situation: &Situation<'_>,
    order: PaymentId,
    account: &Account,
    attempt: &Attempt,
) -> Step {
    let own = situation.inline && attempt.tries == 0;
    if !own && situation.now < attempt.next_step_at {
        return earlier(Step::Wait(attempt.next_step_at), lapse(situation));
    }
    // Nothing may be taken for a seat that is gone. It was pinned for longer than an authorisation
    // lives, so what the provider does not know of by now never arrived and never will.
    let claim = situation.inventory.claim(situation.paper.hold);
    let stands = claim.is_some_and(|claim| claim.is_live(situation.now));
    let ask = if stands { retry::ask(attempt.tries) } else { Ask::ReadFinally };
    Step::Call(Call::Capture {
        order,
        attempt: attempt.number,
        payment_key: attempt.payment_key.clone(),
        amount: account.amount,
        idempotency_key: attempt.idempotency_key.clone(),
        tries: attempt.tries,
        ask,
    })
}

/// Expires the seat and the paper once nothing keeps them; waits for that instant before.
fn lapse(situation: &Situation<'_>) -> Step {
    match situation.paper.stage {
        Paperwork::Held | Paperwork::PaymentInFlight => {}
        Paperwork::Confirmed { .. }
        | Paperwork::Expired
        | Paperwork::Abandoned { .. }
        | Paperwork::Cancelled { .. } => return Step::Rest,
    }
    let hold = situation.paper.hold;
    let Some(claim) = situation.inventory.claim(hold) else {
        return together(situation, vec![], &ReservationCommand::Expire);
    };
    match claim.ends_at() {
        Some(end) if situation.now < end => Step::Wait(end),
        Some(_) => {
            let now = situation.now;
            match situation.inventory.judge(hold, ClaimCommand::Expire { now }) {
                Ok(seat) => together(situation, seat, &ReservationCommand::Expire),
                Err(_refused) => Step::Rest,
            }
        }
        None => Step::Rest,
    }
}

fn captured(situation: &Situation<'_>, order: PaymentId, account: &Account) -> Step {
    match situation.paper.stage {
        Paperwork::Held | Paperwork::PaymentInFlight => {
            let (hold, now) = (situation.paper.hold, situation.now);
            match situation.inventory.judge(hold, ClaimCommand::Convert { now }) {
                Ok(seat) => {
                    let paid = account.captured;
                    together(situation, seat, &ReservationCommand::Confirm { paid, now })
                }
                Err(_gone) => late(situation, order, account),
            }
        }
        Paperwork::Expired | Paperwork::Abandoned { .. } => late(situation, order, account),
        Paperwork::Confirmed { .. } | Paperwork::Cancelled { .. } => Step::Rest,
    }
}

/// A person decided that the money goes back: nothing is sold for it.
fn let_go(situation: &Situation<'_>) -> Step {
    match situation.paper.stage {
        Paperwork::Held | Paperwork::PaymentInFlight => {
            let seat = situation.inventory.judge(situation.paper.hold, ClaimCommand::Release);
            together(situation, seat.unwrap_or_default(), &ReservationCommand::Expire)
        }
        Paperwork::Confirmed { .. }
        | Paperwork::Expired
        | Paperwork::Abandoned { .. }
        | Paperwork::Cancelled { .. } => Step::Rest,
    }
}

/// The money came when the seat was gone.
fn late(situation: &Situation<'_>, order: PaymentId, account: &Account) -> Step {
    if !account.refunds.is_empty() {
        return Step::Rest;
    }
    match situation.paper.stage {
        Paperwork::Held | Paperwork::PaymentInFlight => {
            let now = situation.now;
            let seat = situation
                .inventory
                .judge(situation.paper.hold, ClaimCommand::Expire { now })
                .unwrap_or_default();
            together(situation, seat, &ReservationCommand::Expire)
        }
        Paperwork::Expired | Paperwork::Abandoned { .. } => {
            reinstate(situation, account).unwrap_or_else(|| give_back(situation, order, account))
        }
        Paperwork::Confirmed { .. } | Paperwork::Cancelled { .. } => Step::Rest,
    }
}

fn reinstate(situation: &Situation<'_>, account: &Account) -> Option<Step> {
    let (now, booking) = (situation.now, &situation.paper.booking);
    if now >= booking.booked.start() || matches!(situation.paper.stage, Paperwork::Abandoned { .. })
    {
        return None;
    }
    let hold = HoldId::derive(situation.reservation, 1);
    let wanted = Wanted {
        hold,
        reservation: situation.reservation,
        booking,
        expires_at: Timestamp::MAX,
        now,
        late: true,
    };
    let mut seat = situation.inventory.place(wanted).ok()?;
    seat.push(booking.authority.sold(hold));
    let paid = account.captured;
    Some(together(situation, seat, &ReservationCommand::Reinstate { hold, paid, now }))
}

fn give_back(situation: &Situation<'_>, order: PaymentId, account: &Account) -> Step {
    let refund = RefundId::derive(order, account.next_refund());
    let command = PaymentCommand::RequestRefund {
        refund,
        amount: account.refundable(),
        reason: RefundReason::LateMoney,
        idempotency_key: refund.to_string(),
        inline_until: situation.now,
    };
    let stream = crate::booking::payment_stream(order);
    match Payment::Initiated(account.clone()).decide(&command) {
        Ok(facts) if facts.is_empty() => Step::Rest,
        Ok(facts) => {
            Step::Record(facts.into_iter().map(|fact| (stream, Event::from(fact))).collect())
        }
        Err(_nothing_to_return) => Step::Rest,
    }
}

/// The seat's facts, then the paper's, in one append; rests when the paper refuses.
fn together(situation: &Situation<'_>, seat: Vec<Event>, command: &ReservationCommand) -> Step {
    let authority: StreamId = situation.paper.booking.authority.stream();
    let paper = reservation_stream(situation.reservation);
    match Reservation::Requested(situation.paper.clone()).decide(command) {
        Ok(facts) => {
            let seat = seat.into_iter().map(|fact| (authority, fact));
            let facts: Vec<_> =
                seat.chain(facts.into_iter().map(|fact| (paper, Event::from(fact)))).collect();
            if facts.is_empty() { Step::Rest } else { Step::Record(facts) }
        }
        Err(_refused) => Step::Rest,
    }
}

fn earlier(one: Step, other: Step) -> Step {
    match (&one, &other) {
        (Step::Wait(a), Step::Wait(b)) => Step::Wait(*a.min(b)),
        (_, Step::Record(_)) => other,
        (_, _) => one,
    }
}
