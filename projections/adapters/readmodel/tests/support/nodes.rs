//! Nodes without an edge: a shift over a shared store, a subscriber who hears everything, and a
//! check of each read against what is true.
#![expect(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use holdfast_domain::log::{Pending, Position};
use holdfast_projections::document::{Document, Key};
use holdfast_projections::hints::{Hints, NoHints};
use holdfast_projections::keeper::{Held, VIEWS};
use holdfast_projections::ports::{Change, Page, ReadStore, StoreError};
use holdfast_projections::reader::News;
use holdfast_projections::topic::Cursor;
use holdfast_projections::{Projections, Reader, Runner, Shift, watcher};
use holdfast_readmodel::conformance::MemoryFeed;
use tokio::sync::{Notify, Semaphore, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::behind::{Behind, Meddling};
use crate::stage::{options, patience};

/// The view whose documents are compared.
const VIEW: &str = "reservations";

/// No hints: every node looks for itself.
pub(crate) fn dead_hints() -> Arc<dyn Hints> {
    Arc::new(NoHints)
}

#[derive(Debug, Default)]
struct Heard {
    changes: Vec<Change>,
    positions: Vec<Position>,
    resyncs: usize,
}

/// One node.
pub(crate) struct Node {
    pub(crate) reader: Reader,
    held: watch::Sender<Held>,
    heard: Arc<Mutex<Heard>>,
    news: Arc<Notify>,
    tasks: Vec<JoinHandle<()>>,
    reads: AtomicUsize,
}

fn spawn(work: impl Future<Output = ()> + Send + 'static) -> JoinHandle<()> {
    #[expect(clippy::disallowed_methods, reason = "a test is its own lifecycle")]
    tokio::spawn(work)
}

impl Node {
    pub(crate) fn start(
        feed: &MemoryFeed,
        store: &Arc<dyn ReadStore>,
        hints: Arc<dyn Hints>,
    ) -> Self {
        let runner =
            Runner::new(Arc::new(feed.clone()), Arc::clone(store), Projections::all(), options(7))
                .with_hints(hints);
        let reader = runner.reader();
        let look = Duration::from_millis(5);
        let watcher = runner.watcher(watcher::Options {
            look_again: look,
            look_again_awaited: look,
            rest: Duration::from_millis(1),
            compare: look,
            ..watcher::Options::default()
        });
        let held = watch::Sender::new(Held::new());
        let (shift, has) = (Shift { runner, watcher }, held.subscribe());
        let work = async move { shift.run(has, CancellationToken::new()).await.unwrap() };
        let (heard, news) = (Arc::<Mutex<Heard>>::default(), Arc::<Notify>::default());
        let listen = listen(reader.clone(), Arc::clone(&heard), Arc::clone(&news));
        let tasks = vec![spawn(work), spawn(listen)];
        Self { reader, held, heard, news, tasks, reads: AtomicUsize::new(0) }
    }

    /// Whether it has the views' lease, in which tenure.
    pub(crate) fn keeps(&self, tenure: Option<usize>) {
        let held = tenure.map(|tenure| (VIEWS.to_owned(), u64::try_from(tenure).unwrap()));
        self.held.send_replace(held.into_iter().collect());
    }

    /// Ends it wherever it stands.
    pub(crate) fn kill(&self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }

    pub(crate) fn lives(&self) -> bool {
        !self.tasks.iter().any(JoinHandle::is_finished)
    }

    pub(crate) async fn reaches(&self, position: Position) {
        self.reader.wait_for(position, patience()).await.unwrap();
    }

    /// Reads a few documents, and compares them with what is true.
    pub(crate) async fn read_something(&self, truth: &Truth) {
        let start = self.reads.fetch_add(3, Ordering::Relaxed);
        for key in truth.0.keys().cycle().skip(start % truth.0.len()).take(3) {
            assert!(truth.is_told(&self.reader, key).await, "{key:?} is older than claimed");
        }
    }

    /// Returns when it told exactly these changes, in this order.
    pub(crate) async fn told_all(&self, wanted: &[Change]) {
        let all = async {
            while self.heard.lock().unwrap().changes.len() < wanted.len() {
                self.news.notified().await;
            }
        };
        tokio::select! { () = all => {}, () = patience() => panic!("not everything was told") }
        assert_eq!(self.heard.lock().unwrap().changes, wanted);
    }

    pub(crate) async fn told(&self) -> Vec<Change> {
        while self.heard.lock().unwrap().changes.is_empty() {
            self.news.notified().await;
        }
        self.heard.lock().unwrap().changes.clone()
    }

    pub(crate) async fn told_to_read_again(&self) {
        while self.heard.lock().unwrap().resyncs == 0 {
            self.news.notified().await;
        }
    }

    pub(crate) fn went_only_forward(&self) -> bool {
        self.heard.lock().unwrap().positions.is_sorted()
    }

    /// Returns when it shows where the store stands, also when that is further back.
    pub(crate) async fn looks_at(&self, store: &Arc<dyn ReadStore>) {
        let stored = store.registry().await.unwrap().position();
        let heard = async {
            while self.heard.lock().unwrap().positions.last() != Some(&stored) {
                self.news.notified().await;
            }
        };
        tokio::select! { () = heard => {}, () = patience() => panic!("it never shows {stored}") }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Hears everything, as a node's hub does.
async fn listen(reader: Reader, heard: Arc<Mutex<Heard>>, news: Arc<Notify>) {
    let (mut moved, mut after) = (reader.watch(), Cursor::START);
    loop {
        let position = *moved.borrow_and_update();
        heard.lock().unwrap().positions.push(position);
        loop {
            match reader.changes(None, after, 50).await.unwrap() {
                News::Changes(page) => {
                    let Some(last) = page.changes.last() else { break };
                    after = last.cursor;
                    heard.lock().unwrap().changes.extend(page.changes);
                }
                News::Resync { now } => {
                    after = now;
                    heard.lock().unwrap().resyncs += 1;
                    break;
                }
            }
        }
        news.notify_one();
        moved.changed().await.unwrap();
    }
}

/// Every state that each document of a view ever had.
#[derive(Debug)]
pub(crate) struct Truth(BTreeMap<Key, Vec<(Position, Option<Document>)>>);

impl Truth {
    pub(crate) fn of(changes: &[Change]) -> Self {
        let mut all = BTreeMap::<Key, Vec<_>>::new();
        for change in changes.iter().filter(|change| change.view == VIEW) {
            let states = all.entry(change.key.clone()).or_default();
            states.push((change.cursor.position, change.data.clone()));
        }
        Self(all)
    }

    /// Whether what is read is true at the position claimed, or at a later one.
    async fn is_told(&self, reader: &Reader, key: &Key) -> bool {
        // Before the views are there, nothing is claimed.
        let Ok(read) = reader.document(VIEW, key.clone()).await else { return true };
        let states = &self.0[key];
        let now = states.iter().rposition(|(position, _)| *position <= read.position);
        let current = now.map_or(&None, |now| &states[now].1);
        *current == read.value
            || states.iter().any(|(since, state)| *since > read.position && *state == read.value)
    }

    /// How many documents a reader shows older than it claims.
    pub(crate) async fn untrue(&self, reader: &Reader) -> usize {
        let mut untrue = 0;
        for key in self.0.keys() {
            untrue += usize::from(!self.is_told(reader, key).await);
        }
        untrue
    }
}

/// Lets commits of the live views wait.
#[derive(Debug, Clone)]
pub(crate) struct Door {
    inner: Arc<dyn ReadStore>,
    permits: Arc<Semaphore>,
    came: watch::Sender<usize>,
}

impl Door {
    pub(crate) fn before(store: &Arc<dyn ReadStore>) -> Self {
        let permits = Arc::new(Semaphore::new(1_000_000));
        Self { inner: Arc::clone(store), permits, came: watch::Sender::new(0) }
    }

    pub(crate) fn store(&self) -> Arc<dyn ReadStore> {
        Arc::new(Behind(self.clone()))
    }

    pub(crate) fn close(&self) {
        self.permits.forget_permits(1_000_000);
    }

    pub(crate) fn open(&self) {
        self.permits.add_permits(1_000_000);
    }

    /// Lets one through.
    pub(crate) fn open_once(&self) {
        self.permits.add_permits(1);
    }

    /// Returns when so many have come in all.
    pub(crate) async fn have_come(&self, many: usize) {
        let mut came = self.came.subscribe();
        let came = came.wait_for(|came| *came >= many);
        tokio::select! { _ = came => {}, () = patience() => panic!("nobody commits") }
    }
}

impl Meddling for Door {
    fn inner(&self) -> &Arc<dyn ReadStore> {
        &self.inner
    }

    fn commit(&self, page: Page) -> Pending<'_, Result<(), StoreError>> {
        Box::pin(async move {
            if page.target == holdfast_projections::ports::Target::Live {
                self.came.send_modify(|came| *came += 1);
                self.permits.acquire().await.unwrap().forget();
            }
            self.inner.commit(page).await
        })
    }
}

/// Commits whatever comes, as if nobody else had committed.
#[derive(Debug)]
pub(crate) struct CarelessCommits(Arc<dyn ReadStore>);

impl Meddling for CarelessCommits {
    fn inner(&self) -> &Arc<dyn ReadStore> {
        &self.0
    }

    fn commit(&self, page: Page) -> Pending<'_, Result<(), StoreError>> {
        Box::pin(async move {
            let found = self.0.registry().await?;
            let now = Page { expected: found.live, registry: found.revision, ..page };
            self.0.commit(now).await
        })
    }
}

/// A store without compare-and-set.
#[expect(non_snake_case, reason = "it reads like the constructor of a wrapper")]
pub(crate) fn Careless(store: Arc<dyn ReadStore>) -> impl ReadStore {
    Behind(CarelessCommits(store))
}
