//! `holdfast seed-demo`: fills a running node, over HTTP like any client, with demonstration data:
//! providers with their hours, slots and classes, and bookings in every state. The same seed on the
//! same day asks for the same things under the same idempotency keys: running it twice adds nothing.

mod bookings;
mod catalogue;
mod client;
mod dice;
mod live;
mod tally;

use std::str::FromStr;

use clap::Args;
use holdfast_commands::ports::Clock as _;
use holdfast_domain::time::Timestamp;
use holdfast_gateways::system::SystemClock;

use self::client::Client;
use self::dice::Dice;
use self::live::Rate;
use self::tally::Tally;
use super::output::{self, Format};
use super::progress::{Progress, ProgressMode};
use super::settings::OfflineFlags;
use super::{Failure, hint, offline};
use crate::config::stores::LogStore;

const DAY_MICROS: i64 = 24 * 3_600 * 1_000_000;

/// How much.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Scale {
    bookings: u32,
}

impl Scale {
    /// So many providers that their calendars have room.
    fn providers(self) -> u32 {
        self.bookings.div_euclid(60).clamp(3, 200)
    }

    fn customers(self) -> u32 {
        self.bookings.div_euclid(4).clamp(8, 2_000)
    }
}

impl FromStr for Scale {
    type Err = &'static str;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const SHAPE: &str = "small, large, or how many bookings, at most 20000";
        let bookings = match text {
            "small" => 60,
            "large" => 2_000,
            number => number.parse().map_err(|_not_a_number| SHAPE)?,
        };
        if (1..=20_000).contains(&bookings) { Ok(Self { bookings }) } else { Err(SHAPE) }
    }
}

/// What to fill, and how.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  holdfast seed-demo
  holdfast seed-demo --scale large --seed 7
  holdfast seed-demo --live 10x

Tokens are signed with the key in the node's data folder (--data). --live 10x goes on with ten
bookings per second until Ctrl-C. A node limits how fast one address may ask; for a large scale
start it with --address-rate 100000/1s --principal-rate 100000/1s.")]
pub struct SeedArguments {
    /// Where the node listens.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8080")]
    url: String,
    /// How much: small, large, or a number of bookings.
    #[arg(long, value_name = "SCALE", default_value = "small")]
    scale: Scale,
    /// Another seed makes other providers, customers and bookings.
    #[arg(long, value_name = "NUMBER", default_value_t = 42)]
    seed: u64,
    /// Then go on with so many bookings per second, for example 10x.
    #[arg(long, value_name = "RATE")]
    live: Option<Rate>,
    /// The shape of the result.
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
    /// How progress is shown.
    #[arg(long, value_enum, default_value_t)]
    progress: ProgressMode,
    #[command(flatten)]
    settings: OfflineFlags,
}

/// Fills it.
pub fn run(arguments: &SeedArguments) -> Result<(), Failure> {
    let config = arguments.settings.load()?;
    let day = tomorrow(SystemClock.now());
    let client = Client::new(&arguments.url, &config, arguments.seed, day)?;
    let (mut tally, mut is_live) = (Tally::default(), false);
    let ended = offline::run(async {
        let mut dice = Dice::new(arguments.seed);
        let offers = fill(arguments, &client, &mut dice, &mut tally).await?;
        if let Some(rate) = arguments.live {
            is_live = true;
            let customers = arguments.scale.customers();
            let traffic = live::Traffic { client: &client, offers: &offers, customers, rate };
            live::run(traffic, &mut dice, &mut tally, arguments.progress).await?;
        }
        Ok(())
    });
    match ended {
        // Live traffic has no other end.
        Err(Failure::Interrupted) if is_live => {}
        ended => ended?,
    }
    output::one(arguments.output, &tally, Tally::text)?;
    let mut places = vec![format!("{}/docs", arguments.url.trim_end_matches('/'))];
    if config.log != LogStore::Memory {
        places.push(hint::with_stores("events tail -f", &config));
        places.push(hint::with_stores("audit verify", &config));
    }
    output::tell(&format!("look at  {}", places.join("\n         ")));
    Ok(())
}

async fn fill(
    arguments: &SeedArguments,
    client: &Client,
    dice: &mut Dice,
    tally: &mut Tally,
) -> Result<Vec<catalogue::Offer>, Failure> {
    let Scale { bookings } = arguments.scale;
    let (providers, customers) = (arguments.scale.providers(), arguments.scale.customers());
    let total = u64::from(providers).saturating_add(u64::from(bookings));
    let mut progress = Progress::new(arguments.progress, "seed", total);
    let mut offers = Vec::new();
    for provider in 0..providers {
        offers.extend(catalogue::open(client, provider, tally).await?);
        progress.at(u64::from(provider), total);
    }
    for number in 0..bookings {
        bookings::make(client, &mut offers, number, dice.below(customers), tally).await?;
        progress.at(u64::from(providers).saturating_add(u64::from(number)), total);
    }
    progress.clear();
    Ok(offers)
}

/// The next midnight in UTC: 9 o'clock in Seoul, when everybody opens.
fn tomorrow(now: Timestamp) -> Timestamp {
    let since = now.micros().rem_euclid(DAY_MICROS);
    Timestamp::from_micros(now.micros().saturating_sub(since).saturating_add(DAY_MICROS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scale_is_a_word_or_a_number_within_bounds() {
        assert_eq!("small".parse::<Scale>().unwrap().providers(), 3);
        assert_eq!("20000".parse::<Scale>().unwrap().providers(), 200);
        for wrong in ["", "0", "20001", "-1", "huge"] {
            assert!(wrong.parse::<Scale>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_first_day_begins_after_now() {
        let now: Timestamp = "2026-03-09T10:00:00Z".parse().unwrap();
        assert_eq!(tomorrow(now).to_string(), "2026-03-10T00:00:00Z");
    }
}
