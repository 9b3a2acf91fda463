//! The owners of this process: one task per stream that has work, made on demand, gone when idle.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::FutureExt as _;
use holdfast_domain::log::StreamId;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::owner::{Done, Ground, Job, Owner};
use crate::request::{CommandError, Request};
use crate::tasks::Tasks;
use crate::use_case::UseCase;

/// Commands that may wait at one owner; the next one is turned away.
const MAILBOX_MAX: usize = 2_048;
/// Owners at work at once; the next one is turned away.
const OWNERS_MAX: usize = 50_000;
/// How long an owner keeps its states warm without work.
const IDLE: Duration = Duration::from_secs(20);

// Boxed, because a mailbox has room for some dozen jobs from its first one on, and most owners only
// ever get that.
type Mailboxes = BTreeMap<StreamId, mpsc::Sender<Box<Job>>>;

/// Finds or makes the owner of a stream.
#[derive(Debug, Clone)]
pub struct Owners {
    ground: Ground,
    tasks: Tasks,
    mailboxes: Arc<Mutex<Mailboxes>>,
}

impl Owners {
    /// None yet.
    pub fn new(ground: Ground, tasks: Tasks) -> Self {
        Self { ground, tasks, mailboxes: Arc::default() }
    }

    /// How many are at work or warm.
    pub fn count(&self) -> usize {
        self.mailboxes.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Has the owner decide. The decision and its append go on when the caller goes away.
    pub async fn decide(
        &self,
        use_case: Arc<dyn UseCase>,
        request: Request,
    ) -> Result<Done, CommandError> {
        let (respond, response) = oneshot::channel();
        let stream = use_case.owner();
        self.send(stream, Job { use_case, request, respond })?;
        response.await.unwrap_or_else(|_unanswered| {
            let why = if self.tasks.stopping().is_cancelled() {
                "the engine is stopping"
            } else {
                "the decision broke off; the log of this node says why"
            };
            Err(CommandError::Unavailable(why.to_owned()))
        })
    }

    fn send(&self, stream: StreamId, job: Job) -> Result<(), CommandError> {
        let mut mailboxes = self.mailboxes.lock().unwrap_or_else(PoisonError::into_inner);
        let open = mailboxes.get(&stream).filter(|mailbox| !mailbox.is_closed()).cloned();
        let mailbox = match open {
            Some(mailbox) => mailbox,
            None => self.open(&mut mailboxes, stream)?,
        };
        mailbox.try_send(Box::new(job)).map_err(|_full| CommandError::Overloaded)
    }

    fn open(
        &self,
        mailboxes: &mut Mailboxes,
        stream: StreamId,
    ) -> Result<mpsc::Sender<Box<Job>>, CommandError> {
        if mailboxes.len() >= OWNERS_MAX {
            return Err(CommandError::Overloaded);
        }
        let (sender, mailbox) = mpsc::channel(MAILBOX_MAX);
        mailboxes.insert(stream, sender.clone());
        let owner = Owner::new(stream, self.ground.clone());
        self.tasks.spawn(run(
            stream,
            owner,
            mailbox,
            Arc::clone(&self.mailboxes),
            self.tasks.stopping().clone(),
        ));
        Ok(sender)
    }
}

async fn run(
    stream: StreamId,
    mut owner: Owner,
    mut mailbox: mpsc::Receiver<Box<Job>>,
    mailboxes: Arc<Mutex<Mailboxes>>,
    stopping: CancellationToken,
) {
    loop {
        let next = tokio::select! {
            biased;
            job = tokio::time::timeout(IDLE, mailbox.recv()) => job,
            () = stopping.cancelled() => return,
        };
        match next {
            Ok(Some(job)) => {
                // Boxed, so that the many owners that only keep their states warm are small.
                let serving = Box::pin(owner.serve(*job, &mut mailbox));
                let served = AssertUnwindSafe(serving).catch_unwind().await;
                if served.is_err() {
                    // A defect in one decision must not take those down that wait behind it. What
                    // the owner knows may be half moved on, so it reads again.
                    tracing::error!(%stream, "a decision panicked; its group is not answered");
                    owner.forget();
                }
            }
            Ok(None) => return,
            Err(_idle) => {
                // Senders exist only under this lock, so an empty mailbox stays empty.
                let mut mailboxes = mailboxes.lock().unwrap_or_else(PoisonError::into_inner);
                if mailbox.is_empty() {
                    mailboxes.remove(&stream);
                    return;
                }
            }
        }
    }
}
