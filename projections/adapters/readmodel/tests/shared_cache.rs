//! The cache that nodes share, over a real Redis: an old answer is never served for a new one,
//! whatever comes late, is lost, or is forgotten.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::unnecessary_wraps,
    reason = "helpers of tests fail by panicking, and count in small numbers"
)]

use std::sync::Arc;
use std::time::Duration;

use holdfast_domain::ids::Epoch;
use holdfast_domain::log::Position;
use holdfast_projections::shared::{Note, Place, SharedCache as _};
use holdfast_readmodel::redis::RedisCache;
use holdfast_redis::{Redis, script};
use proptest::prelude::*;

struct Scene {
    cache: RedisCache,
    redis: Arc<Redis>,
    epoch: Epoch,
}

impl Scene {
    async fn new(suite: &str) -> Option<Self> {
        let address = holdfast_test_stores::redis(suite)?;
        let redis = Redis::open(&address).await.unwrap();
        let epoch = Epoch::from_uuid(holdfast_test_stores::unique_id());
        let cache = RedisCache::new(Arc::clone(&redis), epoch, Duration::from_mins(1));
        Some(Self { cache, redis, epoch })
    }

    async fn get(&self, name: &str, since: u64) -> Option<(String, u64)> {
        let found = self.cache.get(place(name), Position(since)).await;
        found.map(|(value, position)| (value, position.0))
    }

    async fn put(&self, name: &str, value: &str, at: u64) {
        self.cache.put(place(name), value.to_owned(), Position(at)).await;
    }

    async fn note(&self, before: u64, after: u64, documents: &[(&str, &str)], tags: &[&str]) {
        let documents =
            documents.iter().map(|(name, value)| (place(name), (*value).to_owned())).collect();
        let tags = tags.iter().map(|tag| (*tag).to_owned()).collect();
        let (before, after) = (Position(before), Position(after));
        self.cache.committed(Note { before, after, documents, tags }).await;
    }

    async fn forget(&self) {
        let mut call = DELETE_ALL.prepare_invoke();
        call.arg(format!("holdfast:{{{}}}:*", self.epoch));
        self.redis.call::<()>(&call).await.unwrap();
    }
}

static DELETE_ALL: std::sync::LazyLock<holdfast_redis::Script> = std::sync::LazyLock::new(|| {
    script("for _, key in ipairs(redis.call('KEYS', ARGV[1])) do redis.call('DEL', key) end")
});

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
    scene.cache.began(Position(5)).await;
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
    scene.cache.began(Position(5)).await;
    scene.put("a", "at 5", 5).await;
    scene.note(6, 7, &[("b", "at 7")], &[]).await;
    assert_eq!(scene.get("a", 0).await, None, "6 may have touched it");
    assert_eq!(scene.get("b", 0).await, some("at 7", 7));
}

#[tokio::test]
async fn a_runner_that_was_overtaken_changes_nothing() {
    let Some(scene) = Scene::new("shared cache").await else { return };
    scene.cache.began(Position(5)).await;
    scene.note(5, 9, &[("a", "at 9")], &[]).await;
    scene.note(5, 6, &[("a", "at 6")], &["tag of a"]).await;
    assert_eq!(scene.get("a", 9).await, some("at 9", 9));
}

#[tokio::test]
async fn a_redis_that_forgot_everything_serves_nothing_old_and_heals() {
    let Some(scene) = Scene::new("shared cache").await else { return };
    scene.cache.began(Position(5)).await;
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

/// What may happen to the cache, in any order.
#[derive(Debug, Clone)]
enum Step {
    /// A page changes some entries; its note is lost, or arrives.
    Commit {
        touched: Vec<usize>,
        noted: bool,
        whole: bool,
    },
    /// Somebody read so many positions ago, and keeps it now.
    Fill {
        entry: usize,
        ago: u64,
    },
    /// Another runner takes over, or says so late.
    Begin {
        ago: u64,
    },
    /// The note of the last page that was lost arrives after all.
    Late,
    Forget,
}

fn step() -> impl Strategy<Value = Step> {
    let commit = (proptest::collection::vec(0..3_usize, 0..3), any::<bool>(), any::<bool>())
        .prop_map(|(touched, lost, whole)| Step::Commit { touched, noted: !lost, whole });
    prop_oneof![
        4 => commit,
        4 => (0..3_usize, 0..4_u64).prop_map(|(entry, ago)| Step::Fill { entry, ago }),
        1 => (0..4_u64).prop_map(|ago| Step::Begin { ago }),
        1 => Just(Step::Late),
        1 => Just(Step::Forget),
    ]
}

const NAMES: [&str; 3] = ["a", "b", "c"];

/// The truth: what each entry was at each position.
#[derive(Debug, Default)]
struct Truth(Vec<[u64; 3]>);

impl Truth {
    fn head(&self) -> u64 {
        u64::try_from(self.0.len() - 1).unwrap()
    }

    fn at(&self, position: u64, entry: usize) -> String {
        format!("{}", self.0[usize::try_from(position).unwrap()][entry])
    }
}

async fn play(scene: &Scene, steps: &[Step]) -> usize {
    let (mut truth, mut lost, mut hits) = (Truth(vec![[0; 3]]), None, 0);
    for step in steps {
        match step {
            Step::Commit { touched, noted, whole } => {
                let (before, mut now) = (truth.head(), *truth.0.last().unwrap());
                for entry in touched {
                    now[*entry] = before + 1;
                }
                truth.0.push(now);
                let note = (before, touched.clone(), *whole);
                if *noted { send(scene, &truth, &note).await } else { lost = Some(note) }
            }
            Step::Fill { entry, ago } => {
                let at = truth.head().saturating_sub(*ago);
                scene.put(NAMES[*entry], &truth.at(at, *entry), at).await;
            }
            Step::Begin { ago } => {
                let at = truth.head().saturating_sub(*ago);
                scene.cache.began(Position(at)).await;
            }
            Step::Late => {
                if let Some(note) = lost.take() {
                    send(scene, &truth, &note).await;
                }
            }
            Step::Forget => scene.forget().await,
        }
        hits += served_truly(scene, &truth).await;
    }
    hits
}

/// How many answers it serves, each of which is true at the position it names.
async fn served_truly(scene: &Scene, truth: &Truth) -> usize {
    let mut hits = 0;
    for since in 0..=truth.head() {
        for (entry, name) in NAMES.iter().enumerate() {
            let Some((value, position)) = scene.get(name, since).await else { continue };
            assert!(position >= since && position <= truth.head());
            assert_eq!(value, truth.at(position, entry), "{name} at {position}");
            hits += 1;
        }
    }
    hits
}

async fn send(scene: &Scene, truth: &Truth, (before, touched, whole): &(u64, Vec<usize>, bool)) {
    let after = before + 1;
    let values: Vec<_> = touched.iter().map(|entry| truth.at(after, *entry)).collect();
    let documents: Vec<_> =
        touched.iter().zip(&values).map(|(entry, value)| (NAMES[*entry], value.as_str())).collect();
    let tags: Vec<_> = touched.iter().map(|entry| place(NAMES[*entry]).tag).collect();
    let tags: Vec<_> = tags.iter().map(String::as_str).collect();
    match whole {
        true => scene.note(*before, after, &documents, &[]).await,
        false => scene.note(*before, after, &[], &tags).await,
    }
}

#[test]
fn whatever_happens_to_it_what_it_serves_is_true_at_the_position_it_names() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let hits = std::cell::Cell::new(0);
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        cases: 500,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let steps = proptest::collection::vec(step(), 1..14);
    let Some(_address) = holdfast_test_stores::redis("shared cache") else { return };
    runner
        .run(&steps, |steps| {
            let served = runtime.block_on(async {
                let scene = Scene::new("shared cache").await.unwrap();
                play(&scene, &steps).await
            });
            hits.set(hits.get() + served);
            Ok(())
        })
        .unwrap();
    assert!(hits.get() > 1_000, "it served only {} answers", hits.get());
}
