//! Whether the Redis that nodes share answers. Nothing is refused while it does not, so that the node
//! is only degraded.

use std::sync::Arc;

use holdfast_domain::log::Pending;
use holdfast_redis::Redis;

use super::check::Check;

/// Tells what the last call came to; asks nothing itself.
#[derive(Debug)]
pub struct CacheCheck {
    /// The Redis.
    pub redis: Arc<Redis>,
}

impl Check for CacheCheck {
    fn name(&self) -> &'static str {
        "cache"
    }

    fn check(&self) -> Pending<'_, Result<String, String>> {
        let gone = self.redis.gone().borrow().clone();
        let said = match gone {
            None => Ok("Redis answers".to_owned()),
            Some(why) => Err(format!(
                "Redis does not answer ({why}): each node counts its own rate limits, and reads go \
                 to the database"
            )),
        };
        Box::pin(std::future::ready(said))
    }

    /// Everything goes on without it.
    fn is_vital(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_redis_that_is_away_degrades_the_node_and_no_more() {
        // A port that nobody listens on.
        let redis = Redis::open("redis://127.0.0.1:1").await.unwrap();
        let check = CacheCheck { redis };
        let said = check.check().await.unwrap_err();
        assert!(said.contains("its own rate limits"), "{said}");
        assert!(!check.is_vital());
    }
}
