//! What goes wrong, and when: faults are planned for appends by their number from now on.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

/// What happens to an append.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The connection is cut before it takes effect.
    CutBefore,
    /// It takes effect, and the connection is cut before the answer.
    CutAfter,
    /// The node resigns: the next one leads, and this one says so.
    Resigns,
    /// The node says that it is not available.
    Unavailable,
    /// The answer comes late.
    Slow(Duration),
    /// The node dies before it takes effect, and takes no connection until it is started again.
    DiesBefore,
    /// It takes effect, then the node dies.
    DiesAfter,
}

/// The plan, shared by the nodes of a cluster.
#[derive(Debug)]
pub(crate) struct Faults {
    planned: Mutex<Plan>,
    paused: watch::Sender<bool>,
}

#[derive(Debug, Default)]
struct Plan {
    appends: u64,
    at: BTreeMap<u64, Fault>,
}

impl Faults {
    pub(crate) fn new() -> Self {
        Self { planned: Mutex::default(), paused: watch::Sender::new(false) }
    }

    /// Counts an append, and says what happens to it.
    pub(crate) fn next(&self) -> Option<Fault> {
        let mut plan = self.planned.lock().unwrap_or_else(PoisonError::into_inner);
        plan.appends += 1;
        let number = plan.appends;
        plan.at.remove(&number)
    }

    pub(crate) fn plan(&self, nth: u64, fault: Fault) {
        let mut plan = self.planned.lock().unwrap_or_else(PoisonError::into_inner);
        let number = plan.appends + nth;
        plan.at.insert(number, fault);
    }

    pub(crate) fn appends(&self) -> u64 {
        self.planned.lock().unwrap_or_else(PoisonError::into_inner).appends
    }

    pub(crate) fn pending(&self) -> usize {
        self.planned.lock().unwrap_or_else(PoisonError::into_inner).at.len()
    }

    pub(crate) fn pause(&self, paused: bool) {
        self.paused.send_replace(paused);
    }

    /// Waits while the cluster is paused.
    pub(crate) async fn unless_paused(&self) {
        let mut paused = self.paused.subscribe();
        // The sender lives as long as the faults that are borrowed here.
        let _closed = paused.wait_for(|paused| !paused).await;
    }
}
