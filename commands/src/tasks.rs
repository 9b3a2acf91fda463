//! Tasks of the engine: each belongs to the lifecycle, runs on the main runtime, and is awaited
//! when the engine stops. Nothing is ever detached.

use std::future::Future;

use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Where tasks are started and counted.
#[derive(Debug, Clone)]
pub struct Tasks {
    handle: Handle,
    tracker: TaskTracker,
    stopping: CancellationToken,
}

impl Tasks {
    /// On this runtime, counted by `tracker`, told to stop by `stopping`.
    pub const fn new(handle: Handle, tracker: TaskTracker, stopping: CancellationToken) -> Self {
        Self { handle, tracker, stopping }
    }

    /// Starts a task.
    pub fn spawn<F>(&self, task: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.tracker.spawn_on(task, &self.handle)
    }

    /// Fires when the engine stops: what loops for ever ends then.
    pub const fn stopping(&self) -> &CancellationToken {
        &self.stopping
    }
}
