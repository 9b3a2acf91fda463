//! The join against every order of events that a seeded generator finds: a writer appends, the hub
//! reads and tells, a subscriber registers, reads, takes and is now and then too slow. Real join,
//! real hub and real mailbox; only the store is a list. The wrong order, reading the store before
//! the registration, is planted to show that the search would find it.

use std::sync::Arc;
use std::time::Instant;

use holdfast_domain::log::Position;
use holdfast_domain::time::Timestamp;
use holdfast_projections::document::Key;
use holdfast_projections::ports::Change;
use holdfast_projections::topic::Topic;

use super::super::hub::{Hub, Registration};
use super::super::mailbox::{Mailbox, Room};
use super::*;
use crate::metrics::SocketMetrics;

/// So many changes a read finds at most.
const PAGE: usize = 3;
/// So many changes may wait for the subscriber.
const MAILBOX: Room = Room { changes: 6, bytes: 1 << 20 };
const HISTORY: u64 = 12;

/// A small generator (xorshift): the same seed, the same order of events.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.rem_euclid(sides)
    }
}

fn topic() -> Topic {
    Topic::Me("018f2a10-7c5e-7000-8000-000000000001".parse().unwrap())
}

fn change(position: u64) -> Change {
    Change {
        cursor: Cursor::of(Position(position), 1, 0),
        topics: vec![topic()],
        view: "reservations".to_owned(),
        key: Key::new(position),
        data: None,
        accepted_at: Timestamp::from_micros(0),
    }
}

/// What a read of the store began with, until it is judged.
enum Reading {
    Now(Cursor),
    Page(Vec<Cursor>, Cursor),
}

/// In which order a subscriber goes about it.
#[derive(Clone, Copy, PartialEq)]
enum Order {
    RegisterFirst,
    ReadFirst,
}

struct World {
    dice: Dice,
    hub: Arc<Hub>,
    registration: Registration,
    /// The store is a list of positions: the last one.
    stored: u64,
    /// Up to where the hub has read.
    told: u64,
    join: Join,
    reading: Option<Reading>,
    registered: bool,
    order: Order,
    /// What was heard since the subscriber last started.
    heard: Vec<u64>,
    /// Where that was.
    started: Option<u64>,
    resyncs: u32,
}

impl World {
    fn new(seed: u64, order: Order, from: Option<u64>) -> Self {
        let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        let hub = Arc::new(Hub::default());
        let mailbox = Arc::new(Mailbox::new(MAILBOX, SocketMetrics::default(), None));
        let registration = hub.register(mailbox);
        let stored = HISTORY.saturating_sub(dice.roll(4));
        let told = stored.saturating_sub(dice.roll(3));
        let join = match from {
            None => Join::fresh(),
            Some(position) => Join::after(Cursor::after(Position(position), 0)),
        };
        Self {
            dice,
            hub,
            registration,
            stored,
            told,
            join,
            reading: None,
            registered: false,
            order,
            heard: Vec::new(),
            started: from,
            resyncs: 0,
        }
    }

    fn now(&self) -> Cursor {
        Cursor::after(Position(self.stored), 0)
    }

    fn hub_reads(&mut self) {
        let until = self.stored.min(self.told.saturating_add(2));
        let page = (self.told.saturating_add(1)..=until).map(change).collect();
        self.told = until;
        self.hub.tell(page);
    }

    fn register(&mut self) {
        self.registration.listen(&[topic()]);
        self.registered = true;
    }

    /// A read begins: this is the snapshot.
    fn begin(&mut self) {
        self.reading = match self.join.next() {
            Next::Now => Some(Reading::Now(self.now())),
            Next::After(cursor) => {
                let missed = cursor.position.0.saturating_add(1)..=self.stored;
                let page = missed.map(|position| change(position).cursor).take(PAGE).collect();
                Some(Reading::Page(page, self.now()))
            }
            Next::Nothing => None,
        };
    }

    /// A read has come back.
    fn finish(&mut self) {
        match self.reading.take() {
            None => {}
            Some(Reading::Now(now)) => {
                self.join.starts_at(now);
                self.started = Some(now.position.0);
            }
            Some(Reading::Page(page, now)) => {
                for cursor in &page {
                    self.join.caught(*cursor);
                    self.heard.push(cursor.position.0);
                }
                if page.len() < PAGE {
                    self.join.complete(now);
                }
            }
        }
    }

    fn hear(&mut self) {
        let taken = self.registration.mailbox().take(2, Instant::now());
        if !taken.lost.is_empty() && self.join.lost() {
            // The client reads everything again: what it heard before does not count.
            self.resyncs = self.resyncs.saturating_add(1);
            self.heard.clear();
        }
        for change in taken.changes {
            if self.join.told(change.cursor) {
                self.heard.push(change.cursor.position.0);
            }
        }
    }

    /// The subscriber does one thing after the other; while a read is under way it does nothing.
    fn subscriber_goes_on(&mut self) {
        match (self.order, self.registered, self.reading.is_some()) {
            (_, true, true) => self.finish(),
            (Order::RegisterFirst, false, _) => self.register(),
            (Order::ReadFirst, false, false) => self.begin(),
            (Order::ReadFirst, false, true) => {
                self.finish();
                if self.join.next() == Next::Nothing {
                    self.register();
                }
            }
            (_, true, false) => {
                self.hear();
                self.begin();
            }
        }
    }

    fn run(&mut self, slow: bool) {
        for _ in 0..120 {
            match self.dice.roll(if slow { 6 } else { 5 }) {
                0 => self.stored = self.stored.saturating_add(1),
                1 => self.hub_reads(),
                2 | 3 => self.subscriber_goes_on(),
                4 => {}
                _ => self.flood(),
            }
        }
        // Then everything comes to rest.
        for _ in 0..1_000 {
            if self.rests() {
                break;
            }
            self.hub_reads();
            self.subscriber_goes_on();
        }
    }

    /// Whether nothing is left to tell or to read.
    fn rests(&self) -> bool {
        let live = self.registered && self.reading.is_none() && self.join.next() == Next::Nothing;
        live && self.told == self.stored && self.registration.mailbox().is_empty()
    }

    /// More than a mailbox holds, at once.
    fn flood(&mut self) {
        self.stored = self.stored.saturating_add(10);
        while self.told < self.stored {
            self.hub_reads();
        }
    }
}

/// What is wrong with what a subscriber heard: it must be every change from where she started to
/// the end, once and in order.
fn wrong(world: &World) -> Option<String> {
    let Some(started) = world.started else { return Some("never started".to_owned()) };
    let due: Vec<u64> = (started.saturating_add(1)..=world.stored).collect();
    (world.heard != due).then(|| {
        let at = world.heard.iter().zip(&due).take_while(|(one, other)| one == other).count();
        format!("{:?} instead of {:?}", world.heard.get(at), due.get(at))
    })
}

fn search(order: Order, from: Option<u64>, slow: bool, seeds: u64) -> Vec<(u64, String)> {
    let runs = (0..seeds).filter_map(|seed| {
        let mut world = World::new(seed, order, from);
        world.run(slow);
        wrong(&world).map(|why| (seed, why))
    });
    runs.collect()
}

#[test]
fn one_who_comes_back_hears_every_change_once_and_in_order() {
    assert_eq!(search(Order::RegisterFirst, Some(3), false, 4_000), []);
}

#[test]
fn one_who_comes_new_hears_everything_from_where_she_starts() {
    assert_eq!(search(Order::RegisterFirst, None, false, 4_000), []);
}

#[test]
fn one_who_is_too_slow_hears_every_change_or_is_told_to_read_again() {
    assert_eq!(search(Order::RegisterFirst, Some(3), true, 4_000), []);
    let mut world = World::new(1, Order::RegisterFirst, Some(3));
    world.subscriber_goes_on();
    for _ in 0..40 {
        world.subscriber_goes_on();
    }
    world.flood();
    world.run(false);
    assert_eq!(world.resyncs, 1, "more than a mailbox holds is lost, and said to be");
}

#[test]
fn the_search_finds_a_subscriber_that_reads_before_it_registers() {
    let found = search(Order::ReadFirst, Some(3), false, 4_000);
    assert!(!found.is_empty(), "the planted fault was not found");
}
