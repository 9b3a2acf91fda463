//! Take a seat: the seat first, then the paper, then the payment, in one append.

use std::time::Duration;

use holdfast_domain::booking::inventory::{Inventory, Wanted};
use holdfast_domain::booking::offering::{Drafted, OfferingKind, SoldVersion, Terms};
use holdfast_domain::booking::reservation::{
    Booking, Quote, QuoteLine, Reservation, ReservationCommand,
};
use holdfast_domain::booking::slots::{self, Search};
use holdfast_domain::booking::{
    Authority, offering_stream, payment_stream, reservation_stream, resource_stream,
};
use holdfast_domain::decider::Decider;
use holdfast_domain::event::Event;
use holdfast_domain::ids::{
    CorrelationId, HoldId, OfferingId, PaymentId, PrincipalId, ReservationId, ResourceId, SessionId,
};
use holdfast_domain::log::StreamId;
use holdfast_domain::money::Money;
use holdfast_domain::payment::{Payment, PaymentCommand};
use holdfast_domain::time::zone::TimeIntent;
use holdfast_domain::time::{Interval, Timestamp, minutes};

use crate::refusal::Refusal;
use crate::request::Request;
use crate::use_case::{Outcome, UseCase};
use crate::world::World;

/// How many people one booking can be for.
const PARTY_MAX: u32 = 100_000;
/// How many free times are offered to one who came too late.
const ALTERNATIVES_MAX: usize = 5;

/// What is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seat {
    /// A resource's time from this instant on.
    At(Timestamp),
    /// Seats of a class.
    In(SessionId),
}

/// Take a seat for a customer, at a price.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reserve {
    /// A fresh id.
    pub reservation: ReservationId,
    /// A fresh id, used when there is something to pay.
    pub payment: PaymentId,
    /// Who books.
    pub customer: PrincipalId,
    /// What.
    pub offering: OfferingId,
    /// The offering's resource.
    pub resource: ResourceId,
    /// When, or which class.
    pub seat: Seat,
    /// For how many people; 0 stands for what is no number of people.
    pub party_size: u32,
    /// Where the client believes it to end.
    pub ends_at: Option<Timestamp>,
    /// What the client believes it to cost.
    pub expected_total: Option<Money>,
}

/// The times of a booking.
struct When {
    starts: TimeIntent,
    booked: Interval,
    blocks: Interval,
}

impl Reserve {
    const fn authority(&self) -> Authority {
        match self.seat {
            Seat::At(_) => Authority::Calendar(self.resource),
            Seat::In(session) => Authority::Session(session),
        }
    }

    fn inventory<'a>(&self, world: &'a World<'_>) -> Result<Inventory<'a>, Refusal> {
        Ok(match self.authority() {
            Authority::Calendar(resource) => Inventory::Calendar {
                calendar: world.calendar(resource),
                capacity: world.resource(resource).registered()?.capacity,
            },
            Authority::Session(session) => Inventory::Session(world.session(session)),
        })
    }

    fn offering<'a>(&self, world: &'a World<'_>) -> Result<&'a Drafted, Refusal> {
        let kind = match self.seat {
            Seat::At(_) => OfferingKind::Slot,
            Seat::In(_) => OfferingKind::Class,
        };
        let offering = world.offering(self.offering).open(kind)?;
        if offering.provider == self.customer {
            return Err(Refusal::SelfBooking);
        }
        Ok(offering)
    }

    fn when(&self, world: &World<'_>, terms: &Terms) -> Result<When, Refusal> {
        let when = match self.seat {
            Seat::In(session) => {
                let plan = &world.session(session).seats()?.plan;
                if plan.offering != self.offering {
                    return Err(Refusal::SessionNotInOffer);
                }
                let (starts, booked) = (plan.starts.clone(), plan.held);
                in_time(terms, booked.start(), world.now())?;
                When { starts, booked, blocks: terms.blocks(booked) }
            }
            Seat::At(start) => self.slot(world, terms, start)?,
        };
        if self.ends_at.is_some_and(|end| end != when.booked.end()) {
            return Err(Refusal::DurationMismatch { minutes: terms.duration_minutes });
        }
        Ok(when)
    }

    fn slot(&self, world: &World<'_>, terms: &Terms, start: Timestamp) -> Result<When, Refusal> {
        let now = world.now();
        if start <= now {
            return Err(Refusal::InThePast);
        }
        let resource = world.resource(self.resource).registered()?;
        let booked = terms.booked(start).ok_or(Refusal::OutsideSchedule)?;
        // An end that does not fit the offering is a clearer complaint than where it would lie.
        if self.ends_at.is_some_and(|end| end != booked.end()) {
            return Err(Refusal::DurationMismatch { minutes: terms.duration_minutes });
        }
        if !slots::is_open(&resource.schedule, &resource.zone, booked) {
            return Err(Refusal::OutsideSchedule);
        }
        in_time(terms, start, now)?;
        Ok(When { starts: resource.zone.intent(start), booked, blocks: terms.blocks(booked) })
    }

    /// The facts about the seat; a taken time comes back with free ones near it.
    fn take(
        &self,
        world: &World<'_>,
        terms: &Terms,
        booking: &Booking,
        expires_at: Timestamp,
    ) -> Result<Vec<Event>, Refusal> {
        let wanted = Wanted {
            hold: booking.hold,
            reservation: self.reservation,
            booking,
            expires_at,
            now: world.now(),
            late: false,
        };
        let taken = match self.inventory(world)?.place(wanted).map_err(Refusal::from) {
            Ok(facts) => return Ok(facts),
            Err(Refusal::SlotTaken { .. }) => booking.booked,
            Err(other) => return Err(other),
        };
        let day = Duration::from_hours(24);
        let near = slots::nearest(
            &Search {
                resource: world.resource(self.resource).registered()?,
                terms,
                calendar: world.calendar(self.resource),
                from: taken.start().minus(day),
                to: taken.start().plus(day.saturating_mul(7)),
                now: world.now(),
                seats: self.party_size,
                limit: ALTERNATIVES_MAX,
            },
            taken.start(),
        );
        let alternatives = near.into_iter().map(|slot| slot.interval).collect();
        Err(Refusal::SlotTaken { alternatives })
    }

    fn booking(&self, world: &World<'_>) -> Result<(Booking, Terms), Refusal> {
        let offering = self.offering(world)?;
        if !(1..=PARTY_MAX).contains(&self.party_size) {
            return Err(Refusal::InvalidPartySize);
        }
        let when = self.when(world, &offering.terms)?;
        if let Authority::Calendar(resource) = self.authority() {
            let capacity = world.resource(resource).registered()?.capacity;
            if self.party_size > capacity {
                return Err(Refusal::CapacityExceeded { capacity });
            }
        }
        let quote = price(offering, self.party_size)?;
        if self.expected_total.is_some_and(|expected| expected != quote.total) {
            return Err(Refusal::AmountMismatch { total: quote.total });
        }
        let booking = Booking {
            customer: self.customer,
            provider: offering.provider,
            sold: SoldVersion { offering: self.offering, version: offering.version },
            resource: self.resource,
            authority: self.authority(),
            hold: HoldId::derive(self.reservation, 0),
            party_size: self.party_size,
            starts: when.starts,
            booked: when.booked,
            blocks: when.blocks,
            payment: (!quote.total.is_zero()).then_some(self.payment),
            quote,
        };
        Ok((booking, offering.terms.clone()))
    }
}

/// Whether what starts at `start` can be booked at `now`: not too late, not too early.
fn in_time(terms: &Terms, start: Timestamp, now: Timestamp) -> Result<(), Refusal> {
    let (from, until) = terms.bookable(now);
    if start < from {
        return Err(Refusal::BookingClosed { latest: terms.closes_at(start) });
    }
    if start > until {
        return Err(Refusal::TooEarly { from: terms.opens_at(start) });
    }
    Ok(())
}

/// What an offering costs a party, and what a cancellation returns.
pub fn price(offering: &Drafted, party_size: u32) -> Result<Quote, Refusal> {
    let unit_price = offering.terms.price;
    let amount = unit_price.times(party_size).map_err(|_why| Refusal::AmountOutOfRange)?;
    let line =
        QuoteLine { title: offering.title.clone(), quantity: party_size, unit_price, amount };
    Ok(Quote {
        lines: vec![line],
        total: amount,
        cancellation_policy: offering.terms.cancellation_policy.clone(),
    })
}

impl UseCase for Reserve {
    fn name(&self) -> &'static str {
        "reserve"
    }

    fn owner(&self) -> StreamId {
        self.authority().stream()
    }

    fn streams(&self) -> Vec<StreamId> {
        vec![
            self.owner(),
            reservation_stream(self.reservation),
            payment_stream(self.payment),
            offering_stream(self.offering),
            resource_stream(self.resource),
        ]
    }

    fn fresh(&self) -> Vec<StreamId> {
        vec![reservation_stream(self.reservation), payment_stream(self.payment)]
    }

    fn subject(&self) -> StreamId {
        reservation_stream(self.reservation)
    }

    fn correlation(&self) -> CorrelationId {
        self.reservation.into()
    }

    fn decide(&self, world: &mut World<'_>, _request: &Request) -> Result<Outcome, Refusal> {
        let (booking, terms) = self.booking(world)?;
        let hold_ends = world.now().plus(minutes(terms.hold_minutes));
        let expires_at = hold_ends.min(booking.booked.start());
        let seat = self.take(world, &terms, &booking, expires_at)?;
        let (authority, total, payment) = (booking.authority, booking.quote.total, booking.payment);
        let hold = booking.hold;
        world.record(self.owner(), seat);
        let request =
            ReservationCommand::Request { booking: Box::new(booking), hold_expires_at: expires_at };
        world.record(self.subject(), Reservation::Absent.decide(&request)?);
        if let Some(payment) = payment {
            let initiate = PaymentCommand::Initiate {
                reservation: self.reservation,
                customer: self.customer,
                authority,
                amount: total,
            };
            world.record(payment_stream(payment), Payment::Absent.decide(&initiate)?);
        } else {
            // Nothing to pay: the seat is sold at once.
            world.record(self.owner(), [authority.sold(hold)]);
            let confirm = ReservationCommand::Confirm { paid: total, now: world.now() };
            let facts = world.reservation(self.reservation).decide(&confirm)?;
            world.record(self.subject(), facts);
        }
        let paper = world.paper(self.reservation)?;
        let (payment, revision) = (world.account_of(paper), world.revision(self.subject()));
        let body = world.presenter().reservation(self.reservation, paper, payment, revision);
        Ok(Outcome::answer(201, body))
    }
}
