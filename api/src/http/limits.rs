//! Rate limits: a leaky bucket per key (GCRA). Nodes that have a Redis share their buckets. Without
//! one, or while it does not answer, each node counts for itself, for a bounded number of keys: when
//! more arrive than are kept, the one not seen for longest starts again with a full share.

use std::fmt::{Debug, Display};
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use actix_web::http::header::{HeaderName, HeaderValue};
use governor::clock::{Clock as _, DefaultClock};
use governor::middleware::StateInformationMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use holdfast_domain::ids::PrincipalId;
use holdfast_redis::{Limits as SharedBuckets, Verdict};
use moka::policy::EvictionPolicy;
use moka::sync::Cache;

use super::problem::Problem;
use crate::config::Limits;
use crate::config::rate::Rate;
use crate::problems::Code;

const KEYS_MAX: u64 = 100_000;

type Bucket = RateLimiter<NotKeyed, InMemoryState, DefaultClock, StateInformationMiddleware>;

/// What is left of a share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    limit: u32,
    remaining: u32,
    reset_seconds: u64,
}

impl Share {
    /// The headers that tell a client.
    pub fn headers(&self) -> [(HeaderName, HeaderValue); 3] {
        [
            (HeaderName::from_static("ratelimit-limit"), HeaderValue::from(self.limit)),
            (HeaderName::from_static("ratelimit-remaining"), HeaderValue::from(self.remaining)),
            (HeaderName::from_static("ratelimit-reset"), HeaderValue::from(self.reset_seconds)),
        ]
    }
}

/// Buckets of one kind of key.
pub struct Buckets<K> {
    kind: &'static str,
    rate: Rate,
    shared: Option<SharedBuckets>,
    by_key: Cache<K, Arc<Bucket>>,
    clock: DefaultClock,
}

impl<K> Debug for Buckets<K> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut shown = f.debug_struct("Buckets");
        shown.field("kind", &self.kind).field("rate", &self.rate).finish_non_exhaustive()
    }
}

impl<K: Hash + Eq + Display + Send + Sync + 'static> Buckets<K> {
    /// Buckets of a kind that fill at a rate, shared with other nodes or not.
    pub fn new(kind: &'static str, rate: Rate, shared: Option<SharedBuckets>) -> Self {
        let by_key = Cache::builder()
            .max_capacity(KEYS_MAX)
            .eviction_policy(EvictionPolicy::lru())
            // A bucket that was not touched for a period is full again: it need not be kept.
            .time_to_idle(rate.period())
            .build();
        Self { kind, rate, shared, by_key, clock: DefaultClock::default() }
    }

    /// Takes one from the key's bucket.
    pub async fn take(&self, key: K) -> Result<Share, Problem> {
        let burst = self.rate.count().get();
        let verdict = match &self.shared {
            Some(shared) => {
                let name = format!("{}:{key}", self.kind);
                shared.take(&name, interval(self.rate), burst).await.ok()
            }
            None => None,
        };
        match verdict.unwrap_or_else(|| self.alone(key)) {
            Verdict::Allowed { remaining } => {
                let used = burst.saturating_sub(remaining);
                let reset_seconds = ceil(interval(self.rate).saturating_mul(used));
                Ok(Share { limit: burst, remaining, reset_seconds })
            }
            Verdict::Refused { wait } => {
                let seconds = ceil(wait).max(1);
                let share = Share { limit: burst, remaining: 0, reset_seconds: seconds };
                let refused = Problem::new(Code::RateLimited).retry_after(seconds);
                Err(share
                    .headers()
                    .into_iter()
                    .fold(refused, |refused, (name, value)| refused.header(name, value)))
            }
        }
    }

    /// This node's own judgement.
    fn alone(&self, key: K) -> Verdict {
        let bucket = self.by_key.get_with(key, || Arc::new(bucket(self.rate)));
        match bucket.check() {
            Ok(state) => Verdict::Allowed { remaining: state.remaining_burst_capacity() },
            Err(until) => Verdict::Refused { wait: until.wait_time_from(self.clock.now()) },
        }
    }
}

/// The time in which one more is allowed.
fn interval(rate: Rate) -> Duration {
    rate.period().checked_div(rate.count().get()).unwrap_or(rate.period())
}

fn bucket(rate: Rate) -> Bucket {
    // Rates are at most a million per second, so the interval is never zero.
    let quota = Quota::with_period(interval(rate)).unwrap_or(Quota::per_second(rate.count()));
    RateLimiter::direct(quota.allow_burst(rate.count())).with_middleware()
}

fn ceil(span: Duration) -> u64 {
    span.as_secs().saturating_add(u64::from(span.subsec_nanos() > 0))
}

/// Which limit a route counts against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RateClass {
    /// None: probes and metrics.
    Free,
    /// The address's, and the caller's when the route needs one.
    Normal,
    /// The address's own limit for guessing secrets.
    SignIn,
}

/// Every limit of the edge.
#[derive(Debug)]
pub struct RateLimits {
    addresses: Buckets<IpAddr>,
    sign_ins: Buckets<IpAddr>,
    principals: Buckets<PrincipalId>,
}

impl RateLimits {
    /// As configured, shared with other nodes or not.
    pub fn new(limits: &Limits, shared: Option<SharedBuckets>) -> Self {
        Self {
            addresses: Buckets::new("address", limits.address_rate, shared.clone()),
            sign_ins: Buckets::new("sign-in", limits.sign_in_rate, shared.clone()),
            principals: Buckets::new("principal", limits.principal_rate, shared),
        }
    }

    /// Counts a request under its address.
    pub async fn address(
        &self,
        class: RateClass,
        address: IpAddr,
    ) -> Result<Option<Share>, Problem> {
        let network = super::peer::network(address);
        match class {
            RateClass::Free => Ok(None),
            RateClass::Normal => self.addresses.take(network).await.map(Some),
            RateClass::SignIn => self.sign_ins.take(network).await.map(Some),
        }
    }

    /// Counts a request under its caller.
    pub async fn principal(&self, principal: PrincipalId) -> Result<Share, Problem> {
        self.principals.take(principal).await
    }
}

#[cfg(test)]
mod tests {
    use holdfast_redis::Redis;

    use super::*;

    fn buckets<K>(rate: &str, shared: Option<SharedBuckets>) -> Buckets<K>
    where
        K: Hash + Eq + Display + Send + Sync + 'static,
    {
        Buckets::new("test", rate.parse().unwrap(), shared)
    }

    async fn the_one_too_many(buckets: Buckets<&'static str>) {
        let mut remaining = Vec::new();
        for _ in 0..3 {
            remaining.push(buckets.take("a").await.unwrap().remaining);
        }
        assert_eq!(remaining, [2, 1, 0]);
        let refused = buckets.take("a").await.unwrap_err();
        assert_eq!(refused.status(), 429);
        let answer = actix_web::ResponseError::error_response(&refused);
        let after: u64 =
            answer.headers().get("retry-after").unwrap().to_str().unwrap().parse().unwrap();
        assert!((1..=20).contains(&after), "{after}");
        assert_eq!(answer.headers().get("ratelimit-remaining").unwrap(), "0");
        assert!(buckets.take("b").await.is_ok(), "others are not concerned");
    }

    #[tokio::test]
    async fn the_one_too_many_is_told_when_to_come_back() {
        the_one_too_many(buckets("3/60s", None)).await;
    }

    #[tokio::test]
    async fn so_it_is_where_nodes_share_their_buckets() {
        let Some(address) = holdfast_test_stores::redis("rate limits") else { return };
        let redis = Redis::open(&address).await.unwrap();
        let shared = SharedBuckets::new(redis, holdfast_test_stores::unique("limits:"));
        the_one_too_many(buckets("3/60s", Some(shared))).await;
    }

    #[tokio::test]
    async fn while_redis_does_not_answer_a_node_counts_for_itself() {
        let redis = Redis::open("redis://127.0.0.1:1").await.unwrap();
        the_one_too_many(buckets("3/60s", Some(SharedBuckets::new(redis, String::new())))).await;
    }

    #[test]
    fn the_number_of_keys_is_bounded() {
        let buckets = buckets("1/60s", None);
        for key in 0..KEYS_MAX + 5_000 {
            buckets.alone(key);
        }
        buckets.by_key.run_pending_tasks();
        assert!(buckets.by_key.entry_count() <= KEYS_MAX);
        let again = buckets.alone(KEYS_MAX + 4_999);
        assert!(matches!(again, Verdict::Refused { .. }), "a recent key is still counted");
    }
}
