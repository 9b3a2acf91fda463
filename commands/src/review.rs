//! Decide about a payment whose provider took another amount than was asked for. What the decision
//! means for seat and paper follows from it, by the same process as for any other money.

use holdfast_domain::booking::payment_stream;
use holdfast_domain::decider::Decider;
use holdfast_domain::ids::{PaymentId, PrincipalId, RefundId};
use holdfast_domain::log::StreamId;
use holdfast_domain::payment::{PaymentCommand, Resolution, ReviewDecision};

use crate::about::{About, ReservationCase};
use crate::refusal::Refusal;
use crate::request::Request;
use crate::use_case::Outcome;
use crate::world::World;

/// A person's word about a review.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResolveReview {
    /// Which reservation is paid for.
    pub about: About,
    /// Its payment.
    pub order: PaymentId,
    /// What becomes of the money.
    pub decision: ReviewDecision,
    /// Who says so.
    pub by: PrincipalId,
}

impl ResolveReview {
    /// Whether the seat is still kept for this payment.
    fn seat_is_held(&self, world: &World<'_>) -> Result<bool, Refusal> {
        let hold = world.paper(self.about.reservation)?.hold;
        let claim = self.about.inventory(world)?.claim(hold);
        Ok(claim.is_some_and(|claim| claim.is_live(world.now())))
    }
}

impl ReservationCase for ResolveReview {
    fn name(&self) -> &'static str {
        "resolve_review"
    }

    fn about(&self) -> &About {
        &self.about
    }

    fn compared(&self) -> StreamId {
        payment_stream(self.order)
    }

    fn decide(&self, world: &mut World<'_>, _request: &Request) -> Result<Outcome, Refusal> {
        let payment = world.payment(self.order);
        let facts = payment.decide(&PaymentCommand::ResolveReview(Resolution {
            decision: self.decision,
            by: self.by,
            refund: RefundId::derive(self.order, payment.account()?.next_refund()),
            now: world.now(),
        }))?;
        let accepts = self.decision == ReviewDecision::Accept && !facts.is_empty();
        if accepts && !self.seat_is_held(world)? {
            return Err(Refusal::SeatNotHeld);
        }
        world.record(payment_stream(self.order), facts);
        let step = self.about.settle(world, false)?;
        Ok(Outcome { step, ..Outcome::answer(200, self.about.show(world)?) })
    }
}
