//! A calendar under random commands, with time passing: what it takes at any instant fits its
//! capacity (C1), a hold resolves once (C2), overdue holds are written off by whoever replaces them
//! (C5), what is refused would really not have fitted, and history gives the same state again.

use std::collections::{BTreeMap, BTreeSet};

use holdfast_domain::booking::calendar::{
    Calendar, CalendarCommand, CalendarEvent, CalendarRefusal, Holder,
};
use holdfast_domain::booking::hold::{ClaimCommand, ClaimRefusal, Phase};
use holdfast_domain::decider::{Decider, replay};
use holdfast_domain::event::Event;
use holdfast_domain::ids::{HoldId, ReservationId, SessionId};
use holdfast_domain::time::{Interval, Timestamp, minutes};
use proptest::prelude::*;
use uuid::Uuid;

use crate::harness::{Verdict, assert_caught, assert_law, ensure, stored};

/// One command, after some minutes.
#[derive(Debug, Clone)]
struct Step {
    wait: u32,
    ask: Ask,
}

#[derive(Debug, Clone)]
enum Ask {
    Place { start: u32, length: u32, before: u32, after: u32, weight: u32, lasts: u32 },
    Block { start: u32, length: u32 },
    Pin { which: usize, lasts: u32 },
    Unpin { which: usize },
    Convert { which: usize },
    Release { which: usize },
    Expire { which: usize },
}

/// The minutes in which claims start; so few that most meet others.
const CONTESTED: u32 = 60;

#[derive(Debug, Clone)]
struct History {
    capacity: u32,
    steps: Vec<Step>,
}

fn histories() -> impl Strategy<Value = History> {
    let which = 0_usize..40;
    let place = (0..CONTESTED, 1_u32..30, 0_u32..4, 0_u32..4, 1_u32..3, 1_u32..20).prop_map(
        |(start, length, before, after, weight, lasts)| Ask::Place {
            start,
            length,
            before,
            after,
            weight,
            lasts,
        },
    );
    let ask = prop_oneof![
        6 => place,
        1 => (0..CONTESTED, 1_u32..20).prop_map(|(start, length)| Ask::Block { start, length }),
        3 => (which.clone(), 1_u32..20).prop_map(|(which, lasts)| Ask::Pin { which, lasts }),
        1 => which.clone().prop_map(|which| Ask::Unpin { which }),
        3 => which.clone().prop_map(|which| Ask::Convert { which }),
        2 => which.clone().prop_map(|which| Ask::Release { which }),
        2 => which.prop_map(|which| Ask::Expire { which }),
    ];
    let step = (0_u32..4, ask).prop_map(|(wait, ask)| Step { wait, ask });
    (1_u32..4, prop::collection::vec(step, 1..40))
        .prop_map(|(capacity, steps)| History { capacity, steps })
}

fn opening() -> Timestamp {
    "2026-03-08T06:00:00Z".parse().unwrap()
}

fn hold_id(number: usize) -> HoldId {
    HoldId::from_uuid(Uuid::from_u128(u128::try_from(number).unwrap().saturating_add(1)))
}

fn command(ask: &Ask, capacity: u32, now: Timestamp, fresh: usize) -> CalendarCommand {
    let span = |start: u32, length: u32| {
        // Beyond any buffer, so that nothing is cut off at the first instant there is.
        let start = opening().plus(minutes(start));
        Interval::try_new(start, start.plus(minutes(length))).unwrap()
    };
    let claim = |which: usize, command| {
        CalendarCommand::Claim(hold_id(which.checked_rem(fresh).unwrap_or(0)), command)
    };
    match *ask {
        Ask::Place { start, length, before, after, weight, lasts } => {
            let booked = span(start, length);
            CalendarCommand::Place {
                hold: hold_id(fresh),
                reservation: ReservationId::from_uuid(*hold_id(fresh).as_uuid()),
                booked,
                blocks: booked.widened(minutes(before), minutes(after)),
                weight,
                capacity,
                expires_at: now.plus(minutes(lasts)),
                now,
            }
        }
        Ask::Block { start, length } => CalendarCommand::Block {
            hold: hold_id(fresh),
            session: SessionId::from_uuid(*hold_id(fresh).as_uuid()),
            blocks: span(start, length),
            capacity,
            now,
        },
        Ask::Pin { which, lasts } => {
            claim(which, ClaimCommand::Pin { until: now.plus(minutes(lasts)), now })
        }
        Ask::Unpin { which } => claim(which, ClaimCommand::Unpin),
        Ask::Convert { which } => claim(which, ClaimCommand::Convert { now }),
        Ask::Release { which } => claim(which, ClaimCommand::Release),
        Ask::Expire { which } => claim(which, ClaimCommand::Expire { now }),
    }
}

/// What the events say about one claim.
#[derive(Debug, Clone, Copy)]
struct Known {
    blocks: Interval,
    weight: u32,
    /// First instant at which it is over; `None` is never.
    ends: Option<Timestamp>,
    deadline: Timestamp,
}

/// The checker's own account.
#[derive(Debug, Default)]
struct Account {
    open: BTreeMap<HoldId, Known>,
    placed: BTreeSet<HoldId>,
    /// The instant of the last command.
    now: Option<Timestamp>,
}

impl Account {
    fn is_live(&self, known: &Known) -> bool {
        known.ends.is_none_or(|ends| self.now.is_some_and(|now| now < ends))
    }

    fn live(&self) -> impl Iterator<Item = &Known> {
        self.open.values().filter(|known| self.is_live(known))
    }

    /// The most that is taken in any minute of `within`; every bound is a whole minute.
    fn load(&self, within: Interval) -> u32 {
        let every_minute = std::iter::successors(Some(within.start()), |at| {
            Some(at.plus(minutes(1))).filter(|next| *next < within.end())
        });
        let taken_at = |at: Timestamp| {
            let covers = |known: &&Known| known.blocks.start() <= at && known.blocks.end() > at;
            self.live().filter(covers).fold(0_u32, |sum, known| sum.saturating_add(known.weight))
        };
        every_minute.map(taken_at).max().unwrap_or(0)
    }

    fn take_in(&mut self, event: &CalendarEvent) -> Verdict {
        let live = |account: &Self, hold: &HoldId| {
            account.open.get(hold).is_some_and(|known| account.is_live(known))
        };
        match event {
            CalendarEvent::HoldPlaced { hold, blocks, weight, expires_at, .. } => {
                let ends = Some(*expires_at);
                self.open_claim(
                    *hold,
                    Known { blocks: *blocks, weight: *weight, ends, deadline: *expires_at },
                )
            }
            CalendarEvent::TimeBlocked { hold, blocks, weight, .. } => {
                let (blocks, weight, deadline) = (*blocks, *weight, Timestamp::MAX);
                self.open_claim(*hold, Known { blocks, weight, ends: None, deadline })
            }
            CalendarEvent::HoldPinned { hold, pinned_until } => {
                ensure(live(self, hold), || format!("{hold} pinned, though over"))?;
                self.set_end(*hold, Some(*pinned_until))
            }
            CalendarEvent::HoldUnpinned { hold } => {
                let deadline = self.open.get(hold).map(|known| known.deadline);
                self.set_end(*hold, deadline)
            }
            CalendarEvent::HoldConverted { hold } => {
                ensure(live(self, hold), || format!("{hold} sold, though over"))?;
                self.set_end(*hold, None)
            }
            CalendarEvent::HoldReleased { hold } => self.resolve(*hold),
            CalendarEvent::HoldExpired { hold } => {
                ensure(!live(self, hold), || format!("{hold} expired, though running"))?;
                self.resolve(*hold)
            }
        }
    }

    fn open_claim(&mut self, hold: HoldId, known: Known) -> Verdict {
        ensure(self.placed.insert(hold), || format!("{hold} was used twice"))?;
        let overdue = self
            .open
            .iter()
            .find(|(_, other)| !self.is_live(other) && overlap(other.blocks, known.blocks));
        let replaced = overdue.map(|(overdue, _)| *overdue);
        ensure(replaced.is_none(), || format!("{hold} replaces {replaced:?} silently"))?;
        self.open.insert(hold, known);
        Ok(())
    }

    fn set_end(&mut self, hold: HoldId, ends: Option<Timestamp>) -> Verdict {
        let known = self.open.get_mut(&hold).ok_or_else(|| format!("{hold} is not open"))?;
        known.ends = ends;
        Ok(())
    }

    fn resolve(&mut self, hold: HoldId) -> Verdict {
        let gone = self.open.remove(&hold);
        ensure(gone.is_some(), || format!("{hold} resolved, though not open"))
    }

    /// C1, and for a person or a single room: no two at once.
    fn check(&self, capacity: u32) -> Verdict {
        let whole = |known: &Known| self.load(known.blocks) <= capacity;
        ensure(self.live().all(whole), || "more is taken than there is".to_owned())?;
        let pairs = self.live().enumerate().flat_map(|(place, one)| {
            self.live().skip(place.saturating_add(1)).map(move |other| (one, other))
        });
        let apart = |(one, other): (&Known, &Known)| !overlap(one.blocks, other.blocks);
        ensure(capacity > 1 || pairs.into_iter().all(apart), || "two at once".to_owned())
    }

    /// Whether the answer to `command` is the one that this account would give.
    fn agrees(&self, command: &CalendarCommand, refusal: Option<CalendarRefusal>) -> Verdict {
        let wanted = match *command {
            CalendarCommand::Place { blocks, weight, capacity, .. } => {
                Some((blocks, weight, capacity))
            }
            CalendarCommand::Block { blocks, capacity, .. } => Some((blocks, capacity, capacity)),
            CalendarCommand::Claim(..) => None,
        };
        let right = match (refusal, wanted) {
            (None, Some((blocks, weight, capacity))) => {
                self.load(blocks).saturating_add(weight) <= capacity
            }
            (Some(CalendarRefusal::SlotTaken), Some((blocks, weight, capacity))) => {
                self.load(blocks).saturating_add(weight) > capacity
            }
            (Some(CalendarRefusal::Claim(refusal)), None) => self.explains(refusal),
            (None, None) => true,
            (Some(_), _) => false,
        };
        ensure(right, || format!("{command:?} was answered {refusal:?}"))
    }

    fn explains(&self, refusal: ClaimRefusal) -> bool {
        match refusal {
            // A class's block is not a claim that can be pinned or sold.
            ClaimRefusal::Gone(hold) => {
                self.open.get(&hold).is_none_or(|it| it.deadline == Timestamp::MAX)
            }
            ClaimRefusal::Expired(hold) => self.open.get(&hold).is_some_and(|it| !self.is_live(it)),
            ClaimRefusal::StillRunning(hold) => {
                self.open.get(&hold).is_some_and(|it| self.is_live(it))
            }
        }
    }
}

fn overlap(one: Interval, other: Interval) -> bool {
    one.start().max(other.start()) < one.end().min(other.end())
}

type Decision = Result<Vec<CalendarEvent>, CalendarRefusal>;

/// Plays a history through `decide` and the real `evolve`, and checks every prefix.
fn law(history: &History, decide: impl Fn(&Calendar, &CalendarCommand) -> Decision) -> Verdict {
    let (mut calendar, mut account, mut log) = (Calendar::default(), Account::default(), vec![]);
    let mut now = opening();
    for Step { wait, ask } in &history.steps {
        now = now.plus(minutes(*wait));
        account.now = Some(now);
        account.check(history.capacity)?;
        let command = command(ask, history.capacity, now, account.placed.len());
        let decision = decide(&calendar, &command);
        account.agrees(&command, decision.as_ref().err().copied())?;
        for event in decision.unwrap_or_default() {
            account.take_in(&event)?;
            calendar = calendar.evolve(&event);
            log.push(event);
        }
        account.check(history.capacity)?;
        let known: Vec<_> = calendar.allocations().map(|(hold, _)| hold).collect();
        ensure(known.iter().eq(account.open.keys()), || format!("knows {known:?}"))?;
    }
    for event in log.iter().cloned().map(Event::Calendar) {
        ensure(stored(&event) == event, || format!("{event:?} is stored differently"))?;
    }
    let again: Calendar = replay(&log);
    ensure(again == calendar, || "history gives another state".to_owned())
}

#[test]
fn a_calendar_keeps_its_promises_at_every_prefix() {
    assert_law(&histories(), |history| law(&history, Calendar::decide));
}

#[test]
fn histories_reach_every_kind_of_event() {
    let seen = std::cell::RefCell::new(BTreeSet::new());
    assert_law(&histories(), |history| {
        law(&history, |calendar, command| {
            let decision = calendar.decide(command);
            let names = decision.iter().flatten().map(|event| event.kind().0);
            seen.borrow_mut().extend(names);
            decision
        })
    });
    let all: BTreeSet<_> = CalendarEvent::DEFINITIONS.iter().map(|it| it.name).collect();
    assert_eq!(seen.into_inner(), all);
}

/// Judges a place as if it wanted other bounds.
fn judged_by(
    calendar: &Calendar,
    command: &CalendarCommand,
    bounds: impl Fn(Interval, Interval) -> Interval,
) -> Decision {
    let CalendarCommand::Place { booked, blocks, .. } = *command else {
        return calendar.decide(command);
    };
    let mut bent = *command;
    if let CalendarCommand::Place { blocks, .. } = &mut bent {
        *blocks = bounds(booked, *blocks);
    }
    let mut events = calendar.decide(&bent)?;
    if let Some(CalendarEvent::HoldPlaced { blocks: written, .. }) = events.last_mut() {
        *written = blocks;
    }
    Ok(events)
}

#[test]
fn closed_intervals_are_noticed() {
    let hair = std::time::Duration::from_micros(1);
    assert_caught("closed intervals", &histories(), |history| {
        law(&history, |calendar, command| {
            judged_by(calendar, command, |_booked, blocks| blocks.widened(hair, hair))
        })
    });
}

#[test]
fn forgotten_buffers_are_noticed() {
    assert_caught("buffers are forgotten", &histories(), |history| {
        law(&history, |calendar, command| judged_by(calendar, command, |booked, _blocks| booked))
    });
}

#[test]
fn forgotten_pins_are_noticed() {
    assert_caught("pins are forgotten", &histories(), |history| {
        law(&history, |calendar, command| {
            let pinned = |holder: &Holder| match holder {
                Holder::Reservation(claim) => matches!(claim.phase, Phase::Pinned { .. }),
                Holder::Session(_) => false,
            };
            let forgetful = calendar
                .allocations()
                .filter(|(_, allocation)| pinned(&allocation.holder))
                .map(|(hold, _)| CalendarEvent::HoldUnpinned { hold })
                .fold(calendar.clone(), |calendar, event| calendar.evolve(&event));
            forgetful.decide(command)
        })
    });
}

#[test]
fn a_sale_after_the_deadline_is_noticed() {
    assert_caught("deadlines are forgotten at the sale", &histories(), |history| {
        law(&history, |calendar, command| {
            if let CalendarCommand::Claim(hold, ClaimCommand::Convert { .. }) = *command
                && calendar.claim(hold).is_some()
            {
                return Ok(vec![CalendarEvent::HoldConverted { hold }]);
            }
            calendar.decide(command)
        })
    });
}

#[test]
fn an_expiry_that_is_not_written_is_noticed() {
    assert_caught("overdue holds are replaced silently", &histories(), |history| {
        law(&history, |calendar, command| {
            let mut events = calendar.decide(command)?;
            if matches!(command, CalendarCommand::Place { .. }) {
                events.retain(|event| !matches!(event, CalendarEvent::HoldExpired { .. }));
            }
            Ok(events)
        })
    });
}

#[test]
fn a_second_release_is_noticed() {
    assert_caught("a hold is released twice", &histories(), |history| {
        law(&history, |calendar, command| {
            if let CalendarCommand::Claim(hold, ClaimCommand::Release) = *command {
                return Ok(vec![CalendarEvent::HoldReleased { hold }]);
            }
            calendar.decide(command)
        })
    });
}

fn place(hold: usize, start: u32, now: Timestamp) -> CalendarCommand {
    let ask = Ask::Place { start, length: 20, before: 0, after: 0, weight: 1, lasts: 10 };
    command(&ask, 1, now, hold)
}

#[test]
fn a_hold_that_is_placed_again_lets_go_of_nothing() {
    let (now, late) = (opening(), opening().plus(minutes(10)));
    let events = Calendar::default().decide(&place(1, 0, now)).unwrap();
    let calendar: Calendar = replay(&events);
    assert_eq!(calendar.decide(&place(1, 0, now)), Ok(vec![]), "it is already so");
    assert_eq!(calendar.decide(&place(1, 30, now)), Err(CalendarRefusal::SlotTaken));
    let over = CalendarRefusal::Claim(ClaimRefusal::Expired(hold_id(1)));
    assert_eq!(calendar.decide(&place(1, 0, late)), Err(over), "an id is used once");
}
