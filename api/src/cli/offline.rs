//! What commands share that look at a data folder without a node: a small runtime that Ctrl-C ends,
//! and the stores, opened so that a node may run on the same folder meanwhile.

use std::fmt;
use std::future::Future;
use std::ops::Deref;
use std::sync::Arc;

use holdfast_domain::ids::InvalidId;
use holdfast_domain::log::{Feed, Pending, StreamId};
use holdfast_eventlog::{KurrentLogReader, PostgresLogReader, SqliteLogReader};
use holdfast_projections::leases::{Lease, Leases as _};
use holdfast_projections::ports::ReadStore as ReadPort;
use holdfast_readmodel::postgres::migrations as postgres;
use holdfast_readmodel::sqlite::migrations as sqlite;
use holdfast_readmodel::{PostgresReadStore, SqliteReadStore};
use tokio::runtime::{Builder, Handle};

use super::{Failure, hint};
use crate::config::Config;
use crate::config::stores::{LogStore, ReadStore};
use crate::keys::Keys;
use crate::stores::postgres_at;

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

/// A store by its port, and what lets go of it.
pub struct Opened<P: ?Sized> {
    port: Arc<P>,
    closing: Pending<'static, ()>,
}

impl<P: ?Sized + fmt::Debug> fmt::Debug for Opened<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.port.fmt(f)
    }
}

impl<P: ?Sized> Opened<P> {
    fn new(port: Arc<P>, closing: impl Future<Output = ()> + Send + 'static) -> Self {
        Self { port, closing: Box::pin(closing) }
    }

    /// Lets go of it.
    pub async fn close(self) {
        drop(self.port);
        self.closing.await;
    }
}

impl<P: ?Sized> Deref for Opened<P> {
    type Target = Arc<P>;

    fn deref(&self) -> &Self::Target {
        &self.port
    }
}

/// The log, to read.
pub async fn log(config: &Config) -> Result<Opened<dyn Feed>, Failure> {
    match &config.log {
        LogStore::Sqlite(folder) => {
            let log = Arc::new(SqliteLogReader::open(folder).await?);
            let port: Arc<dyn Feed> = Arc::<SqliteLogReader>::clone(&log);
            Ok(Opened::new(port, async move { log.close().await }))
        }
        LogStore::Postgres(url) => {
            let log = Arc::new(PostgresLogReader::open(&postgres_at(url)?).await?);
            let port: Arc<dyn Feed> = Arc::<PostgresLogReader>::clone(&log);
            Ok(Opened::new(port, async move { log.close().await }))
        }
        LogStore::KurrentDb(url) => {
            let log = KurrentLogReader::open(url.expose(), &Handle::current()).await?;
            let log = Arc::new(log);
            let port: Arc<dyn Feed> = Arc::<KurrentLogReader>::clone(&log);
            Ok(Opened::new(port, async move { log.close().await }))
        }
        LogStore::Memory => Err(log_in_memory()),
    }
}

/// Nobody but its own process can look at it.
pub fn log_in_memory() -> Failure {
    Failure::Usage("log-url: a log in memory ends with its process".to_owned())
}

/// The read models, which must be there and in the shape of this release.
pub async fn views(config: &Config) -> Result<Opened<dyn ReadPort>, Failure> {
    match &config.read {
        ReadStore::Sqlite(folder) => {
            if !sqlite::file(folder).exists() {
                return Err(no_views(config, &folder.display().to_string()));
            }
            let applied = |step: &sqlite::Step| step.state == sqlite::StepState::Applied;
            require(config, sqlite::steps(folder).await?.iter().all(applied))?;
            let views = SqliteReadStore::open(folder).await?;
            Ok(Opened::new(Arc::new(views.clone()), async move { views.close().await }))
        }
        ReadStore::Postgres(url) => {
            let address = postgres_at(url)?;
            let steps = postgres::steps(&address).await?;
            if steps.iter().all(|step| step.state == postgres::StepState::Pending) {
                return Err(no_views(config, &address.to_string()));
            }
            let applied = |step: &postgres::Step| step.state == postgres::StepState::Applied;
            require(config, steps.iter().all(applied))?;
            let views = PostgresReadStore::open(address).await?;
            Ok(Opened::new(Arc::new(views.clone()), async move { views.close().await }))
        }
        ReadStore::Memory => {
            Err(Failure::Usage("read-url: views in memory end with their process".to_owned()))
        }
    }
}

/// The leases of the nodes that share the read models; none where only one process can have them.
pub async fn leases(config: &Config) -> Result<Option<Vec<Lease>>, Failure> {
    let ReadStore::Postgres(url) = &config.read else { return Ok(None) };
    let views = PostgresReadStore::open(postgres_at(url)?).await?;
    let standing = views.leases().list().await;
    views.close().await;
    Ok(Some(standing.map_err(|why| Failure::Unavailable(why.to_string()))?))
}

fn no_views(config: &Config, place: &str) -> Failure {
    let serve = hint::with_stores("serve", config);
    Failure::Unavailable(format!("there are no views in {place}; `{serve}` fills them"))
}

fn require(config: &Config, in_shape: bool) -> Result<(), Failure> {
    if in_shape {
        return Ok(());
    }
    let status = hint::with_stores("migrate status", config);
    Err(Failure::Conflict(format!("the views have the tables of another release; see `{status}`")))
}
