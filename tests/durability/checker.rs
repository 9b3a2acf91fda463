//! What must hold of any log at every prefix, whoever wrote it and however often he was killed: a
//! prefix ends where an append ends, because what was written together is read together.
//!
//! Pure: events in, violations out.

use std::collections::{BTreeMap, BTreeSet};

use holdfast_commands::state::State;
use holdfast_domain::booking::Authority;
use holdfast_domain::booking::reservation::{Paper, Reservation, Stage};
use holdfast_domain::booking::resource::ResourceEvent;
use holdfast_domain::booking::session::SessionEvent;
use holdfast_domain::event::Event;
use holdfast_domain::ids::{HoldId, ReservationId};
use holdfast_domain::log::{Category, Recorded, Revision, StreamId};
use holdfast_domain::time::Timestamp;

use crate::claims::{Claims, Impossible, Until, hold_in_class, hold_on_calendar};
use crate::money;

/// The log so far.
#[derive(Debug, Default)]
struct Prefix {
    next: BTreeMap<StreamId, Revision>,
    last_at: BTreeMap<StreamId, Timestamp>,
    /// Folded by the engine's own deciders.
    states: BTreeMap<StreamId, State>,
    /// Folded by the checker's account.
    claims: BTreeMap<StreamId, Claims>,
    capacity: BTreeMap<StreamId, u64>,
    /// Reservations that the current append is about.
    touched: BTreeSet<ReservationId>,
    /// Calendars and classes that the current append changed.
    changed: BTreeSet<StreamId>,
    found: Vec<String>,
}

/// Everything that does not hold.
pub(crate) fn violations(events: &[Recorded]) -> Vec<String> {
    let mut prefix = Prefix::default();
    for (index, recorded) in events.iter().enumerate() {
        prefix.tell(recorded);
        let following = events.get(index.saturating_add(1));
        if following.is_none_or(|next| next.append_end != recorded.append_end) {
            prefix.close(recorded);
        }
    }
    if let Some(last) = events.last() {
        prefix.finish(last);
    }
    let mut found = prefix.found;
    money::purses(events, &mut found);
    found
}

/// Reservations that are not at rest: what a settled log must not have.
pub(crate) fn stranded(events: &[Recorded]) -> Vec<String> {
    let mut states: BTreeMap<StreamId, State> = BTreeMap::new();
    for recorded in events.iter().filter(|it| it.stream.category() == Category::Reservation) {
        let state =
            states.remove(&recorded.stream).unwrap_or(State::initial(Category::Reservation));
        states.insert(recorded.stream, state.evolve(&recorded.event));
    }
    let papers = states.iter().filter_map(|(stream, state)| Some((stream, paper(state)?)));
    let waiting = papers.filter(|(_, paper)| match paper.stage {
        Stage::Held | Stage::PaymentInFlight => true,
        Stage::Confirmed { .. }
        | Stage::Expired
        | Stage::Abandoned { .. }
        | Stage::Cancelled { .. } => false,
    });
    waiting.map(|(stream, paper)| format!("{stream} is stranded: {:?}", paper.stage)).collect()
}

fn paper(state: &State) -> Option<&Paper> {
    match state {
        State::Reservation(Reservation::Requested(paper)) => Some(paper),
        State::Reservation(Reservation::Absent)
        | State::Resource(_)
        | State::Calendar(_)
        | State::Offering(_)
        | State::Session(_)
        | State::Payment(_) => None,
    }
}

impl Prefix {
    fn tell(&mut self, recorded: &Recorded) {
        let (stream, now) = (recorded.stream, recorded.metadata.accepted_at);
        let next = self.next.entry(stream).or_default();
        if recorded.revision != *next {
            let why = format!("{stream} goes on at {} instead of {next}", recorded.revision);
            self.found.push(why);
        }
        *next = recorded.revision.next();
        if self.last_at.insert(stream, now).is_some_and(|before| now < before) {
            self.found.push(format!("time runs back in {stream} at {}", recorded.position));
        }
        let state = self.states.remove(&stream).unwrap_or(State::initial(stream.category()));
        self.states.insert(stream, state.evolve(&recorded.event));
        let told = match &recorded.event {
            Event::Calendar(event) => {
                let hold = hold_on_calendar(event);
                self.tell_claims(stream, Some(hold), |claims| claims.calendar(event, now))
            }
            Event::Session(event) => {
                if let SessionEvent::Scheduled { capacity, .. } = event {
                    let capacity = capacity.map_or(u64::MAX, u64::from);
                    self.capacity.insert(stream, capacity);
                }
                let hold = hold_in_class(event);
                self.tell_claims(stream, hold, |claims| claims.session(event, now))
            }
            Event::Resource(ResourceEvent::Registered { capacity, .. }) => {
                let calendar = StreamId::new(Category::Calendar, stream.id());
                self.capacity.insert(calendar, u64::from(*capacity));
                Ok(())
            }
            Event::Reservation(_) => {
                self.touched.insert(ReservationId::from_uuid(stream.id()));
                Ok(())
            }
            Event::Resource(ResourceEvent::SchedulePublished { .. })
            | Event::Offering(_)
            | Event::Payment(_) => Ok(()),
        };
        if let Err(why) = told {
            self.found.push(format!("{stream} at {}: {why}", recorded.position));
        }
    }

    /// Tells an account of claims; the reservation behind the hold has to be looked at.
    fn tell_claims(
        &mut self,
        stream: StreamId,
        hold: Option<HoldId>,
        tell: impl FnOnce(&mut Claims) -> Result<(), Impossible>,
    ) -> Result<(), Impossible> {
        self.changed.insert(stream);
        let claims = self.claims.entry(stream).or_default();
        let of_hold = |claims: &Claims| claims.0.get(&hold?).and_then(|claim| claim.reservation);
        let before = of_hold(claims);
        let told = tell(claims);
        self.touched.extend(before.or(of_hold(claims)));
        told
    }

    /// The end of an append: now seats and papers agree.
    fn close(&mut self, last: &Recorded) {
        let now = last.metadata.accepted_at;
        for stream in std::mem::take(&mut self.changed) {
            let claims = self.claims.entry(stream).or_default();
            let (most, count) = (claims.most(now), claims.0.len());
            let capacity = self.capacity.get(&stream).copied();
            if capacity.is_none_or(|capacity| most > capacity) {
                let why = format!("{stream} at {}: {most} taken of {capacity:?}", last.position);
                self.found.push(why);
            }
            if !self.engine_agrees(stream, (most, count), now) {
                self.found.push(format!("{stream} at {}: two counts differ", last.position));
            }
        }
        for reservation in std::mem::take(&mut self.touched) {
            if let Err(why) = self.agree(reservation) {
                let why = format!("reservation {reservation} at {}: {why}", last.position);
                self.found.push(why);
            }
        }
    }

    /// Whether the engine's own fold has as many claims, and as many seats of a class taken.
    fn engine_agrees(&self, stream: StreamId, (most, count): (u64, usize), now: Timestamp) -> bool {
        match self.states.get(&stream) {
            Some(State::Session(session)) => session.seats().is_ok_and(|seats| {
                u64::from(seats.taken(now)) == most && seats.claims().count() == count
            }),
            Some(State::Calendar(calendar)) => calendar.allocations().count() == count,
            Some(
                State::Resource(_) | State::Offering(_) | State::Reservation(_) | State::Payment(_),
            )
            | None => false,
        }
    }

    /// The end of the log: every reservation and every seat once more.
    fn finish(&mut self, last: &Recorded) {
        let papers = self.states.keys().filter(|it| it.category() == Category::Reservation);
        let papers: Vec<_> = papers.map(|it| ReservationId::from_uuid(it.id())).collect();
        self.touched.extend(papers);
        let seats = self.claims.values().flat_map(|claims| claims.0.values());
        let seats: Vec<_> = seats.filter_map(|claim| claim.reservation).collect();
        self.touched.extend(seats);
        self.changed.extend(self.claims.keys());
        self.close(last);
    }

    /// Whether a seat and the paper about it say the same.
    fn agree(&self, reservation: ReservationId) -> Result<(), String> {
        let stream = StreamId::new(Category::Reservation, *reservation.as_uuid());
        let paper = self.states.get(&stream).and_then(paper).ok_or("a seat without a paper")?;
        let authority: Authority = paper.booking.authority;
        let claims = self.claims.get(&authority.stream());
        let of_paper = claims.and_then(|claims| claims.0.get(&paper.hold));
        let sold = of_paper.map(|claim| claim.until == Until::Ever);
        let all = claims.into_iter().flat_map(|claims| claims.0.values());
        let others = all.filter(|claim| claim.reservation == Some(reservation)).count();
        if others > 1 {
            return Err(format!("it has {others} seats"));
        }
        match (&paper.stage, sold) {
            // Another may have written down that the hold is over; its paper follows.
            (Stage::Held | Stage::PaymentInFlight, Some(false) | None)
            | (Stage::Confirmed { .. }, Some(true))
            | (Stage::Expired | Stage::Abandoned { .. } | Stage::Cancelled { .. }, None) => Ok(()),
            (stage, sold) => Err(format!("its paper says {stage:?}, its seat is sold: {sold:?}")),
        }
    }
}
