//! `holdfast events stream`: one stream, oldest event first, page by page.

use clap::Args;
use holdfast_domain::log::{Revision, StreamId};

use super::shown::Shown;
use crate::cli::output::{self, Format};
use crate::cli::settings::OfflineFlags;
use crate::cli::{Failure, offline};

const PAGE: usize = 512;

/// Which stream.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  holdfast events stream reservation-018f2a10-7c5e-7000-8000-000000000001 -o jsonl

Streams are called <category>-<uuid>; the categories are resource, calendar, offering, session,
reservation and payment. Exit code 4 says that there is no such stream.")]
pub struct StreamArguments {
    /// The stream's name.
    #[arg(value_parser = offline::stream)]
    stream: StreamId,
    /// From this revision on.
    #[arg(long, value_name = "REVISION", default_value_t = 0)]
    from: u64,
    /// The shape of the result.
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
    #[command(flatten)]
    settings: OfflineFlags,
}

/// Shows it.
pub fn run(arguments: &StreamArguments) -> Result<(), Failure> {
    let config = arguments.settings.load()?;
    offline::run(async {
        let log = offline::log(&config).await?;
        let (name, mut from) = (arguments.stream.to_string(), Revision(arguments.from));
        let mut events = Vec::new();
        loop {
            let page = log.stored_stream(name.clone(), from, PAGE).await?;
            let Some(last) = page.last() else { break };
            from = last.revision.next();
            events.extend(page.iter().map(Shown::of));
        }
        if events.is_empty() {
            let why = match arguments.from {
                0 => format!("{name}: there is no such stream"),
                from => format!("{name}: it has no event from revision {from} on"),
            };
            return Err(Failure::Conflict(why));
        }
        output::rows(arguments.output, events, Shown::text)
    })
}
