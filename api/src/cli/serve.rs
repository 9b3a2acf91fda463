//! `holdfast serve`: runs a node until it is asked to end, or until something fails for good.

use std::time::{Duration, Instant};

use tokio::runtime::Builder;

use super::settings::SettingFlags;
use super::{Failure, output};
use crate::app::{App, Running, StartError};
use crate::config::Config;
use crate::{lifecycle, telemetry};

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
    let running = App::start(config).await.map_err(|why| failure(&why))?;
    tell(&running, started.elapsed());
    let fatal = ended(&running).await?;
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

fn failure(why: &StartError) -> Failure {
    match why {
        StartError::Listen { .. }
        | StartError::Log(_)
        | StartError::Unread(_)
        | StartError::Views(_) => Failure::Unavailable(why.to_string()),
        StartError::Keys(_)
        | StartError::OwnKey(_)
        | StartError::Client(_)
        | StartError::Simulator(_)
        | StartError::Routes(_)
        | StartError::Description(_) => Failure::Failed(why.to_string()),
    }
}

fn tell(running: &Running, took: Duration) {
    let config = &running.state().config;
    let address = running.address();
    output::tell(&format!(
        "  holdfast {version}  ready in {millis} ms\n  \
           listening    http://{address}\n  \
           event log    {log}\n  \
           read models  {read}\n  \
           look at      /docs  /problems  /health/ready  /metrics\n  \
           a token      holdfast token --data {data} --sub <uuid> --role customer",
        version = env!("CARGO_PKG_VERSION"),
        millis = took.as_millis(),
        log = config.log.describe(),
        read = config.read.describe(),
        data = config.data.display(),
    ));
}
