//! Customers who hold seats, pay with every kind of luck, and change their minds, until their
//! server is gone or they have done enough. What they do follows from a seed.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::history::{self, Entry, Kind, Known};
use crate::http::Connection;
use crate::listener::Listener;
use crate::world::{Catalogue, Person, World};

/// A small generator of numbers; the same seed gives the same customers.
#[derive(Debug, Clone)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number below `bound` (`SplitMix64`).
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)).checked_rem(bound).unwrap()
    }
}

/// What becomes of a payment, and how often out of twelve.
const LUCK: [&str; 12] = [
    "approve",
    "approve",
    "approve",
    "approve",
    "approve",
    "approve_refund_lost",
    "approve_refund_refused",
    "decline",
    "decline",
    "lost_after_capture",
    "lost_before_capture",
    "amount_differs",
];

/// A reservation that a customer was given.
#[derive(Debug, Clone)]
pub(crate) struct Own {
    pub(crate) id: String,
    pub(crate) order: String,
    pub(crate) amount: Value,
}

impl Own {
    /// What the answer shows, as long as it is to be paid.
    pub(crate) fn of(shown: &Value) -> Option<Self> {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let (id, order) = (text(&shown["id"])?, text(&shown["payment"]["order_id"])?);
        let amount = shown["payment"]["amount"].clone();
        (shown["status"] == "held").then_some(Self { id, order, amount })
    }
}

/// Runs all customers until the server does not answer any more, or each did `commands_max`.
/// Answers whether the server went away.
pub(crate) async fn run(
    world: &Arc<World>,
    catalogue: &Arc<Catalogue>,
    address: SocketAddr,
    seed: u64,
    commands_max: u32,
) -> bool {
    let mut left_alone = false;
    // One of them listens from before the first command on. It says nothing that the others do not.
    let mut listening = JoinSet::new();
    if let Some(listener) = Listener::open(address, &world.customers[0]).await {
        listening.spawn(listener.listen());
    }
    let mut customers = JoinSet::new();
    for (person, number) in world.customers.clone().into_iter().zip(1_u64..) {
        let (world, catalogue) = (Arc::clone(world), Arc::clone(catalogue));
        let dice = Dice::new(seed.wrapping_mul(1_000).wrapping_add(number));
        let customer = Customer { world, catalogue, person, dice, owns: Vec::new() };
        customers.spawn(customer.live(address, commands_max));
    }
    while let Some(ended) = customers.join_next().await {
        left_alone |= ended.unwrap();
    }
    left_alone
}

struct Customer {
    world: Arc<World>,
    catalogue: Arc<Catalogue>,
    person: Person,
    dice: Dice,
    owns: Vec<Own>,
}

impl Customer {
    /// Answers whether the server went away before everything was done.
    async fn live(mut self, address: SocketAddr, commands_max: u32) -> bool {
        let mut done = 0;
        'connections: while let Ok(mut connection) = Connection::open(address).await {
            while done < commands_max {
                done = done.saturating_add(1);
                let wish =
                    wish(&self.world, &self.catalogue, &self.person, &mut self.dice, &self.owns);
                match self.world.send(&mut connection, wish).await {
                    Known::Acknowledged(answer) => {
                        self.owns.extend(Own::of(&history::json(&answer.body)));
                    }
                    Known::Refused { .. } => {}
                    // The connection may be gone, the server with it.
                    Known::Unknown(_) => continue 'connections,
                }
            }
            return false;
        }
        true
    }
}

/// The next thing that a customer wants.
fn wish(
    world: &World,
    catalogue: &Catalogue,
    person: &Person,
    dice: &mut Dice,
    owns: &[Own],
) -> Entry {
    let own = usize::try_from(dice.below(owns.len().max(1).try_into().unwrap())).unwrap();
    let own = owns.get(own);
    match (dice.below(20), own) {
        (0..9, _) | (_, None) => hold(world, catalogue, person, dice),
        (9..15, Some(own)) => {
            let luck = LUCK[usize::try_from(dice.below(12)).unwrap()];
            let payment_key = format!("sim_{luck}_{}", own.id);
            let body = json!({"payment_key": payment_key, "amount": own.amount});
            let path = format!("/v1/payments/{}/confirm", own.order);
            world.command(Kind::Pays, person, ("POST", path), &body)
        }
        (15..19, Some(own)) => {
            let path = format!("/v1/reservations/{}/cancel", own.id);
            world.command(Kind::Changes, person, ("POST", path), &json!({}))
        }
        (_, Some(_)) => {
            let body = json!({"display_name": "Another room", "zone": "Asia/Seoul"});
            let path = "/v1/resources".to_owned();
            world.command(Kind::Creates, &world.provider, ("POST", path), &body)
        }
    }
}

/// A seat in one of few classes or at one of not so many hours: customers meet.
pub(crate) fn hold(
    world: &World,
    catalogue: &Catalogue,
    person: &Person,
    dice: &mut Dice,
) -> Entry {
    let body = if dice.below(3) == 0 {
        let sessions = u64::try_from(catalogue.sessions.len()).unwrap();
        let session = usize::try_from(dice.below(sessions)).unwrap();
        let session = &catalogue.sessions[session];
        json!({"offering_id": catalogue.class, "session_id": session,
               "party_size": dice.below(2).saturating_add(1)})
    } else {
        let start = catalogue.first.plus(Duration::from_mins(dice.below(1_200).saturating_mul(30)));
        json!({"offering_id": catalogue.slots, "starts_at": start.to_string()})
    };
    world.command(Kind::Creates, person, ("POST", "/v1/reservations".to_owned()), &body)
}
