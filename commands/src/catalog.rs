//! Use cases of those who offer: resources, their hours, offerings, and dated classes.

use holdfast_domain::booking::calendar::CalendarCommand;
use holdfast_domain::booking::offering::{OfferingCommand, OfferingKind, OfferingRefusal, Terms};
use holdfast_domain::booking::resource::{ResourceCommand, ResourceRefusal, Schedule};
use holdfast_domain::booking::session::{self, SessionCommand};
use holdfast_domain::booking::{Authority, offering_stream, resource_stream};
use holdfast_domain::decider::Decider;
use holdfast_domain::ids::{CorrelationId, HoldId, OfferingId, PrincipalId, ResourceId, SessionId};
use holdfast_domain::log::StreamId;
use holdfast_domain::time::Timestamp;
use holdfast_domain::time::zone::Zone;

use crate::refusal::Refusal;
use crate::request::Request;
use crate::use_case::{Outcome, UseCase};
use crate::world::World;

/// Something about a resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AboutResource {
    /// Which.
    pub resource: ResourceId,
    /// What.
    pub command: ResourceCommand,
}

impl AboutResource {
    /// Enter a resource, owned by `owner`.
    pub const fn register(
        resource: ResourceId,
        owner: PrincipalId,
        display_name: String,
        zone: Zone,
        capacity: u32,
    ) -> Self {
        let command = ResourceCommand::Register { owner, display_name, zone, capacity };
        Self { resource, command }
    }

    /// Replace its opening hours.
    pub const fn publish_schedule(
        resource: ResourceId,
        by: PrincipalId,
        schedule: Schedule,
    ) -> Self {
        Self { resource, command: ResourceCommand::PublishSchedule { by, schedule } }
    }
}

impl UseCase for AboutResource {
    fn name(&self) -> &'static str {
        match self.command {
            ResourceCommand::Register { .. } => "register_resource",
            ResourceCommand::PublishSchedule { .. } => "publish_schedule",
        }
    }

    fn owner(&self) -> StreamId {
        resource_stream(self.resource)
    }

    fn streams(&self) -> Vec<StreamId> {
        vec![self.owner()]
    }

    fn fresh(&self) -> Vec<StreamId> {
        match self.command {
            ResourceCommand::Register { .. } => vec![self.owner()],
            ResourceCommand::PublishSchedule { .. } => vec![],
        }
    }

    fn subject(&self) -> StreamId {
        self.owner()
    }

    fn correlation(&self) -> CorrelationId {
        CorrelationId::from_uuid(*self.resource.as_uuid())
    }

    fn decide(&self, world: &mut World<'_>, _request: &Request) -> Result<Outcome, Refusal> {
        let facts = world.resource(self.resource).decide(&self.command)?;
        world.record(self.owner(), facts);
        let status = match self.command {
            ResourceCommand::Register { .. } => 201,
            ResourceCommand::PublishSchedule { .. } => 200,
        };
        let resource = world.resource(self.resource).registered()?;
        Ok(Outcome::answer(
            status,
            world.presenter().resource(self.resource, resource, world.revision(self.owner())),
        ))
    }
}

/// Write an offering down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DraftOffering {
    /// A fresh id.
    pub offering: OfferingId,
    /// Who offers it.
    pub provider: PrincipalId,
    /// Whose time it takes; the caller's.
    pub resource: ResourceId,
    /// Public catalogue text.
    pub title: String,
    /// How it is booked.
    pub kind: OfferingKind,
    /// The rules.
    pub terms: Terms,
}

impl UseCase for DraftOffering {
    fn name(&self) -> &'static str {
        "draft_offering"
    }

    fn owner(&self) -> StreamId {
        offering_stream(self.offering)
    }

    fn streams(&self) -> Vec<StreamId> {
        vec![self.owner(), resource_stream(self.resource)]
    }

    fn fresh(&self) -> Vec<StreamId> {
        vec![self.owner()]
    }

    fn subject(&self) -> StreamId {
        self.owner()
    }

    fn correlation(&self) -> CorrelationId {
        CorrelationId::from_uuid(*self.offering.as_uuid())
    }

    fn decide(&self, world: &mut World<'_>, _request: &Request) -> Result<Outcome, Refusal> {
        if world.resource(self.resource).registered()?.owner != self.provider {
            return Err(ResourceRefusal::NotFound.into());
        }
        let facts = world.offering(self.offering).decide(&OfferingCommand::Draft {
            provider: self.provider,
            resource: self.resource,
            title: self.title.clone(),
            kind: self.kind,
            terms: self.terms.clone(),
        })?;
        world.record(self.owner(), facts);
        let offering = world.offering(self.offering).drafted()?;
        Ok(Outcome::answer(
            201,
            world.presenter().offering(self.offering, offering, world.revision(self.owner())),
        ))
    }
}

/// Let an offering be booked, or stop it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenOffering {
    /// Which.
    pub offering: OfferingId,
    /// Who asks.
    pub by: PrincipalId,
    /// Whether it can be booked from now on.
    pub open: bool,
}

impl UseCase for OpenOffering {
    fn name(&self) -> &'static str {
        if self.open { "publish_offering" } else { "pause_offering" }
    }

    fn owner(&self) -> StreamId {
        offering_stream(self.offering)
    }

    fn streams(&self) -> Vec<StreamId> {
        vec![self.owner()]
    }

    fn subject(&self) -> StreamId {
        self.owner()
    }

    fn correlation(&self) -> CorrelationId {
        CorrelationId::from_uuid(*self.offering.as_uuid())
    }

    fn decide(&self, world: &mut World<'_>, _request: &Request) -> Result<Outcome, Refusal> {
        let by = self.by;
        let command =
            if self.open { OfferingCommand::Publish { by } } else { OfferingCommand::Pause { by } };
        let facts = world.offering(self.offering).decide(&command)?;
        world.record(self.owner(), facts);
        let offering = world.offering(self.offering).drafted()?;
        Ok(Outcome::answer(
            200,
            world.presenter().offering(self.offering, offering, world.revision(self.owner())),
        ))
    }
}

/// Put a class on the calendar: its seats, and the resource's time, in one append.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScheduleSession {
    /// A fresh id.
    pub session: SessionId,
    /// What is taught.
    pub offering: OfferingId,
    /// The offering's resource.
    pub resource: ResourceId,
    /// Who asks.
    pub by: PrincipalId,
    /// When it starts.
    pub starts_at: Timestamp,
    /// Where the wall clock hangs that says so.
    pub zone: Zone,
    /// How many seats, when not as many as the offering says.
    pub capacity: Option<u32>,
    /// How many must come.
    pub min_capacity: Option<u32>,
}

impl ScheduleSession {
    const fn calendar(&self) -> StreamId {
        Authority::Calendar(self.resource).stream()
    }

    fn plan(&self, terms: &Terms) -> Result<session::Schedule, Refusal> {
        let held = terms.booked(self.starts_at).ok_or(OfferingRefusal::InvalidDuration)?;
        let capacity = self.capacity.or(terms.capacity);
        let wrong = |seats: Option<u32>| seats.is_some_and(|seats| !(1..=100_000).contains(&seats));
        let too_few = match (capacity, self.min_capacity) {
            (Some(capacity), Some(least)) => least > capacity,
            (_, _) => false,
        };
        if wrong(capacity) || wrong(self.min_capacity) || too_few {
            return Err(OfferingRefusal::InvalidCapacity.into());
        }
        Ok(session::Schedule {
            offering: self.offering,
            resource: self.resource,
            block: HoldId::of_session(self.session),
            starts: self.zone.intent(self.starts_at),
            held,
            capacity,
            min_capacity: self.min_capacity,
            booking_closes_at: terms.closes_at(self.starts_at),
        })
    }
}

impl UseCase for ScheduleSession {
    fn name(&self) -> &'static str {
        "schedule_session"
    }

    fn owner(&self) -> StreamId {
        self.calendar()
    }

    fn streams(&self) -> Vec<StreamId> {
        let (offering, resource) = (offering_stream(self.offering), resource_stream(self.resource));
        vec![self.calendar(), self.subject(), offering, resource]
    }

    fn fresh(&self) -> Vec<StreamId> {
        vec![self.subject()]
    }

    fn subject(&self) -> StreamId {
        Authority::Session(self.session).stream()
    }

    fn correlation(&self) -> CorrelationId {
        CorrelationId::from_uuid(*self.session.as_uuid())
    }

    fn decide(&self, world: &mut World<'_>, _request: &Request) -> Result<Outcome, Refusal> {
        let offering = world.offering(self.offering).drafted()?;
        if offering.provider != self.by || offering.resource != self.resource {
            return Err(OfferingRefusal::NotFound.into());
        }
        if offering.kind != OfferingKind::Class {
            return Err(OfferingRefusal::WrongKind.into());
        }
        let now = world.now();
        let plan = self.plan(&offering.terms)?;
        // Nobody could book it.
        if self.starts_at <= now || plan.booking_closes_at < now {
            return Err(OfferingRefusal::InThePast.into());
        }
        let block = CalendarCommand::Block {
            hold: plan.block,
            session: self.session,
            blocks: offering.terms.blocks(plan.held),
            capacity: world.resource(self.resource).registered()?.capacity,
            now,
        };
        let time = world.calendar(self.resource).decide(&block)?;
        let seats = world.session(self.session).decide(&SessionCommand::Schedule(plan))?;
        world.record(self.calendar(), time);
        world.record(self.subject(), seats);
        let seats = world.session(self.session).seats()?;
        Ok(Outcome::answer(
            201,
            world.presenter().session(self.session, seats, world.revision(self.subject())),
        ))
    }
}
