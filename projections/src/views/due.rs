//! `due`: when a process has to look at a reservation next. Two kinds of documents, ordered by the
//! same column: `hold/<id>` for a claim until it is sold or gone, and `reservation/<id>` for the
//! paper and its money. Events about a claim name only the claim, which is why it has a document of
//! its own; both name their reservation. A document is there exactly while something is due.
//!
//! When a paper ends, its claim has to end too, and is due until it does. On a log that writes one
//! stream after the other that can be never, without a process. Which claim that is follows from the
//! reservation's id, and from whether the paper was reinstated: until it is called off, a document
//! that is in no list remembers that.
//!
//! Deliberately not here: what is to be done. The process judges by the streams.

use std::collections::BTreeMap;

use holdfast_domain::booking::calendar::CalendarEvent;
use holdfast_domain::booking::reservation::ReservationEvent;
use holdfast_domain::booking::session::SessionEvent;
use holdfast_domain::event::Event;
use holdfast_domain::ids::{HoldId, RefundId, ReservationId};
use holdfast_domain::log::Recorded;
use holdfast_domain::payment::{PaymentEvent, ReviewDecision};
use holdfast_domain::time::Timestamp;
use serde::{Deserialize, Serialize};

use super::payments::reservation_of;
use super::{calendar, sessions};
use crate::document::{Document, Documents, FoldError, Indexes, Key};
use crate::projector::{Announcement, Projector};

/// When a document is due that only remembers something.
const NEVER: Timestamp = Timestamp::MAX;

/// The name of the view.
pub const DUE: &str = "due";

/// Something that a process has to look at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DueDocument {
    /// What about.
    pub reservation_id: ReservationId,
    /// From when on.
    pub due_at: Timestamp,
    /// The deadlines that are open, by what they are about.
    open: BTreeMap<Deadline, Timestamp>,
    /// Whether the paper waits for a payment.
    in_flight: bool,
    /// Whether the paper stands on its second claim.
    reinstated: bool,
}

/// What a deadline is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
enum Deadline {
    /// The hold ends by itself.
    Hold,
    /// The pin holds nothing any more.
    Pin,
    /// The paper is over, and the claim is not.
    Left,
    /// The provider of payments is to be asked, or asked again.
    Capture,
    /// The money is there, and the booking does not say so yet.
    Captured,
    /// The money did not come, and the booking does not say so yet.
    Declined,
    /// A cancellation promised money, and no refund was asked for yet.
    Owed,
    /// The provider of payments is to be asked for a refund, or asked again.
    Refund(RefundId),
}

impl From<Deadline> for String {
    fn from(deadline: Deadline) -> Self {
        match deadline {
            Deadline::Hold => "hold".to_owned(),
            Deadline::Pin => "pin".to_owned(),
            Deadline::Left => "left".to_owned(),
            Deadline::Capture => "capture".to_owned(),
            Deadline::Captured => "captured".to_owned(),
            Deadline::Declined => "declined".to_owned(),
            Deadline::Owed => "owed".to_owned(),
            Deadline::Refund(id) => format!("refund {id}"),
        }
    }
}

impl TryFrom<String> for Deadline {
    type Error = holdfast_domain::ids::InvalidId;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        match text.as_str() {
            "hold" => Ok(Self::Hold),
            "pin" => Ok(Self::Pin),
            "left" => Ok(Self::Left),
            "capture" => Ok(Self::Capture),
            "captured" => Ok(Self::Captured),
            "declined" => Ok(Self::Declined),
            "owed" => Ok(Self::Owed),
            other => other.strip_prefix("refund ").unwrap_or(other).parse().map(Self::Refund),
        }
    }
}

/// The view.
#[derive(Debug, Clone, Copy)]
pub struct DueView;

fn hold_key(hold: HoldId) -> Key {
    Key::new(format_args!("hold/{hold}"))
}

fn paper_key(reservation: impl std::fmt::Display) -> Key {
    Key::new(format_args!("reservation/{reservation}"))
}

fn key_of(event: &Recorded) -> Option<Key> {
    match &event.event {
        Event::Calendar(CalendarEvent::TimeBlocked { .. })
        | Event::Payment(PaymentEvent::Initiated { .. })
        | Event::Resource(_)
        | Event::Offering(_) => None,
        Event::Calendar(fact) => Some(hold_key(calendar::claim_of(fact))),
        Event::Session(fact) => sessions::claim_of(fact).map(hold_key),
        Event::Reservation(_) => Some(paper_key(event.stream.id())),
        Event::Payment(fact) => Some(paper_key(reservation_of(fact))),
    }
}

/// The claims that a paper can have stood on, the first one and the one it was reinstated with,
/// when this event ends it.
fn claims_over(event: &Recorded) -> Option<[HoldId; 2]> {
    let Event::Reservation(fact) = &event.event else { return None };
    match fact {
        ReservationEvent::Abandoned { .. } | ReservationEvent::Cancelled { .. } => {
            let id = ReservationId::from_uuid(event.stream.id());
            Some([HoldId::derive(id, 0), HoldId::derive(id, 1)])
        }
        // The process lets the seat go before it says so.
        ReservationEvent::Expired {}
        | ReservationEvent::Requested { .. }
        | ReservationEvent::PaymentStarted { .. }
        | ReservationEvent::PaymentFailed { .. }
        | ReservationEvent::Confirmed { .. }
        | ReservationEvent::CancellationQuoted { .. }
        | ReservationEvent::Reinstated { .. } => None,
    }
}

/// Notes that a claim is left whose paper is over. A sold one stands until it is released, which
/// nobody does before; one that was only held can be gone already, and then has no document.
fn leave(
    documents: &mut Documents,
    [first, second]: [HoldId; 2],
    paper: &DueDocument,
    fact: &ReservationEvent,
    now: Timestamp,
) -> Result<(), FoldError> {
    let key = hold_key(if paper.reinstated { second } else { first });
    let sold = matches!(fact, ReservationEvent::Cancelled { .. });
    let known: Option<DueDocument> = documents.find(&key)?;
    let left = known.or_else(|| sold.then(|| DueDocument::of(paper.reservation_id)));
    let left = left.and_then(|mut claim| {
        claim.open(Deadline::Left, now);
        claim.judged()
    });
    documents.set(&key, left.map(|claim| Document::of(&claim)).transpose()?);
    Ok(())
}

impl Projector for DueView {
    fn name(&self) -> &'static str {
        DUE
    }

    fn version(&self) -> u32 {
        4
    }

    fn lane(&self) -> u16 {
        8
    }

    fn keys(&self, event: &Recorded) -> Vec<Key> {
        let claims = claims_over(event).into_iter().flatten().map(hold_key);
        key_of(event).into_iter().chain(claims).collect()
    }

    fn fold(&self, event: &Recorded, documents: &mut Documents) -> Result<(), FoldError> {
        let Some(key) = key_of(event) else { return Ok(()) };
        let known: Option<DueDocument> = documents.find(&key)?;
        let now = event.metadata.accepted_at;
        let after = match &event.event {
            Event::Calendar(fact) => claim(known, &claim_fact(fact)),
            Event::Session(fact) => claim(known, &seats_fact(fact)),
            Event::Reservation(fact) => {
                let id = ReservationId::from_uuid(event.stream.id());
                let mut due = known.unwrap_or(DueDocument::of(id));
                if let Some(claims) = claims_over(event) {
                    leave(documents, claims, &due, fact, now)?;
                }
                due.paper(fact, now);
                Some(due)
            }
            Event::Payment(fact) => {
                let mut due = known.unwrap_or(DueDocument::of(reservation_of(fact)));
                due.payment(fact, now);
                Some(due)
            }
            Event::Resource(_) | Event::Offering(_) => known,
        };
        let after = after.and_then(DueDocument::judged);
        documents.set(&key, after.map(|due| Document::of(&due)).transpose()?);
        Ok(())
    }

    fn indexes(&self, _key: &Key, document: &Document) -> Result<Indexes, FoldError> {
        let due_at = document.read::<DueDocument>()?.due_at;
        Ok(if due_at == NEVER { Indexes::default() } else { Indexes::at(due_at) })
    }

    fn announce(
        &self,
        _event: &Recorded,
        _before: &Documents,
        _after: &Documents,
    ) -> Result<Vec<Announcement>, FoldError> {
        Ok(vec![])
    }
}

/// What happened to a claim, whatever it claims.
enum Claim {
    Placed(ReservationId, Timestamp),
    Pinned(Timestamp),
    Unpinned,
    Settled,
}

fn claim_fact(fact: &CalendarEvent) -> Claim {
    match fact {
        CalendarEvent::HoldPlaced { reservation, expires_at, .. } => {
            Claim::Placed(*reservation, *expires_at)
        }
        CalendarEvent::HoldPinned { pinned_until, .. } => Claim::Pinned(*pinned_until),
        CalendarEvent::HoldUnpinned { .. } => Claim::Unpinned,
        CalendarEvent::HoldConverted { .. }
        | CalendarEvent::HoldReleased { .. }
        | CalendarEvent::HoldExpired { .. }
        | CalendarEvent::TimeBlocked { .. } => Claim::Settled,
    }
}

fn seats_fact(fact: &SessionEvent) -> Claim {
    match fact {
        SessionEvent::SeatsHeld { reservation, expires_at, .. } => {
            Claim::Placed(*reservation, *expires_at)
        }
        SessionEvent::SeatsPinned { pinned_until, .. } => Claim::Pinned(*pinned_until),
        SessionEvent::SeatsUnpinned { .. } => Claim::Unpinned,
        SessionEvent::SeatsConfirmed { .. }
        | SessionEvent::SeatsReleased { .. }
        | SessionEvent::SeatsExpired { .. }
        | SessionEvent::Scheduled { .. } => Claim::Settled,
    }
}

fn claim(known: Option<DueDocument>, fact: &Claim) -> Option<DueDocument> {
    match *fact {
        Claim::Placed(reservation, expires_at) => {
            let mut due = DueDocument::of(reservation);
            due.open(Deadline::Hold, expires_at);
            Some(due)
        }
        Claim::Pinned(until) => known.map(|mut due| {
            due.open(Deadline::Pin, until);
            due
        }),
        Claim::Unpinned => known.map(|mut due| {
            due.close(Deadline::Pin);
            due
        }),
        Claim::Settled => None,
    }
}

impl DueDocument {
    const fn of(reservation_id: ReservationId) -> Self {
        Self {
            reservation_id,
            due_at: NEVER,
            open: BTreeMap::new(),
            in_flight: false,
            reinstated: false,
        }
    }

    fn open(&mut self, deadline: Deadline, at: Timestamp) {
        self.open.insert(deadline, at);
    }

    fn close(&mut self, deadline: Deadline) {
        self.open.remove(&deadline);
    }

    fn close_all(&mut self, deadlines: &[Deadline]) {
        for deadline in deadlines {
            self.close(*deadline);
        }
    }

    /// The earliest deadline that counts; none at all when nothing is due or remembered. While a claim is pinned,
    /// or the provider of payments is being asked, the hold's own deadline does not count.
    fn judged(mut self) -> Option<Self> {
        let suspended =
            self.open.contains_key(&Deadline::Pin) || self.open.contains_key(&Deadline::Capture);
        let counting =
            self.open.iter().filter(|(deadline, _)| !(suspended && **deadline == Deadline::Hold));
        let first = counting.map(|(_, at)| *at).min();
        self.due_at = first.or(self.reinstated.then_some(NEVER))?;
        Some(self)
    }

    fn paper(&mut self, fact: &ReservationEvent, now: Timestamp) {
        match fact {
            ReservationEvent::Requested { hold_expires_at, .. } => {
                self.open(Deadline::Hold, *hold_expires_at);
            }
            ReservationEvent::PaymentStarted { .. } => self.in_flight = true,
            ReservationEvent::PaymentFailed { .. } => {
                self.in_flight = false;
                self.close(Deadline::Declined);
            }
            ReservationEvent::Confirmed { .. } => {
                self.in_flight = false;
                self.close_all(&[Deadline::Hold, Deadline::Declined, Deadline::Captured]);
            }
            ReservationEvent::Expired {} | ReservationEvent::Abandoned { .. } => {
                self.in_flight = false;
                self.close_all(&[Deadline::Hold, Deadline::Declined]);
            }
            ReservationEvent::Cancelled { refund, .. } => {
                self.reinstated = false;
                if !refund.amount.is_zero() {
                    self.open(Deadline::Owed, now);
                }
            }
            ReservationEvent::Reinstated { .. } => self.reinstated = true,
            ReservationEvent::CancellationQuoted { .. } => {}
        }
    }

    fn payment(&mut self, fact: &PaymentEvent, now: Timestamp) {
        match fact {
            PaymentEvent::Initiated { .. } => {}
            PaymentEvent::ConfirmStarted { inline_until, .. } => {
                self.open(Deadline::Capture, *inline_until);
            }
            PaymentEvent::OutcomeUnknown { next_try_at, .. } => {
                self.open(Deadline::Capture, *next_try_at);
            }
            PaymentEvent::Captured { .. } => {
                self.close_all(&[Deadline::Capture, Deadline::Declined]);
                self.open(Deadline::Captured, now);
            }
            PaymentEvent::Declined { .. } => {
                self.close(Deadline::Capture);
                if self.in_flight {
                    self.open(Deadline::Declined, now);
                }
            }
            // A person has to look. The paper stays due: its seat is let go when the pin lapses,
            // also when somebody else's placement writes that down first.
            PaymentEvent::ReviewRequired { .. } => self.close(Deadline::Capture),
            PaymentEvent::ReviewResolved { decision, .. } => match decision {
                ReviewDecision::Accept => self.open(Deadline::Captured, now),
                ReviewDecision::Return if self.in_flight => self.open(Deadline::Declined, now),
                ReviewDecision::Return => {}
            },
            PaymentEvent::RefundRequested { refund, inline_until, .. } => {
                self.close_all(&[Deadline::Captured, Deadline::Owed]);
                self.open(Deadline::Refund(*refund), *inline_until);
            }
            PaymentEvent::RefundOutcomeUnknown { refund, next_try_at, .. } => {
                self.open(Deadline::Refund(*refund), *next_try_at);
            }
            PaymentEvent::RefundSucceeded { refund, .. }
            | PaymentEvent::RefundRefused { refund, .. } => {
                self.close(Deadline::Refund(*refund));
            }
        }
    }
}
