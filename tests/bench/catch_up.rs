//! The read models follow a log from nothing, as they do when a node starts without them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use holdfast_domain::log::{Feed, Position};
use holdfast_projections::follower::FollowError;
use holdfast_projections::ports::ReadStore;
use holdfast_projections::runner::Options;
use holdfast_projections::{Projections, Reader, Runner};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

const PATIENCE: Duration = Duration::from_mins(20);

/// A runner at work.
#[derive(Debug)]
pub(crate) struct Following {
    pub(crate) reader: Reader,
    began: Instant,
    stop: CancellationToken,
    running: JoinSet<Result<(), FollowError>>,
}

impl Following {
    /// Starts one that keeps all views.
    pub(crate) fn start(log: Arc<dyn Feed>, store: Arc<dyn ReadStore>) -> Self {
        let runner = Runner::new(log, store, Projections::all(), Options::default());
        let (reader, stop) = (runner.reader(), CancellationToken::new());
        let (began, mut running) = (Instant::now(), JoinSet::new());
        let told = stop.clone();
        running.spawn(async move { runner.run(told).await });
        Self { reader, began, stop, running }
    }

    /// How long after the start the views show a position.
    pub(crate) async fn shown(&self, position: Position) -> Duration {
        self.reader.wait_for(position, tokio::time::sleep(PATIENCE)).await.unwrap();
        self.began.elapsed()
    }

    /// Lets it end.
    pub(crate) async fn end(mut self) {
        self.stop.cancel();
        self.running.join_next().await.unwrap().unwrap().unwrap();
    }
}
