//! One mailbox per hot stream. Its owner decides all waiting commands on the state so far, appends
//! once, and answers only after the commit. Under contention nobody retries against anybody: the
//! commands are simply decided one after the other.
//!
//! An owner is a cache and a queue, never an authority: between processes the expected revisions
//! decide. When anything in a group was refused by the log, what the group touched is forgotten,
//! read again, and the losers are decided again. What the log is not asked to judge, because nothing
//! is appended or it cannot check what is only read, never stands on what was read before: another
//! process may have moved it on since.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use holdfast_domain::event::Event;
use holdfast_domain::log::{
    AppendError, Appended, EventLog, Expected, Position, Revision, StreamId,
};
use holdfast_domain::time::Timestamp;
use tokio::sync::{mpsc, oneshot};

use crate::decision::{Decision, Frame, before};
use crate::failpoint;
use crate::ports::{Clock, Presenter};
use crate::refusal::Refusal;
use crate::remembered;
use crate::request::{Answer, CommandError, Request, WouldWrite};
use crate::state::{Known, States};
use crate::use_case::{Outcome, UseCase};
use crate::world::World;

/// How many commands are decided before they are appended together.
const GROUP_MAX: usize = 128;
/// How often a command that met a concurrent change is decided again.
const ATTEMPTS_MAX: u32 = 12;
/// How many streams stay warm beside the owner's own.
const WARM_MAX: usize = 512;
/// How far a node's clock may lag behind what was written before commands are turned away.
const CLOCK_LAG_MAX: Duration = Duration::from_millis(500);

/// The longest pause of one who met a concurrent change again and again, as a power of two of
/// milliseconds.
const PAUSE_MAX: u32 = 6;

/// What an owner needs of the world.
#[derive(Debug, Clone)]
pub struct Ground {
    /// The log.
    pub log: Arc<dyn EventLog>,
    /// The node's clock.
    pub clock: Arc<dyn Clock>,
    /// How states are shown to callers.
    pub presenter: Arc<dyn Presenter>,
}

/// What became of a decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Done {
    /// The answer, when the command ended.
    pub answer: Option<Answer>,
    /// What a process has to do next.
    pub outcome: Outcome,
    /// Where its append ended; the start when nothing was appended.
    pub position: Position,
}

/// A command on its way through an owner.
#[derive(Debug)]
pub struct Job {
    /// What to decide.
    pub use_case: Arc<dyn UseCase>,
    /// Its circumstances.
    pub request: Request,
    /// Where the result goes.
    pub respond: oneshot::Sender<Result<Done, CommandError>>,
}

/// A job and how often it met a concurrent change.
#[derive(Debug)]
struct Waiting {
    job: Job,
    attempts: u32,
}

/// The owner of one stream's decisions.
#[derive(Debug)]
pub struct Owner {
    stream: StreamId,
    ground: Ground,
    states: States,
    /// What was read for the commands that are served, or cannot have been there before them. It only
    /// grows until they are answered: a command that waits for one more stream to be read must not
    /// find that those before it count as old again.
    read_now: BTreeSet<StreamId>,
}

/// Whether a use case reads one of these streams.
fn stands_on(use_case: &dyn UseCase, open: &BTreeSet<StreamId>) -> bool {
    use_case.streams().iter().any(|stream| open.contains(stream))
}

impl Owner {
    /// Of `stream`, knowing nothing yet.
    pub const fn new(stream: StreamId, ground: Ground) -> Self {
        Self { stream, ground, states: States::new(), read_now: BTreeSet::new() }
    }

    /// Serves what waits, and everything that waits behind it, up to a group.
    pub async fn serve(&mut self, first: Job, mailbox: &mut mpsc::Receiver<Box<Job>>) {
        self.read_now.clear();
        let mut waiting = VecDeque::from([Waiting { job: first, attempts: 0 }]);
        while waiting.len() < GROUP_MAX {
            match mailbox.try_recv() {
                Ok(job) => waiting.push_back(Waiting { job: *job, attempts: 0 }),
                Err(_nothing_waits) => break,
            }
        }
        while !waiting.is_empty() {
            waiting = self.round(waiting).await;
            self.step_aside(&waiting).await;
        }
        self.cool_down();
    }

    /// Decides everything once, appends once; returns what has to be decided again, in order.
    async fn round(&mut self, waiting: VecDeque<Waiting>) -> VecDeque<Waiting> {
        let waiting = self.load(waiting).await;
        self.wait_for_clock(&waiting).await;
        let mut decided = Vec::new();
        let mut deferred = VecDeque::new();
        // What earlier decisions of this round write, which may not come to stand.
        let mut open = BTreeSet::new();
        let (mut moved, mut stale) = (false, Vec::new());
        for entry in waiting {
            if moved {
                // The states show facts that nobody will write: first append what stands without.
                deferred.push_back(entry);
                continue;
            }
            let verdict = self.decide(&entry.job);
            moved = verdict.moved;
            let unjudged = self.unjudged(&*entry.job.use_case, &verdict.then);
            if !unjudged.is_empty() {
                stale.extend(unjudged);
                deferred.push_back(entry);
                // An accepted decision has moved the states on, and will be taken again.
                moved |= matches!(verdict.then, Then::Append(_));
                continue;
            }
            if !self.is_judged(&verdict.then) && stands_on(&*entry.job.use_case, &open) {
                // Nothing would take it back if what it stands on is not written.
                deferred.push_back(entry);
                continue;
            }
            match verdict.then {
                Then::Append(decision) => {
                    let batch = decision.batch.iter().flat_map(|batch| &batch.writes);
                    open.extend(batch.map(|write| write.stream));
                    decided.push((entry, *decision));
                }
                Then::Answer(result) => answer(entry.job, *result),
            }
        }
        failpoint::hit("cmd.decided");
        let mut again = self.append(decided).await;
        if moved {
            self.states.clear();
        }
        for stream in stale {
            self.states.remove(&stream);
        }
        again.append(&mut deferred);
        again
    }

    /// Whether the log compares what a verdict stands on with what is there.
    fn is_judged(&self, then: &Then) -> bool {
        match then {
            Then::Answer(_) => false,
            Then::Append(decision) => {
                let writes = decision.batch.as_ref().is_some_and(|it| !it.writes.is_empty());
                writes || self.ground.log.capabilities().guards
            }
        }
    }

    /// The streams that a decision stands on although neither the log will judge them nor were they
    /// read for it. Without other processes, what is known is what is there.
    fn unjudged(&self, use_case: &dyn UseCase, then: &Then) -> Vec<StreamId> {
        if !self.ground.log.capabilities().shared {
            return vec![];
        }
        let batch = match then {
            Then::Append(decision) => decision.batch.as_ref(),
            Then::Answer(_) => None,
        };
        let judged = |stream: &StreamId| {
            batch.is_some_and(|batch| {
                batch.writes.iter().any(|write| write.stream == *stream)
                    || batch.guards.iter().any(|guard| guard.stream == *stream)
            })
        };
        let streams = use_case.streams().into_iter();
        streams.filter(|stream| !self.read_now.contains(stream) && !judged(stream)).collect()
    }

    /// Lets other processes go first now and then, when they were first again and again: each by
    /// another pause, so that the same two do not meet for ever.
    async fn step_aside(&self, waiting: &VecDeque<Waiting>) {
        let Some(most) = waiting.iter().max_by_key(|entry| entry.attempts) else { return };
        if most.attempts < 2 || !self.ground.log.capabilities().shared {
            return;
        }
        let window = 1_000_u128 << most.attempts.min(PAUSE_MAX);
        // The end of a command's id is as good as a die, and different on every node.
        let id = most.job.request.command_id.as_uuid().as_u128().rotate_right(most.attempts);
        let micros = u64::try_from(id.checked_rem(window).unwrap_or_default()).unwrap_or_default();
        tokio::time::sleep(Duration::from_micros(micros)).await;
    }

    /// Forgets what another process may have moved on and the log cannot check.
    fn forget_unchecked(&mut self) {
        let can = self.ground.log.capabilities();
        if can.shared && !can.guards {
            let own = self.stream;
            self.states.retain(|stream, _| *stream == own);
        }
    }

    /// Reads the streams that are not warm; answers the jobs whose streams cannot be read.
    async fn load(&mut self, waiting: VecDeque<Waiting>) -> VecDeque<Waiting> {
        self.forget_unchecked();
        // The log does not judge a trial, so a trial is judged on what is there now.
        for entry in waiting.iter().filter(|entry| entry.job.request.dry_run) {
            for stream in entry.job.use_case.streams() {
                self.states.remove(&stream);
            }
        }
        let mut missing: Vec<StreamId> = Vec::new();
        for Waiting { job, .. } in &waiting {
            let fresh = job.use_case.fresh();
            for stream in job.use_case.streams() {
                if self.states.contains_key(&stream) || missing.contains(&stream) {
                    continue;
                }
                if fresh.contains(&stream) {
                    drop(self.states.insert(stream, Known::absent(stream).into()));
                    self.read_now.insert(stream);
                } else {
                    missing.push(stream);
                }
            }
        }
        let loads = missing.iter().map(|stream| self.ground.log.load(*stream, Revision(0)));
        let loaded = join_all(loads).await;
        let mut failed = None;
        for (stream, events) in missing.into_iter().zip(loaded) {
            match events {
                Ok(events) => {
                    self.read_now.insert(stream);
                    drop(self.states.insert(stream, Known::fold(stream, &events).into()));
                }
                Err(error) => failed = Some(error.to_string()),
            }
        }
        let Some(why) = failed else { return waiting };
        let (ready, unreadable): (VecDeque<_>, VecDeque<_>) =
            waiting.into_iter().partition(|entry| {
                entry.job.use_case.streams().iter().all(|stream| self.states.contains_key(stream))
            });
        for entry in unreadable {
            answer(entry.job, Err(CommandError::Unavailable(why.clone())));
        }
        ready
    }

    /// Within a stream time does not run back: waits until a clock that lags a little has caught up.
    async fn wait_for_clock(&self, waiting: &VecDeque<Waiting>) {
        let streams = waiting.iter().flat_map(|entry| entry.job.use_case.streams());
        let last = streams
            .filter_map(|stream| self.states.get(&stream))
            .map(|known| known.last_at)
            .max()
            .unwrap_or(Timestamp::MIN);
        let now = self.ground.clock.now();
        if now < last && last.since(now) <= CLOCK_LAG_MAX {
            self.ground.clock.sleep_until(last).await;
        }
    }

    fn decide(&mut self, job: &Job) -> Verdict {
        let now = self.ground.clock.now();
        let use_case = &*job.use_case;
        let behind = |stream| self.states.get(stream).is_some_and(|known| now < known.last_at);
        if use_case.streams().iter().any(behind) {
            return Verdict::answer(Err(CommandError::ClockBehind));
        }
        let current = self.states.get(&use_case.compared()).and_then(|known| known.revision());
        if job.request.if_match.is_some_and(|wanted| Some(wanted) != current) {
            let refusal = Refusal::RevisionMismatch { actual: current };
            return Verdict::answer(Err(refusal.into()));
        }
        let frame = Frame {
            request: &job.request,
            use_case,
            before: before(use_case, &self.states),
            now,
            guards: self.ground.log.capabilities().guards,
        };
        let mut world = World::new(&mut self.states, now, &self.ground.presenter);
        let result = use_case.decide(&mut world, &job.request);
        let journal = world.into_journal();
        let touched = !journal.is_empty();
        let presenter = &*self.ground.presenter;
        match result {
            Err(refusal) if job.request.dry_run => {
                let done = refused_dry_run(&refusal, presenter, &job.request);
                Verdict { then: Then::Answer(Box::new(Ok(done))), moved: touched }
            }
            Err(refusal) if !refusal.is_remembered() => {
                Verdict { then: Then::Answer(Box::new(Err(refusal.into()))), moved: touched }
            }
            Err(refusal) => {
                let decision = frame.refused(&refusal, presenter);
                Verdict { then: Then::Append(Box::new(decision)), moved: touched }
            }
            Ok(outcome) if job.request.dry_run => Verdict {
                then: Then::Answer(Box::new(Ok(dry_run(outcome, journal)))),
                moved: touched,
            },
            Ok(outcome) => {
                let decision = frame.accepted(outcome, journal, &self.states);
                if decision.batch.is_some() {
                    Verdict { then: Then::Append(Box::new(decision)), moved: false }
                } else {
                    let (outcome, position) = (decision.outcome, Position::START);
                    let done = Done { answer: None, outcome, position };
                    Verdict::answer(Ok(done))
                }
            }
        }
    }

    /// Appends the group; returns the commands that met a concurrent change, in order.
    async fn append(&mut self, mut decided: Vec<(Waiting, Decision)>) -> VecDeque<Waiting> {
        let mut again = VecDeque::new();
        if decided.is_empty() {
            return again;
        }
        let group = decided.iter_mut().filter_map(|(_, decision)| decision.batch.take()).collect();
        let results = self.ground.log.append(group).await;
        if results.iter().any(Result::is_err) {
            // Whatever was decided in this group may stand on facts that were not written.
            self.states.clear();
        }
        for ((entry, decision), result) in decided.into_iter().zip(results) {
            match result {
                Ok(appended) => {
                    self.settle(&appended);
                    answer(entry.job, Ok(done(decision, &appended)));
                }
                Err(AppendError::Conflict { .. }) if entry.attempts < ATTEMPTS_MAX => {
                    again
                        .push_back(Waiting { attempts: entry.attempts.saturating_add(1), ..entry });
                }
                Err(error) => {
                    let result =
                        remembered::explain(&*self.ground.log, &entry.job.request, error).await;
                    answer(entry.job, result);
                }
            }
        }
        again
    }

    fn settle(&mut self, appended: &Appended) {
        for (stream, head) in &appended.heads {
            if let Some(known) = self.states.get_mut(stream)
                && known.expected == Expected::InGroup(head.revision)
            {
                known.expected = Expected::Head(*head);
            }
        }
    }

    /// Forgets everything: it is read again when it is needed.
    pub fn forget(&mut self) {
        self.states.clear();
    }

    /// Forgets what is not the owner's own once too much is warm.
    fn cool_down(&mut self) {
        if self.states.len() > WARM_MAX {
            let own = self.stream;
            self.states.retain(|stream, _| *stream == own);
        }
    }
}

/// What follows from a decision.
enum Then {
    /// The log is asked.
    Append(Box<Decision>),
    /// Nothing is written.
    Answer(Box<Result<Done, CommandError>>),
}

/// A decision, and whether the states now show facts that will not be written.
struct Verdict {
    then: Then,
    moved: bool,
}

impl Verdict {
    fn answer(result: Result<Done, CommandError>) -> Self {
        Self { then: Then::Answer(Box::new(result)), moved: false }
    }
}

/// A caller that went away is no reason to fail: the command had its effect, and its key finds it.
fn answer(job: Job, result: Result<Done, CommandError>) {
    drop(job.respond.send(result));
}

fn done(decision: Decision, appended: &Appended) -> Done {
    let answer = decision.outcome.answer.as_ref().map(|(status, body)| Answer {
        status: *status,
        body: body.clone(),
        revision: decision.revision,
        position: appended.position,
        replayed: false,
        would_write: None,
    });
    Done { answer, outcome: decision.outcome, position: appended.position }
}

fn dry_run(outcome: Outcome, journal: Vec<(StreamId, Event)>) -> Done {
    let would_write =
        journal.into_iter().map(|(stream, event)| WouldWrite { stream, event }).collect();
    let answer = Answer {
        status: 200,
        body: Vec::new(),
        revision: None,
        position: Position::START,
        replayed: false,
        would_write: Some(would_write),
    };
    Done { answer: Some(answer), outcome, position: Position::START }
}

fn refused_dry_run(refusal: &Refusal, presenter: &dyn Presenter, request: &Request) -> Done {
    let (status, body) = presenter.refusal(refusal, request);
    let answer = Answer {
        status,
        body: body.clone(),
        revision: None,
        position: Position::START,
        replayed: false,
        would_write: None,
    };
    let outcome = Outcome::answer(status, body);
    Done { answer: Some(answer), outcome, position: Position::START }
}
