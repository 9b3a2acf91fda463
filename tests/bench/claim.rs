//! The command that other libraries are measured by, as a use case over the real calendar: load the
//! slot, check its capacity, append two events to its one stream. Each slot is a calendar, each claim
//! a hold that is sold at once, as a booking without a price is.

use holdfast_commands::refusal::Refusal;
use holdfast_commands::request::Request;
use holdfast_commands::use_case::{Outcome, UseCase};
use holdfast_commands::world::World;
use holdfast_domain::booking::calendar::CalendarCommand;
use holdfast_domain::booking::hold::ClaimCommand;
use holdfast_domain::decider::Decider as _;
use holdfast_domain::ids::{CorrelationId, HoldId, ReservationId, ResourceId};
use holdfast_domain::log::{Category, StreamId};
use holdfast_domain::time::{Interval, Timestamp, minutes};
use serde_json::json;

/// Take one of the places of a slot.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Take {
    pub(crate) slot: ResourceId,
    pub(crate) capacity: u32,
    /// A fresh id.
    pub(crate) reservation: ReservationId,
}

/// Give one back.
#[derive(Debug, Clone, Copy)]
pub(crate) struct GiveBack {
    pub(crate) slot: ResourceId,
    pub(crate) reservation: ReservationId,
}

fn stream(slot: ResourceId) -> StreamId {
    StreamId::new(Category::Calendar, *slot.as_uuid())
}

fn hold(reservation: ReservationId) -> HoldId {
    HoldId::derive(reservation, 0)
}

/// The one time of every slot.
fn time() -> Interval {
    let starts: Timestamp = "2100-01-01T10:00:00Z".parse().unwrap();
    Interval::try_new(starts, starts.plus(minutes(60))).unwrap()
}

/// Asks the calendar, and writes down what it says.
fn ask(world: &mut World<'_>, slot: ResourceId, command: CalendarCommand) -> Result<(), Refusal> {
    let facts = world.calendar(slot).decide(&command)?;
    world.record(stream(slot), facts);
    Ok(())
}

fn answer(world: &World<'_>, slot: ResourceId, reservation: ReservationId, status: u16) -> Outcome {
    let body = json!({
        "slot_id": slot.to_string(),
        "reservation_id": reservation.to_string(),
        "booked": {"starts_at": time().start().to_string(), "ends_at": time().end().to_string()},
        "revision": world.revision(stream(slot)).0,
    });
    Outcome::answer(status, body.to_string().into_bytes())
}

impl UseCase for Take {
    fn name(&self) -> &'static str {
        "bench_take"
    }

    fn owner(&self) -> StreamId {
        stream(self.slot)
    }

    fn streams(&self) -> Vec<StreamId> {
        vec![self.owner()]
    }

    fn subject(&self) -> StreamId {
        self.owner()
    }

    fn correlation(&self) -> CorrelationId {
        self.reservation.into()
    }

    fn decide(&self, world: &mut World<'_>, _request: &Request) -> Result<Outcome, Refusal> {
        let (now, hold) = (world.now(), hold(self.reservation));
        let place = CalendarCommand::Place {
            hold,
            reservation: self.reservation,
            booked: time(),
            blocks: time(),
            weight: 1,
            capacity: self.capacity,
            expires_at: now.plus(minutes(60)),
            now,
        };
        ask(world, self.slot, place)?;
        ask(world, self.slot, CalendarCommand::Claim(hold, ClaimCommand::Convert { now }))?;
        Ok(answer(world, self.slot, self.reservation, 201))
    }
}

impl UseCase for GiveBack {
    fn name(&self) -> &'static str {
        "bench_give_back"
    }

    fn owner(&self) -> StreamId {
        stream(self.slot)
    }

    fn streams(&self) -> Vec<StreamId> {
        vec![self.owner()]
    }

    fn subject(&self) -> StreamId {
        self.owner()
    }

    fn correlation(&self) -> CorrelationId {
        self.reservation.into()
    }

    fn decide(&self, world: &mut World<'_>, _request: &Request) -> Result<Outcome, Refusal> {
        let release = CalendarCommand::Claim(hold(self.reservation), ClaimCommand::Release);
        ask(world, self.slot, release)?;
        Ok(answer(world, self.slot, self.reservation, 200))
    }
}
