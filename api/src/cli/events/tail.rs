//! `holdfast events tail`: the last events, and with `-f` those that come. What is kept in memory is
//! bounded by the number of lines asked for.

use std::borrow::Borrow;
use std::collections::VecDeque;
use std::str::FromStr;

use clap::Args;
use holdfast_domain::log::{Feed, Position, StoredEvent, StreamId};

use super::shown::Shown;
use crate::cli::output::{self, Format};
use crate::cli::settings::OfflineFlags;
use crate::cli::{Failure, offline};

const PAGE: usize = 512;

/// Where to start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Beginning {
    Start,
    End,
    Position(u64),
}

impl FromStr for Beginning {
    type Err = &'static str;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "start" => Ok(Self::Start),
            "end" => Ok(Self::End),
            _ => {
                text.parse().map(Self::Position).map_err(|_not_a_number| "start, end or a position")
            }
        }
    }
}

/// Which events.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  holdfast events tail
  holdfast events tail -f --type payment. -o jsonl
  holdfast events tail --from 1200 --stream payment-018f2a10-7c5e-7000-8000-000000000001

With -f it goes on until Ctrl-C, and says then where to go on.")]
pub struct TailArguments {
    /// Go on with the events that come.
    #[arg(short, long)]
    follow: bool,
    /// From this position on: a number, start, or end for the last lines only.
    #[arg(long, value_name = "POSITION", default_value = "end")]
    from: Beginning,
    /// How many of the last events to show with --from end.
    #[arg(short = 'n', long, value_name = "COUNT", default_value_t = 10,
          value_parser = clap::value_parser!(u16).range(0..=10_000))]
    lines: u16,
    /// Only events whose name begins with this, for example payment.
    #[arg(long = "type", value_name = "PREFIX")]
    kind: Option<String>,
    /// Only events of this stream.
    #[arg(long, value_name = "NAME", value_parser = offline::stream)]
    stream: Option<StreamId>,
    /// The shape of the result.
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
    #[command(flatten)]
    settings: OfflineFlags,
}

/// Which events are shown.
struct Filter {
    kind: Option<String>,
    stream: Option<String>,
}

impl Filter {
    fn of(arguments: &TailArguments) -> Self {
        let kind = arguments.kind.as_deref().map(|kind| kind.trim_end_matches('*').to_owned());
        Self { kind, stream: arguments.stream.map(|stream| stream.to_string()) }
    }

    fn is_empty(&self) -> bool {
        self.kind.is_none() && self.stream.is_none()
    }

    fn takes(&self, event: &StoredEvent) -> bool {
        self.kind.as_ref().is_none_or(|kind| event.name.starts_with(kind.as_str()))
            && self.stream.as_ref().is_none_or(|stream| event.stream == *stream)
    }
}

/// Shows them.
pub fn run(arguments: &TailArguments) -> Result<(), Failure> {
    if arguments.follow && arguments.output == Format::Json {
        let why = "-o json is one document; to follow, take -o jsonl or text";
        return Err(Failure::Usage(why.to_owned()));
    }
    let config = arguments.settings.load()?;
    let filter = Filter::of(arguments);
    let mut shown = None;
    let ended = offline::run(async {
        let log = offline::log(&config).await?;
        let mut reached = past(log.as_ref(), arguments, &filter, &mut shown).await?;
        if !arguments.follow {
            return Ok(());
        }
        loop {
            log.changed(reached).await;
            let page = log.stored(reached, PAGE).await?;
            reached = page.last().map_or(reached, |last| last.position);
            show(arguments.output, page.iter().filter(|event| filter.takes(event)))?;
            shown = Some(reached);
        }
    });
    if let (Err(Failure::Interrupted), Some(shown)) = (&ended, shown) {
        let next = shown.0.saturating_add(1);
        output::tell(&format!("to go on: the same command with --from {next}"));
    }
    ended
}

/// Shows what is there already; answers how far that was, and notes in `shown` how far it came:
/// nothing, as long as it only looks for the last events.
async fn past(
    log: &dyn Feed,
    arguments: &TailArguments,
    filter: &Filter,
    shown: &mut Option<Position>,
) -> Result<Position, Failure> {
    let head = log.head().await?.position;
    let lines = usize::from(arguments.lines);
    let (mut at, most) = match arguments.from {
        Beginning::Start => (Position::START, None),
        Beginning::Position(from) => (Position(from.saturating_sub(1)), None),
        // Without a filter the last events are the last positions; there may be gaps, which only
        // makes them fewer.
        Beginning::End if filter.is_empty() => {
            (Position(head.0.saturating_sub(u64::from(arguments.lines))), Some(lines))
        }
        Beginning::End => (Position::START, Some(lines)),
    };
    *shown = most.is_none().then_some(at);
    let mut kept: VecDeque<StoredEvent> = VecDeque::new();
    while at < head {
        let page = log.stored(at, PAGE).await?;
        let Some(last) = page.last() else { break };
        at = last.position;
        kept.extend(page.into_iter().filter(|event| filter.takes(event)));
        match most {
            Some(most) => drop(kept.drain(..kept.len().saturating_sub(most))),
            // One JSON document cannot be written in pieces; lines can.
            None if arguments.output != Format::Json => {
                show(arguments.output, kept.iter())?;
                kept.clear();
                *shown = Some(at);
            }
            None => {}
        }
    }
    if !kept.is_empty() || arguments.output == Format::Json {
        show(arguments.output, kept.iter())?;
    }
    *shown = Some(at);
    Ok(at)
}

fn show(
    format: Format,
    events: impl Iterator<Item = impl Borrow<StoredEvent>>,
) -> Result<(), Failure> {
    output::rows(format, events.map(|event| Shown::of(event.borrow())), Shown::text)
}
