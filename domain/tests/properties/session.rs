//! The seats of a class under random commands, with time passing: what is held, pinned and sold
//! never exceeds its capacity (S1), nothing is held after booking closed or the class began (S5), a
//! hold resolves once, what is refused would really not have fitted, and history gives the same state again.

use std::collections::{BTreeMap, BTreeSet};

use holdfast_domain::booking::hold::{ClaimCommand, ClaimRefusal, Phase};
use holdfast_domain::booking::session::{
    Schedule, Session, SessionCommand, SessionEvent, SessionRefusal,
};
use holdfast_domain::decider::{Decider, replay};
use holdfast_domain::event::Event;
use holdfast_domain::ids::{HoldId, OfferingId, ReservationId, ResourceId};
use holdfast_domain::time::zone::Zone;
use holdfast_domain::time::{Interval, Timestamp, minutes};
use proptest::prelude::*;
use uuid::Uuid;

use crate::harness::{Verdict, assert_caught, assert_law, ensure, stored};

#[derive(Debug, Clone)]
enum Ask {
    Place { seats: u32, lasts: u32, late: bool },
    Claim { which: usize, command: Claimed },
}

#[derive(Debug, Clone, Copy)]
enum Claimed {
    Pin { lasts: u32 },
    Unpin,
    Convert,
    Release,
    Expire,
}

#[derive(Debug, Clone)]
struct History {
    capacity: Option<u32>,
    /// After how many minutes booking closes.
    closes: u32,
    /// How many minutes later it starts.
    starts: u32,
    /// Each after some minutes.
    steps: Vec<(u32, Ask)>,
}

fn histories() -> impl Strategy<Value = History> {
    let place = (0_u32..5, 1_u32..20, prop::bool::weighted(0.2))
        .prop_map(|(seats, lasts, late)| Ask::Place { seats, lasts, late });
    let claimed = prop_oneof![
        3 => (1_u32..20).prop_map(|lasts| Claimed::Pin { lasts }),
        1 => Just(Claimed::Unpin),
        3 => Just(Claimed::Convert),
        2 => Just(Claimed::Release),
        2 => Just(Claimed::Expire),
    ];
    let claim = (0_usize..40, claimed).prop_map(|(which, command)| Ask::Claim { which, command });
    let step = (0_u32..4, prop_oneof![place, claim]);
    let capacity = prop::option::weighted(0.9, 1_u32..12);
    (capacity, 10_u32..80, 0_u32..10, prop::collection::vec(step, 1..40))
        .prop_map(|(capacity, closes, starts, steps)| History { capacity, closes, starts, steps })
}

fn opening() -> Timestamp {
    "2026-03-08T06:00:00Z".parse().unwrap()
}

fn hold_id(number: usize) -> HoldId {
    HoldId::from_uuid(Uuid::from_u128(u128::try_from(number).unwrap().saturating_add(1)))
}

fn plan(history: &History) -> Schedule {
    let closes = opening().plus(minutes(history.closes));
    let start = closes.plus(minutes(history.starts));
    Schedule {
        offering: OfferingId::from_uuid(Uuid::from_u128(1)),
        resource: ResourceId::from_uuid(Uuid::from_u128(2)),
        block: hold_id(1_000),
        starts: Zone::utc().intent(start),
        held: Interval::try_new(start, start.plus(minutes(90))).unwrap(),
        capacity: history.capacity,
        min_capacity: None,
        booking_closes_at: closes,
    }
}

fn command(ask: &Ask, now: Timestamp, fresh: usize) -> SessionCommand {
    match *ask {
        Ask::Place { seats, lasts, late } => SessionCommand::Place {
            hold: hold_id(fresh),
            reservation: ReservationId::from_uuid(*hold_id(fresh).as_uuid()),
            seats,
            expires_at: now.plus(minutes(lasts)),
            now,
            after_deadline: late,
        },
        Ask::Claim { which, command } => {
            let command = match command {
                Claimed::Pin { lasts } => {
                    ClaimCommand::Pin { until: now.plus(minutes(lasts)), now }
                }
                Claimed::Unpin => ClaimCommand::Unpin,
                Claimed::Convert => ClaimCommand::Convert { now },
                Claimed::Release => ClaimCommand::Release,
                Claimed::Expire => ClaimCommand::Expire { now },
            };
            SessionCommand::Claim(hold_id(which.checked_rem(fresh).unwrap_or(0)), command)
        }
    }
}

/// The checker's own account: seats, deadline, and when the claim ends (`None` is never).
#[derive(Debug)]
struct Account {
    open: BTreeMap<HoldId, (u32, Timestamp, Option<Timestamp>)>,
    placed: BTreeSet<HoldId>,
    capacity: Option<u32>,
    closes_at: Timestamp,
    starts_at: Timestamp,
    now: Timestamp,
}

impl Account {
    fn is_live(&self, hold: HoldId) -> bool {
        self.open.get(&hold).is_some_and(|(_, _, ends)| ends.is_none_or(|ends| self.now < ends))
    }

    fn taken(&self) -> u32 {
        let live = self.open.iter().filter(|(hold, _)| self.is_live(**hold));
        live.fold(0, |sum, (_, (seats, _, _))| sum.saturating_add(*seats))
    }

    fn is_open(&self) -> bool {
        self.now <= self.closes_at && self.now < self.starts_at
    }

    fn fits(&self, more: u32) -> bool {
        self.capacity.is_none_or(|capacity| self.taken().saturating_add(more) <= capacity)
    }

    fn take_in(&mut self, event: &SessionEvent) -> Verdict {
        let alive = |account: &Self, hold: HoldId| {
            ensure(account.is_live(hold), || format!("{hold} is over"))
        };
        match event {
            SessionEvent::Scheduled { .. } => Err("scheduled again".to_owned()),
            SessionEvent::SeatsHeld { hold, seats, expires_at, .. } => {
                let fresh = self.placed.insert(*hold);
                ensure(fresh, || format!("{hold} was used twice"))?;
                let overdue = self.open.keys().find(|other| !self.is_live(**other));
                ensure(overdue.is_none(), || format!("{overdue:?} is replaced silently"))?;
                self.open.insert(*hold, (*seats, *expires_at, Some(*expires_at)));
                Ok(())
            }
            SessionEvent::SeatsPinned { hold, pinned_until } => {
                alive(self, *hold)?;
                self.set_end(*hold, |_| Some(*pinned_until))
            }
            SessionEvent::SeatsUnpinned { hold } => self.set_end(*hold, Some),
            SessionEvent::SeatsConfirmed { hold } => {
                alive(self, *hold)?;
                self.set_end(*hold, |_| None)
            }
            SessionEvent::SeatsReleased { hold } => self.resolve(*hold),
            SessionEvent::SeatsExpired { hold } => {
                ensure(!self.is_live(*hold), || format!("{hold} expired, though running"))?;
                self.resolve(*hold)
            }
        }
    }

    fn set_end(
        &mut self,
        hold: HoldId,
        ends: impl FnOnce(Timestamp) -> Option<Timestamp>,
    ) -> Verdict {
        let known = self.open.get_mut(&hold).ok_or_else(|| format!("{hold} is not open"))?;
        known.2 = ends(known.1);
        Ok(())
    }

    fn resolve(&mut self, hold: HoldId) -> Verdict {
        let gone = self.open.remove(&hold);
        ensure(gone.is_some(), || format!("{hold} resolved, though not open"))
    }

    /// Whether the answer to `command` is the one that this account would give.
    fn agrees(&self, command: &SessionCommand, refusal: Option<SessionRefusal>) -> Verdict {
        let right = match (command, refusal) {
            (SessionCommand::Place { seats, after_deadline, .. }, None) => {
                let in_time = self.is_open() || *after_deadline;
                *seats > 0 && in_time && self.fits(*seats)
            }
            (SessionCommand::Place { seats, .. }, Some(SessionRefusal::InvalidPartySize)) => {
                *seats == 0
            }
            (
                SessionCommand::Place { after_deadline, .. },
                Some(SessionRefusal::BookingClosed { .. }),
            ) => !self.is_open() && !after_deadline,
            (
                SessionCommand::Place { seats, .. },
                Some(SessionRefusal::CapacityExceeded { left }),
            ) => {
                let all = self.capacity.unwrap_or(u32::MAX);
                !self.fits(*seats) && left == all.saturating_sub(self.taken())
            }
            (SessionCommand::Claim(..), Some(SessionRefusal::Claim(refusal))) => match refusal {
                ClaimRefusal::Gone(hold) => !self.open.contains_key(&hold),
                ClaimRefusal::Expired(hold) => self.open.contains_key(&hold) && !self.is_live(hold),
                ClaimRefusal::StillRunning(hold) => self.is_live(hold),
            },
            (SessionCommand::Claim(..), None) => true,
            (_, _) => false,
        };
        ensure(right, || format!("{command:?} was answered {refusal:?}"))
    }
}

type Decision = Result<Vec<SessionEvent>, SessionRefusal>;

/// Plays a history through `decide` and the real `evolve`, and checks every prefix.
fn law(history: &History, decide: impl Fn(&Session, &SessionCommand) -> Decision) -> Verdict {
    let plan = plan(history);
    let mut account = Account {
        open: BTreeMap::new(),
        placed: BTreeSet::new(),
        capacity: history.capacity,
        closes_at: plan.booking_closes_at,
        starts_at: plan.held.start(),
        now: opening(),
    };
    let mut log = Session::default().decide(&SessionCommand::Schedule(plan)).unwrap();
    let mut session: Session = replay(&log);
    for (wait, ask) in &history.steps {
        account.now = account.now.plus(minutes(*wait));
        let command = command(ask, account.now, account.placed.len());
        let decision = decide(&session, &command);
        account.agrees(&command, decision.as_ref().err().copied())?;
        for event in decision.unwrap_or_default() {
            account.take_in(&event)?;
            session = session.evolve(&event);
            log.push(event);
        }
        ensure(account.fits(0), || "more seats are taken than there are".to_owned())?;
        let taken = session.seats().unwrap().taken(account.now);
        ensure(taken == account.taken(), || format!("counts {taken}"))?;
    }
    for event in log.iter().cloned().map(Event::Session) {
        ensure(stored(&event) == event, || format!("{event:?} is stored differently"))?;
    }
    let again: Session = replay(&log);
    ensure(again == session, || "history gives another state".to_owned())
}

#[test]
fn a_class_keeps_its_promises_at_every_prefix() {
    assert_law(&histories(), |history| law(&history, Session::decide));
}

#[test]
fn histories_reach_every_kind_of_event() {
    let seen = std::cell::RefCell::new(BTreeSet::from(["scheduled"]));
    assert_law(&histories(), |history| {
        law(&history, |session, command| {
            let decision = session.decide(command);
            seen.borrow_mut().extend(decision.iter().flatten().map(|event| event.kind().0));
            decision
        })
    });
    let all: BTreeSet<_> = SessionEvent::DEFINITIONS.iter().map(|it| it.name).collect();
    assert_eq!(seen.into_inner(), all);
}

/// The class without the seats that are in one of these phases.
fn without(session: &Session, forgotten: impl Fn(Phase) -> bool) -> Session {
    let seats = session.seats().unwrap();
    seats
        .claims()
        .filter(|(_, (claim, _))| forgotten(claim.phase))
        .map(|(hold, _)| SessionEvent::SeatsReleased { hold })
        .fold(session.clone(), |session, event| session.evolve(&event))
}

fn judged_without(
    session: &Session,
    command: &SessionCommand,
    forgotten: impl Fn(Phase) -> bool,
) -> Decision {
    let places = matches!(command, SessionCommand::Place { .. });
    if places { without(session, forgotten).decide(command) } else { session.decide(command) }
}

#[test]
fn seats_that_are_only_held_or_pinned_count() {
    assert_caught("held seats are forgotten", &histories(), |history| {
        law(&history, |session, command| {
            judged_without(session, command, |phase| phase == Phase::Held)
        })
    });
    assert_caught("pinned seats are forgotten", &histories(), |history| {
        law(&history, |session, command| {
            judged_without(session, command, |phase| matches!(phase, Phase::Pinned { .. }))
        })
    });
}

#[test]
fn a_booking_after_the_deadline_is_noticed() {
    assert_caught("the deadline for booking is forgotten", &histories(), |history| {
        law(&history, |session, command| {
            let mut bent = command.clone();
            if let SessionCommand::Place { after_deadline, .. } = &mut bent {
                *after_deadline = true;
            }
            session.decide(&bent)
        })
    });
}

#[test]
fn a_booking_at_the_start_is_noticed() {
    assert_caught("only the deadline for booking counts", &histories(), |history| {
        law(&history, |session, command| {
            let closes_at = session.seats().unwrap().plan.booking_closes_at;
            let mut bent = command.clone();
            if let SessionCommand::Place { after_deadline, now, .. } = &mut bent {
                *after_deadline |= *now <= closes_at;
            }
            session.decide(&bent)
        })
    });
}

#[test]
fn a_seat_too_few_is_noticed() {
    assert_caught("the last seat is never sold", &histories(), |history| {
        law(&history, |session, command| {
            let mut bent = command.clone();
            if let SessionCommand::Place { seats, .. } = &mut bent {
                *seats = seats.saturating_add(u32::from(*seats > 0));
            }
            let decision = session.decide(&bent);
            if decision.is_ok() { session.decide(command) } else { decision }
        })
    });
}

#[test]
fn a_second_release_is_noticed() {
    assert_caught("a hold is released twice", &histories(), |history| {
        law(&history, |session, command| {
            if let SessionCommand::Claim(hold, ClaimCommand::Release) = *command {
                return Ok(vec![SessionEvent::SeatsReleased { hold }]);
            }
            session.decide(command)
        })
    });
}

#[test]
fn a_hold_that_is_placed_again_lets_go_of_nothing() {
    let history = History { capacity: Some(4), closes: 60, starts: 10, steps: vec![] };
    let place = |seats, now| command(&Ask::Place { seats, lasts: 10, late: false }, now, 1);
    let (now, late) = (opening(), opening().plus(minutes(10)));
    let mut log = Session::default().decide(&SessionCommand::Schedule(plan(&history))).unwrap();
    log.extend(replay::<Session>(&log).decide(&place(3, now)).unwrap());
    let session: Session = replay(&log);
    assert_eq!(session.decide(&place(3, now)), Ok(vec![]), "it is already so");
    assert_eq!(session.decide(&place(1, now)), Err(SessionRefusal::CapacityExceeded { left: 1 }));
    let over = SessionRefusal::Claim(ClaimRefusal::Expired(hold_id(1)));
    assert_eq!(session.decide(&place(3, late)), Err(over), "an id is used once");
}
