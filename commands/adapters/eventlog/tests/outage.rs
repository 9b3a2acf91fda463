//! The server dies, stands still and comes back under load: what was acknowledged stands, what was
//! refused does not, nobody waits for long, and nobody has to open the log again.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::arithmetic_side_effects,
    reason = "helpers of tests fail by panicking, and say what they saw"
)]

#[path = "support/scene.rs"]
mod scene;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use holdfast_domain::log::{AppendError, Appended, EventLog as _, Expected, Feed as _, Position};
use holdfast_eventlog::PostgresLog;
use holdfast_eventlog::walk::verify_feed;
use holdfast_test_stores::{Server, server};
use scene::{append, append_after_a_look, one, stream};
use tokio::runtime::Handle;
use tokio::task::JoinSet;

const CALLERS: u128 = 12;
/// Whoever asks is told within two seconds that the log cannot be reached; the rest is for a machine
/// that is busy with other tests.
const TOLD_WITHIN: Duration = Duration::from_millis(2_400);

/// What callers were told.
#[derive(Debug, Default)]
struct Told {
    acknowledged: Mutex<BTreeSet<u128>>,
    refused: Mutex<BTreeSet<u128>>,
    unclear: Mutex<BTreeSet<u128>>,
    longest: Mutex<Duration>,
    /// Callers that have had an answer other than yes since the last reset, by bit.
    disturbed: AtomicU32,
    /// Whether appends are such that the store has to be looked at first.
    looks: AtomicBool,
    over: AtomicBool,
}

impl Told {
    fn note(&self, n: u128, answer: Result<Appended, AppendError>, took: Duration) {
        let heap = match answer {
            Ok(_) => &self.acknowledged,
            Err(AppendError::Unavailable(_)) => &self.refused,
            Err(AppendError::Ambiguous(_)) => &self.unclear,
            Err(wrong) => panic!("{wrong}"),
        };
        heap.lock().unwrap().insert(n);
        let mut longest = self.longest.lock().unwrap();
        *longest = took.max(*longest);
    }

    fn everybody_was_disturbed(&self) -> bool {
        self.disturbed.load(Ordering::SeqCst).count_ones() == u32::try_from(CALLERS).unwrap()
    }
}

/// Appends facts to streams of their own, one after the other.
async fn caller(log: Arc<PostgresLog>, told: Arc<Told>, number: u128) {
    for n in (1..).map(|round: u128| round * CALLERS + number) {
        if told.over.load(Ordering::SeqCst) {
            return;
        }
        let (batch, began) = (one(n, stream(n), Expected::NoStream), Instant::now());
        let answer = if told.looks.load(Ordering::SeqCst) {
            append_after_a_look(&*log, batch).await
        } else {
            append(&*log, batch).await
        };
        let failed = answer.is_err();
        if failed {
            let bit = 1_u32.checked_shl(u32::try_from(number).unwrap()).unwrap();
            told.disturbed.fetch_or(bit, Ordering::SeqCst);
        }
        told.note(n, answer, began.elapsed());
        if failed {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

async fn until(claim: impl Fn() -> bool) {
    let began = Instant::now();
    while !claim() {
        assert!(began.elapsed() < Duration::from_secs(20), "it does not come to that");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// A log on a server of its own, with callers.
struct Scene {
    server: Server,
    log: Arc<PostgresLog>,
    told: Arc<Told>,
    callers: JoinSet<()>,
}

async fn scene(suite: &str) -> Option<Scene> {
    let server = server(suite).await?;
    let address = server.url().parse().unwrap();
    let log = PostgresLog::open(&address, Handle::current()).await.unwrap();
    let told = Arc::new(Told::default());
    let mut callers = JoinSet::new();
    for number in 0..CALLERS {
        callers.spawn(caller(Arc::clone(&log), Arc::clone(&told), number));
    }
    Some(Scene { server, log, told, callers })
}

impl Scene {
    async fn go_on(&self, more: usize) {
        let before = self.told.acknowledged.lock().unwrap().len();
        until(|| self.told.acknowledged.lock().unwrap().len() >= before + more).await;
    }

    /// Ends the callers and compares the log with what they were told.
    async fn judge(mut self) {
        self.told.over.store(true, Ordering::SeqCst);
        while let Some(ended) = self.callers.join_next().await {
            ended.unwrap();
        }
        assert_eq!(*self.log.poisoned().borrow(), None);
        assert_eq!(verify_feed(&*self.log, None).await.unwrap().failure, None);
        let mut stand = BTreeSet::new();
        let mut at = Position::START;
        loop {
            let page = self.log.page(at, 1_000).await.unwrap();
            let Some(last) = page.last() else { break };
            at = last.position;
            stand.extend(page.iter().map(|recorded| recorded.stream));
        }
        let acknowledged = self.told.acknowledged.lock().unwrap().clone();
        let refused = self.told.refused.lock().unwrap().clone();
        let lost: Vec<_> = acknowledged.iter().filter(|n| !stand.contains(&stream(**n))).collect();
        assert!(lost.is_empty(), "lost {lost:?}");
        let ghosts: Vec<_> = refused.iter().filter(|n| stand.contains(&stream(**n))).collect();
        assert!(ghosts.is_empty(), "refused and there {ghosts:?}");
        println!(
            "acknowledged {}, refused {}, unclear {}, the longest wait {:?}",
            acknowledged.len(),
            refused.len(),
            self.told.unclear.lock().unwrap().len(),
            self.told.longest.lock().unwrap()
        );
        let longest = *self.told.longest.lock().unwrap();
        assert!(longest < TOLD_WITHIN, "somebody waited for {longest:?}");
        self.log.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_killed_under_load_loses_nothing() {
    let Some(mut scene) = scene("log outage").await else { return };
    for looks in [false, true, false] {
        scene.told.looks.store(looks, Ordering::SeqCst);
        scene.go_on(100).await;
        scene.told.disturbed.store(0, Ordering::SeqCst);
        scene.server.kill();
        until(|| scene.told.everybody_was_disturbed()).await;
        scene.server.restart().await;
        let back = Instant::now();
        scene.go_on(1).await;
        assert!(back.elapsed() < Duration::from_secs(5), "{:?}", back.elapsed());
    }
    scene.go_on(100).await;
    scene.judge().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_stands_still_keeps_nobody_waiting() {
    let Some(scene) = scene("log pause").await else { return };
    for looks in [false, true, false] {
        scene.told.looks.store(looks, Ordering::SeqCst);
        scene.go_on(100).await;
        scene.told.disturbed.store(0, Ordering::SeqCst);
        let began = Instant::now();
        scene.server.pause();
        until(|| scene.told.everybody_was_disturbed()).await;
        assert!(began.elapsed() < TOLD_WITHIN, "{:?}", began.elapsed());
        let unread = scene.log.answered(scene::command(1)).await;
        assert!(unread.is_err(), "{unread:?}");
        // As long as a pause may well be: whoever asks meanwhile is told the same.
        until(|| began.elapsed() > Duration::from_secs(3)).await;
        scene.server.resume();
        let back = Instant::now();
        scene.go_on(1).await;
        assert!(back.elapsed() < Duration::from_secs(5), "{:?}", back.elapsed());
    }
    scene.go_on(100).await;
    scene.judge().await;
}
