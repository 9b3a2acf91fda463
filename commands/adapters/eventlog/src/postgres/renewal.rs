//! Another life for a log that was restored from a back-up. Its future may have been seen before, by
//! views and by clients, and went differently; under a new epoch nobody takes the one for the other.
//! Deliberately not here: what follows from it for views and cursors.

use std::time::Duration;

use holdfast_domain::ids::Epoch;
use holdfast_domain::log::Position;
use holdfast_postgres::Address;
use sqlx::Connection as _;
use sqlx::postgres::PgConnection;

use super::connect::{self, OpenError};
use super::{migrations, rows, sql};

const PATIENCE: Duration = Duration::from_secs(5);

/// A log that this process has taken: no node can open it while this is held.
#[derive(Debug)]
pub struct Renewal {
    connection: PgConnection,
    epoch: Epoch,
    head: Position,
}

impl Renewal {
    /// Takes the log that is at `address`. Nothing is made, migrated or changed.
    pub async fn open(address: &Address) -> Result<Self, OpenError> {
        migrations::require(address).await?;
        let mut connection = connect::sessions(address.clone()).dial(PATIENCE).await?;
        if !connect::take(&mut connection).await? {
            return Err(OpenError::InUse { address: address.clone() });
        }
        let start = connect::start(&mut connection).await?;
        Ok(Self { connection, epoch: start.epoch, head: start.tail.position })
    }

    /// In which life the log is.
    pub const fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// Where the log ends.
    pub const fn head(&self) -> Position {
        self.head
    }

    /// Begins a new life, and answers which.
    pub async fn begin(mut self) -> Result<Epoch, OpenError> {
        let row = sqlx::query(sql::NEW_EPOCH).fetch_one(&mut self.connection).await?;
        let epoch = rows::epoch(&row, 0)?;
        self.connection.close().await?;
        Ok(epoch)
    }

    /// Lets go of the log as it is.
    pub async fn leave(self) -> Result<(), OpenError> {
        Ok(self.connection.close().await?)
    }
}
