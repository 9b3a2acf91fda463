//! What goes wrong, and when: faults are planned for appends by their number from now on.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tonic::{Code, Status};

use crate::service::refused;

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
    /// The node says that the write has waited too long; it takes no effect.
    TimesOutBefore,
    /// The node says that the write has waited too long; it takes effect all the same.
    TimesOutAfter,
    /// The node says that the client may not write.
    Denied,
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
    reads_denied: AtomicBool,
}

#[derive(Debug, Default)]
struct Plan {
    appends: u64,
    at: BTreeMap<u64, Fault>,
}

impl Faults {
    pub(crate) fn new() -> Self {
        let (paused, reads_denied) = (watch::Sender::new(false), AtomicBool::new(false));
        Self { planned: Mutex::default(), paused, reads_denied }
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

    pub(crate) fn deny_reads(&self, denied: bool) {
        self.reads_denied.store(denied, Ordering::SeqCst);
    }

    /// Refuses a read while reads are denied.
    pub(crate) fn may_read(&self) -> Result<(), Status> {
        if self.reads_denied.load(Ordering::SeqCst) { Err(denied()) } else { Ok(()) }
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

/// The refusal of somebody who may not.
pub(crate) fn denied() -> Status {
    refused(Code::PermissionDenied, "access-denied", &[])
}
