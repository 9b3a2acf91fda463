//! Tokens that were checked a moment ago. Checking a signature costs far more than a digest does,
//! and a client sends the same token with each request. Bounded in number and in time; a key that
//! its issuer withdraws is believed for at most [`REMEMBERED_FOR`] longer.

use std::time::Duration;

use moka::sync::Cache;
use sha2::{Digest as _, Sha256};

use super::{Caller, LEEWAY_SECONDS};

/// How long a check is believed.
pub const REMEMBERED_FOR: Duration = Duration::from_mins(5);

const TOKENS_MAX: u64 = 10_000;

/// The digest of a token: its key here, so that no token is kept.
pub type TokenDigest = [u8; 32];

/// Digests a token.
pub fn digest(token: &str) -> TokenDigest {
    Sha256::digest(token.as_bytes()).into()
}

/// The results of recent checks.
#[derive(Debug, Clone)]
pub struct Verified {
    callers: Cache<TokenDigest, Caller>,
}

impl Default for Verified {
    fn default() -> Self {
        let callers =
            Cache::builder().max_capacity(TOKENS_MAX).time_to_live(REMEMBERED_FOR).build();
        Self { callers }
    }
}

impl Verified {
    /// The caller of a token that was checked, unless the token is over at `now`.
    pub fn find(&self, token: &TokenDigest, now: u64) -> Option<Caller> {
        let live = |caller: &Caller| caller.expires_at.saturating_add(LEEWAY_SECONDS) >= now;
        self.callers.get(token).filter(live)
    }

    /// Remembers a check.
    pub fn remember(&self, token: TokenDigest, caller: Caller) {
        self.callers.insert(token, caller);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_remembered_token_ends_with_its_own_lifetime() {
        let verified = Verified::default();
        let principal = "018f2a10-7c5e-7000-8000-000000000001".parse().unwrap();
        let caller = Caller { principal, roles: [].into(), expires_at: 1_000 };
        verified.remember(digest("a"), caller.clone());
        assert_eq!(verified.find(&digest("a"), 1_030), Some(caller));
        assert_eq!(verified.find(&digest("a"), 1_031), None);
        assert_eq!(verified.find(&digest("b"), 0), None);
    }
}
