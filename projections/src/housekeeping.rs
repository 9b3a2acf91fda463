//! Lets go of old changes and removes them, beside the runner: a handful at a time, so that no page
//! waits long for a store that does one thing after another. What goes wrong here is said in the log
//! and tried again later; views and readers do not depend on it.

use std::convert::Infallible;
use std::time::Duration;

use holdfast_domain::log::Position;
use tokio::sync::watch;
use tokio::time::sleep;

use crate::ports::{ReadStore, Retention, StoreError};

/// How many changes are removed at once. In `SQLite` a page waits as long as that takes.
const HANDFUL: u32 = 500;

/// How long others have the store between two handfuls.
const REST: Duration = Duration::from_millis(10);

/// How long after a failure it tries again.
const AGAIN: Duration = Duration::from_secs(5);

/// Keeps the changes of one store few.
#[derive(Debug)]
pub struct Housekeeping<'a> {
    /// Where they are kept.
    pub store: &'a dyn ReadStore,
    /// How long.
    pub retention: Retention,
}

impl Housekeeping<'_> {
    /// Lets go of what need not be kept.
    pub async fn trim(&self) {
        if let Err(why) = self.store.trim(self.retention).await {
            faltered(&why);
        }
    }

    /// Removes what was let go of, and lets go of more as the views move on from where they are now.
    /// Never ends; it may be dropped at any time.
    pub async fn run(&self, mut shown: watch::Receiver<Position>) -> Infallible {
        let often = self.retention.positions.div_euclid(16).max(1);
        let mut trimmed = *shown.borrow();
        loop {
            self.sweep().await;
            let due = Position(trimmed.0.saturating_add(often));
            let moved = shown.wait_for(|position| *position >= due).await.map(|position| *position);
            let Ok(position) = moved else {
                // Nobody shows positions any more.
                return std::future::pending().await;
            };
            self.trim().await;
            trimmed = position;
        }
    }

    /// Removes until nothing is found.
    async fn sweep(&self) {
        loop {
            let pause = match self.store.sweep(HANDFUL).await {
                Ok(0) => return,
                Ok(_more) => REST,
                Err(why) => {
                    faltered(&why);
                    AGAIN
                }
            };
            sleep(pause).await;
        }
    }
}

fn faltered(why: &StoreError) {
    tracing::warn!(%why, "old changes cannot be removed now; the views go on");
}
