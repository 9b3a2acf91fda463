//! `holdfast config`: what the node would run on, and where each value came from.

use clap::{Args, Subcommand};
use serde::Serialize;

use super::Failure;
use super::output::{self, Format};
use super::settings::SettingFlags;
use crate::config::Config;
use crate::config::sources::Value;
use crate::config::stores::{LogStore, ReadStore};

/// What to look at.
#[derive(Debug, Subcommand)]
#[command(after_help = "Example:\n  holdfast config show --origin")]
pub enum ConfigCommand {
    /// Say whether the settings are ones that a node takes. Connects to nothing.
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
            folders(&config)?;
            output::tell(&format!(
                "the settings are good: log {}, read models {}, listening on {}; nothing was \
                 connected to, which `serve` and `migrate status` do",
                config.log.describe(),
                config.read.describe(),
                config.listen,
            ));
            Ok(())
        }
        ConfigCommand::Show(arguments) => show(arguments),
    }
}

/// The folders a node would use, or make: what is there of their paths has to be a folder.
fn folders(config: &Config) -> Result<(), Failure> {
    let log = match &config.log {
        LogStore::Sqlite(folder) => Some(folder),
        LogStore::Postgres(_) | LogStore::KurrentDb(_) | LogStore::Memory => None,
    };
    let read = match &config.read {
        ReadStore::Sqlite(folder) => Some(folder),
        ReadStore::Postgres(_) | ReadStore::Memory => None,
    };
    for folder in [Some(&config.data), log, read].into_iter().flatten() {
        let there = folder.ancestors().find(|path| path.exists());
        if let Some(file) = there.filter(|path| !path.is_dir()) {
            let why =
                format!("{} cannot be used: {} is no folder", folder.display(), file.display());
            return Err(Failure::Usage(why));
        }
    }
    Ok(())
}

fn show(arguments: &ShowArguments) -> Result<(), Failure> {
    let resolved = arguments.settings.sources()?.resolve()?;
    let row = |value: &Value| Row {
        name: value.setting.name,
        value: value.masked(),
        origin: arguments.origin.then(|| value.origin.to_string()),
    };
    output::rows(arguments.output, resolved.values().iter().map(row), |row| match &row.origin {
        Some(origin) => format!("{:<32}{:<28}  {origin}", row.name, row.value),
        None => format!("{:<32}{}", row.name, row.value),
    })
}
