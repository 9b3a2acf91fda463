//! Traffic that goes on: so many bookings per second, at times that are free now, until somebody
//! stops it. One request after the other: what the node cannot keep up with is not sent.

use std::collections::VecDeque;
use std::str::FromStr;
use std::time::Duration;

use tokio::time::MissedTickBehavior;

use super::bookings::{self, ENDINGS, Ending, Wanted};
use super::catalogue::{Kind, Offer};
use super::client::{Client, Who};
use super::dice::Dice;
use super::tally::Tally;
use crate::cli::Failure;
use crate::cli::progress::{Endless, ProgressMode};
use crate::wall_clock::unix_seconds;

/// How far ahead free times are looked for.
const AHEAD: Duration = Duration::from_hours(30 * 24);
/// Free times of one look that are used before the next.
const USED_MAX: usize = 50;

/// Bookings per second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rate(u32);

impl FromStr for Rate {
    type Err = &'static str;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const SHAPE: &str = "bookings per second, from 1x to 100x";
        let number = text.strip_suffix('x').unwrap_or(text);
        let rate = number.parse().map_err(|_not_a_number| SHAPE)?;
        if (1..=100).contains(&rate) { Ok(Self(rate)) } else { Err(SHAPE) }
    }
}

/// What goes where, how fast.
pub(super) struct Traffic<'a> {
    pub(super) client: &'a Client,
    pub(super) offers: &'a [Offer],
    pub(super) customers: u32,
    pub(super) rate: Rate,
}

/// Sends until it is dropped.
pub(super) async fn run(
    traffic: Traffic<'_>,
    dice: &mut Dice,
    tally: &mut Tally,
    mode: ProgressMode,
) -> Result<(), Failure> {
    let Traffic { client, offers, customers, rate } = traffic;
    let every = Duration::from_secs(1).checked_div(rate.0).unwrap_or(Duration::from_secs(1));
    let mut ticks = tokio::time::interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut shown = Endless::new(mode, "live");
    // Not the keys of an earlier run: this traffic is new each time.
    let run = unix_seconds();
    let mut free: Vec<VecDeque<String>> = offers.iter().map(|_| VecDeque::new()).collect();
    for number in 0_u64.. {
        ticks.tick().await;
        let Some((offer, free)) = choose(offers, &mut free, dice) else { return Ok(()) };
        let who = Who::Customer(dice.below(customers));
        let Some(seat) = seat(client, offer, free, dice).await? else {
            tally.count("calendars full");
            continue;
        };
        let ending = dice.pick(&ENDINGS).copied().unwrap_or(Ending::Paid);
        let key = format!("live-{run}-{number}");
        let (offering, price) = (offer.id.as_str(), offer.price);
        let wanted = Wanted { offering, price, seat, party: 1, ending, key };
        bookings::book(client, who, &wanted, tally).await?;
        shown.say(&tally.short());
    }
    Ok(())
}

fn choose<'a>(
    offers: &'a [Offer],
    free: &'a mut [VecDeque<String>],
    dice: &mut Dice,
) -> Option<(&'a Offer, &'a mut VecDeque<String>)> {
    let count = u32::try_from(offers.len()).unwrap_or(u32::MAX);
    let index = usize::try_from(dice.below(count)).unwrap_or(0);
    offers.get(index).zip(free.get_mut(index))
}

async fn seat(
    client: &Client,
    offer: &Offer,
    free: &mut VecDeque<String>,
    dice: &mut Dice,
) -> Result<Option<(&'static str, String)>, Failure> {
    if let Kind::Class { sessions, .. } = &offer.kind {
        return Ok(dice.pick(sessions).map(|session| ("session_id", session.clone())));
    }
    if free.is_empty() {
        let (from, to) = (client.day(), client.day().plus(AHEAD));
        let path = format!("/v1/offerings/{}/slots?from={from}&to={to}", offer.id);
        let answer = client.get(Who::Customer(0), &path).await?;
        let items = answer.body.pointer("/items").and_then(|items| items.as_array());
        let starts = items.into_iter().flatten().filter_map(|slot| slot.get("starts_at")?.as_str());
        // Free starts stand close together; only those on the hour leave room for each other.
        let starts = starts.filter(|start| start.ends_with(":00:00Z"));
        free.extend(starts.take(USED_MAX).map(ToOwned::to_owned));
    }
    Ok(free.pop_front().map(|start| ("starts_at", start)))
}
