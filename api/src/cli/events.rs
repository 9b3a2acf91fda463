//! `holdfast events`: the log as it is stored. It reads and never writes, and a node may run on the
//! folder meanwhile.

pub mod export;
pub mod shown;
pub mod stream;
pub mod tail;

use clap::Subcommand;

use super::Failure;

/// What to read.
#[derive(Debug, Subcommand)]
#[command(after_help = "Example:\n  holdfast events tail -f")]
pub enum EventsCommand {
    /// Show one stream from its beginning.
    Stream(stream::StreamArguments),
    /// Show the end of the log, and what is added to it.
    Tail(tail::TailArguments),
    /// Write the log as lines of JSON, in the form that `audit verify` accepts.
    Export(export::ExportArguments),
}

/// Runs it.
pub fn run(command: &EventsCommand) -> Result<(), Failure> {
    match command {
        EventsCommand::Stream(arguments) => stream::run(arguments),
        EventsCommand::Tail(arguments) => tail::run(arguments),
        EventsCommand::Export(arguments) => export::run(arguments),
    }
}
