//! The keys of a foreign issuer, fetched from where it publishes them: bounded in size and time,
//! fetched again when they are old or when a token names a key that is not among them, but never
//! more than once a minute, whatever tokens arrive.

use std::collections::BTreeMap;
use std::sync::{MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jsonwebtoken::jwk::JwkSet;
use tokio::sync::Mutex;

use super::TokenError;
use super::checking_key::CheckingKey;
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
}

fn within(at: Option<Instant>, span: Duration) -> bool {
    at.is_some_and(|at| at.elapsed() < span)
}

impl Known {
    /// The key of a name, while what was fetched is believed without asking again.
    fn fresh(&self, key_id: &str) -> Option<CheckingKey> {
        self.keys.get(key_id).filter(|_key| within(self.fetched_at, BELIEVED_FOR)).cloned()
    }
}

/// The published keys of an issuer.
#[derive(Debug)]
pub struct ForeignKeys {
    address: String,
    client: reqwest::Client,
    lifecycle: Lifecycle,
    // Held for a look only: whose key is known does not wait for a fetch.
    known: std::sync::Mutex<Known>,
    // When a fetch was tried last. Held while fetching, so that many tokens with a new key cause
    // one fetch.
    tried_at: Mutex<Option<Instant>>,
}

impl ForeignKeys {
    /// The keys behind an address; nothing is fetched yet.
    pub fn new(address: String, lifecycle: Lifecycle) -> Result<Self, reqwest::Error> {
        let client = reqwest::Client::builder()
            .timeout(FETCH_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .build()?;
        Ok(Self {
            address,
            client,
            lifecycle,
            known: std::sync::Mutex::default(),
            tried_at: Mutex::default(),
        })
    }

    /// The key of a name.
    pub async fn find(&self, key_id: &str) -> Result<CheckingKey, TokenError> {
        if let Some(key) = self.known().fresh(key_id) {
            return Ok(key);
        }
        let mut tried_at = self.tried_at.lock().await;
        // Somebody else may have fetched it while this one waited.
        let fresh = self.known().fresh(key_id).is_some();
        if !fresh && !within(*tried_at, BETWEEN_FETCHES) {
            *tried_at = Some(Instant::now());
            match self.fetch().await {
                Ok(keys) => {
                    *self.known() = Known { keys, fetched_at: Some(Instant::now()) };
                }
                // Keys that were good an hour ago are better than locking everybody out.
                Err(why) => tracing::warn!(why, "the token issuer's keys cannot be fetched"),
            }
        }
        drop(tried_at);
        let known = self.known();
        match known.keys.get(key_id) {
            Some(key) => Ok(key.clone()),
            None if known.fetched_at.is_none() => Err(TokenError::KeysUnavailable),
            None => Err(TokenError::KeyUnknown),
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
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

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;
    use tokio::net::TcpListener;
    use tokio::runtime::Handle;

    use super::*;
    use crate::keys::Keys;

    #[tokio::test]
    async fn whose_key_is_known_does_not_wait_for_the_fetch_of_another() {
        let issuer = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}/keys", issuer.local_addr().unwrap());
        let keys = ForeignKeys::new(address, Lifecycle::new(Handle::current())).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let set = Keys::open(folder.path()).unwrap().signing.public_set();
        let key = set.keys.iter().find_map(CheckingKey::from_jwk).unwrap();
        let name = key.key_id.clone();
        let all = BTreeMap::from([(name.clone(), key)]);
        *keys.known() = Known { keys: all, fetched_at: Some(Instant::now()) };

        let mut unknown = Box::pin(keys.find("unknown"));
        // The issuer is asked, and does not answer: it only holds the connection.
        let connection = tokio::select! {
            found = &mut unknown => panic!("nobody answered: {found:?}"),
            connection = issuer.accept() => connection.unwrap(),
        };
        assert!(unknown.as_mut().now_or_never().is_none(), "it waits for the issuer");
        let found = keys.find(&name).now_or_never().unwrap();
        assert_eq!(found.unwrap().key_id, name);
        drop(connection);
        assert!(matches!(unknown.await, Err(TokenError::KeyUnknown)));
    }
}
