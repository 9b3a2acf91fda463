//! What `serve` says when it is ready: what it runs on, what is there already, where to look, and
//! what to try next. For a person at a terminal; programs read the log lines.

use std::net::SocketAddr;
use std::time::Duration;

use super::offline::data_flag;
use crate::config::Config;

/// A subject for the first token; anybody may be anybody on a new node.
const SOMEBODY: &str = "018f2a10-7c5e-7000-8000-000000000001";

/// What was there before the node started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Before {
    /// Keys to sign with.
    keys: bool,
}

impl Before {
    /// Looks at the data folder.
    pub fn of(config: &Config) -> Self {
        Self { keys: config.data.join("keys").is_dir() }
    }
}

/// What the text tells.
#[derive(Debug)]
pub struct Ready<'a> {
    /// What the node runs on.
    pub config: &'a Config,
    /// What was there before.
    pub before: Before,
    /// Where it listens.
    pub address: SocketAddr,
    /// The end of its log.
    pub events: u64,
    /// How long the start took.
    pub took: Duration,
}

/// The text.
pub fn text(ready: &Ready<'_>) -> String {
    let Ready { config, before, address, events, took } = ready;
    let (version, millis) = (env!("CARGO_PKG_VERSION"), took.as_millis());
    let url = format!("http://{address}");
    let there = match events {
        0 => "new".to_owned(),
        1 => "1 event".to_owned(),
        events => format!("{events} events"),
    };
    let mut lines = vec![
        format!("  holdfast {version}  ready in {millis} ms  {url}"),
        String::new(),
        format!("  event log    {} ({there})", config.log.describe()),
        format!("  read models  {}", config.read.describe()),
        "  payments     simulator: the payment key says what happens, e.g. sim_approve_1"
            .to_owned(),
        "  cache        in process".to_owned(),
        format!("  look at      {url}/docs  /openapi.json  /metrics  /health/ready"),
    ];
    if config.test_clock.is_some() {
        lines.push(format!("  clock        can be moved: GET and POST {url}/test/clock"));
    }
    lines.push(String::new());
    if !before.keys {
        let keys = config.data.join("keys");
        lines.push(format!(
            "  first run: made a key for tokens and one for cursors in {}; keep that folder private",
            keys.display()
        ));
    }
    lines.extend(next(config, &url));
    lines.join("\n")
}

/// The exact next commands.
fn next(config: &Config, url: &str) -> Vec<String> {
    let data = data_flag(config);
    let elsewhere =
        if url == "http://127.0.0.1:8080" { String::new() } else { format!(" --url {url}") };
    if config.tokens.jwks_url.is_some() {
        return vec!["  tokens come from your issuer; this node signs none of its own".to_owned()];
    }
    vec![
        "  try next, in another terminal:".to_owned(),
        format!("  TOKEN=$(holdfast token{data} --sub {SOMEBODY} --role provider)"),
        format!("  curl -H \"Authorization: Bearer $TOKEN\" {url}/v1/offerings"),
        format!("  holdfast seed-demo{elsewhere}{data} --live 2x"),
        format!("  holdfast events tail{data} -f"),
        "  Ctrl-C stops the node; nothing that was acknowledged is lost.".to_owned(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ready(config: &Config, before: Before, events: u64) -> String {
        let address: SocketAddr = "127.0.0.1:8080".parse().unwrap();
        text(&Ready { config, before, address, events, took: Duration::from_millis(184) })
    }

    #[test]
    fn a_first_run_says_that_keys_were_made_and_a_later_one_how_much_is_there() {
        let data = tempfile::tempdir().unwrap();
        let config = Config::in_folder(data.path()).unwrap();
        let first = ready(&config, Before::of(&config), 0);
        assert!(first.contains("first run: made a key") && first.contains("(new)"), "{first}");
        std::fs::create_dir(data.path().join("keys")).unwrap();
        let later = ready(&config, Before::of(&config), 12);
        assert!(!later.contains("first run") && later.contains("(12 events)"), "{later}");
        let flag = format!("holdfast token --data {}", data.path().display());
        assert!(later.contains(&flag), "the command can be pasted: {later}");
    }
}
