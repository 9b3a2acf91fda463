//! The cache that nodes share, over a real Redis, in whatever order things happen: pages and switches of
//! generations, their notes lost or late, readers who are slow or behind, runners that take over, and
//! a Redis that forgets. What it serves is true at the position it names.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "helpers of tests fail by panicking, and count in small numbers"
)]

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use holdfast_domain::ids::Epoch;
use holdfast_domain::log::Position;
use holdfast_projections::document::Key;
use holdfast_projections::registry::GenerationId;
use holdfast_projections::shared::{Note, Place, SharedCache as _};
use holdfast_readmodel::redis::RedisCache;
use holdfast_redis::{Redis, Script, script};
use holdfast_test_stores::unique_id;
use proptest::prelude::*;

const KEYS: [&str; 2] = ["a", "b"];

/// What may happen, in any order.
#[derive(Debug, Clone)]
enum Step {
    /// A page changes some documents; its note is lost, or arrives.
    Commit {
        touched: Vec<usize>,
        noted: bool,
        whole: bool,
    },
    /// Readers see the other generation, which was filled without notes; that the runner began anew
    /// is lost, or arrives.
    Switch {
        noted: bool,
    },
    /// Somebody who knew the registry so many states ago read one so many states ago, and keeps it now.
    Fill {
        key: usize,
        knew: usize,
        read: usize,
    },
    /// Another runner takes over, or says so late.
    Begin {
        ago: usize,
    },
    /// The note of the last page that was lost arrives after all.
    Late,
    Forget,
}

fn step() -> impl Strategy<Value = Step> {
    let commit = (proptest::collection::vec(0..2_usize, 0..3), any::<bool>(), any::<bool>())
        .prop_map(|(touched, noted, whole)| Step::Commit { touched, noted, whole });
    prop_oneof![
        5 => commit,
        3 => any::<bool>().prop_map(|noted| Step::Switch { noted }),
        5 => (0..2_usize, 0..3_usize, 0..3_usize)
            .prop_map(|(key, knew, read)| Step::Fill { key, knew, read }),
        1 => (0..4_usize).prop_map(|ago| Step::Begin { ago }),
        1 => Just(Step::Late),
        1 => Just(Step::Forget),
    ]
}

/// What the store was at a time.
#[derive(Debug, Clone, Copy)]
struct State {
    registry: u64,
    position: u64,
}

impl State {
    /// Two generations take turns.
    const fn generation(self) -> GenerationId {
        GenerationId(self.registry % 2)
    }

    fn place(self, key: usize) -> Place {
        Place::document(self.generation(), &Key::new(KEYS[key]))
    }
}

/// The truth: every state of the store, and where each document was changed last at each position.
#[derive(Debug)]
struct Truth {
    states: Vec<State>,
    changed: Vec<[u64; 2]>,
}

impl Truth {
    fn new() -> Self {
        Self { states: vec![State { registry: 4, position: 0 }], changed: vec![[0; 2]] }
    }

    fn ago(&self, ago: usize) -> State {
        self.states[(self.states.len() - 1).saturating_sub(ago)]
    }

    fn now(&self) -> State {
        self.ago(0)
    }

    /// What a document of a generation is at a position, however the generation came there.
    fn document(&self, generation: GenerationId, position: u64, key: usize) -> String {
        let changed = self.changed[usize::try_from(position).unwrap()][key];
        format!("{} since {changed} in {}", KEYS[key], generation.0)
    }
}

/// A page that was committed.
#[derive(Debug)]
struct Committed {
    to: State,
    touched: Vec<usize>,
    whole: bool,
}

struct Play {
    cache: RedisCache,
    redis: Arc<Redis>,
    epoch: Epoch,
    truth: Truth,
    lost: Option<Committed>,
}

impl Play {
    fn new(redis: Arc<Redis>) -> Self {
        let epoch = Epoch::from_uuid(unique_id());
        let cache = RedisCache::new(Arc::clone(&redis), epoch, unique_id(), Duration::from_mins(1));
        Self { cache, redis, epoch, truth: Truth::new(), lost: None }
    }

    /// Takes the steps; says how many answers were served on the way.
    async fn through(&mut self, steps: &[Step]) -> usize {
        let mut hits = 0;
        for step in steps {
            match step {
                Step::Commit { touched, noted, whole } => {
                    self.commit(touched, *noted, *whole).await;
                }
                Step::Switch { noted } => self.switch(*noted).await,
                Step::Fill { key, knew, read } => self.fill(*key, *knew, *read).await,
                Step::Begin { ago } => self.begin(self.truth.ago(*ago)).await,
                Step::Late => {
                    if let Some(page) = self.lost.take() {
                        self.note(&page).await;
                    }
                }
                Step::Forget => self.forget().await,
            }
            hits += self.serves_what_is_true().await;
        }
        hits
    }

    async fn commit(&mut self, touched: &[usize], noted: bool, whole: bool) {
        let State { registry, position } = self.truth.now();
        let to = State { registry, position: position + 1 };
        let mut changed = *self.truth.changed.last().unwrap();
        for key in touched {
            changed[*key] = to.position;
        }
        self.truth.changed.push(changed);
        self.truth.states.push(to);
        let page = Committed { to, touched: touched.to_vec(), whole };
        if noted { self.note(&page).await } else { self.lost = Some(page) }
    }

    async fn switch(&mut self, noted: bool) {
        let State { registry, position } = self.truth.now();
        let to = State { registry: registry + 1, position };
        self.truth.states.push(to);
        if noted {
            self.begin(to).await;
        }
    }

    async fn begin(&self, state: State) {
        self.cache.began(state.registry, Position(state.position)).await;
    }

    async fn note(&self, Committed { to, touched, whole }: &Committed) {
        let place = |key: &usize| to.place(*key);
        let document = |key| self.truth.document(to.generation(), to.position, key);
        let mut note = Note {
            registry: to.registry,
            before: Position(to.position - 1),
            after: Position(to.position),
            ..Note::default()
        };
        if *whole {
            note.documents = touched.iter().map(|key| (place(key), document(*key))).collect();
        } else {
            note.tags = touched.iter().map(|key| place(key).tag).collect();
        }
        self.cache.committed(note).await;
    }

    /// As a reader does: it keeps only what it read from the generation that it believes in, and it
    /// cannot know a registry that the store had after it read.
    async fn fill(&self, key: usize, knew: usize, read: usize) {
        let (knew, read) = (self.truth.ago(knew), self.truth.ago(read));
        if knew.generation() == read.generation() && knew.registry <= read.registry {
            let document = self.truth.document(read.generation(), read.position, key);
            let at = Position(read.position);
            self.cache.put(knew.registry, knew.place(key), document, at).await;
        }
    }

    async fn forget(&self) {
        let mut call = DELETE_ALL.prepare_invoke();
        call.arg(format!("holdfast:{{{}}}:*", self.epoch));
        self.redis.call::<()>(&call).await.unwrap();
    }

    /// Reads everything as readers would who are at the last few states. Says how many answers are
    /// served.
    async fn serves_what_is_true(&self) -> usize {
        let (head, mut hits) = (self.truth.now().position, 0);
        for reader in self.truth.states.iter().rev().take(4) {
            for (key, name) in KEYS.iter().enumerate() {
                let since = Position(reader.position);
                let found = self.cache.get(reader.place(key), since).await;
                let Some((value, Position(position))) = found else { continue };
                assert!(position >= reader.position && position <= head);
                let truth = self.truth.document(reader.generation(), position, key);
                assert_eq!(value, truth, "{name} at {position}, to {reader:?}");
                hits += 1;
            }
        }
        hits
    }
}

static DELETE_ALL: LazyLock<Script> = LazyLock::new(|| {
    script("for _, key in ipairs(redis.call('KEYS', ARGV[1])) do redis.call('DEL', key) end")
});

#[test]
fn whatever_happens_to_it_what_it_serves_is_true_at_the_position_it_names() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let hits = std::cell::Cell::new(0);
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        cases: 600,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let steps = proptest::collection::vec(step(), 4..14);
    let Some(address) = holdfast_test_stores::redis("shared cache") else { return };
    let redis = runtime.block_on(Redis::open(&address)).unwrap();
    runner
        .run(&steps, |steps| {
            let mut play = Play::new(Arc::clone(&redis));
            let served = runtime.block_on(play.through(&steps));
            hits.set(hits.get() + served);
            Ok(())
        })
        .unwrap();
    assert!(hits.get() > 1_000, "it served only {} answers", hits.get());
}
