//! `holdfast docs`: the parts of the documentation that are made from the code.

use clap::Subcommand;

use super::{Failure, output};
use crate::{openapi, problems};

/// Which part.
#[derive(Debug, Subcommand)]
#[command(after_help = "Example:\n  holdfast docs openapi > docs/api/openapi.json")]
pub enum DocsCommand {
    /// The catalogue of problems, `docs/api/problems.md`.
    #[command(after_help = "Example:\n  holdfast docs problems > problems.md")]
    Problems,
    /// The API's description, `docs/api/openapi.json`.
    #[command(after_help = "Example:\n  holdfast docs openapi > openapi.json")]
    Openapi,
}

/// Prints it.
pub fn run(command: &DocsCommand) -> Result<(), Failure> {
    match command {
        DocsCommand::Problems => output::line(problems::pages::markdown().trim_end()),
        DocsCommand::Openapi => output::line(&serde_json::to_string_pretty(&openapi::document())?),
    }
}
