//! `holdfast projections`: the generations of the read models. A new one is filled beside the one
//! that is read, compared, and switched to; a node may serve meanwhile and notices the switch.

pub mod change;
pub mod fill;
pub mod filling;
pub mod list;
pub mod target;
pub mod work;

use clap::Subcommand;

use super::Failure;

/// What to do.
#[derive(Debug, Subcommand)]
#[command(after_help = "Example:\n  holdfast projections list")]
pub enum ProjectionsCommand {
    /// Show every view, its generations and how far they are, and which node does what.
    List(list::ListArguments),
    /// Fill a new generation of a view beside the one that is read.
    Rebuild(fill::FillArguments),
    /// Compare a filled generation with the one that is read, document by document.
    Compare(fill::FillArguments),
    /// Let a filled generation take over.
    Switch(change::ChangeArguments),
    /// Take the last switch back.
    Undo(change::ChangeArguments),
    /// Drop the generations of a view that nobody reads.
    Drop(change::ChangeArguments),
}

/// Runs it.
pub fn run(command: &ProjectionsCommand) -> Result<(), Failure> {
    match command {
        ProjectionsCommand::List(arguments) => list::run(arguments),
        ProjectionsCommand::Rebuild(arguments) => fill::rebuild(arguments),
        ProjectionsCommand::Compare(arguments) => fill::compare(arguments),
        ProjectionsCommand::Switch(arguments) => change::switch(arguments),
        ProjectionsCommand::Undo(arguments) => change::undo(arguments),
        ProjectionsCommand::Drop(arguments) => change::drop_unread(arguments),
    }
}
