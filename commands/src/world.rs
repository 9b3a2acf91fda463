//! What a use case sees and does: the aggregates it asked for, the instant, and a journal of the
//! facts it decides. Recording a fact moves the state on at once, so that a step of a process sees
//! what the step before it did.

use std::sync::{Arc, LazyLock};

use holdfast_domain::booking::calendar::Calendar;
use holdfast_domain::booking::offering::Offering;
use holdfast_domain::booking::reservation::{Paper, Reservation, ReservationRefusal};
use holdfast_domain::booking::resource::Resource;
use holdfast_domain::booking::session::Session;
use holdfast_domain::booking::{
    offering_stream, payment_stream, reservation_stream, resource_stream,
};
use holdfast_domain::event::Event;
use holdfast_domain::ids::{OfferingId, PaymentId, ReservationId, ResourceId, SessionId};
use holdfast_domain::log::{Category, Expected, Revision, StreamId};
use holdfast_domain::payment::{Account, Payment};
use holdfast_domain::time::Timestamp;

use crate::ports::Presenter;
use crate::state::{Known, State, States};

/// A calendar on which nothing was ever placed.
static EMPTY: LazyLock<Calendar> = LazyLock::new(Calendar::default);

/// The aggregates of one decision. Asking for a stream that the use case did not name answers its
/// initial state: the use case's list of streams is part of its contract, and a test of it.
#[derive(Debug)]
pub struct World<'a> {
    states: &'a mut States,
    journal: Vec<(StreamId, Event)>,
    now: Timestamp,
    presenter: &'a Arc<dyn Presenter>,
}

impl<'a> World<'a> {
    /// Over the states an owner knows, at the instant at which the command is accepted.
    pub fn new(states: &'a mut States, now: Timestamp, presenter: &'a Arc<dyn Presenter>) -> Self {
        Self { states, journal: Vec::new(), now, presenter }
    }

    /// The instant of judgement.
    pub const fn now(&self) -> Timestamp {
        self.now
    }

    /// How states are shown to the caller.
    pub fn presenter(&self) -> &dyn Presenter {
        &**self.presenter
    }

    /// Writes facts down, in order, and moves the states on.
    pub fn record<E: Into<Event>>(&mut self, stream: StreamId, facts: impl IntoIterator<Item = E>) {
        for fact in facts {
            let fact = fact.into();
            let known = self.states.entry(stream).or_insert_with(|| Known::absent(stream).into());
            let state = std::mem::replace(&mut known.state, State::initial(stream.category()));
            known.state = state.evolve(&fact);
            let next = known.revision().map_or(Revision(0), Revision::next);
            known.expected = Expected::InGroup(next);
            known.last_at = self.now;
            self.journal.push((stream, fact));
        }
    }

    /// The facts recorded so far.
    pub fn journal(&self) -> &[(StreamId, Event)] {
        &self.journal
    }

    /// Ends the decision.
    pub fn into_journal(self) -> Vec<(StreamId, Event)> {
        self.journal
    }

    /// The revision of a stream's last event, recorded ones included; 0 before the first.
    pub fn revision(&self, stream: StreamId) -> Revision {
        self.states.get(&stream).and_then(|known| known.revision()).unwrap_or_default()
    }

    fn state(&self, stream: StreamId) -> Option<&State> {
        self.states.get(&stream).map(|known| &known.state)
    }

    /// A resource's rules.
    pub fn resource(&self, id: ResourceId) -> &Resource {
        match self.state(resource_stream(id)) {
            Some(State::Resource(state)) => state,
            _ => &Resource::Absent,
        }
    }

    /// A resource's time; empty when it is not known.
    pub fn calendar(&self, id: ResourceId) -> &Calendar {
        match self.state(StreamId::new(Category::Calendar, *id.as_uuid())) {
            Some(State::Calendar(state)) => state,
            _ => &EMPTY,
        }
    }

    /// What can be booked.
    pub fn offering(&self, id: OfferingId) -> &Offering {
        match self.state(offering_stream(id)) {
            Some(State::Offering(state)) => state,
            _ => &Offering::Absent,
        }
    }

    /// The seats of a class.
    pub fn session(&self, id: SessionId) -> &Session {
        match self.state(StreamId::new(Category::Session, *id.as_uuid())) {
            Some(State::Session(state)) => state,
            _ => &Session::Absent,
        }
    }

    /// A booking.
    pub fn reservation(&self, id: ReservationId) -> &Reservation {
        match self.state(reservation_stream(id)) {
            Some(State::Reservation(state)) => state,
            _ => &Reservation::Absent,
        }
    }

    /// A booking that exists.
    pub fn paper(&self, id: ReservationId) -> Result<&Paper, ReservationRefusal> {
        self.reservation(id).paper()
    }

    /// A payment.
    pub fn payment(&self, id: PaymentId) -> &Payment {
        match self.state(payment_stream(id)) {
            Some(State::Payment(state)) => state,
            _ => &Payment::Absent,
        }
    }

    /// The payment of a booking, when there is something to pay.
    pub fn account_of(&self, paper: &Paper) -> Option<(PaymentId, &Account)> {
        let id = paper.booking.payment?;
        self.payment(id).account().ok().map(|account| (id, account))
    }
}
