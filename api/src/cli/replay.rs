//! `holdfast replay`: what was true at a position or an instant, folded from the log again. It is
//! read-only by construction: the log is opened to read, and views are filled in memory.

pub mod as_of;
pub mod difference;
pub mod state;
pub mod streams;
pub mod views;

use std::sync::Arc;

use clap::{Args, ValueEnum};
use holdfast_domain::ids::ReservationId;
use holdfast_domain::log::StreamId;

use self::as_of::AsOf;
use self::streams::Chosen;
use super::output::Format;
use super::progress::ProgressMode;
use super::settings::OfflineFlags;
use super::{Failure, offline};

/// What to compare with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Against {
    /// The log as it is now.
    Now,
}

/// What to fold, and how far.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  holdfast replay --as-of 1204
  holdfast replay --as-of 2026-11-01T09:00:00+09:00 --diff now \\
      --reservation 018f2a10-7c5e-7000-8000-000000000001
  holdfast replay --as-of 1204 --stream payment-018f2a10-7c5e-7000-8000-000000000001

With --stream or --reservation it shows what their streams said then. Without, it fills all views
in memory up to there and shows how many documents each has and the hash of its dump. An instant
stands for the log before the first event that was accepted later.")]
pub struct ReplayArguments {
    /// A position, or an instant in RFC 3339.
    #[arg(long, value_name = "POSITION|INSTANT")]
    as_of: AsOf,
    /// Fold this stream.
    #[arg(long, value_name = "NAME", value_parser = offline::stream)]
    stream: Option<StreamId>,
    /// Fold the streams of this reservation: itself, its payment, who decides about its seat.
    #[arg(long, value_name = "UUID", conflicts_with = "stream")]
    reservation: Option<ReservationId>,
    /// Show what is different now.
    #[arg(long, value_name = "WITH")]
    diff: Option<Against>,
    /// The shape of the result.
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
    /// How progress is shown.
    #[arg(long, value_enum, default_value_t)]
    progress: ProgressMode,
    #[command(flatten)]
    settings: OfflineFlags,
}

/// Runs it.
pub fn run(arguments: &ReplayArguments) -> Result<(), Failure> {
    let config = arguments.settings.load()?;
    let (as_of, now) = (arguments.as_of, arguments.diff.is_some());
    offline::run(async {
        let log = offline::log(&config).await?;
        let chosen = match (arguments.stream, arguments.reservation) {
            (Some(stream), _) => Some(Chosen::whole(stream)),
            (None, Some(id)) => Some(streams::around(log.as_ref(), id).await?),
            (None, None) => None,
        };
        if let Some(chosen) = chosen {
            let found = streams::replay(log.as_ref(), &chosen, as_of, now).await?;
            return streams::show(arguments.output, &found);
        }
        let found = views::replay(Arc::clone(&log), as_of, now, arguments.progress).await?;
        views::show(arguments.output, &found)
    })
}
