//! Another life for a log that was restored from a back-up. Its future may have been seen before, by
//! views and by clients, and went differently; under a new epoch nobody takes the one for the other.
//! Deliberately not here: what follows from it for views and cursors.
//!
//! The cluster has no lock that nodes would hold, so nothing here keeps them away. One that runs goes
//! on under the epoch that it found at its start.

use eventstore::EventData;
use holdfast_domain::ids::Epoch;
use holdfast_domain::log::{Position, Revision};
use tokio::runtime::Handle;

use super::address::Address;
use super::link::Failure;
use super::{BEGUN, Core, META, OpenError};

/// A log as it was looked at to begin a new life of it.
#[derive(Debug)]
pub struct Renewal {
    core: Core,
    epoch: Epoch,
    revision: Revision,
    head: Position,
}

impl Renewal {
    /// Looks at the log that is at `address`. Nothing is begun or changed. Its tasks run on
    /// `handle`.
    pub async fn open(address: &str, handle: &Handle) -> Result<Self, OpenError> {
        let address = Address::parse(address)?;
        let core = Core::at(address.clone(), "", None, handle);
        let last = core.link.last(META).await.map_err(unread)?;
        let last = last.ok_or_else(|| OpenError::Absent { address: address.to_string() })?;
        let epoch = serde_json::from_slice(&last.data);
        let epoch = epoch.map_err(|why| OpenError::Damaged(format!("{META}: {why}")))?;
        let head = core.end().await.map_err(unread)?;
        Ok(Self { core, epoch, revision: Revision(last.revision), head })
    }

    /// In which life the log is.
    pub const fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// Where the log ends.
    pub const fn head(&self) -> Position {
        self.head
    }

    /// Begins the life `next`, unless somebody else began one since this looked.
    pub async fn begin(self, next: Epoch) -> Result<Epoch, OpenError> {
        let begun = EventData::json(BEGUN, &next);
        let begun = begun.map_err(|why| OpenError::Damaged(why.to_string()))?;
        let begun = [begun.id(*next.as_uuid())];
        match self.core.link.append(META, Some(self.revision), &begun).await {
            Ok(_) => Ok(next),
            Err(Failure::WrongRevision) => Err(OpenError::Renewed),
            Err(Failure::Unclear(why)) => Err(OpenError::Unclear(why)),
            Err(why @ (Failure::Missing | Failure::Refused(_) | Failure::NotDone(_))) => {
                Err(unread(why))
            }
        }
    }
}

fn unread(why: Failure) -> OpenError {
    OpenError::Unread(why.why())
}
