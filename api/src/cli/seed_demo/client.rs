//! A client of the node: tokens of its own making, an idempotency key on every command, and patience
//! with a rate limit. It knows HTTP and nothing of bookings.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use holdfast_domain::actor::Role;
use holdfast_domain::ids::PrincipalId;
use holdfast_domain::time::Timestamp;
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde_json::Value;
use uuid::Uuid;

use crate::auth::mint::{Grant, mint};
use crate::cli::{Failure, offline};
use crate::config::{Config, Tokens};
use crate::keys::Keys;
use crate::wall_clock::unix_seconds;

const TIMEOUT: Duration = Duration::from_secs(30);
/// Tokens are made anew before they end.
const LIFETIME: Duration = Duration::from_hours(24);
/// How often one request waits for a rate limit or for a node that is busy.
const WAITS_MAX: u32 = 20;
/// The longest of these waits.
const WAIT_MAX: Duration = Duration::from_mins(1);

/// Name space of the people of a demonstration.
const PEOPLE: Uuid = Uuid::from_u128(0x2b7c_51d8_90ab_5e11_8c1d_7d0e_5f6a_9b34);

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Who {
    /// Offers.
    Provider(u32),
    /// Books.
    Customer(u32),
}

/// What the node said.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Value,
}

impl Answer {
    /// A text field of the body.
    pub(super) fn text(&self, pointer: &str) -> Option<&str> {
        self.body.pointer(pointer).and_then(Value::as_str)
    }

    pub(super) const fn is_success(&self) -> bool {
        self.status >= 200 && self.status < 300
    }

    /// A word for what it said.
    pub(super) fn word(&self) -> String {
        let word = self.text("/code").or_else(|| self.text("/status"));
        word.map_or_else(|| self.status.to_string(), ToOwned::to_owned)
    }
}

/// Talks to a node.
pub(super) struct Client {
    http: reqwest::Client,
    url: String,
    keys: Keys,
    tokens: Tokens,
    seed: u64,
    day: Timestamp,
    minted: Mutex<BTreeMap<Who, String>>,
}

impl Client {
    /// A client of the node at `url`, whose keys stand in the data folder.
    pub(super) fn new(
        url: &str,
        config: &Config,
        seed: u64,
        day: Timestamp,
    ) -> Result<Self, Failure> {
        if config.tokens.jwks_url.is_some() {
            let why = "tokens come from the issuer behind jwks-url; none can be made here";
            return Err(Failure::Conflict(why.to_owned()));
        }
        let keys = offline::keys(config)?;
        let http = reqwest::Client::builder().timeout(TIMEOUT).build();
        Ok(Self {
            http: http.map_err(|why| Failure::Failed(why.to_string()))?,
            url: url.trim_end_matches('/').to_owned(),
            keys,
            tokens: config.tokens.clone(),
            seed,
            day,
            minted: Mutex::default(),
        })
    }

    /// The first day on which something takes place.
    pub(super) const fn day(&self) -> Timestamp {
        self.day
    }

    /// Sends a command. The key names what is asked for within this demonstration.
    pub(super) async fn command(
        &self,
        who: Who,
        (method, path): (Method, &str),
        key: &str,
        body: &Value,
    ) -> Result<Answer, Failure> {
        let key = format!("demo-{}-{}-{key}", self.seed, self.day);
        self.ask(|| {
            let request = self.http.request(method.clone(), format!("{}{path}", self.url));
            let request = request.bearer_auth(self.token(who)?).header("idempotency-key", &key);
            Ok(if body.is_null() { request } else { request.json(body) })
        })
        .await
    }

    /// Reads.
    pub(super) async fn get(&self, who: Who, path: &str) -> Result<Answer, Failure> {
        self.ask(|| Ok(self.http.get(format!("{}{path}", self.url)).bearer_auth(self.token(who)?)))
            .await
    }

    /// The same request again after a rate limit or a busy node: its key makes that harmless.
    async fn ask(
        &self,
        request: impl Fn() -> Result<RequestBuilder, Failure>,
    ) -> Result<Answer, Failure> {
        for _ in 0..WAITS_MAX {
            let sent = request()?.send().await;
            let response = sent.map_err(|why| unavailable(&self.url, &why))?;
            let status = response.status();
            if ![StatusCode::TOO_MANY_REQUESTS, StatusCode::SERVICE_UNAVAILABLE].contains(&status) {
                return answer(&self.url, response).await;
            }
            tokio::time::sleep(patience(&response)).await;
        }
        let why = format!("{}: it asked to wait {WAITS_MAX} times in a row", self.url);
        Err(Failure::Unavailable(why))
    }

    fn token(&self, who: Who) -> Result<String, Failure> {
        let mut minted = self.minted.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(token) = minted.get(&who) {
            return Ok(token.clone());
        }
        let (name, role) = match who {
            Who::Provider(number) => (format!("{} provider {number}", self.seed), Role::Provider),
            Who::Customer(number) => (format!("{} customer {number}", self.seed), Role::Customer),
        };
        let grant = Grant {
            tokens: &self.tokens,
            principal: PrincipalId::from_uuid(Uuid::new_v5(&PEOPLE, name.as_bytes())),
            roles: &[role],
            from: unix_seconds(),
            lifetime: LIFETIME,
        };
        let token = mint(&self.keys.signing, &grant);
        let token = token.map_err(|why| Failure::Failed(why.to_string()))?;
        drop(minted.insert(who, token.clone()));
        Ok(token)
    }
}

fn unavailable(url: &str, why: &reqwest::Error) -> Failure {
    let hint = if why.is_connect() { "; is a node running there?" } else { "" };
    Failure::Unavailable(format!("{url}: {why}{hint}"))
}

async fn answer(url: &str, response: Response) -> Result<Answer, Failure> {
    let status = response.status();
    let bytes = response.bytes().await.map_err(|why| unavailable(url, &why))?;
    if status.is_server_error() || status == StatusCode::UNAUTHORIZED {
        let text = String::from_utf8_lossy(&bytes);
        return Err(Failure::Failed(format!("{url} answered {status}: {text}")));
    }
    let body = if bytes.is_empty() { Value::Null } else { serde_json::from_slice(&bytes)? };
    Ok(Answer { status: status.as_u16(), body })
}

/// How long the node asks to wait.
fn patience(response: &Response) -> Duration {
    let header = response.headers().get("retry-after").and_then(|value| value.to_str().ok());
    let seconds = header.and_then(|text| text.parse().ok()).unwrap_or(1);
    Duration::from_secs(seconds).clamp(Duration::from_millis(100), WAIT_MAX)
}
