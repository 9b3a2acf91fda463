//! Aggregates as a decision sees them: folded, with the head that the fold stands on. An owner
//! keeps these between commands, so that a warm stream is not read again.

use std::collections::BTreeMap;

use holdfast_domain::booking::calendar::Calendar;
use holdfast_domain::booking::offering::Offering;
use holdfast_domain::booking::reservation::Reservation;
use holdfast_domain::booking::resource::Resource;
use holdfast_domain::booking::session::Session;
use holdfast_domain::decider::Decider;
use holdfast_domain::event::Event;
use holdfast_domain::log::{Category, Expected, Head, Recorded, Revision, StreamId};
use holdfast_domain::payment::Payment;
use holdfast_domain::time::Timestamp;

/// A folded stream of any aggregate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// A resource's rules.
    Resource(Resource),
    /// A resource's time.
    Calendar(Calendar),
    /// What can be booked.
    Offering(Offering),
    /// The seats of a class.
    Session(Session),
    /// A booking.
    Reservation(Reservation),
    /// A payment.
    Payment(Payment),
}

impl State {
    /// Nothing has happened yet.
    pub fn initial(category: Category) -> Self {
        match category {
            Category::Resource => Self::Resource(Resource::default()),
            Category::Calendar => Self::Calendar(Calendar::default()),
            Category::Offering => Self::Offering(Offering::default()),
            Category::Session => Self::Session(Session::default()),
            Category::Reservation => Self::Reservation(Reservation::default()),
            Category::Payment => Self::Payment(Payment::default()),
        }
    }

    /// The state after `event`. An event of another aggregate changes nothing: a stream holds one
    /// aggregate's events only.
    #[must_use]
    pub fn evolve(self, event: &Event) -> Self {
        match (self, event) {
            (Self::Resource(state), Event::Resource(event)) => Self::Resource(state.evolve(event)),
            (Self::Calendar(state), Event::Calendar(event)) => Self::Calendar(state.evolve(event)),
            (Self::Offering(state), Event::Offering(event)) => Self::Offering(state.evolve(event)),
            (Self::Session(state), Event::Session(event)) => Self::Session(state.evolve(event)),
            (Self::Reservation(state), Event::Reservation(event)) => {
                Self::Reservation(state.evolve(event))
            }
            (Self::Payment(state), Event::Payment(event)) => Self::Payment(state.evolve(event)),
            (state, _of_another_aggregate) => state,
        }
    }
}

/// A stream as it is known here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// What the next append will expect of it.
    pub expected: Expected,
    /// Its fold.
    pub state: State,
    /// When its last event was accepted: time does not run back within a stream.
    pub last_at: Timestamp,
}

impl Known {
    /// A stream that nothing was ever written to.
    pub fn absent(stream: StreamId) -> Self {
        Self {
            expected: Expected::NoStream,
            state: State::initial(stream.category()),
            last_at: Timestamp::MIN,
        }
    }

    /// Folds a whole stream.
    pub fn fold(stream: StreamId, events: &[Recorded]) -> Self {
        let state = events.iter().fold(State::initial(stream.category()), |state, recorded| {
            state.evolve(&recorded.event)
        });
        match events.last() {
            None => Self::absent(stream),
            Some(last) => Self {
                expected: Expected::Head(Head { revision: last.revision, hash: last.hash }),
                state,
                last_at: last.metadata.accepted_at,
            },
        }
    }

    /// The revision of its last event.
    pub const fn revision(&self) -> Option<Revision> {
        match self.expected {
            Expected::NoStream => None,
            Expected::Head(head) => Some(head.revision),
            Expected::InGroup(revision) => Some(revision),
        }
    }
}

/// The streams that an owner knows. Boxed, because a map has room for some dozen from its first one on,
/// and most owners know one.
pub type States = BTreeMap<StreamId, Box<Known>>;
