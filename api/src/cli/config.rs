//! `holdfast config`: what the node would run on, and where each value came from.

use clap::{Args, Subcommand};
use serde::Serialize;

use super::Failure;
use super::output::{self, Format};
use super::settings::SettingFlags;
use crate::config::Config;
use crate::config::sources::Value;

/// What to look at.
#[derive(Debug, Subcommand)]
#[command(after_help = "Example:\n  holdfast config show --origin")]
pub enum ConfigCommand {
    /// Say whether the configuration is one that a node would start with.
    #[command(after_help = "Example:\n  holdfast config check --config ./holdfast.toml")]
    Check(SettingFlags),
    /// Show every value; passwords in addresses are masked.
    Show(ShowArguments),
}

/// How to show it.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  holdfast config show --origin -o json")]
pub struct ShowArguments {
    /// Show where each value came from.
    #[arg(long)]
    origin: bool,
    /// The shape of the result.
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
    #[command(flatten)]
    settings: SettingFlags,
}

#[derive(Debug, Serialize)]
struct Row {
    name: &'static str,
    value: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    origin: Option<String>,
}

/// Runs it.
pub fn run(command: &ConfigCommand) -> Result<(), Failure> {
    match command {
        ConfigCommand::Check(settings) => {
            let config: Config = settings.load()?;
            output::tell(&format!(
                "the configuration is good: log {}, read models {}, listening on {}",
                config.log.describe(),
                config.read.describe(),
                config.listen,
            ));
            Ok(())
        }
        ConfigCommand::Show(arguments) => show(arguments),
    }
}

fn show(arguments: &ShowArguments) -> Result<(), Failure> {
    let resolved = arguments.settings.sources()?.resolve()?;
    let row = |value: &Value| Row {
        name: value.setting.name,
        value: value.masked(),
        origin: arguments.origin.then(|| value.origin.to_string()),
    };
    output::rows(arguments.output, resolved.values().iter().map(row), |row| match &row.origin {
        Some(origin) => format!("{:<32}{:<28}{origin}", row.name, row.value),
        None => format!("{:<32}{}", row.name, row.value),
    })
}
