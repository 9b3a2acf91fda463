//! `holdfast migrate`: the tables of the log and of the read models. A node brings both to its shape
//! when it starts; this is for those who want to look first.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use holdfast_eventlog::postgres::migrations as log_in_postgres;
use holdfast_eventlog::sqlite::migrations::{self as log_migrations, Step, StepState};
use holdfast_eventlog::{PostgresLog, SqliteLog};
use holdfast_readmodel::postgres::migrations as views_in_postgres;
use holdfast_readmodel::sqlite::migrations as view_migrations;
use holdfast_readmodel::{PostgresReadStore, SqliteReadStore};
use serde::Serialize;
use tokio::runtime::Handle;

use super::output::{self, Format};
use super::settings::OfflineFlags;
use super::{Failure, offline};
use crate::config::Config;
use crate::config::stores::{LogStore, ReadStore};
use crate::stores::postgres_at;

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
    /// Make the changes that are missing. No node may run on a log in SQLite meanwhile.
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
    match &config.log {
        LogStore::Sqlite(folder) => {
            let steps = log_migrations::steps(folder).await?;
            rows.extend(steps.into_iter().map(|step| row("log.db", step)));
        }
        LogStore::Postgres(url) => {
            let steps = log_in_postgres::steps(&postgres_at(url)?).await?;
            rows.extend(steps.into_iter().map(|step| row_in_postgres("log", step)));
        }
        // Neither has tables.
        LogStore::KurrentDb(_) | LogStore::Memory => {}
    }
    match &config.read {
        ReadStore::Sqlite(folder) => {
            let steps = view_migrations::steps(folder).await?;
            rows.extend(steps.into_iter().map(|step| row("views.db", step)));
        }
        ReadStore::Postgres(url) => {
            let steps = views_in_postgres::steps(&postgres_at(url)?).await?;
            rows.extend(steps.into_iter().map(|step| row_in_postgres("views", step)));
        }
        ReadStore::Memory => {}
    }
    Ok(rows)
}

fn row(store: &'static str, step: Step) -> Row {
    let state = match step.state {
        StepState::Applied => Standing::Applied,
        StepState::Pending => Standing::Pending,
        StepState::Changed => Standing::Changed,
        StepState::Unknown => Standing::Unknown,
    };
    let (version, description) = (step.version, step.description);
    Row { store, version, description, state, sql: Some(step.sql) }
}

fn row_in_postgres(store: &'static str, step: log_in_postgres::Step) -> Row {
    use log_in_postgres::StepState;
    let state = match step.state {
        StepState::Applied => Standing::Applied,
        StepState::Pending => Standing::Pending,
        StepState::Changed => Standing::Changed,
        StepState::Unknown => Standing::Unknown,
    };
    let (version, description) = (step.version, step.description);
    Row { store, version, description, state, sql: Some(step.sql) }
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
    match &config.log {
        LogStore::Sqlite(folder) => {
            SqliteLog::open(folder, Handle::current()).await?.close().await;
        }
        LogStore::Postgres(url) => {
            PostgresLog::open(&postgres_at(url)?, Handle::current()).await?.close().await;
        }
        LogStore::KurrentDb(_) | LogStore::Memory => {}
    }
    match &config.read {
        ReadStore::Sqlite(folder) => {
            make(folder)?;
            SqliteReadStore::open(folder).await?.close().await;
        }
        ReadStore::Postgres(url) => {
            PostgresReadStore::open(postgres_at(url)?).await?.close().await;
        }
        ReadStore::Memory => {}
    }
    Ok(())
}

fn make(folder: &PathBuf) -> Result<(), Failure> {
    let unusable = |why| Failure::Unavailable(format!("{}: {why}", folder.display()));
    std::fs::create_dir_all(folder).map_err(unusable)
}
