//! `holdfast health`: asks a running node whether it is ready. For probes in images and scripts that
//! have no other client of HTTP.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use clap::Args;
use serde::{Deserialize, Serialize};

use super::output::{self, Format};
use super::settings::SettingFlags;
use super::{Failure, offline};
use crate::config::Config;

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
    /// Where the node listens; without it, where the setting `listen` says.
    #[arg(long, value_name = "URL")]
    url: Option<String>,
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
    let url = match &arguments.url {
        Some(url) => url.clone(),
        None => of(&SettingFlags::default().load()?)?,
    };
    offline::run(async {
        let health = ask(&url).await?;
        output::rows(arguments.output, health.checks.iter(), |finding| {
            let word = if finding.ok { "ok" } else { "failing" };
            format!("{:<14}{word:<9}{}", finding.name, finding.detail)
        })?;
        match health.status.as_str() {
            "ok" => {}
            // It serves, and a part that it can do without for a while does not.
            "degraded" => output::tell("degraded: requests are served, see the failing parts"),
            status => {
                let why = format!("the node at {url} is {status}");
                return Err(Failure::Unavailable(why));
            }
        }
        Ok(())
    })
}

/// Where a node with these settings listens, from its own machine.
fn of(config: &Config) -> Result<String, Failure> {
    let mut address = config.listen;
    if address.port() == 0 {
        let why = "listen: port 0 is any free one; name the one that was taken with --url";
        return Err(Failure::Usage(why.to_owned()));
    }
    if address.ip().is_unspecified() {
        let loopback = match address.ip() {
            IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::LOCALHOST),
            IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::LOCALHOST),
        };
        address.set_ip(loopback);
    }
    Ok(format!("http://{address}"))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::sources::Sources;

    #[test]
    fn the_node_is_asked_where_its_settings_say_that_it_listens() {
        let url = |listen: &str| {
            let environment = [("HOLDFAST_LISTEN".to_owned(), listen.to_owned())].into();
            let sources = Sources { environment, ..Sources::default() };
            of(&Config::load(&sources).unwrap()).ok()
        };
        for (listen, wanted) in [
            ("10.0.0.5:9090", "http://10.0.0.5:9090"),
            ("0.0.0.0:8080", "http://127.0.0.1:8080"),
            ("[::]:8080", "http://[::1]:8080"),
        ] {
            assert_eq!(url(listen).as_deref(), Some(wanted));
        }
        assert_eq!(url("127.0.0.1:0"), None);
    }
}
