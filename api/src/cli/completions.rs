//! `holdfast completions`: a script that completes this command line in a shell.

use std::io;

use clap::{Args, CommandFactory as _};
use clap_complete::Shell;

use super::{Cli, Failure};

/// For which shell.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  holdfast completions bash > /etc/bash_completion.d/holdfast")]
pub struct CompletionsArguments {
    /// The shell.
    #[arg(value_enum)]
    shell: Shell,
}

/// Prints the script.
#[expect(clippy::unnecessary_wraps, reason = "every subcommand answers the same way")]
pub fn run(arguments: &CompletionsArguments) -> Result<(), Failure> {
    clap_complete::generate(arguments.shell, &mut Cli::command(), "holdfast", &mut io::stdout());
    Ok(())
}
