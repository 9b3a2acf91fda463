//! The life of the process: who owns its tasks, when they stop, and what ends it. Every task is
//! spawned here, on the main runtime, and awaited at the end. Work that must not be cut off when a
//! client goes away is run by [`Lifecycle::run_to_end`].

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How long each stage of the stop may take: work in progress, runners, each closing.
pub const DRAIN: Duration = Duration::from_secs(2);

/// The work was cut off: it panicked, or the process is ending.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the work was cut off before its end")]
pub struct CutOff;

/// Something that is done last, when all tasks have ended: closing the log.
pub type Closing = Box<dyn Future<Output = ()> + Send>;

struct Shared {
    runtime: Handle,
    work: TaskTracker,
    tasks: TaskTracker,
    edge: CancellationToken,
    runners: CancellationToken,
    fatal: watch::Sender<Option<String>>,
    closings: Mutex<Vec<Closing>>,
}

/// Owns the tasks. Cheap to clone.
#[derive(Clone)]
pub struct Lifecycle(Arc<Shared>);

impl std::fmt::Debug for Lifecycle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lifecycle").field("tasks", &self.0.tasks.len()).finish_non_exhaustive()
    }
}

impl Lifecycle {
    /// Tasks will run on this runtime; it must be the main one.
    pub fn new(runtime: Handle) -> Self {
        Self(Arc::new(Shared {
            runtime,
            work: TaskTracker::new(),
            tasks: TaskTracker::new(),
            edge: CancellationToken::new(),
            runners: CancellationToken::new(),
            fatal: watch::Sender::new(None),
            closings: Mutex::default(),
        }))
    }

    /// Runs the work on the main runtime and answers its result. Dropping the returned future, as
    /// happens when a client resets its connection, does not stop the work.
    pub fn run_to_end<F>(
        &self,
        work: F,
    ) -> impl Future<Output = Result<F::Output, CutOff>> + Send + use<F>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let task = self.0.work.spawn_on(work, &self.0.runtime);
        async move { task.await.map_err(|_cut_off| CutOff) }
    }

    /// Starts a task that runs until the runners are told to stop. It is awaited at the end; when
    /// it ends before that with an error, the process ends too.
    pub fn start<F>(&self, name: &'static str, task: F)
    where
        F: Future<Output = Result<(), String>> + Send + 'static,
    {
        let lifecycle = self.clone();
        let watched = async move {
            // A panic is no quieter than an error: what has to run and does not ends the process.
            match AssertUnwindSafe(task).catch_unwind().await {
                Ok(Ok(())) => {}
                Ok(Err(why)) => lifecycle.fail(&format!("{name}: {why}")),
                Err(_panic) => lifecycle.fail(&format!("{name}: it panicked")),
            }
        };
        drop(self.0.tasks.spawn_on(watched, &self.0.runtime));
    }

    /// The main runtime, for crates that start their own tasks on it and own them.
    pub fn runtime(&self) -> &Handle {
        &self.0.runtime
    }

    /// The owner of all tasks, for crates that spawn through it.
    pub fn tasks(&self) -> &TaskTracker {
        &self.0.tasks
    }

    /// Fires first: sockets close, readiness ends.
    pub fn edge_stops(&self) -> &CancellationToken {
        &self.0.edge
    }

    /// Fires when the edge has drained: projections, processes and timers end.
    pub fn runners_stop(&self) -> &CancellationToken {
        &self.0.runners
    }

    /// Whether the process is on its way out.
    pub fn is_stopping(&self) -> bool {
        self.0.edge.is_cancelled()
    }

    /// Something that nothing can be done about, like a poisoned log: the process ends with code 1.
    pub fn fail(&self, why: &str) {
        tracing::error!(why, "fatal: the process ends");
        self.0.fatal.send_if_modified(|first| {
            let unset = first.is_none();
            if unset {
                *first = Some(why.to_owned());
            }
            unset
        });
    }

    /// Returns when something failed for good, with what.
    pub async fn failed(&self) -> String {
        let mut fatal = self.0.fatal.subscribe();
        match fatal.wait_for(Option::is_some).await {
            Ok(why) => why.clone().unwrap_or_default(),
            // The sender lives as long as this lifecycle does.
            Err(_gone) => std::future::pending().await,
        }
    }

    /// What is done when all tasks have ended, the last one registered first.
    pub fn at_the_end(&self, closing: impl Future<Output = ()> + Send + 'static) {
        let mut closings = self.0.closings.lock().unwrap_or_else(PoisonError::into_inner);
        closings.push(Box::new(closing));
    }

    /// Stops what was started here: work in progress ends while the runners that it needs still run,
    /// then the runners, then the closings. The HTTP server must have been stopped before. Answers whether all of it ended in time.
    pub async fn stop(&self) -> bool {
        self.0.edge.cancel();
        let worked = drain(&self.0.work).await;
        self.0.runners.cancel();
        let ended = drain(&self.0.tasks).await;
        let mut closed = true;
        while let Some(closing) = self.next_closing() {
            closed &= timeout(DRAIN, Box::into_pin(closing)).await.is_ok();
        }
        worked && ended && closed
    }

    fn next_closing(&self) -> Option<Closing> {
        self.0.closings.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }
}

async fn drain(tasks: &TaskTracker) -> bool {
    tasks.close();
    let drained = timeout(DRAIN, tasks.wait()).await.is_ok();
    if !drained {
        tracing::warn!(left = tasks.len(), "tasks did not end in time");
    }
    drained
}

/// Returns when the operating system asks the process to end.
pub async fn asked_to_end() -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut terminate, mut interrupt) =
        (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn a_panic_in_a_task_that_has_to_run_ends_the_process() {
        let lifecycle = Lifecycle::new(Handle::current());
        lifecycle.start("views", async { panic!("planted") });
        assert_eq!(lifecycle.failed().await, "views: it panicked");
    }

    #[tokio::test]
    async fn work_goes_on_when_nobody_waits_for_it() {
        let lifecycle = Lifecycle::new(Handle::current());
        let (go, gate) = oneshot::channel::<()>();
        let (done, seen) = oneshot::channel();
        drop(lifecycle.run_to_end(async move {
            gate.await.unwrap();
            done.send("done").unwrap();
        }));
        go.send(()).unwrap();
        assert_eq!(seen.await, Ok("done"));
    }

    #[tokio::test]
    async fn a_panic_is_the_callers_error_and_nobody_elses() {
        let lifecycle = Lifecycle::new(Handle::current());
        let cut_off = lifecycle.run_to_end(async { panic!("on purpose") }).await;
        assert_eq!(cut_off, Err::<(), _>(CutOff));
        assert_eq!(lifecycle.run_to_end(async { 7 }).await, Ok(7));
    }

    #[tokio::test]
    async fn tasks_end_before_the_log_is_closed() {
        let lifecycle = Lifecycle::new(Handle::current());
        let order = Arc::new(Mutex::new(Vec::new()));
        let (tasks, log) = (Arc::clone(&order), Arc::clone(&order));
        let stop = lifecycle.runners_stop().clone();
        lifecycle.at_the_end(async move { log.lock().unwrap().push("log closed") });
        lifecycle.start("runner", async move {
            stop.cancelled().await;
            tasks.lock().unwrap().push("runner ended");
            Ok(())
        });
        assert!(lifecycle.stop().await);
        assert_eq!(*order.lock().unwrap(), ["runner ended", "log closed"]);
    }

    #[tokio::test]
    async fn work_in_progress_ends_before_the_runners_that_it_needs() {
        let lifecycle = Lifecycle::new(Handle::current());
        let (runner_stops, edge_stops) =
            (lifecycle.runners_stop().clone(), lifecycle.edge_stops().clone());
        let work = lifecycle.run_to_end(async move {
            edge_stops.cancelled().await;
            runner_stops.is_cancelled()
        });
        assert!(lifecycle.stop().await);
        assert_eq!(work.await, Ok(false));
    }

    #[tokio::test]
    async fn the_first_failure_ends_the_process() {
        let lifecycle = Lifecycle::new(Handle::current());
        lifecycle.start("runner", async { Err("the log is poisoned".to_owned()) });
        assert_eq!(lifecycle.failed().await, "runner: the log is poisoned");
        lifecycle.fail("later");
        assert_eq!(lifecycle.failed().await, "runner: the log is poisoned");
    }
}
