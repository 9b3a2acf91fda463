//! Another life for a log that was restored from a back-up. Its future may have been seen before, by
//! views and by clients, and went differently; under a new epoch nobody takes the one for the other.
//! Deliberately not here: what follows from it for views and cursors.

use std::fs::File;
use std::path::Path;

use holdfast_domain::ids::Epoch;
use holdfast_domain::log::Position;
use sqlx::Connection;
use sqlx::sqlite::{SqliteConnection, SqliteSynchronous};

use super::connect::{self, OpenError};
use super::migrations::{self, StepState};

/// A log that this process has taken: no node can open it while this is held.
#[derive(Debug)]
pub struct Renewal {
    connection: SqliteConnection,
    _lock: File,
    epoch: Epoch,
    head: Position,
}

impl Renewal {
    /// Takes the log that is in `folder`. Nothing is made, migrated or changed.
    pub async fn open(folder: &Path) -> Result<Self, OpenError> {
        if !connect::file(folder).exists() {
            return Err(OpenError::Absent { folder: folder.to_owned() });
        }
        let lock = connect::lock(folder)?;
        let steps = migrations::steps(folder).await?;
        if steps.iter().any(|step| step.state != StepState::Applied) {
            return Err(OpenError::OtherShape { folder: folder.to_owned() });
        }
        let mut connection = connect::writer(folder, SqliteSynchronous::Full, None).await?;
        let start = connect::prepare(&mut connection).await?;
        Ok(Self { connection, _lock: lock, epoch: start.epoch, head: start.tail.position })
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
        sqlx::query("UPDATE log_meta SET epoch = randomblob(16)")
            .execute(&mut self.connection)
            .await?;
        let epoch = connect::epoch(&mut self.connection).await?;
        self.connection.close().await?;
        Ok(epoch)
    }

    /// Lets go of the log as it is.
    pub async fn leave(self) -> Result<(), OpenError> {
        Ok(self.connection.close().await?)
    }
}
