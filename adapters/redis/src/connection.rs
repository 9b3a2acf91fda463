//! One connection that all callers share. It is made anew by itself; a call that is not answered
//! soon fails, and those after it fail at once for a moment, so that a Redis that hangs makes
//! nobody slow.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{Client, FromRedisValue, Script, ScriptInvocation};
use tokio::sync::watch;

/// How long an answer is waited for. The databases behind Redis answer in less when it is gone.
pub(crate) const PATIENCE: Duration = Duration::from_millis(250);

/// How long nobody asks again after a call that failed.
const REST: Duration = Duration::from_millis(500);

/// How often it is asked whether it is there, also when nobody needs it.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// What an address is not. Never shows the address itself: it holds a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an address of Redis, redis://:password@host:6379/0: {0}")]
pub struct AddressError(String);

/// Redis did not do it, or not in time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("Redis: {0}")]
pub struct Gone(String);

/// A Redis, whether it is there or not.
pub struct Redis {
    pub(crate) client: Client,
    manager: ConnectionManager,
    opened: Instant,
    /// Milliseconds after `opened` before which nobody asks.
    rests_until: AtomicU64,
    /// Why the last call had no answer; none while it answers.
    gone: watch::Sender<Option<String>>,
}

impl fmt::Debug for Redis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let address = self.client.get_connection_info().addr();
        f.debug_struct("Redis").field("address", address).finish_non_exhaustive()
    }
}

/// Whether an address is one of Redis.
pub fn check(address: &str) -> Result<(), AddressError> {
    client(address).map(drop)
}

/// Reads an address that can be read in one way only: a reserved character that stands as it is in a
/// password ends it, and the rest of the password would be taken for a port or a database.
fn client(address: &str) -> Result<Client, AddressError> {
    let rest = address.split_once("://").map_or(address, |(_scheme, rest)| rest);
    let (authority, after) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let entry = authority.split_once('@').map_or("", |(entry, _)| entry);
    let escaped = entry.split('%').skip(1).all(|after| {
        let digits = after.get(..2).unwrap_or_default();
        digits.len() == 2 && digits.bytes().all(|digit| digit.is_ascii_hexdigit())
    });
    if authority.matches('@').count() > 1 || after.contains('@') || !escaped {
        let why = "percent-encode what is no letter or digit in the user's name and password, for \
                   example / as %2F, ? as %3F, # as %23, @ as %40 and % as %25";
        return Err(AddressError(why.to_owned()));
    }
    // Not what the client says about it, which may repeat a part of it.
    Client::open(address).map_err(|_why| AddressError("it cannot be read".to_owned()))
}

/// A script, by its text.
pub fn script(text: &str) -> Script {
    Script::new(text)
}

impl Redis {
    /// Reads the address and begins to connect; a Redis that is away is no failure. Its tasks stay on
    /// the runtime that this is called from.
    pub async fn open(address: &str) -> Result<Arc<Self>, AddressError> {
        let wrong = |why: redis::RedisError| AddressError(why.to_string());
        let client = client(address)?;
        let config = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(PATIENCE))
            .set_response_timeout(Some(PATIENCE))
            .set_number_of_retries(0);
        let manager =
            ConnectionManager::new_lazy_with_config(client.clone(), config).map_err(wrong)?;
        let opened = Instant::now();
        let (rests_until, gone) = (AtomicU64::new(0), watch::Sender::new(None));
        let redis = Self { client, manager, opened, rests_until, gone };
        // The first call makes the connection, and its tasks live where it is made from.
        redis.look().await;
        Ok(Arc::new(redis))
    }

    /// Asks now and then whether it is there, so that somebody knows also when nobody needs it.
    /// Never ends.
    pub async fn keep_looking(&self) {
        loop {
            tokio::time::sleep(LOOK_AGAIN).await;
            self.look().await;
        }
    }

    async fn look(&self) {
        // What came of it is noted by the call.
        drop(self.call::<String>(&script("return 'here'").prepare_invoke()).await);
    }

    /// Why the last call had no answer, as it changes; none while it answers.
    pub fn gone(&self) -> watch::Receiver<Option<String>> {
        self.gone.subscribe()
    }

    /// Says once that it is gone, and once that it is back.
    fn note(&self, now: Option<&str>) {
        let news = self.gone.send_if_modified(|gone| {
            let news = gone.is_some() != now.is_some();
            if news {
                *gone = now.map(str::to_owned);
            }
            news
        });
        match now {
            Some(why) if news => say_gone(why),
            None if news => tracing::info!("Redis answers again"),
            Some(_) | None => {}
        }
    }

    /// Runs a script.
    pub async fn call<T: FromRedisValue>(
        &self,
        invocation: &ScriptInvocation<'_>,
    ) -> Result<T, Gone> {
        let now = u64::try_from(self.opened.elapsed().as_millis()).unwrap_or(u64::MAX);
        if now < self.rests_until.load(Ordering::Relaxed) {
            return Err(Gone("it failed a moment ago".to_owned()));
        }
        let mut manager = self.manager.clone();
        // Loading the script is a second call with a patience of its own.
        let asked = tokio::time::timeout(
            PATIENCE.saturating_mul(2),
            invocation.invoke_async::<T>(&mut manager),
        );
        let why = match asked.await {
            Ok(Ok(answer)) => {
                self.note(None);
                return Ok(answer);
            }
            Ok(Err(why)) => why.to_string(),
            Err(_elapsed) => "no answer in time".to_owned(),
        };
        let rest = u64::try_from(REST.as_millis()).unwrap_or(u64::MAX);
        let later = u64::try_from(self.opened.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.rests_until.store(later.saturating_add(rest), Ordering::Relaxed);
        self.note(Some(&why));
        Err(Gone(why))
    }
}

fn say_gone(why: &str) {
    tracing::warn!(
        why,
        "Redis does not answer; going on without it until it does: each node counts its own rate \
         limits, and reads go to the database"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_redis_that_goes_and_comes_back_is_told_once_each() {
        let Some(mut server) = holdfast_test_stores::redis_server("redis outages") else { return };
        let redis = Redis::open(&server.url()).await.unwrap();
        let mut gone = redis.gone();
        assert_eq!(*gone.borrow_and_update(), None);
        // Nobody needs it meanwhile: it is asked all the same.
        let mut told = async || {
            let next = async {
                gone.changed().await.unwrap();
                gone.borrow_and_update().is_some()
            };
            tokio::select! {
                () = redis.keep_looking() => panic!("it never ends"),
                () = tokio::time::sleep(Duration::from_secs(20)) => panic!("nothing is told"),
                is_gone = next => is_gone,
            }
        };
        server.kill();
        assert!(told().await, "gone");
        // Gone and gone again is no news: the next thing that is told is its return.
        redis.look().await;
        server.restart();
        assert!(!told().await, "back");
        server.pause();
        assert!(told().await, "paused");
        server.resume();
        assert!(!told().await, "back again");
    }

    #[test]
    fn an_address_that_can_be_misread_is_refused_and_nothing_of_it_is_shown() {
        for wrong in [
            "redis://me:12/hush@db/0",
            "redis://me:12?hush@db/0",
            "redis://me:12#hush@db/0",
            "redis://:12@hush@db/0",
            "redis://:hush%@db/0",
            "redis://:hush%4@db/0",
            "redis://:hush%zz@db/0",
        ] {
            let why = check(wrong).unwrap_err().to_string();
            assert!(why.contains("percent-encode") && !why.contains("hu"), "{why}");
        }
        for wrong in ["hush", "redis:/me:hush@db", "http://:hush@db", "redis://db:hush/0"] {
            let why = check(wrong).unwrap_err().to_string();
            assert!(!why.contains("hush"), "{why}");
        }
        check("redis://me:%40%2F%3F%23%25@db:6380/1").unwrap();
        check("rediss://:s3cret@db").unwrap();
    }
}
