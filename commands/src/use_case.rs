//! The shape of every use case: which streams it needs, who owns the decision, and the decision.

use std::fmt;

use holdfast_domain::ids::{CommandId, CorrelationId};
use holdfast_domain::log::StreamId;
use holdfast_domain::process::Step;

use crate::refusal::Refusal;
use crate::request::Request;
use crate::world::World;

/// What a decision leads to, beside the facts in the world's journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The answer to the caller, to be remembered with the command; none when the command goes on.
    pub answer: Option<(u16, Vec<u8>)>,
    /// What is remembered of a command that goes on: under an id of its own, so that the same key
    /// with another request is noticed before there is an answer.
    pub started: Option<(CommandId, u16, Vec<u8>)>,
    /// What a process has to do next.
    pub step: Step,
}

impl Outcome {
    /// The command ends with this answer.
    pub const fn answer(status: u16, body: Vec<u8>) -> Self {
        Self { answer: Some((status, body)), started: None, step: Step::Rest }
    }

    /// The command goes on with this step.
    pub const fn step(step: Step) -> Self {
        Self { answer: None, started: None, step }
    }
}

/// A decision over named streams.
pub trait UseCase: Send + Sync + fmt::Debug {
    /// Its stable name, for logs and metrics.
    fn name(&self) -> &'static str;

    /// The stream whose owner decides: the authority that the decision turns on.
    fn owner(&self) -> StreamId;

    /// Every stream that it reads or writes. What it does not write is guarded.
    fn streams(&self) -> Vec<StreamId>;

    /// Those of them that were named for this very command: nothing can stand there, and they are
    /// not read.
    fn fresh(&self) -> Vec<StreamId> {
        vec![]
    }

    /// The stream that the answer shows, for its `ETag`.
    fn subject(&self) -> StreamId;

    /// The stream whose revision the caller names in `If-Match`: the one that the path names. It is
    /// the one that the answer shows, unless the answer shows another.
    fn compared(&self) -> StreamId {
        self.subject()
    }

    /// What its events belong to.
    fn correlation(&self) -> CorrelationId;

    /// Decides. Facts go into the world's journal; nothing is written when it refuses.
    fn decide(&self, world: &mut World<'_>, request: &Request) -> Result<Outcome, Refusal>;
}
