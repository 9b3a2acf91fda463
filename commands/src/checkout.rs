//! Pay for a held seat: two appends around one call to the provider of payments. The first pins the
//! seat and writes the intent; the second writes what the provider said, and everything that
//! follows from it. The runner takes the same second half when the caller is gone.

use holdfast_domain::booking::hold::ClaimCommand;
use holdfast_domain::booking::payment_stream;
use holdfast_domain::booking::reservation::{ReservationCommand, Stage as Paperwork};
use holdfast_domain::decider::Decider;
use holdfast_domain::ids::{CommandId, PaymentId, RefundId};
use holdfast_domain::log::StreamId;
use holdfast_domain::money::Money;
use holdfast_domain::payment::{
    Account, ConfirmOutcome, PaymentCommand, PaymentRefusal, RefundOutcome, Stage,
};
use holdfast_domain::process::Step;
use holdfast_domain::time::minutes;

use crate::about::{About, ReservationCase};
use crate::refusal::Refusal;
use crate::request::Request;
use crate::use_case::Outcome;
use crate::world::World;

/// How long a seat stays pinned for money whose fate is unknown. Toss Payments captures within ten
/// minutes of the customer's authorisation or never, and the provider is read several times within
/// the hour; later money is late money.
const PIN_MINUTES: u32 = 60;
/// How long the customer's own call may take the next step before the runner does.
const INLINE_SECONDS: u64 = 20;

/// The customer authorised a payment: pin the seat and write the intent to capture it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StartConfirm {
    /// Which reservation is paid for.
    pub about: About,
    /// Its payment.
    pub order: PaymentId,
    /// The provider's name for the authorisation.
    pub payment_key: String,
    /// What the customer believes to pay.
    pub amount: Money,
    /// Whether an earlier copy of this very command has started an attempt.
    pub started_before: bool,
}

impl StartConfirm {
    /// The command or its authorisation was sent before: the answer is what became of it. One
    /// command never starts a second attempt.
    fn again(&self, world: &World<'_>, account: &Account) -> Result<Option<Outcome>, Refusal> {
        if self.started_before {
            return self.about.answer_of(world, account).map(Some);
        }
        let same = account.last_key() == Some(&*self.payment_key);
        match &account.stage {
            // Money that went back pays for nothing any more, whichever authorisation comes now.
            Stage::Captured { .. } if same || account.goes_back() => {
                self.about.answer_captured(world, account).map(Some)
            }
            Stage::Open { declined: Some(code) } if same => {
                Err(Refusal::PaymentDeclined { code: code.clone() })
            }
            Stage::Confirming(_) | Stage::Unknown(_) if same => Ok(Some(Outcome::step(Step::Rest))),
            Stage::Captured { .. }
            | Stage::Open { .. }
            | Stage::Confirming(_)
            | Stage::Unknown(_)
            | Stage::Review { .. } => Ok(None),
        }
    }
}

impl ReservationCase for StartConfirm {
    fn name(&self) -> &'static str {
        "confirm_payment"
    }

    fn about(&self) -> &About {
        &self.about
    }

    fn compared(&self) -> StreamId {
        payment_stream(self.order)
    }

    fn decide(&self, world: &mut World<'_>, request: &Request) -> Result<Outcome, Refusal> {
        let account = world.payment(self.order).account()?;
        if self.amount != account.amount {
            return Err(PaymentRefusal::AmountMismatch { due: account.amount }.into());
        }
        if let Some(outcome) = self.again(world, account)? {
            return Ok(outcome);
        }
        let now = world.now();
        let attempt = account.attempts.saturating_add(1);
        let intent = world.payment(self.order).decide(&PaymentCommand::StartConfirm {
            payment_key: self.payment_key.clone(),
            amount: self.amount,
            idempotency_key: format!("{}-{attempt}", self.order),
            inline_until: now.plus(std::time::Duration::from_secs(INLINE_SECONDS)),
        })?;
        let reservation = world.reservation(self.about.reservation);
        let paper = reservation.decide(&ReservationCommand::StartPayment { now })?;
        let pin = ClaimCommand::Pin { until: now.plus(minutes(PIN_MINUTES)), now };
        let hold = world.paper(self.about.reservation)?.hold;
        let seat = self.about.inventory(world)?.judge(hold, pin)?;
        world.record(self.about.owner(), seat);
        world.record(payment_stream(self.order), intent);
        world.record(self.about.paper(), paper);
        Ok(Outcome {
            started: Some((started(request.command_id), 202, Vec::new())),
            ..Outcome::step(self.about.next(world, true)?)
        })
    }
}

/// The id under which it is remembered that a command has started.
pub fn started(command: CommandId) -> CommandId {
    CommandId::of_step("started", command.as_uuid(), "")
}

impl About {
    /// The caller's answer as things stand now; none while the outcome is unknown.
    fn answer_of(&self, world: &World<'_>, account: &Account) -> Result<Outcome, Refusal> {
        match &account.stage {
            Stage::Captured { .. } => self.answer_captured(world, account),
            Stage::Open { declined: Some(code) } => {
                Err(Refusal::PaymentDeclined { code: code.clone() })
            }
            Stage::Review { .. } => Err(PaymentRefusal::UnderReview.into()),
            Stage::Open { declined: None } | Stage::Confirming(_) | Stage::Unknown(_) => {
                Ok(Outcome::step(Step::Rest))
            }
        }
    }

    /// The caller's answer once the money is taken: the seat, or where the money went instead.
    fn answer_captured(&self, world: &World<'_>, account: &Account) -> Result<Outcome, Refusal> {
        let paper = world.paper(self.reservation)?;
        match paper.stage {
            Paperwork::Confirmed { .. } | Paperwork::Cancelled { .. } => {
                Ok(Outcome::answer(200, self.show(world)?))
            }
            Paperwork::Expired | Paperwork::Abandoned { .. } if account.goes_back() => {
                Err(Refusal::PaymentReturned {
                    pending: account.refund_pending(),
                    returned: account.refunded(),
                    owed: account.refund_owed(),
                })
            }
            Paperwork::Held
            | Paperwork::PaymentInFlight
            | Paperwork::Expired
            | Paperwork::Abandoned { .. } => Ok(Outcome::step(Step::Rest)),
        }
    }
}

/// What the provider of payments said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// About a capture.
    OfCapture {
        /// Which attempt.
        attempt: u32,
        /// What.
        outcome: ConfirmOutcome,
    },
    /// About a refund.
    OfRefund {
        /// Which.
        refund: RefundId,
        /// What.
        outcome: RefundOutcome,
    },
}

/// Write what the provider said, and everything that follows from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Which reservation.
    pub about: About,
    /// Its payment.
    pub order: PaymentId,
    /// What the provider said.
    pub said: Said,
    /// Whether a customer waits for the answer.
    pub for_caller: bool,
}

impl ReservationCase for Report {
    fn name(&self) -> &'static str {
        match self.said {
            Said::OfCapture { .. } => "report_capture",
            Said::OfRefund { .. } => "report_refund",
        }
    }

    fn about(&self) -> &About {
        &self.about
    }

    fn decide(&self, world: &mut World<'_>, request: &Request) -> Result<Outcome, Refusal> {
        let facts = world.payment(self.order).decide(&match &self.said {
            Said::OfCapture { attempt, outcome } => {
                PaymentCommand::RecordConfirm { attempt: *attempt, outcome: outcome.clone() }
            }
            Said::OfRefund { refund, outcome } => {
                PaymentCommand::RecordRefund { refund: *refund, outcome: outcome.clone() }
            }
        })?;
        let news = !facts.is_empty();
        world.record(payment_stream(self.order), facts);
        // What was known before was settled by whoever wrote it, or will be by the runner: the same
        // report twice writes nothing twice.
        let step = if news { self.about.settle(world, false)? } else { Step::Rest };
        let answer = if self.for_caller { self.answer(world, request)? } else { None };
        Ok(Outcome { answer, started: None, step })
    }
}

impl Report {
    /// What the waiting customer is told; nothing when it is still unknown. A refusal here comes
    /// with facts, so it is an answer like any other.
    fn answer(
        &self,
        world: &World<'_>,
        request: &Request,
    ) -> Result<Option<(u16, Vec<u8>)>, Refusal> {
        let account = world.payment(self.order).account()?;
        Ok(match self.about.answer_of(world, account) {
            Ok(outcome) => outcome.answer,
            Err(refusal) => Some(world.presenter().refusal(&refusal, request)),
        })
    }
}

/// Look at a reservation and take the steps that only record; say what comes next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Advance {
    /// Which reservation.
    pub about: About,
}

impl ReservationCase for Advance {
    fn name(&self) -> &'static str {
        "advance"
    }

    fn about(&self) -> &About {
        &self.about
    }

    fn decide(&self, world: &mut World<'_>, _request: &Request) -> Result<Outcome, Refusal> {
        Ok(Outcome::step(self.about.settle(world, false)?))
    }
}
