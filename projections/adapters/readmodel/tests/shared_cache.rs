//! The cache that nodes share, over a real Redis: an old answer is never served for a new one,
//! whatever comes late, is lost, or is forgotten.
#![expect(
    clippy::unwrap_used,
    clippy::unnecessary_wraps,
    reason = "helpers of tests fail by panicking"
)]

use std::sync::Arc;
use std::time::Duration;

use holdfast_domain::ids::Epoch;
use holdfast_domain::log::Position;
use holdfast_projections::shared::{Note, Place, SharedCache as _};
use holdfast_readmodel::redis::RedisCache;
use holdfast_redis::{Redis, script};
use holdfast_test_stores::unique_id;

struct Scene {
    cache: RedisCache,
    redis: Arc<Redis>,
    epoch: Epoch,
}

impl Scene {
    async fn new(suite: &str) -> Option<Self> {
        let address = holdfast_test_stores::redis(suite)?;
        let redis = Redis::open(&address).await.unwrap();
        let epoch = Epoch::from_uuid(unique_id());
        Some(Self { cache: cache_of(&redis, epoch), redis, epoch })
    }

    async fn get(&self, name: &str, since: u64) -> Option<(String, u64)> {
        let found = self.cache.get(place(name), Position(since)).await;
        found.map(|(value, position)| (value, position.0))
    }

    async fn began(&self, at: u64) {
        self.cache.began(REGISTRY, Position(at)).await;
    }

    async fn put(&self, name: &str, value: &str, at: u64) {
        self.cache.put(REGISTRY, place(name), value.to_owned(), Position(at)).await;
    }

    async fn note(&self, before: u64, after: u64, documents: &[(&str, &str)], tags: &[&str]) {
        let documents =
            documents.iter().map(|(name, value)| (place(name), (*value).to_owned())).collect();
        let tags = tags.iter().map(|tag| (*tag).to_owned()).collect();
        let (before, after) = (Position(before), Position(after));
        self.cache.committed(Note { registry: REGISTRY, before, after, documents, tags }).await;
    }

    async fn forget(&self) {
        let mut call = DELETE_ALL.prepare_invoke();
        call.arg(format!("holdfast:{{{}}}:*", self.epoch));
        self.redis.call::<()>(&call).await.unwrap();
    }
}

/// Of a read store that was made just now.
fn cache_of(redis: &Arc<Redis>, epoch: Epoch) -> RedisCache {
    RedisCache::new(Arc::clone(redis), epoch, unique_id(), Duration::from_mins(1))
}

static DELETE_ALL: std::sync::LazyLock<holdfast_redis::Script> = std::sync::LazyLock::new(|| {
    script("for _, key in ipairs(redis.call('KEYS', ARGV[1])) do redis.call('DEL', key) end")
});

/// Where nobody switches.
const REGISTRY: u64 = 3;

fn place(name: &str) -> Place {
    Place { name: name.to_owned(), tag: format!("tag of {name}") }
}

fn some(value: &str, position: u64) -> Option<(String, u64)> {
    Some((value.to_owned(), position))
}

#[tokio::test]
async fn what_was_read_is_served_until_its_tag_is_touched() {
    let Some(scene) = Scene::new("shared cache").await else { return };
    scene.put("a", "too early", 1).await;
    assert_eq!(scene.get("a", 0).await, None, "nobody notes pages yet");
    scene.began(5).await;
    scene.put("a", "at 5", 5).await;
    assert_eq!(scene.get("a", 5).await, some("at 5", 5));
    scene.note(5, 6, &[], &["tag of b"]).await;
    assert_eq!(scene.get("a", 6).await, some("at 5", 6), "true at 6 as well");
    assert_eq!(scene.get("a", 7).await, None, "nobody knows what it is at 7");
    scene.note(6, 7, &[], &["tag of a"]).await;
    assert_eq!(scene.get("a", 0).await, None);
    scene.put("a", "still at 6", 6).await;
    assert_eq!(scene.get("a", 0).await, None, "a slow reader does not bring it back");
    scene.note(7, 8, &[("a", "at 8")], &[]).await;
    scene.put("a", "still at 7", 7).await;
    assert_eq!(scene.get("a", 8).await, some("at 8", 8));
}

#[tokio::test]
async fn a_page_that_was_missed_makes_everything_before_it_unknown() {
    let Some(scene) = Scene::new("shared cache").await else { return };
    scene.began(5).await;
    scene.put("a", "at 5", 5).await;
    scene.note(6, 7, &[("b", "at 7")], &[]).await;
    assert_eq!(scene.get("a", 0).await, None, "6 may have touched it");
    assert_eq!(scene.get("b", 0).await, some("at 7", 7));
}

#[tokio::test]
async fn a_runner_that_was_overtaken_changes_nothing() {
    let Some(scene) = Scene::new("shared cache").await else { return };
    scene.began(5).await;
    scene.note(5, 9, &[("a", "at 9")], &[]).await;
    scene.note(5, 6, &[("a", "at 6")], &["tag of a"]).await;
    assert_eq!(scene.get("a", 9).await, some("at 9", 9));
}

#[tokio::test]
async fn a_redis_that_forgot_everything_serves_nothing_old_and_heals() {
    let Some(scene) = Scene::new("shared cache").await else { return };
    scene.began(5).await;
    scene.put("a", "at 5", 5).await;
    scene.forget().await;
    scene.put("a", "at 5", 5).await;
    assert_eq!(scene.get("a", 0).await, None);
    scene.note(5, 6, &[("b", "at 6")], &[]).await;
    scene.put("a", "at 5", 5).await;
    assert_eq!(scene.get("a", 0).await, None, "what 6 touched was noted, but was 5?");
    scene.put("a", "at 6", 6).await;
    assert_eq!(scene.get("a", 6).await, some("at 6", 6));
}

#[tokio::test]
async fn a_switch_of_which_nobody_heard_brings_nothing_back_when_it_is_taken_back() {
    let Some(scene) = Scene::new("shared cache").await else { return };
    let cache = &scene.cache;
    let note = |registry, before, after| Note {
        registry,
        before: Position(before),
        after: Position(after),
        ..Note::default()
    };
    let put = |registry, at: u64| {
        cache.put(registry, place("a"), format!("at {at}, by {registry}"), Position(at))
    };
    cache.began(6, Position(100)).await;
    put(6, 100).await;
    assert_eq!(scene.get("a", 100).await, some("at 100, by 6", 100));
    // The page that changes it is noted for those who read the other generation.
    cache.committed(note(8, 100, 101)).await;
    assert_eq!(scene.get("a", 0).await, None);
    // One who read slowly, and one who is ahead of the notes.
    for registry in [6, 10] {
        put(registry, 101).await;
        assert_eq!(scene.get("a", 0).await, None, "it would not be noted when this changes");
    }
    cache.committed(note(10, 101, 102)).await;
    assert_eq!(scene.get("a", 0).await, None);
    put(10, 102).await;
    assert_eq!(scene.get("a", 102).await, some("at 102, by 10", 102));
}

#[tokio::test]
async fn two_stores_over_one_log_know_nothing_of_each_other() {
    let Some(scene) = Scene::new("shared cache").await else { return };
    let other = cache_of(&scene.redis, scene.epoch);
    assert_ne!(other.channel(), scene.cache.channel());
    scene.began(5).await;
    scene.put("a", "at 5", 5).await;
    assert_eq!(other.get(place("a"), Position(5)).await, None);
    other.began(REGISTRY, Position(5)).await;
    other.put(REGISTRY, place("a"), "another generation".to_owned(), Position(5)).await;
    assert_eq!(scene.get("a", 5).await, some("at 5", 5));
}
