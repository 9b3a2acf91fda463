//! Hints within one process: to its own watchers, and between the nodes of a test.

use holdfast_domain::log::{Pending, Position};
use holdfast_projections::hints::Hints;
use tokio::sync::watch;

/// Tells everybody in this process. Clones tell one another.
#[derive(Debug, Clone)]
pub struct LocalHints {
    position: watch::Sender<Position>,
}

impl LocalHints {
    /// Nothing was told yet.
    pub fn new() -> Self {
        Self { position: watch::Sender::new(Position::START) }
    }
}

impl Default for LocalHints {
    fn default() -> Self {
        Self::new()
    }
}

impl Hints for LocalHints {
    fn announce(&self, position: Position) -> Pending<'_, ()> {
        self.position.send_replace(position);
        Box::pin(std::future::ready(()))
    }

    fn changed(&self, after: Position) -> Pending<'_, ()> {
        let mut position = self.position.subscribe();
        Box::pin(async move { drop(position.wait_for(|position| *position > after).await) })
    }
}
