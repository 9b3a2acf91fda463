//! Who keeps the views: this node follows the log while it has their lease, and the store while
//! another has it. Readers and subscribers see no difference: what is shown goes on from where it
//! was, and changes are read from the store in either case.

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::follower::FollowError;
use crate::keeper::{Held, VIEWS};
use crate::runner::Runner;
use crate::watcher::Watcher;

/// Runs one or the other.
#[derive(Debug)]
pub struct Shift {
    /// Keeps the views.
    pub runner: Runner,
    /// Shows what another keeps.
    pub watcher: Watcher,
}

impl Shift {
    /// Runs until it is told to stop. `held` are this node's shares; a lease of the views that was
    /// lost and taken again begins a new tenure, and the work begins anew. An error is a halt of the
    /// runner, which a restart without a change would meet again.
    pub async fn run(
        &self,
        mut held: watch::Receiver<Held>,
        stop: CancellationToken,
    ) -> Result<(), FollowError> {
        while !stop.is_cancelled() {
            let tenure = held.borrow_and_update().get(VIEWS).copied();
            let turn = stop.child_token();
            let work = async {
                if tenure.is_some() {
                    return self.runner.run(turn.clone()).await;
                }
                self.watcher.run(turn.clone()).await;
                Ok(())
            };
            let ends = async {
                // Without a keeper nothing changes any more.
                if held.wait_for(|held| held.get(VIEWS).copied() != tenure).await.is_err() {
                    std::future::pending::<()>().await;
                }
                turn.cancel();
            };
            // The work ends by itself, between two commits: it is told, never cut off.
            tokio::pin!(work, ends);
            tokio::select! {
                ended = &mut work => ended?,
                () = &mut ends => work.await?,
            }
        }
        Ok(())
    }
}
