//! Rate limits: a leaky bucket per key (GCRA), for a bounded number of keys. When more keys arrive
//! than are kept, the one not seen for longest starts again with a full share.

use std::fmt::Debug;
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
    rate: Rate,
    by_key: Cache<K, Arc<Bucket>>,
    clock: DefaultClock,
}

impl<K> Debug for Buckets<K> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Buckets").field("rate", &self.rate).finish_non_exhaustive()
    }
}

impl<K: Hash + Eq + Send + Sync + 'static> Buckets<K> {
    /// Buckets that fill at a rate.
    pub fn new(rate: Rate) -> Self {
        let by_key = Cache::builder()
            .max_capacity(KEYS_MAX)
            .eviction_policy(EvictionPolicy::lru())
            // A bucket that was not touched for a period is full again: it need not be kept.
            .time_to_idle(rate.period())
            .build();
        Self { rate, by_key, clock: DefaultClock::default() }
    }

    /// Takes one from the key's bucket.
    pub fn take(&self, key: K) -> Result<Share, Problem> {
        let bucket = self.by_key.get_with(key, || Arc::new(bucket(self.rate)));
        let limit = self.rate.count().get();
        match bucket.check() {
            Ok(state) => {
                let remaining = state.remaining_burst_capacity();
                let used = limit.saturating_sub(remaining);
                let interval = interval(self.rate);
                Ok(Share { limit, remaining, reset_seconds: ceil(interval.saturating_mul(used)) })
            }
            Err(until) => {
                let seconds = ceil(until.wait_time_from(self.clock.now())).max(1);
                let share = Share { limit, remaining: 0, reset_seconds: seconds };
                let refused = Problem::new(Code::RateLimited).retry_after(seconds);
                Err(share
                    .headers()
                    .into_iter()
                    .fold(refused, |refused, (name, value)| refused.header(name, value)))
            }
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
    /// As configured.
    pub fn new(limits: &Limits) -> Self {
        Self {
            addresses: Buckets::new(limits.address_rate),
            sign_ins: Buckets::new(limits.sign_in_rate),
            principals: Buckets::new(limits.principal_rate),
        }
    }

    /// Counts a request under its address.
    pub fn address(&self, class: RateClass, address: IpAddr) -> Result<Option<Share>, Problem> {
        match class {
            RateClass::Free => Ok(None),
            RateClass::Normal => self.addresses.take(super::peer::network(address)).map(Some),
            RateClass::SignIn => self.sign_ins.take(super::peer::network(address)).map(Some),
        }
    }

    /// Counts a request under its caller.
    pub fn principal(&self, principal: PrincipalId) -> Result<Share, Problem> {
        self.principals.take(principal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_one_too_many_is_told_when_to_come_back() {
        let buckets = Buckets::new("3/60s".parse().unwrap());
        let remaining: Vec<_> = (0..3).map(|_| buckets.take("a").unwrap().remaining).collect();
        assert_eq!(remaining, [2, 1, 0]);
        let refused = buckets.take("a").unwrap_err();
        assert_eq!(refused.status(), 429);
        let answer = actix_web::ResponseError::error_response(&refused);
        let after: u64 =
            answer.headers().get("retry-after").unwrap().to_str().unwrap().parse().unwrap();
        assert!((1..=20).contains(&after), "{after}");
        assert_eq!(answer.headers().get("ratelimit-remaining").unwrap(), "0");
        assert!(buckets.take("b").is_ok(), "others are not concerned");
    }

    #[test]
    fn the_number_of_keys_is_bounded() {
        let buckets = Buckets::new("1/60s".parse().unwrap());
        for key in 0..KEYS_MAX + 5_000 {
            drop(buckets.take(key));
        }
        buckets.by_key.run_pending_tasks();
        assert!(buckets.by_key.entry_count() <= KEYS_MAX);
        assert!(buckets.take(KEYS_MAX + 4_999).is_err(), "a recent key is still counted");
    }
}
