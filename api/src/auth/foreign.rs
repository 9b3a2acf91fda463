//! The keys of a foreign issuer, fetched from where it publishes them: bounded in size and time,
//! fetched again when they are old or when a token names a key that is not among them, but never
//! more than once a minute, whatever tokens arrive.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use jsonwebtoken::jwk::JwkSet;
use tokio::sync::Mutex;

use super::TokenError;
use super::verifier::CheckingKey;
use crate::lifecycle::Lifecycle;

const FETCH_TIMEOUT: Duration = Duration::from_secs(5);
const BETWEEN_FETCHES: Duration = Duration::from_mins(1);
const BELIEVED_FOR: Duration = Duration::from_hours(1);
const SET_BYTES_MAX: usize = 256 * 1024;
const KEYS_MAX: usize = 64;

#[derive(Debug, Default)]
struct Known {
    keys: BTreeMap<String, CheckingKey>,
    fetched_at: Option<Instant>,
    tried_at: Option<Instant>,
}

/// The published keys of an issuer.
#[derive(Debug)]
pub struct ForeignKeys {
    address: String,
    client: reqwest::Client,
    lifecycle: Lifecycle,
    // Held while fetching, so that many tokens with a new key cause one fetch.
    known: Mutex<Known>,
}

impl ForeignKeys {
    /// The keys behind an address; nothing is fetched yet.
    pub fn new(address: String, lifecycle: Lifecycle) -> Result<Self, reqwest::Error> {
        let client = reqwest::Client::builder()
            .timeout(FETCH_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .build()?;
        Ok(Self { address, client, lifecycle, known: Mutex::default() })
    }

    /// The key of a name.
    pub async fn find(&self, key_id: &str) -> Result<CheckingKey, TokenError> {
        let mut fetched = self.known.lock().await;
        let within = |at: Option<Instant>, span| at.is_some_and(|at| at.elapsed() < span);
        let fresh = within(fetched.fetched_at, BELIEVED_FOR);
        let named = fetched.keys.contains_key(key_id);
        if !(named && fresh || within(fetched.tried_at, BETWEEN_FETCHES)) {
            fetched.tried_at = Some(Instant::now());
            match self.fetch().await {
                Ok(keys) => {
                    fetched.keys = keys;
                    fetched.fetched_at = Some(Instant::now());
                }
                // Keys that were good an hour ago are better than locking everybody out.
                Err(why) => tracing::warn!(why, "the token issuer's keys cannot be fetched"),
            }
        }
        match fetched.keys.get(key_id) {
            Some(key) => Ok(key.clone()),
            None if fetched.fetched_at.is_none() => Err(TokenError::KeysUnavailable),
            None => Err(TokenError::KeyUnknown),
        }
    }

    async fn fetch(&self) -> Result<BTreeMap<String, CheckingKey>, String> {
        let request = self.client.get(&self.address);
        // On the main runtime: the connection must not die with an HTTP worker.
        let body = self.lifecycle.run_to_end(read_bounded(request)).await;
        let body = body.map_err(|why| why.to_string())??;
        let set: JwkSet = serde_json::from_slice(&body).map_err(|why| why.to_string())?;
        let keys = set.keys.iter().take(KEYS_MAX).filter_map(CheckingKey::from_jwk);
        Ok(keys.map(|key| (key.key_id.clone(), key)).collect())
    }
}

async fn read_bounded(request: reqwest::RequestBuilder) -> Result<Vec<u8>, String> {
    let said = |why: reqwest::Error| why.without_url().to_string();
    let mut response =
        request.send().await.and_then(reqwest::Response::error_for_status).map_err(said)?;
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(said)? {
        if body.len().saturating_add(chunk.len()) > SET_BYTES_MAX {
            return Err("the set of keys is too large".to_owned());
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}
