//! Rate limits that all nodes share: a leaky bucket per key, judged by Redis's own clock, so that
//! nodes whose clocks differ agree.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use redis::Script;

use crate::connection::{Gone, Redis, script};

/// The generic cell rate algorithm. What is kept is when the bucket will be empty again, and it is
/// kept no longer than that.
static TAKE: LazyLock<Script> = LazyLock::new(|| {
    script(
        "
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local interval, burst = tonumber(ARGV[1]), tonumber(ARGV[2])
local empty = tonumber(redis.call('GET', KEYS[1]) or now)
if empty < now then empty = now end
local after = empty + interval
local room = now - (after - interval * burst)
if room < 0 then return {0, 0, -room} end
redis.call('SET', KEYS[1], string.format('%.0f', after), 'PX', math.ceil((after - now) / 1000))
return {1, math.floor(room / interval), 0}
",
    )
});

/// What became of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It may go on.
    Allowed {
        /// How many more may come at once.
        remaining: u32,
    },
    /// It is one too many.
    Refused {
        /// How long until one more is allowed.
        wait: Duration,
    },
}

/// Buckets in Redis.
#[derive(Debug, Clone)]
pub struct Limits {
    redis: Arc<Redis>,
    prefix: String,
}

impl Limits {
    /// Buckets under keys that begin with `prefix`.
    pub const fn new(redis: Arc<Redis>, prefix: String) -> Self {
        Self { redis, prefix }
    }

    /// Takes one from the bucket of a key, which lets `burst` through at once and then one in each
    /// `interval`.
    pub async fn take(&self, key: &str, interval: Duration, burst: u32) -> Result<Verdict, Gone> {
        let interval = u64::try_from(interval.as_micros()).unwrap_or(u64::MAX).max(1);
        let mut call = TAKE.key(format!("{}{key}", self.prefix));
        call.arg(interval).arg(burst);
        let (allowed, remaining, wait): (u8, u32, u64) = self.redis.call(&call).await?;
        Ok(match allowed {
            0 => Verdict::Refused { wait: Duration::from_micros(wait) },
            _ => Verdict::Allowed { remaining },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn two_nodes_share_one_bucket_and_are_told_when_to_come_back() {
        let Some(address) = holdfast_test_stores::redis("rate limits") else { return };
        let prefix = holdfast_test_stores::unique("limits:");
        let mut nodes = Vec::new();
        for _ in 0..2 {
            let redis = Redis::open(&address).await.unwrap();
            nodes.push(Limits::new(redis, prefix.clone()));
        }
        let minute = Duration::from_mins(1);
        let mut told = Vec::new();
        for node in nodes.iter().cycle().take(3) {
            told.push(node.take("a", minute, 3).await.unwrap());
        }
        let allowed = |remaining| Verdict::Allowed { remaining };
        assert_eq!(told, [allowed(2), allowed(1), allowed(0)]);
        let Verdict::Refused { wait } = nodes[1].take("a", minute, 3).await.unwrap() else {
            panic!("the fourth is one too many")
        };
        assert!(wait <= minute && wait > minute / 2, "{wait:?}");
        assert_eq!(nodes[0].take("b", minute, 3).await, Ok(allowed(2)), "others go on");
    }

    #[tokio::test]
    async fn a_redis_that_is_away_is_not_waited_for() {
        // A port that nobody listens on.
        let redis = Redis::open("redis://127.0.0.1:1").await.unwrap();
        let limits = Limits::new(redis, String::new());
        let began = std::time::Instant::now();
        for _ in 0..1_000 {
            assert!(limits.take("a", Duration::from_secs(1), 1).await.is_err());
        }
        assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    }
}
