//! The configuration: what the node runs on and within which limits. Every setting has one name in
//! three spellings (flag, environment, file) and comes from the first place that gives it; where it
//! came from is kept, so that `config show --origin` can tell. Reading the environment and the file
//! is [`sources`]; this file turns texts into values that cannot be wrong.

pub mod environment;
pub mod rate;
pub mod role;
pub mod settings;
pub mod sources;
pub mod stores;

use std::net::{AddrParseError, IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use holdfast_domain::time::Timestamp;
use ipnet::IpNet;
use tracing_subscriber::EnvFilter;

use self::rate::Rate;
use self::role::NodeRole;
use self::sources::{Resolved, Sources};
use self::stores::{LogStore, ReadStore, StoreUrl};

/// Why a configuration was refused: which setting, where it came from, and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// A value that the setting does not take.
    #[error("{name} (from {origin}): {why}")]
    Value {
        /// The setting.
        name: &'static str,
        /// Where the value came from.
        origin: String,
        /// What is wrong with it.
        why: String,
    },
    /// A key of the file that is no setting.
    #[error("{file}: unknown setting `{key}`; did you mean `{nearest}`?")]
    UnknownKey {
        /// The file.
        file: String,
        /// The key found.
        key: String,
        /// The setting whose name is nearest.
        nearest: &'static str,
    },
    /// A variable of the environment that begins like ours and that nobody reads.
    #[error("environment: unknown setting `{name}`; did you mean `{nearest}`?")]
    UnknownVariable {
        /// The variable found.
        name: String,
        /// The variable whose name is nearest.
        nearest: String,
    },
    /// The file is there and cannot be used.
    #[error("{file}: {why}")]
    File {
        /// The file.
        file: String,
        /// What is wrong with it.
        why: String,
    },
    /// Two settings that exclude each other.
    #[error("{0}")]
    Conflict(&'static str),
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// Text on a terminal, JSON elsewhere.
    Auto,
    /// For people.
    Text,
    /// One JSON object per line.
    Json,
}

/// Who answers for payments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Payments {
    /// The simulator that comes with the engine.
    Simulator,
}

/// Where the engine's clock starts when it can be moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TestClock {
    /// Now.
    Now,
    /// At this instant.
    At(Timestamp),
}

/// Whose tokens are accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tokens {
    /// The `iss` that a token must carry.
    pub issuer: String,
    /// The `aud` that a token must carry.
    pub audience: String,
    /// Where the issuer publishes its keys; `None` means the key in the data folder.
    pub jwks_url: Option<String>,
}

/// The bounds of everything that a caller can make grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a request body.
    pub body_bytes_max: usize,
    /// Items on a page.
    pub page_items_max: u32,
    /// How long a handler may take.
    pub handler_timeout: Duration,
    /// How long the head of a request may take to arrive.
    pub head_timeout: Duration,
    /// Sign-ins per address.
    pub sign_in_rate: Rate,
    /// Requests per address.
    pub address_rate: Rate,
    /// Requests per principal.
    pub principal_rate: Rate,
    /// Bytes of a WebSocket frame.
    pub socket_frame_bytes_max: usize,
    /// Open sockets of one principal.
    pub sockets_per_principal_max: usize,
    /// Subscriptions of one socket.
    pub subscriptions_per_socket_max: usize,
    /// Messages that a socket may send in a second.
    pub socket_messages_per_second_max: u32,
}

/// What the node runs on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Where it listens.
    pub listen: SocketAddr,
    /// Files, keys, simulator.
    pub data: PathBuf,
    /// The event log.
    pub log: LogStore,
    /// The read models.
    pub read: ReadStore,
    /// The cache and the rate limits that nodes share.
    pub redis: Option<StoreUrl>,
    /// How long an answer stays in the shared cache.
    pub cached_for: Duration,
    /// What it runs.
    pub role: NodeRole,
    /// What it is called among other nodes.
    pub node_name: Option<String>,
    /// Whose tokens are accepted.
    pub tokens: Tokens,
    /// Who answers for payments.
    pub payments: Payments,
    /// A clock that tests can move.
    pub test_clock: Option<TestClock>,
    /// How log lines look.
    pub log_format: LogFormat,
    /// What is logged, in the syntax of `tracing_subscriber::EnvFilter`.
    pub log_filter: String,
    /// Web origins that may call from a browser, beyond the node's own.
    pub cors_origins: Vec<String>,
    /// Networks whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// The bounds.
    pub limits: Limits,
}

impl Config {
    /// Reads every setting from its first source, and judges them together.
    pub fn load(sources: &Sources) -> Result<Self, ConfigError> {
        Self::from_resolved(&sources.resolve()?)
    }

    /// The configuration of a node without any setting, except that its data stands in `data` and
    /// it listens on any free port of the loopback. For programs that start a node in process.
    pub fn in_folder(data: &std::path::Path) -> Result<Self, ConfigError> {
        let flags = [("listen", "127.0.0.1:0".to_owned()), ("data", data.display().to_string())];
        Self::load(&Sources { flags: flags.into_iter().collect(), ..Sources::default() })
    }

    fn from_resolved(resolved: &Resolved) -> Result<Self, ConfigError> {
        let data: PathBuf = resolved.parse("data")?;
        let log = resolved.with("log-url", |text| LogStore::parse(text, &data))?;
        let config = Self {
            listen: resolved.with("listen", |text| {
                let wanted = "an address and a port, for example 127.0.0.1:8080";
                text.parse().map_err(|_why: AddrParseError| wanted.to_owned())
            })?,
            read: resolved.with("read-url", |text| ReadStore::parse(text, &log, &data))?,
            redis: resolved.optional("redis-url", |text| {
                holdfast_redis::check(text).map_err(|why| why.to_string())?;
                Ok(StoreUrl::new(text))
            })?,
            cached_for: resolved.bounded("cache-seconds", 1, 86_400).map(Duration::from_secs)?,
            tokens: tokens(resolved)?,
            role: resolved.parse("role")?,
            node_name: resolved.optional("node-name", node_name)?,
            payments: resolved.with("payments", |text| match text {
                "simulator" => Ok(Payments::Simulator),
                "toss" => Err("toss is not supported by this build; use simulator".to_owned()),
                _ => Err("this build supports simulator".to_owned()),
            })?,
            test_clock: resolved.optional("test-clock", |text| match text {
                "now" => Ok(TestClock::Now),
                instant => instant.parse().map(TestClock::At).map_err(|why| format!("{why}")),
            })?,
            log_format: resolved.with("log-format", |text| match text {
                "auto" => Ok(LogFormat::Auto),
                "text" => Ok(LogFormat::Text),
                "json" => Ok(LogFormat::Json),
                _ => Err("one of auto, text, json".to_owned()),
            })?,
            log_filter: resolved.with("log", |text| {
                let filter = EnvFilter::try_new(text);
                filter.map(|_taken| text.to_owned()).map_err(|why| why.to_string())
            })?,
            cors_origins: resolved.list("cors-origins", origin)?,
            trusted_proxies: resolved.list("trusted-proxies", network)?,
            limits: limits(resolved)?,
            log,
            data,
        };
        config.judge()?;
        Ok(config)
    }

    fn judge(&self) -> Result<(), ConfigError> {
        if self.test_clock.is_some() && !self.listen.ip().is_loopback() {
            return Err(ConfigError::Conflict(
                "test-clock: a clock that can be moved is refused unless the node listens on a \
                 loopback address",
            ));
        }
        let shared = self.log.is_shared() && self.read.is_shared();
        if self.role != NodeRole::All && !shared {
            return Err(ConfigError::Conflict(
                "role: api and worker are for several nodes, which need an event log in PostgreSQL \
                 or KurrentDB and read models that they share in PostgreSQL; a log or read models in \
                 SQLite or memory belong to one process: use all, or name such stores with log-url \
                 and read-url",
            ));
        }
        Ok(())
    }
}

fn tokens(resolved: &Resolved) -> Result<Tokens, ConfigError> {
    Ok(Tokens {
        issuer: resolved.with("jwt-issuer", not_empty)?,
        audience: resolved.with("jwt-audience", not_empty)?,
        jwks_url: resolved.optional("jwks-url", |text| {
            let local = ["http://127.0.0.1:", "http://localhost:", "http://[::1]:"];
            if text.starts_with("https://") || local.iter().any(|start| text.starts_with(start)) {
                Ok(text.to_owned())
            } else {
                Err("an https:// address (http:// only on the loopback)".to_owned())
            }
        })?,
    })
}

fn limits(resolved: &Resolved) -> Result<Limits, ConfigError> {
    let seconds = |name| resolved.bounded(name, 1, 300).map(Duration::from_secs);
    let count = |name, most| {
        resolved.bounded(name, 1, most).map(|value| usize::try_from(value).unwrap_or(usize::MAX))
    };
    Ok(Limits {
        body_bytes_max: count("body-bytes-max", 1 << 20)?,
        page_items_max: u32::try_from(count("page-items-max", 1_000)?).unwrap_or(u32::MAX),
        handler_timeout: seconds("handler-seconds-max")?,
        head_timeout: seconds("head-seconds-max")?,
        sign_in_rate: resolved.parse("sign-in-rate")?,
        address_rate: resolved.parse("address-rate")?,
        principal_rate: resolved.parse("principal-rate")?,
        socket_frame_bytes_max: count("socket-frame-bytes-max", 1 << 20)?,
        sockets_per_principal_max: count("sockets-per-principal-max", 1_000)?,
        subscriptions_per_socket_max: count("subscriptions-per-socket-max", 1_000)?,
        socket_messages_per_second_max: resolved
            .bounded("socket-messages-per-second-max", 1, 10_000)
            .map(|value| u32::try_from(value).unwrap_or(u32::MAX))?,
    })
}

/// A network as it is configured: an address, or an address and how many of its bits count.
pub(crate) fn network(text: &str) -> Result<IpNet, String> {
    let address = |_not_a_network| text.parse::<IpAddr>().map(IpNet::from);
    let wanted = |_why| format!("`{text}` is neither an address nor a network like 10.0.0.0/8");
    text.parse::<IpNet>().or_else(address).map_err(wanted)
}

fn node_name(text: &str) -> Result<String, String> {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "._-".contains(letter);
    if text.len() <= 64 && text.chars().all(is_plain) {
        return Ok(text.to_owned());
    }
    Err("at most 64 letters, digits, `.`, `_` and `-`".to_owned())
}

fn not_empty(text: &str) -> Result<String, String> {
    if text.is_empty() { Err("must not be empty".to_owned()) } else { Ok(text.to_owned()) }
}

/// A web origin: scheme, host, port and nothing more. The wildcard is refused, because answers are
/// private to their caller.
fn origin(text: &str) -> Result<String, String> {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    match rest {
        Some(host) if !host.is_empty() && !host.contains(['/', '*', '@', '?', '#']) => {
            Ok(text.to_owned())
        }
        Some(_) | None => Err(format!("`{text}` is not an origin like https://bookings.example")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(flags: &[(&'static str, &str)]) -> Result<Config, ConfigError> {
        let flags = flags.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        Config::load(&Sources { flags, ..Sources::default() })
    }

    #[test]
    fn nothing_has_to_be_set() {
        let config = load(&[]).unwrap();
        assert_eq!(config.listen.to_string(), "127.0.0.1:8080");
        assert_eq!(config.log, LogStore::Sqlite("./data".into()));
        assert_eq!(config.limits.body_bytes_max, 65_536);
        assert_eq!(config.limits.sign_in_rate, "20/60s".parse().unwrap());
    }

    #[test]
    fn what_this_build_does_not_support_is_refused_with_what_it_does() {
        for (name, value, says) in [
            ("log-url", "mysql://localhost/x", "postgres://"),
            ("read-url", "kurrentdb://localhost", "postgres://"),
            ("redis-url", "localhost:6379", "redis://"),
            ("payments", "toss", "simulator"),
        ] {
            let why = load(&[(name, value)]).unwrap_err().to_string();
            assert!(why.contains(name) && why.contains(says), "{why}");
        }
    }

    #[test]
    fn what_belongs_to_one_process_is_not_shared_between_nodes() {
        assert_eq!(load(&[("role", "all"), ("node-name", "a-1")]).unwrap().role, NodeRole::All);
        for role in ["api", "worker"] {
            for store in ["sqlite", "memory:"] {
                let why = load(&[("role", role), ("log-url", store), ("read-url", store)]);
                let why = why.unwrap_err().to_string();
                assert!(why.contains("PostgreSQL") && why.contains("use all"), "{why}");
            }
        }
        let why = load(&[("role", "boss")]).unwrap_err().to_string();
        assert!(why.contains("one of all, api, worker"), "{why}");
        assert!(load(&[("node-name", "a b")]).is_err());
    }

    #[test]
    fn a_test_clock_needs_the_loopback() {
        assert!(load(&[("test-clock", "now")]).is_ok());
        assert!(load(&[("test-clock", "2026-11-01T00:00:00Z")]).is_ok());
        assert!(load(&[("test-clock", "now"), ("listen", "0.0.0.0:80")]).is_err());
        assert!(load(&[("test-clock", "yesterday")]).is_err());
    }

    #[test]
    fn values_out_of_range_or_of_another_kind_are_refused() {
        for (name, value) in [
            ("listen", "localhost"),
            ("role", "boss"),
            ("body-bytes-max", "0"),
            ("body-bytes-max", "1e3"),
            ("page-items-max", "1001"),
            ("address-rate", "fast"),
            ("cors-origins", "*"),
            ("cors-origins", "https://a.example/path"),
            ("trusted-proxies", "10.0.0.0/40"),
            ("jwks-url", "http://keys.example/jwks.json"),
            ("jwt-issuer", ""),
            ("log", "holdfast=loud"),
        ] {
            assert!(load(&[(name, value)]).is_err(), "{name}={value}");
        }
    }
}
