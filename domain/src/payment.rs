//! A payment is accumulators, not a status word: what was captured, what is being returned, what
//! was returned. Its id is the order id at the provider of payments.
//!
//! - P1 Captured at most once, and exactly the amount that was asked for; another amount only when a
//!   person who reviewed it says so.
//! - P2 Returned and being returned never exceed captured; what is pending counts.
//! - P4 One attempt in flight at a time.
//! - P5 An observation with another amount puts the payment under review; its money does not move
//!   until a person decides.
//! - P6 A definite outcome is never replaced by a weaker one: unknown < declined < captured.

pub mod account;
pub mod review;

use serde::{Deserialize, Serialize};

pub use account::{Account, Attempt, Refund, RefundStage, Stage};
pub use review::{Resolution, ReviewDecision};

use crate::booking::Authority;
use crate::decider::Decider;
use crate::event::define::events;
use crate::ids::{PrincipalId, RefundId, ReservationId};
use crate::money::Money;
use crate::time::Timestamp;

events! {
    /// What happens to a payment.
    pub enum PaymentEvent {
        /// An amount is due for a reservation.
        "initiated" v 1 => Initiated {
            /// What is paid for.
            reservation: ReservationId,
            /// Who pays.
            customer: PrincipalId,
            /// Who decides about the seat that is paid for.
            authority: Authority,
            /// How much.
            amount: Money,
        },
        /// The provider of payments is about to be asked to capture. Written before it is called.
        "confirm_started" v 1 => ConfirmStarted {
            /// What is paid for.
            reservation: ReservationId,
            /// Counts up from 1.
            attempt: u32,
            /// The provider's name for the customer's authorisation.
            payment_key: String,
            /// The provider acts once per key.
            idempotency_key: String,
            /// Until when the customer's own call takes the next step; the runner takes it then.
            inline_until: Timestamp,
        },
        /// The money was taken.
        "captured" v 1 => Captured {
            /// What is paid for.
            reservation: ReservationId,
            /// Which attempt.
            attempt: u32,
            /// The provider's name for the movement of money.
            transaction: String,
            /// How much.
            amount: Money,
        },
        /// The money was definitely not taken; another attempt may be made.
        "declined" v 1 => Declined {
            /// What is paid for.
            reservation: ReservationId,
            /// Which attempt.
            attempt: u32,
            /// The provider's code.
            code: String,
        },
        /// Nobody knows yet whether the money was taken.
        "outcome_unknown" v 1 => OutcomeUnknown {
            /// What is paid for.
            reservation: ReservationId,
            /// Which attempt.
            attempt: u32,
            /// How often the provider was asked in vain.
            tries: u32,
            /// When it is asked again.
            next_try_at: Timestamp,
        },
        /// The provider reports an amount that was not asked for. A person has to look.
        "review_required" v 1 => ReviewRequired {
            /// What is paid for.
            reservation: ReservationId,
            /// Which attempt.
            attempt: u32,
            /// What the provider reports.
            observed: Money,
            /// The provider's name for the movement of money.
            transaction: String,
        },
        /// A person decided what becomes of money that was under review. It counts as captured.
        "review_resolved" v 1 => ReviewResolved {
            /// What is paid for.
            reservation: ReservationId,
            /// Whether it is returned, or taken as it is.
            decision: ReviewDecision,
            /// Who decided.
            by: PrincipalId,
            /// How much the provider had taken.
            amount: Money,
        },
        /// The provider of payments is about to be asked to return money. Written before it is
        /// called.
        "refund_requested" v 1 => RefundRequested {
            /// What was paid for.
            reservation: ReservationId,
            /// Which refund.
            refund: RefundId,
            /// How much.
            amount: Money,
            /// Why.
            reason: RefundReason,
            /// The provider acts once per key.
            idempotency_key: String,
            /// Until when the caller takes the next step itself; the runner takes it then.
            inline_until: Timestamp,
        },
        /// The money was returned.
        "refund_succeeded" v 1 => RefundSucceeded {
            /// What was paid for.
            reservation: ReservationId,
            /// Which refund.
            refund: RefundId,
            /// How much.
            amount: Money,
            /// The provider's name for the movement of money.
            transaction: String,
        },
        /// The provider will not return the money: it is owed, and a person has to return it.
        "refund_refused" v 1 => RefundRefused {
            /// What was paid for.
            reservation: ReservationId,
            /// Which refund.
            refund: RefundId,
            /// How much.
            amount: Money,
            /// The provider's code.
            code: String,
        },
        /// Nobody knows yet whether the money was returned.
        "refund_outcome_unknown" v 1 => RefundOutcomeUnknown {
            /// What was paid for.
            reservation: ReservationId,
            /// Which refund.
            refund: RefundId,
            /// How often the provider was asked in vain.
            tries: u32,
            /// When it is asked again.
            next_try_at: Timestamp,
        },
    }
}

/// Why money is returned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefundReason {
    /// The booking was called off.
    Cancellation,
    /// The money came when the seat was gone.
    LateMoney,
    /// The provider of the service returns a part out of goodwill.
    Goodwill,
    /// Another amount was taken than was asked for, and a person decided to return it.
    Review,
}

/// What the provider of payments said about a capture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConfirmOutcome {
    /// It took this amount.
    Captured {
        /// Its name for the movement.
        transaction: String,
        /// How much it took.
        amount: Money,
    },
    /// It definitely took nothing.
    Declined {
        /// Its code.
        code: String,
    },
    /// It did not say, or what it said was lost.
    Unknown {
        /// When to ask again.
        next_try_at: Timestamp,
    },
}

/// What the provider of payments said about a refund.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RefundOutcome {
    /// It returned the money.
    Succeeded {
        /// Its name for the movement.
        transaction: String,
    },
    /// It definitely will not.
    Refused {
        /// Its code.
        code: String,
    },
    /// It did not say, or what it said was lost.
    Unknown {
        /// When to ask again.
        next_try_at: Timestamp,
    },
}

/// What can be asked of a payment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PaymentCommand {
    /// An amount is due.
    Initiate {
        /// What is paid for.
        reservation: ReservationId,
        /// Who pays.
        customer: PrincipalId,
        /// Who decides about the seat.
        authority: Authority,
        /// How much.
        amount: Money,
    },
    /// The customer authorised the payment; capture it.
    StartConfirm {
        /// The provider's name for the authorisation.
        payment_key: String,
        /// What the customer believes to pay.
        amount: Money,
        /// The provider acts once per key.
        idempotency_key: String,
        /// Until when the caller takes the next step itself.
        inline_until: Timestamp,
    },
    /// What the provider said about the attempt.
    RecordConfirm {
        /// Which attempt.
        attempt: u32,
        /// What it said.
        outcome: ConfirmOutcome,
    },
    /// A person's word about money that is under review.
    ResolveReview(Resolution),
    /// Return money.
    RequestRefund {
        /// A fresh id.
        refund: RefundId,
        /// How much.
        amount: Money,
        /// Why.
        reason: RefundReason,
        /// The provider acts once per key.
        idempotency_key: String,
        /// Until when the caller takes the next step itself.
        inline_until: Timestamp,
    },
    /// What the provider said about the refund.
    RecordRefund {
        /// Which refund.
        refund: RefundId,
        /// What it said.
        outcome: RefundOutcome,
    },
}

/// Why a payment says no.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PaymentRefusal {
    /// There is none of this id that the caller may see.
    #[error("there is no such payment")]
    NotFound,
    /// The id is taken.
    #[error("the payment already exists")]
    AlreadyInitiated,
    /// The amount is not what is due.
    #[error("the amount due is {due}")]
    AmountMismatch {
        /// What is due.
        due: Money,
    },
    /// An attempt is under way.
    #[error("a payment attempt is under way")]
    PaymentInFlight,
    /// It was paid before, with another authorisation.
    #[error("the payment was confirmed before")]
    AlreadyConfirmed,
    /// The provider's reports contradict each other; a person has to look.
    #[error("the payment is under review")]
    UnderReview,
    /// There is no review to decide about, or it was decided otherwise.
    #[error("the payment is not under review")]
    NotUnderReview,
    /// It was returned in parts as often as a payment is.
    #[error("a payment is returned in at most {max} parts")]
    TooManyRefunds {
        /// How often it can be.
        max: usize,
    },
    /// More than there is left to return, or nothing.
    #[error("{refundable} can be refunded")]
    InvalidRefundAmount {
        /// What is left to return.
        refundable: Money,
    },
}

/// The state of a payment.
#[expect(clippy::large_enum_variant, reason = "the empty one exists only before the first event")]
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Payment {
    /// Nothing was initiated under this id.
    #[default]
    Absent,
    /// It is there.
    Initiated(Account),
}

impl Payment {
    /// The payment, when there is one.
    pub fn account(&self) -> Result<&Account, PaymentRefusal> {
        match self {
            Self::Absent => Err(PaymentRefusal::NotFound),
            Self::Initiated(account) => Ok(account),
        }
    }
}

impl Decider for Payment {
    type Command = PaymentCommand;
    type Event = PaymentEvent;
    type Refusal = PaymentRefusal;

    fn decide(&self, command: &PaymentCommand) -> Result<Vec<PaymentEvent>, PaymentRefusal> {
        if let PaymentCommand::Initiate { reservation, customer, authority, amount } = command {
            return match self {
                Self::Initiated(_) => Err(PaymentRefusal::AlreadyInitiated),
                Self::Absent => Ok(vec![PaymentEvent::Initiated {
                    reservation: *reservation,
                    customer: *customer,
                    authority: *authority,
                    amount: *amount,
                }]),
            };
        }
        let account = self.account()?;
        match command {
            PaymentCommand::Initiate { .. } => Err(PaymentRefusal::AlreadyInitiated),
            PaymentCommand::StartConfirm { payment_key, amount, idempotency_key, inline_until } => {
                account.may_start(payment_key, *amount)?;
                Ok(vec![PaymentEvent::ConfirmStarted {
                    reservation: account.reservation,
                    attempt: account.attempts.saturating_add(1),
                    payment_key: payment_key.clone(),
                    idempotency_key: idempotency_key.clone(),
                    inline_until: *inline_until,
                }])
            }
            PaymentCommand::RecordConfirm { attempt, outcome } => {
                Ok(account.record_confirm(*attempt, outcome).into_iter().collect())
            }
            PaymentCommand::ResolveReview(word) => account.resolve(word),
            PaymentCommand::RequestRefund {
                refund,
                amount,
                reason,
                idempotency_key,
                inline_until,
            } => {
                if account.refunds.contains_key(refund) {
                    return Ok(vec![]);
                }
                account.may_refund(*amount, *reason)?;
                Ok(vec![PaymentEvent::RefundRequested {
                    reservation: account.reservation,
                    refund: *refund,
                    amount: *amount,
                    reason: *reason,
                    idempotency_key: idempotency_key.clone(),
                    inline_until: *inline_until,
                }])
            }
            PaymentCommand::RecordRefund { refund, outcome } => {
                Ok(account.record_refund(*refund, outcome).into_iter().collect())
            }
        }
    }

    fn evolve(self, event: &PaymentEvent) -> Self {
        if let PaymentEvent::Initiated { reservation, customer, authority, amount } = event {
            return Self::Initiated(Account::new(*reservation, *customer, *authority, *amount));
        }
        match self {
            Self::Absent => Self::Absent,
            Self::Initiated(mut account) => {
                account.apply(event);
                Self::Initiated(account)
            }
        }
    }
}
