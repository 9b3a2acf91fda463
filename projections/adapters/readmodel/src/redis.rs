//! The cache that nodes share, in Redis. One hash holds how far pages were noted (`upto`), since
//! when without a gap (`base`), under which registry, and where each tag was touched last; it goes as a whole or not at
//! all, so a Redis that was emptied, restarted or short of memory forgets answers and never serves
//! old ones. Every step is one script, so that nothing comes between its parts.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use holdfast_domain::ids::Epoch;
use holdfast_domain::log::{Pending, Position};
use holdfast_projections::shared::{Note, Place, SharedCache};
use holdfast_redis::{Redis, ScriptInvocation};
use uuid::Uuid;

mod hints;
mod scripts;

pub use hints::RedisHints;

/// Larger answers are read from the database each time.
const BYTES_MAX: usize = 256 << 10;

/// The cache of one read store.
pub struct RedisCache {
    redis: Arc<Redis>,
    /// The epoch is in braces, so that a cluster keeps all of it in one place.
    prefix: String,
    lifetime: Duration,
}

impl fmt::Debug for RedisCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisCache").field("redis", &self.redis).finish_non_exhaustive()
    }
}

impl RedisCache {
    /// For the views of the log of this epoch in one read store: generations are numbered by their
    /// store, and a log may have several. An answer is kept for at most so long.
    pub fn new(redis: Arc<Redis>, epoch: Epoch, store: Uuid, lifetime: Duration) -> Self {
        Self { redis, prefix: format!("holdfast:{{{epoch}}}:{store}:"), lifetime }
    }

    /// The channel on which it says that a page was noted.
    pub fn channel(&self) -> String {
        format!("{}moved", self.prefix)
    }

    fn index(&self) -> String {
        format!("{}index", self.prefix)
    }

    fn entry(&self, place: &Place) -> String {
        format!("{}{}", self.prefix, place.name)
    }

    fn milliseconds(&self) -> u64 {
        u64::try_from(self.lifetime.as_millis()).unwrap_or(u64::MAX).max(1)
    }

    /// A write that was not done is noticed by every reader: the notes have not come far enough.
    async fn write(&self, call: &ScriptInvocation<'_>) {
        if let Err(why) = self.redis.call::<()>(call).await {
            tracing::debug!(%why, "the shared cache was not written");
        }
    }
}

impl SharedCache for RedisCache {
    fn get(&self, place: Place, since: Position) -> Pending<'_, Option<(String, Position)>> {
        Box::pin(async move {
            let mut call = scripts::GET.key(self.index());
            call.key(self.entry(&place)).arg(&place.tag).arg(since.0);
            let found: Option<(u64, String)> = self.redis.call(&call).await.ok()?;
            found.map(|(position, value)| (value, Position(position)))
        })
    }

    fn put(&self, registry: u64, place: Place, value: String, at: Position) -> Pending<'_, ()> {
        Box::pin(async move {
            if value.len() > BYTES_MAX {
                return;
            }
            let mut call = scripts::PUT.key(self.index());
            call.key(self.entry(&place));
            call.arg(&place.tag).arg(at.0).arg(self.milliseconds()).arg(value);
            call.arg(registry);
            self.write(&call).await;
        })
    }

    fn began(&self, registry: u64, at: Position) -> Pending<'_, ()> {
        Box::pin(async move {
            let mut call = scripts::BEGAN.key(self.index());
            call.arg(at.0).arg(self.channel()).arg(registry);
            self.write(&call).await;
        })
    }

    fn committed(&self, note: Note) -> Pending<'_, ()> {
        Box::pin(async move {
            let mut call = scripts::COMMITTED.key(self.index());
            call.arg(note.before.0).arg(note.after.0).arg(self.milliseconds()).arg(self.channel());
            call.arg(note.registry).arg(note.tags.len());
            for tag in &note.tags {
                call.arg(tag);
            }
            for (place, value) in &note.documents {
                call.key(self.entry(place)).arg(&place.tag);
                // Too large to keep: its tag is touched all the same.
                call.arg(if value.len() > BYTES_MAX { "" } else { value });
            }
            self.write(&call).await;
        })
    }
}
