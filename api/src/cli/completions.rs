//! `holdfast completions`: a script that completes this command line in a shell.

use std::io::{self, Write as _};

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
pub fn run(arguments: &CompletionsArguments) -> Result<(), Failure> {
    // Written by us, so that a closed pipe is an error and not a panic.
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut Cli::command(), "holdfast", &mut script);
    Ok(io::stdout().write_all(&script)?)
}
