//! Call a booking off, and return money. The cancellation is written on the paper, then the intent
//! to return the money, then the seat is let go, in one append; the runner returns the money.

use holdfast_domain::booking::hold::ClaimCommand;
use holdfast_domain::booking::payment_stream;
use holdfast_domain::booking::reservation::{
    CancellationQuote, CancellationReason, CancelledBy, ReservationCommand, ReservationEvent,
    ReservationRefusal, Stage,
};
use holdfast_domain::decider::Decider;
use holdfast_domain::ids::{CancellationQuoteId, PaymentId, RefundId};
use holdfast_domain::log::StreamId;
use holdfast_domain::money::Money;
use holdfast_domain::payment::{PaymentCommand, PaymentRefusal, RefundReason};

use crate::about::{About, ReservationCase};
use crate::refusal::Refusal;
use crate::request::Request;
use crate::use_case::Outcome;
use crate::world::World;

/// Say what a cancellation would return, and stand by it for a while.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuoteCancellation {
    /// Which reservation.
    pub about: About,
    /// A fresh id.
    pub quote: CancellationQuoteId,
    /// Who would call it off.
    pub by: CancelledBy,
}

impl ReservationCase for QuoteCancellation {
    fn name(&self) -> &'static str {
        "quote_cancellation"
    }

    fn about(&self) -> &About {
        &self.about
    }

    fn streams(&self) -> Vec<StreamId> {
        let payment = self.about.payment.map(payment_stream);
        [Some(self.about.paper()), payment].into_iter().flatten().collect()
    }

    fn decide(&self, world: &mut World<'_>, _request: &Request) -> Result<Outcome, Refusal> {
        let (quote, by, now) = (self.quote, self.by, world.now());
        let refundable = refundable(world, &self.about)?;
        let command = ReservationCommand::QuoteCancellation { quote, by, refundable, now };
        let facts = world.reservation(self.about.reservation).decide(&command)?;
        world.record(self.about.paper(), facts);
        let paper = world.paper(self.about.reservation)?;
        let quoted: &[CancellationQuote] = match &paper.stage {
            Stage::Confirmed { quoted, .. } => quoted,
            Stage::Held
            | Stage::PaymentInFlight
            | Stage::Expired
            | Stage::Abandoned { .. }
            | Stage::Cancelled { .. } => &[],
        };
        let offer = quoted.iter().find(|offer| offer.id == self.quote);
        let offer = offer.ok_or(ReservationRefusal::InvalidState { status: paper.status() })?;
        let body = world.presenter().cancellation_quote(self.about.reservation, offer);
        Ok(Outcome::answer(200, body))
    }
}

/// What can still be returned of what was paid for a reservation.
fn refundable(world: &World<'_>, about: &About) -> Result<Money, Refusal> {
    let paper = world.paper(about.reservation)?;
    Ok(match world.account_of(paper) {
        Some((_, account)) => account.refundable(),
        None => Money::zero(paper.booking.quote.total.currency()),
    })
}

/// Call a booking off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cancel {
    /// Which reservation.
    pub about: About,
    /// Who calls it off.
    pub by: CancelledBy,
    /// The terms that were accepted, when they were quoted.
    pub quote: Option<CancellationQuoteId>,
    /// Why.
    pub reason: Option<CancellationReason>,
}

impl ReservationCase for Cancel {
    fn name(&self) -> &'static str {
        "cancel"
    }

    fn about(&self) -> &About {
        &self.about
    }

    fn decide(&self, world: &mut World<'_>, _request: &Request) -> Result<Outcome, Refusal> {
        let about = &self.about;
        let hold = world.paper(about.reservation)?.hold;
        let facts = world.reservation(about.reservation).decide(&ReservationCommand::Cancel {
            by: self.by,
            quote: self.quote,
            reason: self.reason,
            refundable: refundable(world, about)?,
            now: world.now(),
        })?;
        if !facts.is_empty() {
            let refund = facts.iter().find_map(refund_of);
            world.record(about.paper(), facts);
            if let (Some(order), Some(amount)) = (about.payment, refund) {
                request_refund(world, order, amount, RefundReason::Cancellation)?;
            }
            // A hold that lapsed meanwhile is as good as released.
            let seat = about.inventory(world)?.judge(hold, ClaimCommand::Release);
            world.record(about.owner(), seat.unwrap_or_default());
        }
        Ok(Outcome::answer(200, about.show(world)?))
    }
}

fn refund_of(fact: &ReservationEvent) -> Option<Money> {
    match fact {
        ReservationEvent::Cancelled { refund, .. } => {
            Some(refund.amount).filter(|amount| !amount.is_zero())
        }
        ReservationEvent::Requested { .. }
        | ReservationEvent::PaymentStarted { .. }
        | ReservationEvent::PaymentFailed { .. }
        | ReservationEvent::Confirmed { .. }
        | ReservationEvent::Expired {}
        | ReservationEvent::Abandoned { .. }
        | ReservationEvent::CancellationQuoted { .. }
        | ReservationEvent::Reinstated { .. } => None,
    }
}

/// Writes the intent to return money.
fn request_refund(
    world: &mut World<'_>,
    order: PaymentId,
    amount: Money,
    reason: RefundReason,
) -> Result<(), Refusal> {
    let payment = world.payment(order);
    let refund = RefundId::derive(order, payment.account()?.next_refund());
    let facts = payment.decide(&PaymentCommand::RequestRefund {
        refund,
        amount,
        reason,
        idempotency_key: refund.to_string(),
        // Nobody waits for it: the runner takes the step at once.
        inline_until: world.now(),
    })?;
    world.record(payment_stream(order), facts);
    Ok(())
}

/// Return a part of what was paid, out of goodwill; the booking stays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefundPart {
    /// Which reservation was paid for.
    pub about: About,
    /// Its payment.
    pub order: PaymentId,
    /// How much.
    pub amount: Money,
}

impl ReservationCase for RefundPart {
    fn name(&self) -> &'static str {
        "refund"
    }

    fn about(&self) -> &About {
        &self.about
    }

    fn streams(&self) -> Vec<StreamId> {
        vec![self.about.paper(), payment_stream(self.order)]
    }

    fn subject(&self) -> StreamId {
        payment_stream(self.order)
    }

    fn decide(&self, world: &mut World<'_>, _request: &Request) -> Result<Outcome, Refusal> {
        let account = world.payment(self.order).account()?;
        if account.amount.currency() != self.amount.currency() {
            let refundable = account.refundable();
            return Err(PaymentRefusal::InvalidRefundAmount { refundable }.into());
        }
        let id = RefundId::derive(self.order, account.next_refund());
        request_refund(world, self.order, self.amount, RefundReason::Goodwill)?;
        let account = world.payment(self.order).account()?;
        let entry = account.refunds.get(&id).ok_or(PaymentRefusal::NotFound)?;
        Ok(Outcome::answer(201, world.presenter().refund(self.order, id, entry)))
    }
}
