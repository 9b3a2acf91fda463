//! `holdfast health`: asks a running node whether it is ready. For probes in images and scripts that
//! have no other client of HTTP.

use std::time::Duration;

use clap::Args;
use serde::{Deserialize, Serialize};

use super::output::{self, Format};
use super::{Failure, offline};

/// The node's own checks end within two seconds.
const TIMEOUT: Duration = Duration::from_secs(4);

/// Which node, and how to show what it says.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  holdfast health
  holdfast health --url http://10.0.0.5:8080 -o json

Ends with 0 when the node is ready, also when a part that it can do without for a while fails, and
with 5 when it is not ready or does not answer.")]
pub struct HealthArguments {
    /// Where the node listens.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8080")]
    url: String,
    /// The shape of the result.
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
}

/// What the node says of itself.
#[derive(Debug, Deserialize)]
struct Health {
    status: String,
    checks: Vec<Finding>,
}

#[derive(Debug, Deserialize, Serialize)]
struct Finding {
    name: String,
    ok: bool,
    detail: String,
}

/// Asks it.
pub fn run(arguments: &HealthArguments) -> Result<(), Failure> {
    offline::run(async {
        let health = ask(&arguments.url).await?;
        output::rows(arguments.output, health.checks.iter(), |finding| {
            let word = if finding.ok { "ok" } else { "failing" };
            format!("{:<14}{word:<9}{}", finding.name, finding.detail)
        })?;
        match health.status.as_str() {
            "ok" => {}
            // It serves, and a part that it can do without for a while does not.
            "degraded" => output::tell("degraded: requests are served, see the failing parts"),
            status => {
                let why = format!("the node at {} is {status}", arguments.url);
                return Err(Failure::Unavailable(why));
            }
        }
        Ok(())
    })
}

async fn ask(url: &str) -> Result<Health, Failure> {
    let silent = |why: reqwest::Error| {
        let why = why.without_url();
        Failure::Unavailable(format!(
            "no node answers at {url} ({why}); start one with `holdfast serve`, or name it with --url"
        ))
    };
    let client = reqwest::Client::builder().timeout(TIMEOUT).no_proxy().build().map_err(silent)?;
    let asked = client.get(format!("{}/health/ready", url.trim_end_matches('/')));
    asked.send().await.map_err(silent)?.json().await.map_err(silent)
}
