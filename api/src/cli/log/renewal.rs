//! A log that is taken to begin another life of it, whichever store it is in.

use holdfast_commands::ports::Ids as _;
use holdfast_domain::ids::Epoch;
use holdfast_domain::log::Position;
use holdfast_eventlog::{Renewal as SqliteRenewal, kurrentdb, postgres};
use holdfast_gateways::system::SystemIds;
use tokio::runtime::Handle;

use crate::cli::{Failure, offline};
use crate::config::Config;
use crate::config::stores::LogStore;
use crate::stores::postgres_at;

/// While it is held, no node can open the log; a cluster of KurrentDB cannot be held.
#[derive(Debug)]
pub(super) enum Renewal {
    Sqlite(SqliteRenewal),
    Postgres(postgres::Renewal),
    KurrentDb(Box<kurrentdb::Renewal>),
}

impl Renewal {
    /// Takes the log of this configuration.
    pub(super) async fn open(config: &Config) -> Result<Self, Failure> {
        match &config.log {
            LogStore::Sqlite(folder) => Ok(Self::Sqlite(SqliteRenewal::open(folder).await?)),
            LogStore::Postgres(url) => {
                Ok(Self::Postgres(postgres::Renewal::open(&postgres_at(url)?).await?))
            }
            LogStore::KurrentDb(url) => {
                let log = kurrentdb::Renewal::open(url.expose(), &Handle::current()).await?;
                Ok(Self::KurrentDb(Box::new(log)))
            }
            LogStore::Memory => Err(offline::log_in_memory()),
        }
    }

    /// In which life the log is.
    pub(super) const fn epoch(&self) -> Epoch {
        match self {
            Self::Sqlite(log) => log.epoch(),
            Self::Postgres(log) => log.epoch(),
            Self::KurrentDb(log) => log.epoch(),
        }
    }

    /// Where the log ends.
    pub(super) const fn head(&self) -> Position {
        match self {
            Self::Sqlite(log) => log.head(),
            Self::Postgres(log) => log.head(),
            Self::KurrentDb(log) => log.head(),
        }
    }

    /// Begins a new life, and answers which.
    pub(super) async fn begin(self) -> Result<Epoch, Failure> {
        match self {
            Self::Sqlite(log) => Ok(log.begin().await?),
            Self::Postgres(log) => Ok(log.begin().await?),
            Self::KurrentDb(log) => Ok(log.begin(Epoch::from_uuid(SystemIds.fresh())).await?),
        }
    }

    /// Lets go of the log as it is.
    pub(super) async fn leave(self) -> Result<(), Failure> {
        match self {
            Self::Sqlite(log) => Ok(log.leave().await?),
            Self::Postgres(log) => Ok(log.leave().await?),
            Self::KurrentDb(_) => Ok(()),
        }
    }
}
