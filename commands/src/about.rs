//! Streams around one reservation: what every later use case about it needs, and the situation
//! that processes judge.

use std::fmt;

use holdfast_domain::booking::inventory::Inventory;
use holdfast_domain::booking::{Authority, payment_stream, reservation_stream, resource_stream};
use holdfast_domain::ids::{
    CorrelationId, OfferingId, PaymentId, PrincipalId, ReservationId, ResourceId,
};
use holdfast_domain::log::StreamId;
use holdfast_domain::process::{self, Situation, Step};

use crate::refusal::Refusal;
use crate::request::Request;
use crate::use_case::{Outcome, UseCase};
use crate::world::World;

/// How many facts in a row a process may record in one append: a bound, not a limit that is met.
const STEPS_MAX: usize = 8;

/// What never changes about a reservation: whom it concerns and which streams belong to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct About {
    /// Which.
    pub reservation: ReservationId,
    /// Its payment, when there was something to pay.
    pub payment: Option<PaymentId>,
    /// Who decides about its seat.
    pub authority: Authority,
    /// Whose time it takes.
    pub resource: ResourceId,
    /// What was booked.
    pub offering: OfferingId,
    /// Who booked.
    pub customer: PrincipalId,
    /// Who provides the service.
    pub provider: PrincipalId,
}

impl About {
    /// The owner of every decision about it.
    pub const fn owner(&self) -> StreamId {
        self.authority.stream()
    }

    /// The paper's stream.
    pub const fn paper(&self) -> StreamId {
        reservation_stream(self.reservation)
    }

    /// The streams of seat, paper and payment, and of what the seat's rules depend on.
    pub fn streams(&self) -> Vec<StreamId> {
        let mut streams = vec![self.owner(), self.paper()];
        streams.extend(self.payment.map(payment_stream));
        if matches!(self.authority, Authority::Calendar(_)) {
            streams.push(resource_stream(self.resource));
        }
        streams
    }

    /// The stream that decides about the seat.
    pub fn inventory<'a>(&self, world: &'a World<'_>) -> Result<Inventory<'a>, Refusal> {
        Ok(match self.authority {
            Authority::Calendar(resource) => Inventory::Calendar {
                calendar: world.calendar(resource),
                capacity: world.resource(resource).registered()?.capacity,
            },
            Authority::Session(session) => Inventory::Session(world.session(session)),
        })
    }

    /// The next step of the processes around it.
    pub fn next(&self, world: &World<'_>, inline: bool) -> Result<Step, Refusal> {
        let paper = world.paper(self.reservation)?;
        Ok(process::next(&Situation {
            reservation: self.reservation,
            paper,
            payment: world.account_of(paper),
            inventory: self.inventory(world)?,
            now: world.now(),
            inline,
        }))
    }

    /// Records every step that only records, and returns the first that does not.
    pub fn settle(&self, world: &mut World<'_>, inline: bool) -> Result<Step, Refusal> {
        for _ in 0..STEPS_MAX {
            match self.next(world, inline)? {
                Step::Record(facts) => {
                    for (stream, fact) in facts {
                        world.record(stream, [fact]);
                    }
                }
                step @ (Step::Call(_) | Step::Wait(_) | Step::Rest) => return Ok(step),
            }
        }
        Ok(Step::Rest)
    }

    /// The reservation as it stands, for the caller.
    pub fn show(&self, world: &World<'_>) -> Result<Vec<u8>, Refusal> {
        let paper = world.paper(self.reservation)?;
        let (payment, revision) = (world.account_of(paper), world.revision(self.paper()));
        Ok(world.presenter().reservation(self.reservation, paper, payment, revision))
    }
}

/// A use case about one reservation. Who owns the decision and what its events belong to follow
/// from [`About`]; so do the streams and the answer, unless the case says otherwise.
pub trait ReservationCase: Send + Sync + fmt::Debug {
    /// Its stable name, for logs and metrics.
    fn name(&self) -> &'static str;

    /// Which reservation.
    fn about(&self) -> &About;

    /// Every stream that it reads or writes: all that belong to the reservation.
    fn streams(&self) -> Vec<StreamId> {
        self.about().streams()
    }

    /// The stream that the answer shows: the paper.
    fn subject(&self) -> StreamId {
        self.about().paper()
    }

    /// The stream that `If-Match` is about, as [`UseCase::compared`] is.
    fn compared(&self) -> StreamId {
        self.subject()
    }

    /// Decides, as [`UseCase::decide`] does.
    fn decide(&self, world: &mut World<'_>, request: &Request) -> Result<Outcome, Refusal>;
}

impl<T: ReservationCase> UseCase for T {
    fn name(&self) -> &'static str {
        ReservationCase::name(self)
    }

    fn owner(&self) -> StreamId {
        self.about().owner()
    }

    fn streams(&self) -> Vec<StreamId> {
        ReservationCase::streams(self)
    }

    fn subject(&self) -> StreamId {
        ReservationCase::subject(self)
    }

    fn compared(&self) -> StreamId {
        ReservationCase::compared(self)
    }

    fn correlation(&self) -> CorrelationId {
        self.about().reservation.into()
    }

    fn decide(&self, world: &mut World<'_>, request: &Request) -> Result<Outcome, Refusal> {
        ReservationCase::decide(self, world, request)
    }
}
