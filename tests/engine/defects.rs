//! A decision with a defect: it must not take down those that wait behind it.

use holdfast_commands::catalog::OpenOffering;
use holdfast_commands::refusal::Refusal;
use holdfast_commands::request::{CommandError, Request};
use holdfast_commands::use_case::{Outcome, UseCase};
use holdfast_commands::world::World;
use holdfast_domain::ids::CorrelationId;
use holdfast_domain::log::StreamId;
use tokio::task::JoinSet;

use crate::stage::{Stage, calm};

/// Opens an offering, half, and breaks off.
#[derive(Debug)]
struct Defective(OpenOffering);

impl UseCase for Defective {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn owner(&self) -> StreamId {
        self.0.owner()
    }

    fn streams(&self) -> Vec<StreamId> {
        self.0.streams()
    }

    fn subject(&self) -> StreamId {
        self.0.subject()
    }

    fn correlation(&self) -> CorrelationId {
        self.0.correlation()
    }

    fn decide(&self, world: &mut World<'_>, request: &Request) -> Result<Outcome, Refusal> {
        self.0.decide(world, request)?;
        panic!("a defect");
    }
}

#[tokio::test]
async fn a_decision_that_panics_answers_nothing_and_harms_nobody_behind_it() {
    let stage = Stage::open().await;
    let shut = |open| OpenOffering { open, ..stage.opening() };
    stage.act(shut(false)).await;
    stage.log.close_door();
    let mut crowd = JoinSet::new();
    // The first is in the owner's hands; the defective one comes in the next group, alone.
    let (engine, request, first) = (stage.engine.clone(), stage.fresh(), shut(false));
    crowd.spawn(async move { engine.execute(first, request).await });
    calm().await;
    let (engine, request, broken) = (stage.engine.clone(), stage.fresh(), Defective(shut(true)));
    crowd.spawn(async move { engine.execute(broken, request).await });
    calm().await;
    stage.log.open_door();
    let answers = crowd.join_all().await;
    let failed: Vec<_> = answers.into_iter().filter_map(Result::err).collect();
    assert!(matches!(&failed[..], [CommandError::Unavailable(why)] if why.contains("broke off")));
    // What it had half moved on is not believed: this one still has something to open.
    let opened = stage.act(shut(true)).await;
    assert_eq!(opened.status, 200);
    let history = stage.history().await;
    assert_eq!(history.count("offering.published"), 2, "once by the stage, once by the last");
    stage.close().await;
}
