//! Lists that nodes share in Redis are what the store holds, after each page that the runner notes, and
//! after switches of which Redis never heard.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/stage.rs"]
mod stage;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use holdfast_domain::ids::Epoch;
use holdfast_domain::log::{Feed as _, Pending, Position};
use holdfast_projections::ports::{Query, ReadStore};
use holdfast_projections::rebuild::Rebuilder;
use holdfast_projections::shared::{Note, Place, SharedCache};
use holdfast_projections::{Projections, Reader, Runner};
use holdfast_readmodel::MemoryReadStore;
use holdfast_readmodel::conformance::{MemoryFeed, history};
use holdfast_readmodel::redis::RedisCache;
use holdfast_redis::Redis;
use tokio_util::sync::CancellationToken;

use stage::{options, patience};

/// Counts what the cache serves, and can lose the word that a runner begins.
#[derive(Debug)]
struct Counted {
    cache: RedisCache,
    served: AtomicUsize,
    deaf: AtomicBool,
}

impl Counted {
    async fn over(address: &str) -> Arc<Self> {
        let redis = Redis::open(address).await.unwrap();
        let epoch = Epoch::from_uuid(holdfast_test_stores::unique_id());
        let cache = RedisCache::new(
            redis,
            epoch,
            holdfast_test_stores::unique_id(),
            Duration::from_mins(1),
        );
        Arc::new(Self { cache, served: AtomicUsize::default(), deaf: AtomicBool::default() })
    }
}

impl SharedCache for Counted {
    fn get(&self, place: Place, since: Position) -> Pending<'_, Option<(String, Position)>> {
        Box::pin(async move {
            let found = self.cache.get(place, since).await;
            self.served.fetch_add(usize::from(found.is_some()), Ordering::SeqCst);
            found
        })
    }

    fn put(&self, registry: u64, place: Place, value: String, at: Position) -> Pending<'_, ()> {
        self.cache.put(registry, place, value, at)
    }

    fn began(&self, registry: u64, at: Position) -> Pending<'_, ()> {
        if self.deaf.load(Ordering::SeqCst) {
            return Box::pin(std::future::ready(()));
        }
        self.cache.began(registry, at)
    }

    fn committed(&self, note: Note) -> Pending<'_, ()> {
        self.cache.committed(note)
    }
}

/// Compares every list of claims with the store, twice: the second time it comes from the cache.
async fn agree(reader: &Reader, store: &Arc<dyn ReadStore>) {
    let all = store.list("calendar", Query { limit: 10_000, ..Query::default() }).await.unwrap();
    let columns = |entry: &holdfast_projections::ports::Entry| {
        let claim = entry.document.as_ref().unwrap().read::<serde_json::Value>().unwrap();
        claim.get("resource_id").unwrap().as_str().unwrap().to_owned()
    };
    let resources: BTreeSet<_> = all.value.iter().map(columns).collect();
    let asked = resources.into_iter().map(Some).chain([None]);
    for resource in asked {
        let query = Query { resource, limit: 10_000, ..Query::default() };
        let stored = store.list("calendar", query.clone()).await.unwrap().value;
        for _ in 0..2 {
            let shown = reader.list("calendar", query.clone()).await.unwrap().value;
            assert_eq!(shown, stored, "{query:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_from_the_cache_is_what_the_store_holds_after_each_page() {
    let Some(address) = holdfast_test_stores::redis("shared lists") else { return };
    let cache = Counted::over(&address).await;
    let store: Arc<dyn ReadStore> = Arc::new(MemoryReadStore::new());
    let events = history(61, 400);
    let ends = stage::ends(&events);
    let feed = MemoryFeed::new(vec![]);
    let runner =
        Runner::new(Arc::new(feed.clone()), Arc::clone(&store), Projections::all(), options(64))
            .with_shared(Some(Arc::<Counted>::clone(&cache)));
    let (reader, stop) = (runner.reader(), CancellationToken::new());
    let watch = async {
        let mut from = Position::START;
        for end in ends.iter().step_by(9).chain(ends.last()) {
            let part: Vec<_> = events
                .iter()
                .filter(|event| event.position > from && event.position <= *end)
                .cloned()
                .collect();
            if part.is_empty() {
                continue;
            }
            feed.append(&part);
            let head = feed.head().await.unwrap().position;
            reader.wait_for(head, patience()).await.unwrap();
            agree(&reader, &store).await;
            from = *end;
        }
        stop.cancel();
    };
    let (ended, ()) = tokio::join!(runner.run(stop.clone()), watch);
    ended.unwrap();
    let served = cache.served.load(Ordering::SeqCst);
    assert!(served > 40, "the cache served only {served} lists");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_from_before_a_switch_does_not_come_back_with_its_generation() {
    let Some(address) = holdfast_test_stores::redis("shared lists after switches") else { return };
    let cache = Counted::over(&address).await;
    let store: Arc<dyn ReadStore> = Arc::new(MemoryReadStore::new());
    let events = history(62, 400);
    let half = stage::ends(&events)[150];
    let (early, late) = events.split_at(events.partition_point(|event| event.position <= half));
    let feed = MemoryFeed::new(early.to_vec());
    let views = Projections::all();
    let view = views.iter().find(|view| view.name() == "calendar").cloned().unwrap();
    let rebuilder = Rebuilder::new(Arc::new(feed.clone()), Arc::clone(&store), 64);
    let runner = Runner::new(Arc::new(feed.clone()), Arc::clone(&store), views, options(64))
        .with_shared(Some(Arc::<Counted>::clone(&cache)));
    let (reader, stop, never) =
        (runner.reader(), CancellationToken::new(), CancellationToken::new());
    let watch = async {
        reader.wait_for(feed.head().await.unwrap().position, patience()).await.unwrap();
        agree(&reader, &store).await;
        assert!(cache.served.load(Ordering::SeqCst) > 0);
        // From here on Redis hears of pages, but of no switch.
        cache.deaf.store(true, Ordering::SeqCst);
        let old = store.registry().await.unwrap().active("calendar").unwrap().id;
        let new = rebuilder.start(view.as_ref()).await.unwrap();
        let mut shown = reader.watch();
        for generation in [new, old] {
            rebuilder.catch_up(&view, generation, &|_| {}, &never).await.unwrap();
            shown.mark_unchanged();
            rebuilder.switch(&view, generation, &|_| {}, &never).await.unwrap();
            tokio::select! {
                opened = shown.changed() => opened.unwrap(),
                () = patience() => panic!("the runner does not open anew"),
            }
            agree(&reader, &store).await;
            if generation == new {
                feed.append(late);
                let head = feed.head().await.unwrap().position;
                reader.wait_for(head, patience()).await.unwrap();
            }
        }
        stop.cancel();
    };
    let (ended, ()) = tokio::join!(runner.run(stop.clone()), watch);
    ended.unwrap();
}
