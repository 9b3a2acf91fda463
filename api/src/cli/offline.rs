//! What commands share that look at a data folder without a node: a small runtime that Ctrl-C ends,
//! and the stores, opened so that a node may run on the same folder meanwhile.

use std::future::Future;
use std::path::Path;
use std::sync::Arc;

use holdfast_domain::ids::InvalidId;
use holdfast_domain::log::StreamId;
use holdfast_eventlog::SqliteLogReader;
use holdfast_readmodel::sqlite::SqliteReadStore;
use holdfast_readmodel::sqlite::migrations::{self, StepState};
use tokio::runtime::Builder;

use super::{Failure, hint};
use crate::config::Config;
use crate::config::stores::{LogStore, ReadStore};
use crate::keys::Keys;

/// Runs the work of a command to its end, or until somebody presses Ctrl-C.
pub fn run(work: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        tokio::select! {
            done = work => done,
            pressed = tokio::signal::ctrl_c() => pressed.map_err(Failure::from).and(Err(Failure::Interrupted)),
        }
    })
}

/// The keys of the node whose data folder it is. None are made: what a key signs that no node has is
/// worth nothing.
pub fn keys(config: &Config) -> Result<Keys, Failure> {
    if !config.data.join("keys").is_dir() {
        let why = format!(
            "{} holds no keys; name the data folder of the node with --data, or start it there \
             first: `{}`",
            config.data.display(),
            hint::with_all("serve", config)
        );
        return Err(Failure::Conflict(why));
    }
    Ok(Keys::open(&config.data)?)
}

/// A stream by its name.
pub fn stream(text: &str) -> Result<StreamId, &'static str> {
    const SHAPE: &str = "a stream is named like reservation-018f2a10-7c5e-7000-8000-000000000001; see `events tail`";
    text.parse().map_err(|_why: InvalidId| SHAPE)
}

/// The log, to read.
pub async fn log(config: &Config) -> Result<Arc<SqliteLogReader>, Failure> {
    Ok(Arc::new(SqliteLogReader::open(log_folder(config)?).await?))
}

/// The folder of the log.
pub fn log_folder(config: &Config) -> Result<&Path, Failure> {
    match &config.log {
        LogStore::Sqlite(folder) => Ok(folder),
        LogStore::Memory => {
            Err(Failure::Usage("log-url: a log in memory ends with its process".to_owned()))
        }
    }
}

/// The folder of the read models.
pub fn views_folder(config: &Config) -> Result<&Path, Failure> {
    match &config.read {
        ReadStore::Sqlite(folder) => Ok(folder),
        ReadStore::Memory => {
            Err(Failure::Usage("read-url: views in memory end with their process".to_owned()))
        }
    }
}

/// The read models, which must be there and in the shape of this release.
pub async fn views(config: &Config) -> Result<Arc<SqliteReadStore>, Failure> {
    let folder = views_folder(config)?;
    if !migrations::file(folder).exists() {
        let serve = hint::with_stores("serve", config);
        let why = format!("there are no views in {}; `{serve}` fills them", folder.display());
        return Err(Failure::Unavailable(why));
    }
    let steps = migrations::steps(folder).await?;
    if steps.iter().any(|step| step.state != StepState::Applied) {
        let status = hint::with_stores("migrate status", config);
        let why = format!("the views have the tables of another release; see `{status}`");
        return Err(Failure::Conflict(why));
    }
    Ok(Arc::new(SqliteReadStore::open(folder).await?))
}
