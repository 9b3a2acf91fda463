//! `holdfast log`: what is done to the event log as a whole, while no node runs on it. Facts are
//! neither added nor changed here.

mod renewal;

use clap::{Args, Subcommand};
use holdfast_domain::ids::Epoch;
use holdfast_domain::log::Position;
use holdfast_readmodel::sqlite::migrations;

use self::renewal::Renewal;
use super::consent::Consent;
use super::settings::OfflineFlags;
use super::{Failure, hint, offline, output};
use crate::config::Config;
use crate::config::stores::{LogStore, ReadStore};

/// What to do.
#[derive(Debug, Subcommand)]
#[command(after_help = "Example:\n  holdfast log epoch --data /restored --dry-run")]
pub enum LogCommand {
    /// Begin a new epoch of a log that was restored from a back-up.
    Epoch(EpochArguments),
}

/// Where, and whether to act.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  holdfast log epoch --data /restored --dry-run
  holdfast log epoch --data /restored --yes

A restored log is shorter than what was seen of it, and goes on differently. Under a new epoch,
views and cursors of the future that was lost are recognised and refused. No node may run on the
log meanwhile; on KurrentDB nothing keeps them from it, so stop them. Without --yes the plan is shown, nothing is changed, and the exit code is 4.")]
pub struct EpochArguments {
    #[command(flatten)]
    consent: Consent,
    #[command(flatten)]
    settings: OfflineFlags,
}

/// Runs it.
pub fn run(command: &LogCommand) -> Result<(), Failure> {
    match command {
        LogCommand::Epoch(arguments) => epoch(arguments),
    }
}

fn epoch(arguments: &EpochArguments) -> Result<(), Failure> {
    let config = arguments.settings.load()?;
    offline::run(async {
        let log = Renewal::open(&config).await?;
        let old = log.epoch();
        output::line(&plan(&config, old, log.head()))?;
        let agreed = arguments.consent.agreed();
        if !agreed.as_ref().is_ok_and(|agreed| *agreed) {
            log.leave().await?;
            return agreed.map(|_dry_run| ());
        }
        let new = log.begin().await?;
        output::line(&format!("begun    epoch {new}"))?;
        for step in next(&config) {
            output::tell(&format!("to do next:  {step}"));
        }
        Ok(())
    })
}

/// What would be done, and what the clients of a node on this log would see.
fn plan(config: &Config, old: Epoch, head: Position) -> String {
    let log = format!("log      {}, which ends at position {head}", config.log.describe());
    let epoch = format!("epoch    {old} → a new one; no fact is changed");
    let views = views(config);
    let views = views.map(|views| format!("views    {views} followed the old one; drop them"));
    let behind =
        format!("         a min_position beyond {head} is answered with 503 read_model_behind");
    let clients = [
        "clients  cursors of lists are refused with 400 bad_cursor: start again without one",
        "         subscribers who come back with a cursor hear resync: read again",
        "         what was answered after the back-up is not known: the same key acts again",
        &behind,
    ]
    .map(str::to_owned);
    let nodes = matches!(config.log, LogStore::KurrentDb(_)).then(|| {
        "nodes    stop them all before: nothing keeps one that runs from going on in the old epoch"
            .to_owned()
    });
    let lines = [log, epoch].into_iter().chain(nodes).chain(views).chain(clients);
    let lines: Vec<_> = lines.collect();
    lines.join("\n")
}

/// Where the views are, when there are any: they followed the life that ends.
fn views(config: &Config) -> Option<String> {
    match &config.read {
        ReadStore::Memory => None,
        ReadStore::Postgres(address) => Some(address.to_string()),
        ReadStore::Sqlite(folder) => {
            let file = migrations::file(folder);
            file.exists().then(|| file.display().to_string())
        }
    }
}

/// What is left for a person to do.
fn next(config: &Config) -> Vec<String> {
    let serve = hint::with_all("serve", config);
    let drop = views(config).map(|views| match &config.read {
        ReadStore::Postgres(_) => {
            format!("drop the tables of the views in {views}   # they fill again at the start")
        }
        ReadStore::Sqlite(_) | ReadStore::Memory => {
            format!("rm {}*   # they fill again at the start", hint::quoted(&views))
        }
    });
    drop.into_iter().chain([serve]).collect()
}
