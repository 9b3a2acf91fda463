//! What the search moves through: the aggregates, the books of the provider of payments, a clock.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::hash::{DefaultHasher, Hasher as _};
use std::rc::Rc;
use std::sync::Arc;

use holdfast_commands::about::About;
use holdfast_commands::decision::in_order;
use holdfast_commands::ports::Presenter;
use holdfast_commands::refusal::Refusal;
use holdfast_commands::request::Request;
use holdfast_commands::state::{Known, State, States};
use holdfast_commands::use_case::{Outcome, UseCase};
use holdfast_commands::world::World;
use holdfast_domain::actor::Actor;
use holdfast_domain::booking::hold::Claim;
use holdfast_domain::booking::offering::Drafted;
use holdfast_domain::booking::reservation::{CancellationQuote, CancelledBy, Paper, Reservation};
use holdfast_domain::booking::resource::Registered;
use holdfast_domain::booking::session::{Seats, Session};
use holdfast_domain::booking::{payment_stream, reservation_stream};
use holdfast_domain::event::Event;
use holdfast_domain::ids::{
    CommandId, HoldId, OfferingId, PaymentId, PrincipalId, RefundId, ReservationId, ResourceId,
    SessionId,
};
use holdfast_domain::log::{Hash, Revision, StreamId};
use holdfast_domain::payment::{Account, Payment, Refund};
use holdfast_domain::process::{Call, Step};
use holdfast_domain::time::Timestamp;

use crate::fault::{Fault, altered, believed};
use crate::setting::*;

/// The books of the provider of payments about one order. It acts once per key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Ledger {
    /// What was taken, by key; nothing when it declined.
    pub(crate) captures: BTreeMap<String, u64>,
    pub(crate) captured: u64,
    /// Whether it was returned, by key.
    pub(crate) returns: BTreeMap<String, bool>,
    pub(crate) returned: u64,
    /// The refund that was asked for last.
    pub(crate) asked: Option<RefundId>,
}

/// Terms that somebody was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Offer {
    pub(crate) by: CancelledBy,
    pub(crate) amount: u64,
    pub(crate) valid_until: Timestamp,
}

/// What happened to a customer outside of the aggregates.
#[derive(Debug, Clone, Default)]
pub(crate) struct Customer {
    pub(crate) ledger: Ledger,
    pub(crate) in_flight: Option<(Call, bool)>,
    pub(crate) losses: u8,
    pub(crate) declines: u8,
    pub(crate) oddities: u8,
    pub(crate) refusals: u8,
    pub(crate) offers: Vec<Offer>,
    /// What the terms that were taken up return at least.
    pub(crate) told: Option<u64>,
    /// Gifts before the booking was called off, and after.
    pub(crate) gifts: [u64; 2],
}

#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) setting: Rc<Setting>,
    pub(crate) fault: Fault,
    pub(crate) states: States,
    pub(crate) customers: Vec<Customer>,
    pub(crate) now: Timestamp,
    /// A promise that the last move broke.
    pub(crate) complaint: Option<String>,
    /// Whether the seat's stream moves on during the next decision that writes to it last.
    pub(crate) overtaking: bool,
    /// How often that has happened.
    pub(crate) overtaken: u8,
}

#[derive(Debug)]
struct Blind;

impl Presenter for Blind {
    fn resource(&self, _: ResourceId, _: &Registered, _: Revision) -> Vec<u8> {
        vec![]
    }
    fn offering(&self, _: OfferingId, _: &Drafted, _: Revision) -> Vec<u8> {
        vec![]
    }
    fn session(&self, _: SessionId, _: &Seats, _: Revision) -> Vec<u8> {
        vec![]
    }
    fn reservation(
        &self,
        _: ReservationId,
        _: &Paper,
        _: Option<(PaymentId, &Account)>,
        _: Revision,
    ) -> Vec<u8> {
        vec![]
    }
    fn refund(&self, _: PaymentId, _: RefundId, _: &Refund) -> Vec<u8> {
        vec![]
    }
    fn cancellation_quote(&self, _: ReservationId, _: &CancellationQuote) -> Vec<u8> {
        vec![]
    }
    fn refusal(&self, _: &Refusal, _: &Request) -> (u16, Vec<u8>) {
        (409, vec![])
    }
}

fn request() -> Request {
    Request {
        command_id: CommandId::of_step("search", &id(9), "x"),
        remembered_as: None,
        fingerprint: Hash::ZERO,
        actor: Actor::Process { name: "search".into() },
        correlation: None,
        causation: None,
        traceparent: None,
        path: String::new(),
        request_id: String::new(),
        if_match: None,
        dry_run: false,
    }
}

impl Node {
    /// What is fixed about a customer's booking.
    pub(crate) fn about(&self, customer: usize) -> About {
        let n = u128::try_from(customer).unwrap();
        About {
            reservation: ReservationId::from_uuid(id(100 + n)),
            payment: (self.setting.price > 0).then(|| order(customer)),
            authority: self.setting.authority(),
            resource: resource(),
            offering: offering(),
            customer: PrincipalId::from_uuid(id(300 + n)),
            provider: provider(),
        }
    }

    /// Lets a use case decide, and writes down what it decided, as far as the fault lets it. After
    /// a refusal the node is of no more use.
    pub(crate) fn decide(&mut self, use_case: &dyn UseCase) -> Result<Outcome, Refusal> {
        let (fault, name) = (self.fault, use_case.name());
        let truth = (fault != Fault::None || self.overtaking).then(|| self.states.clone());
        let mut states = believed(fault, name, std::mem::take(&mut self.states));
        let presenter: Arc<dyn Presenter> = Arc::new(Blind);
        let mut world = World::new(&mut states, self.now, &presenter);
        let outcome = use_case.decide(&mut world, &request())?;
        let journal = world.into_journal();
        self.states = match truth {
            None => states,
            Some(truth) => {
                let writes = self.writes(&journal);
                written(truth, fault, name, writes)
            }
        };
        Ok(outcome)
    }

    /// The facts per stream as they are written, up to where the seat's stream has moved on. The
    /// other streams speak of one booking alone and wait for nobody else.
    fn writes(&mut self, journal: &[(StreamId, Event)]) -> Vec<(StreamId, Vec<Event>)> {
        let mut writes = in_order(journal);
        if self.fault == Fault::AsDecided {
            writes.sort_by_key(|(stream, _)| journal.iter().position(|(of, _)| of == stream));
        }
        let seat = self.setting.authority().stream();
        let at = writes.iter().position(|(stream, _)| *stream == seat);
        if let Some(at) = at.filter(|at| self.overtaking && *at > 0) {
            writes.truncate(at);
            (self.overtaking, self.overtaken) = (false, self.overtaken + 1);
        }
        writes
    }

    pub(crate) fn paper(&self, customer: usize) -> Option<&Paper> {
        let stream = reservation_stream(self.about(customer).reservation);
        match self.states.get(&stream).map(|known| &known.state) {
            Some(State::Reservation(Reservation::Requested(paper))) => Some(paper),
            _ => None,
        }
    }

    pub(crate) fn account(&self, customer: usize) -> Option<&Account> {
        match self.states.get(&payment_stream(order(customer))).map(|known| &known.state) {
            Some(State::Payment(Payment::Initiated(account))) => Some(account),
            _ => None,
        }
    }

    /// What keeps seats from others, or once did and was not cleared away.
    pub(crate) fn claims(&self) -> Vec<(HoldId, Claim)> {
        match self.states.get(&self.setting.authority().stream()).map(|known| &known.state) {
            Some(State::Calendar(calendar)) => calendar
                .allocations()
                .filter_map(|(hold, _)| calendar.claim(hold).map(|claim| (hold, *claim)))
                .collect(),
            Some(State::Session(Session::Scheduled(class))) => {
                class.claims().map(|(hold, (claim, _))| (hold, *claim)).collect()
            }
            _ => vec![],
        }
    }

    /// The claim that counts for a customer.
    pub(crate) fn claim(&self, customer: usize) -> Option<Claim> {
        let hold = self.paper(customer)?.hold;
        self.claims().into_iter().find(|(known, _)| *known == hold).map(|(_, claim)| claim)
    }

    /// The next step about a customer's booking.
    pub(crate) fn step(&mut self, customer: usize) -> Step {
        if self.paper(customer).is_none() {
            return Step::Rest;
        }
        let about = self.about(customer);
        let presenter: Arc<dyn Presenter> = Arc::new(Blind);
        about.next(&World::new(&mut self.states, self.now, &presenter), false).unwrap()
    }

    /// Tells states apart by all that can differ within one search.
    pub(crate) fn key(&self) -> u64 {
        let mut digest = Digest::default();
        for (stream, known) in &self.states {
            match &known.state {
                State::Resource(_) | State::Offering(_) => Ok(()),
                State::Reservation(Reservation::Requested(paper)) => {
                    let Paper { hold, hold_expires_at, stage, booking: _ } = paper;
                    write!(digest, "{stream}{hold}{hold_expires_at}{stage:?}")
                }
                State::Session(Session::Scheduled(class)) => {
                    class.claims().try_for_each(|claim| write!(digest, "{claim:?}"))
                }
                state @ (State::Calendar(_)
                | State::Session(_)
                | State::Reservation(_)
                | State::Payment(_)) => write!(digest, "{stream}{state:?}"),
            }
            .unwrap();
        }
        write!(digest, "{:?}{}{}", self.customers, self.now, self.overtaken).unwrap();
        digest.0.finish()
    }
}

/// The states after what was decided, as far as a fault lets it be written.
fn written(
    mut states: States,
    fault: Fault,
    use_case: &str,
    writes: Vec<(StreamId, Vec<Event>)>,
) -> States {
    let facts = writes
        .into_iter()
        .flat_map(|(stream, facts)| facts.into_iter().map(move |fact| (stream, fact)));
    for (stream, event) in facts {
        let Some(event) = altered(fault, use_case, event) else { continue };
        let known = states.entry(stream).or_insert_with(|| Known::absent(stream).into());
        known.state = known.state.clone().evolve(&event);
    }
    states
}

/// A customer's order at the provider of payments.
pub(crate) fn order(customer: usize) -> PaymentId {
    PaymentId::from_uuid(id(200 + u128::try_from(customer).unwrap()))
}

/// Hashes what is written.
#[derive(Default)]
struct Digest(DefaultHasher);

impl fmt::Write for Digest {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.write(text.as_bytes());
        Ok(())
    }
}
