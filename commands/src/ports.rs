//! What the use cases need of the world: time, fresh ids, the provider of payments, and the index
//! of what is due. The log's ports are the domain's.

use std::fmt;

use holdfast_domain::booking::offering::Drafted;
use holdfast_domain::booking::reservation::{CancellationQuote, Paper};
use holdfast_domain::booking::resource::Registered;
use holdfast_domain::booking::session::Seats;
use holdfast_domain::ids::{OfferingId, PaymentId, RefundId, ReservationId, ResourceId, SessionId};
use holdfast_domain::log::{Pending, Revision};
use holdfast_domain::money::Money;
use holdfast_domain::payment::{Account, Refund as RefundEntry};
use holdfast_domain::time::Timestamp;
use uuid::Uuid;

use crate::refusal::Refusal;
use crate::request::Request;

/// The node's clock.
pub trait Clock: Send + Sync + fmt::Debug {
    /// Now, floored to microseconds.
    fn now(&self) -> Timestamp;

    /// Returns at `instant` by this clock, or earlier when the clock was moved: look again.
    fn sleep_until(&self, instant: Timestamp) -> Pending<'_, ()>;
}

/// Why the clock of a store could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the store's clock cannot be read: {0}")]
pub struct StoreClockUnavailable(pub String);

/// The clock of a store on another machine, for one purpose: to see whether the node's agrees.
pub trait StoreClock: Send + Sync + fmt::Debug {
    /// What it shows at some moment between the call and its answer.
    fn now(&self) -> Pending<'_, Result<Timestamp, StoreClockUnavailable>>;
}

/// Fresh ids for entities.
pub trait Ids: Send + Sync + fmt::Debug {
    /// A UUIDv7 that was never given out before.
    fn fresh(&self) -> Uuid;
}

/// A capture to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaptureRequest {
    /// Our name for the payment.
    pub order: PaymentId,
    /// The provider's name for the customer's authorisation.
    pub payment_key: String,
    /// How much.
    pub amount: Money,
    /// The provider acts once per key, and answers the same again.
    pub idempotency_key: String,
}

/// A return of money to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefundRequest {
    /// Our name for the payment.
    pub order: PaymentId,
    /// Our name for the refund.
    pub refund: RefundId,
    /// How much.
    pub amount: Money,
    /// The provider acts once per key, and answers the same again.
    pub idempotency_key: String,
}

/// A definite answer about a capture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Capture {
    /// The provider took this amount.
    Captured {
        /// Its name for the movement of money.
        transaction: String,
        /// How much it took.
        amount: Money,
    },
    /// It took nothing and will not under this key.
    Declined {
        /// Its code: lower or upper case letters, digits, `_`, `-`, at most 64.
        code: String,
    },
}

/// A definite answer about a return of money.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Return {
    /// The provider returned it.
    Returned {
        /// Its name for the movement of money.
        transaction: String,
    },
    /// It will not.
    Refused {
        /// Its code, as for a decline.
        code: String,
    },
}

/// No definite answer: it may or may not have happened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the provider of payments gave no definite answer: {0}")]
pub struct NoAnswer(pub String);

/// What a provider of payments can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GatewayCapabilities {
    /// A part of a capture can be returned.
    pub partial_refunds: bool,
    /// The same idempotency key gives the same answer again.
    pub idempotent: bool,
}

/// A provider of payments. Every call is preceded by a recorded intent that carries its key.
pub trait PaymentGateway: Send + Sync + fmt::Debug {
    /// Its stable name.
    fn name(&self) -> &'static str;

    /// What it can do.
    fn capabilities(&self) -> GatewayCapabilities;

    /// Takes the money.
    fn capture(&self, request: CaptureRequest) -> Pending<'_, Result<Capture, NoAnswer>>;

    /// What it did about one attempt to capture an order, named by the attempt's key; `None` when
    /// that attempt never arrived, whatever became of others.
    fn read_capture(
        &self,
        order: PaymentId,
        idempotency_key: String,
    ) -> Pending<'_, Result<Option<Capture>, NoAnswer>>;

    /// Returns money.
    fn refund(&self, request: RefundRequest) -> Pending<'_, Result<Return, NoAnswer>>;

    /// What it did about a refund; `None` when it never heard of it.
    fn read_refund(
        &self,
        order: PaymentId,
        refund: RefundId,
    ) -> Pending<'_, Result<Option<Return>, NoAnswer>>;
}

/// Something that a process has to look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Due {
    /// What about.
    pub reservation: ReservationId,
    /// Since when, or from when on.
    pub at: Timestamp,
}

/// A place in the index, in its order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DuePlace {
    /// When the entry there is due, in microseconds since 1970.
    pub at: i64,
    /// Which entry of that instant.
    pub key: String,
}

/// What is due, and what comes after.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DuePage {
    /// What is due, earliest first.
    pub due: Vec<Due>,
    /// Where to go on, when more may be due.
    pub after: Option<DuePlace>,
    /// When the next one after them is due, if there is one.
    pub next: Option<Timestamp>,
}

/// Why the index could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the index of deadlines cannot be read: {0}")]
pub struct DueUnavailable(pub String);

/// The index of deadlines: a read model, rebuilt like any other. It may be behind; a process judges
/// by what the aggregates recorded.
pub trait DueIndex: Send + Sync + fmt::Debug {
    /// Up to `limit` entries behind `after`, earliest first, that are due at `now`.
    fn due(
        &self,
        now: Timestamp,
        after: Option<DuePlace>,
        limit: usize,
    ) -> Pending<'_, Result<DuePage, DueUnavailable>>;

    /// Returns when the index has changed since the last call. A hint: look, do not believe.
    fn changed(&self) -> Pending<'_, ()>;
}

/// How the outcome of a command is shown to its caller. The edge implements it; the bytes are
/// remembered with the command, in the transaction of its events.
pub trait Presenter: Send + Sync + fmt::Debug {
    /// A resource.
    fn resource(&self, id: ResourceId, resource: &Registered, revision: Revision) -> Vec<u8>;

    /// An offering.
    fn offering(&self, id: OfferingId, offering: &Drafted, revision: Revision) -> Vec<u8>;

    /// A class.
    fn session(&self, id: SessionId, seats: &Seats, revision: Revision) -> Vec<u8>;

    /// A reservation and its payment.
    fn reservation(
        &self,
        id: ReservationId,
        paper: &Paper,
        payment: Option<(PaymentId, &Account)>,
        revision: Revision,
    ) -> Vec<u8>;

    /// A return of money.
    fn refund(&self, order: PaymentId, id: RefundId, refund: &RefundEntry) -> Vec<u8>;

    /// The last refund terms that were offered for a reservation.
    fn cancellation_quote(&self, id: ReservationId, quote: &CancellationQuote) -> Vec<u8>;

    /// A refusal, as a problem document: its status and body.
    fn refusal(&self, refusal: &Refusal, request: &Request) -> (u16, Vec<u8>);
}
