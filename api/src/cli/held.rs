//! Stores that a command takes for itself, so that no node runs on them meanwhile.

use holdfast_projections::leases::Leases as _;
use holdfast_readmodel::PostgresReadStore;

use super::Failure;
use super::log::renewal::Renewal;
use crate::config::Config;
use crate::config::stores::ReadStore;
use crate::stores::postgres_at;

/// While this is held, no node opens the log; a cluster of KurrentDB cannot be held.
#[derive(Debug)]
pub struct Held(Renewal);

impl Held {
    /// Takes the stores of this configuration. Refused while a node has the log open or, where the
    /// log cannot say so, while a worker's lease of the views stands. The views must be there.
    pub async fn take(config: &Config) -> Result<Self, Failure> {
        let log = Renewal::open(config).await?;
        refuse_workers(config).await?;
        Ok(Self(log))
    }

    /// Lets go of them.
    pub async fn leave(self) -> Result<(), Failure> {
        self.0.leave().await
    }
}

/// The leases of views in SQLite or memory are within a process, and say nothing here.
async fn refuse_workers(config: &Config) -> Result<(), Failure> {
    let ReadStore::Postgres(url) = &config.read else { return Ok(()) };
    let store = PostgresReadStore::open(postgres_at(url)?).await?;
    let leases = store.leases().list().await;
    store.close().await;
    let leases = leases.map_err(|why| Failure::Unavailable(why.to_string()))?;
    match leases.first() {
        None => Ok(()),
        Some(lease) => Err(Failure::Conflict(format!(
            "{} works on the views; stop every node first (the leases of one that died run out within \
             seconds)",
            lease.holder
        ))),
    }
}
