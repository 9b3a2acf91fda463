//! `holdfast migrate`: the tables of the log and of the read models. A node brings both to its shape
//! when it starts; this is for those who want to look first.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use holdfast_eventlog::SqliteLog;
use holdfast_eventlog::sqlite::migrations::{self as log_migrations, StepState as LogStep};
use holdfast_readmodel::sqlite::SqliteReadStore;
use holdfast_readmodel::sqlite::migrations::{self as view_migrations, StepState as ViewStep};
use serde::Serialize;
use tokio::runtime::Handle;

use super::output::{self, Format};
use super::settings::OfflineFlags;
use super::{Failure, offline};
use crate::config::Config;
use crate::config::stores::{LogStore, ReadStore};

/// What to do.
#[derive(Debug, Subcommand)]
#[command(after_help = "Example:\n  holdfast migrate status --data ./data")]
pub enum MigrateCommand {
    /// Show every change of the tables and where it stands.
    #[command(after_help = "Example:\n  holdfast migrate status --data ./data -o json")]
    Status(MigrateArguments),
    /// Show what `up` would do, in SQL. Exit code 0, also when nothing is to be done.
    #[command(after_help = "Example:\n  holdfast migrate plan --data ./data")]
    Plan(MigrateArguments),
    /// Make the changes that are missing. No node may run on the log meanwhile.
    #[command(after_help = "Example:\n  holdfast migrate up --data ./data")]
    Up(MigrateArguments),
}

/// Where.
#[derive(Debug, Args)]
pub struct MigrateArguments {
    /// The shape of the result.
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
    #[command(flatten)]
    settings: OfflineFlags,
}

/// Where a change stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Standing {
    Applied,
    Pending,
    Changed,
    Unknown,
}

#[derive(Debug, Serialize)]
struct Row {
    store: &'static str,
    version: i64,
    description: String,
    state: Standing,
    #[serde(skip_serializing_if = "Option::is_none")]
    sql: Option<String>,
}

/// Runs it.
pub fn run(command: &MigrateCommand) -> Result<(), Failure> {
    let (MigrateCommand::Status(arguments)
    | MigrateCommand::Plan(arguments)
    | MigrateCommand::Up(arguments)) = command;
    let config = arguments.settings.load()?;
    offline::run(async {
        let rows = rows(&config).await?;
        match command {
            MigrateCommand::Status(_) => show(arguments.output, rows),
            MigrateCommand::Plan(_) => {
                refuse_strange(&rows)?;
                plan(arguments.output, rows)
            }
            MigrateCommand::Up(_) => {
                refuse_strange(&rows)?;
                up(&config).await?;
                show(arguments.output, self::rows(&config).await?)
            }
        }
    })
}

async fn rows(config: &Config) -> Result<Vec<Row>, Failure> {
    let mut rows = Vec::new();
    if let LogStore::Sqlite(folder) = &config.log {
        let steps = log_migrations::steps(folder).await?;
        rows.extend(steps.into_iter().map(|step| {
            let state = match step.state {
                LogStep::Applied => Standing::Applied,
                LogStep::Pending => Standing::Pending,
                LogStep::Changed => Standing::Changed,
                LogStep::Unknown => Standing::Unknown,
            };
            let (version, description) = (step.version, step.description);
            Row { store: "log.db", version, description, state, sql: Some(step.sql) }
        }));
    }
    if let ReadStore::Sqlite(folder) = &config.read {
        let steps = view_migrations::steps(folder).await?;
        rows.extend(steps.into_iter().map(|step| {
            let state = match step.state {
                ViewStep::Applied => Standing::Applied,
                ViewStep::Pending => Standing::Pending,
                ViewStep::Changed => Standing::Changed,
                ViewStep::Unknown => Standing::Unknown,
            };
            let (version, description) = (step.version, step.description);
            Row { store: "views.db", version, description, state, sql: Some(step.sql) }
        }));
    }
    Ok(rows)
}

fn show(format: Format, rows: Vec<Row>) -> Result<(), Failure> {
    let rows = rows.into_iter().map(|row| Row { sql: None, ..row });
    output::rows(format, rows, |row| {
        let Row { store, version, description, state, .. } = row;
        format!("{store:<10}{version:0>4}  {description:<24}{}", word(*state))
    })
}

const fn word(state: Standing) -> &'static str {
    match state {
        Standing::Applied => "applied",
        Standing::Pending => "pending",
        Standing::Changed => "CHANGED",
        Standing::Unknown => "UNKNOWN",
    }
}

fn plan(format: Format, mut rows: Vec<Row>) -> Result<(), Failure> {
    rows.retain(|row| row.state == Standing::Pending);
    if rows.is_empty() {
        output::tell("nothing to do: every change was made");
    }
    output::rows(format, rows, |row| {
        let sql = row.sql.as_deref().unwrap_or_default();
        format!("-- {} {:0>4} {}\n{sql}", row.store, row.version, row.description)
    })
}

/// What was made differently, or by a later release, is not built upon.
fn refuse_strange(rows: &[Row]) -> Result<(), Failure> {
    let strange = |row: &&Row| matches!(row.state, Standing::Changed | Standing::Unknown);
    match rows.iter().find(strange) {
        None => Ok(()),
        Some(row) => Err(Failure::Conflict(format!(
            "{} {:0>4} is {}: these tables are of another release, and are left alone",
            row.store,
            row.version,
            word(row.state)
        ))),
    }
}

async fn up(config: &Config) -> Result<(), Failure> {
    if let LogStore::Sqlite(folder) = &config.log {
        SqliteLog::open(folder, Handle::current()).await?.close().await;
    }
    if let ReadStore::Sqlite(folder) = &config.read {
        make(folder)?;
        SqliteReadStore::open(folder).await?.close().await;
    }
    Ok(())
}

fn make(folder: &PathBuf) -> Result<(), Failure> {
    let unusable = |why| Failure::Unavailable(format!("{}: {why}", folder.display()));
    std::fs::create_dir_all(folder).map_err(unusable)
}
