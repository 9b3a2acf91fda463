//! `holdfast serve`: runs a node until it is asked to end, or until something fails for good.

use std::time::{Duration, Instant};

use tokio::runtime::Builder;

use super::settings::SettingFlags;
use super::welcome::{self, Before, Ready};
use super::{Failure, output};
use crate::app::{App, Running, StartError};
use crate::config::Config;
use crate::node::NodeError;
use crate::state::StateError;
use crate::{lifecycle, listening, telemetry};

/// The whole process ends within this after it was asked to, whatever still runs.
const END: Duration = Duration::from_secs(10);

/// Runs it.
pub fn run(settings: &SettingFlags) -> Result<(), Failure> {
    let config = settings.load()?;
    telemetry::start(&config).map_err(|why| Failure::Usage(why.to_string()))?;
    let runtime = Builder::new_multi_thread().enable_all().thread_name("holdfast").build()?;
    let ended = runtime.block_on(node(config));
    // Tasks that did not end in time are not waited for any longer.
    runtime.shutdown_background();
    ended
}

async fn node(config: Config) -> Result<(), Failure> {
    let started = Instant::now();
    let before = Before::of(&config);
    listening::make_room();
    let running = App::start_recognised(config).await.map_err(failure)?;
    tell(&running, before, started.elapsed()).await;
    let fatal = ended(&running).await?;
    end(running, fatal).await
}

async fn end(running: Running, fatal: Option<String>) -> Result<(), Failure> {
    tracing::info!("stopping");
    let drained = tokio::time::timeout(END, running.stop()).await.unwrap_or(false);
    match fatal {
        Some(why) => Err(Failure::Failed(why)),
        None if drained => Ok(()),
        None => Err(Failure::Failed("not everything ended in time".to_owned())),
    }
}

/// Returns when the node has to end: with a reason when something failed for good.
async fn ended(running: &Running) -> Result<Option<String>, Failure> {
    tokio::select! {
        asked = lifecycle::asked_to_end() => Ok(asked.map(|()| None)?),
        why = running.state().lifecycle.failed() => Ok(Some(why)),
    }
}

/// The stores' errors have the codes that they have in every command.
fn failure(why: StartError) -> Failure {
    match why {
        StartError::State(why) => of_state(why),
        StartError::Listen { .. } => Failure::Unavailable(why.to_string()),
        StartError::Routes(_) | StartError::Description(_) => Failure::Failed(why.to_string()),
    }
}

fn of_state(why: StateError) -> Failure {
    match why {
        StateError::Keys(why) => why.into(),
        StateError::Unread(why) => why.into(),
        StateError::Uncompared(why) => why.into(),
        StateError::Apart { .. } => Failure::Conflict(why.to_string()),
        StateError::Node(NodeError::Stores(why)) => why.into(),
        StateError::OwnKey(_)
        | StateError::Client(_)
        | StateError::Node(NodeError::Simulator(_)) => Failure::Failed(why.to_string()),
    }
}

async fn tell(running: &Running, before: Before, took: Duration) {
    let state = running.state();
    // How much is there is a courtesy: the node serves, whatever the answer.
    let head = state.node.feed.head().await;
    let ready = Ready {
        config: &state.config,
        before,
        address: running.address(),
        events: head.map_or(0, |head| head.position.0),
        took,
    };
    output::tell(&welcome::text(&ready));
}
