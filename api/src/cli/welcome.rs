//! What `serve` says when it is ready: what it runs on, what is there already, where to look, and
//! what to try next. For a person at a terminal; programs read the log lines.

use std::net::SocketAddr;
use std::time::Duration;

use super::hint;
use crate::config::Config;
use crate::config::stores::LogStore;

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
        match &config.redis {
            Some(address) => format!("  cache        {address}, beside the one in process"),
            None => "  cache        in process".to_owned(),
        },
        if config.role.serves() {
            format!("  look at      {url}/docs  /openapi.json  /metrics  /health/ready")
        } else {
            format!("  look at      {url}/metrics  /health/ready  (a worker serves no API)")
        },
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
    if config.role.serves() {
        lines.extend(next(config, &url));
    } else {
        lines.push("  Ctrl-C stops the worker; others take over its shares.".to_owned());
    }
    lines.join("\n")
}

/// The exact next commands.
fn next(config: &Config, url: &str) -> Vec<String> {
    let elsewhere =
        if url == "http://127.0.0.1:8080" { String::new() } else { format!(" --url {url}") };
    if config.tokens.jwks_url.is_some() {
        return vec!["  tokens come from your issuer; this node signs none of its own".to_owned()];
    }
    let token = format!("token --sub {SOMEBODY} --role provider");
    let seed = format!("seed-demo{elsewhere} --live 2x");
    let mut lines = vec![
        "  try next, in another terminal:".to_owned(),
        format!("  TOKEN=$({})", hint::with_keys(&token, config)),
        format!("  curl -H \"Authorization: Bearer $TOKEN\" {url}/v1/offerings"),
        format!("  {}", hint::with_all(&seed, config)),
    ];
    let kept = config.log != LogStore::Memory;
    if kept {
        lines.push(format!("  {}", hint::with_stores("events tail -f", config)));
    } else {
        lines.push("  The log is in memory: no other process can read it.".to_owned());
    }
    for variable in hint::variables(config) {
        lines.push(format!("  (with {variable} set there as it is here)"));
    }
    let end = if kept {
        "  Ctrl-C stops the node; nothing that was acknowledged is lost."
    } else {
        "  Ctrl-C stops the node, and everything is gone."
    };
    lines.push(end.to_owned());
    lines
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
        let token = format!("--role provider --data {})", data.path().display());
        let program = std::env::args().next().unwrap();
        let pasted = later.lines().find(|line| line.contains(&token)).unwrap();
        assert!(pasted.contains(&format!("$({program} token ")), "it can be pasted: {later}");
    }

    #[test]
    fn a_worker_advertises_nothing_that_it_does_not_serve() {
        let flags = [("log-url", "postgres://db/x".to_owned()), ("role", "worker".to_owned())];
        let sources = crate::config::sources::Sources {
            flags: flags.into_iter().collect(),
            ..Default::default()
        };
        let config = Config::load(&sources).unwrap();
        let text = ready(&config, Before::of(&config), 0);
        assert!(text.contains("/health/ready"), "{text}");
        assert!(!text.contains("/docs") && !text.contains("/v1"), "{text}");
    }

    #[test]
    fn a_log_in_memory_is_not_offered_to_other_processes() {
        let log_in = |url: &str| {
            let flags = [("log-url", url.to_owned())].into_iter().collect();
            let sources = crate::config::sources::Sources { flags, ..Default::default() };
            let config = Config::load(&sources).unwrap();
            ready(&config, Before::of(&config), 0)
        };
        assert!(log_in("sqlite:/elsewhere").contains("events tail -f --log-url sqlite:/elsewhere"));
        let memory = log_in("memory:");
        assert!(
            !memory.contains("events tail") && !memory.contains("nothing that was"),
            "{memory}"
        );
    }
}
