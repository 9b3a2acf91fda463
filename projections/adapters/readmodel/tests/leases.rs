//! Keepers that share the work: evenly, never two with one share as long as clocks run, and taken
//! over in time from one that dies, is cut off, does not wake up or does not get on. Time passes by
//! hand.
#![expect(
    clippy::unwrap_used,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking"
)]

#[path = "support/hands.rs"]
mod hands;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use holdfast_domain::log::Pending;
use holdfast_projections::keeper::{Held, Keeper, Terms, VIEWS};
use holdfast_projections::leases::{Lease, Leases, LeasesUnavailable, Taken};
use holdfast_projections::presence::workers;
use holdfast_projections::status::Status;
use holdfast_readmodel::{MemoryLeases, OnlyNode};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use hands::{Brake, HandTime, calm};

const STEP: Duration = Duration::from_millis(500);
/// So long the work of a worker that died may lie idle.
const TAKEN_OVER: Duration = Duration::from_secs(10);

/// Leases of a store that may not answer.
#[derive(Debug, Clone)]
struct Line {
    leases: MemoryLeases,
    cut: Arc<AtomicBool>,
}

impl Line {
    async fn through(&self) {
        if self.cut.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
    }
}

impl Leases for Line {
    fn take(
        &self,
        name: String,
        holder: String,
        term: Duration,
    ) -> Pending<'_, Result<Taken, LeasesUnavailable>> {
        Box::pin(async move {
            self.through().await;
            self.leases.take(name, holder, term).await
        })
    }
    fn release(&self, name: String, holder: String) -> Pending<'_, Result<(), LeasesUnavailable>> {
        Box::pin(async move {
            self.through().await;
            self.leases.release(name, holder).await
        })
    }
    fn forget(
        &self,
        prefix: String,
        unused: Duration,
    ) -> Pending<'_, Result<(), LeasesUnavailable>> {
        Box::pin(async move {
            self.through().await;
            self.leases.forget(prefix, unused).await
        })
    }
    fn list(&self) -> Pending<'_, Result<Vec<Lease>, LeasesUnavailable>> {
        Box::pin(async move {
            self.through().await;
            self.leases.list().await
        })
    }
}

/// One worker's keeper at work.
struct Worker {
    /// What its runner and watcher say of themselves.
    account: watch::Sender<Status>,
    /// Whether they show signs of work as time passes.
    gets_on: AtomicBool,
    held: watch::Receiver<Held>,
    brake: Brake,
    cut: Arc<AtomicBool>,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Worker {
    fn start(name: &str, leases: &MemoryLeases, time: &HandTime) -> Self {
        let (cut, brake, stop) =
            (Arc::<AtomicBool>::default(), Brake::default(), CancellationToken::new());
        let line = Line { leases: leases.clone(), cut: Arc::clone(&cut) };
        let parts = (0..8).map(|number| format!("part/{number}")).collect();
        let groups = vec![vec![VIEWS.to_owned()], parts];
        let keeper = Keeper::new(
            Arc::new(line),
            Arc::new(time.clone()),
            name.to_owned(),
            groups,
            Terms::default(),
        );
        let (account, gets_on) = (watch::Sender::new(Status::starting()), AtomicBool::new(true));
        let keeper = keeper.minding(account.subscribe());
        let (held, told) = (keeper.held(), stop.clone());
        let task = async move { keeper.run(told).await };
        #[expect(clippy::disallowed_methods, reason = "a test is its own lifecycle")]
        let task = tokio::spawn(brake.over(task));
        Self { account, gets_on, held, brake, cut, stop, task }
    }

    fn gets_on(&self, gets_on: bool) {
        self.gets_on.store(gets_on, Ordering::SeqCst);
    }

    fn parts(&self) -> BTreeSet<String> {
        self.held.borrow().keys().filter(|name| *name != VIEWS).cloned().collect()
    }

    fn views(&self) -> Option<u64> {
        self.held.borrow().get(VIEWS).copied()
    }

    async fn stop(self) {
        self.stop.cancel();
        self.task.await.unwrap();
    }
}

fn scene() -> (HandTime, MemoryLeases) {
    let time = HandTime::new();
    let leases = MemoryLeases::new(time.of_store());
    (time, leases)
}

/// Lets so much time pass, in small steps; none of these two may ever believe to have what the
/// other believes to have.
async fn pass(time: &HandTime, much: Duration, workers: &[&Worker]) {
    let end = much.as_millis().div_ceil(STEP.as_millis());
    for _ in 0..end {
        time.forward(STEP);
        for worker in workers.iter().filter(|worker| worker.gets_on.load(Ordering::SeqCst)) {
            worker.account.send_modify(Status::work);
        }
        calm().await;
        for (index, one) in workers.iter().enumerate() {
            for other in workers.iter().skip(index + 1) {
                let (one, other) = (one.held.borrow().clone(), other.held.borrow().clone());
                let both: Vec<_> = one.keys().filter(|name| other.contains_key(*name)).collect();
                assert!(both.is_empty(), "two have {both:?}");
            }
        }
    }
}

#[tokio::test]
async fn shares_are_divided_evenly_and_come_back_from_one_who_leaves() {
    let (time, leases) = scene();
    let one = Worker::start("one", &leases, &time);
    calm().await;
    assert_eq!((one.parts().len(), one.views()), (8, Some(1)), "at once: nobody else is there");
    let two = Worker::start("two", &leases, &time);
    pass(&time, Duration::from_secs(5), &[&one, &two]).await;
    assert_eq!((one.parts().len(), two.parts().len()), (4, 4));
    assert_eq!((one.views(), two.views()), (Some(1), None), "nothing moves without need");
    let three = Worker::start("three", &leases, &time);
    pass(&time, Duration::from_secs(6), &[&one, &two, &three]).await;
    let mut sizes = [one.parts().len(), two.parts().len(), three.parts().len()];
    sizes.sort_unstable();
    assert_eq!(sizes, [2, 3, 3]);
    let before = one.held.borrow().clone();
    pass(&time, Duration::from_mins(2), &[&one, &two, &three]).await;
    assert_eq!(*one.held.borrow(), before, "renewed, not taken anew");
    assert_eq!(workers(&leases.list().await.unwrap()).len(), 3);
    one.stop().await;
    pass(&time, Duration::from_secs(5), &[&two, &three]).await;
    assert_eq!((two.parts().len(), three.parts().len()), (4, 4));
    assert_eq!(two.views().or(three.views()), Some(2), "the next tenure");
    assert_eq!(workers(&leases.list().await.unwrap()).len(), 2);
}

#[tokio::test]
async fn the_shares_of_one_who_dies_are_taken_over_in_time() {
    let (time, leases) = scene();
    let one = Worker::start("one", &leases, &time);
    calm().await;
    let two = Worker::start("two", &leases, &time);
    pass(&time, Duration::from_secs(5), &[&one, &two]).await;
    one.task.abort();
    pass(&time, TAKEN_OVER, &[&two]).await;
    assert_eq!((two.parts().len(), two.views()), (8, Some(2)));
}

#[tokio::test]
async fn one_who_is_cut_off_from_the_store_gives_up_before_another_takes_over() {
    let (time, leases) = scene();
    let one = Worker::start("one", &leases, &time);
    calm().await;
    let two = Worker::start("two", &leases, &time);
    pass(&time, Duration::from_secs(5), &[&one, &two]).await;
    one.cut.store(true, Ordering::SeqCst);
    pass(&time, TAKEN_OVER, &[&one, &two]).await;
    assert_eq!(one.held.borrow().len(), 0);
    assert_eq!((two.parts().len(), two.views()), (8, Some(2)));
    one.cut.store(false, Ordering::SeqCst);
    pass(&time, Duration::from_secs(10), &[&one, &two]).await;
    assert_eq!((one.parts().len(), two.parts().len()), (4, 4), "back at work");
    assert_eq!((one.views(), two.views()), (None, Some(2)));
}

#[tokio::test]
async fn one_who_sleeps_and_wakes_up_has_nothing_any_more() {
    let (time, leases) = scene();
    let one = Worker::start("one", &leases, &time);
    calm().await;
    let two = Worker::start("two", &leases, &time);
    pass(&time, Duration::from_secs(5), &[&one, &two]).await;
    one.brake.stop();
    pass(&time, TAKEN_OVER, &[&two]).await;
    assert_eq!(two.views(), Some(2));
    assert_eq!(
        one.views(),
        Some(1),
        "it sleeps and knows nothing: checkpoints must protect the work"
    );
    one.brake.release();
    calm().await;
    assert_eq!(one.views(), None);
    pass(&time, Duration::from_secs(10), &[&one, &two]).await;
    assert_eq!((one.parts().len(), two.parts().len()), (4, 4));
}

#[tokio::test]
async fn one_who_wakes_up_before_anybody_took_over_begins_a_new_tenure() {
    let (time, leases) = scene();
    let one = Worker::start("one", &leases, &time);
    calm().await;
    one.brake.stop();
    pass(&time, Duration::from_mins(1), &[]).await;
    one.brake.release();
    pass(&time, Duration::from_secs(3), &[]).await;
    assert_eq!((one.parts().len(), one.views()), (8, Some(2)), "another may have been there");
}

#[tokio::test]
async fn a_store_whose_clock_goes_back_makes_nobody_wait_for_a_dead_worker() {
    let (own, of_store) = (HandTime::new(), HandTime::new());
    let leases = MemoryLeases::new(of_store.of_store());
    let one = Worker::start("one", &leases, &own);
    calm().await;
    let two = Worker::start("two", &leases, &own);
    for _ in 0..10 {
        own.forward(STEP);
        of_store.forward(STEP);
        calm().await;
    }
    one.task.abort();
    of_store.back(Duration::from_hours(1));
    for _ in 0..20 {
        own.forward(STEP);
        of_store.forward(STEP);
        calm().await;
    }
    assert_eq!((two.parts().len(), two.views()), (8, Some(2)));
}

#[tokio::test]
async fn workers_of_the_past_are_forgotten_and_the_numbers_of_shares_are_not() {
    let (time, leases) = scene();
    let long = Duration::from_hours(3);
    for start in 1..=3 {
        let one = Worker::start(&format!("start {start}"), &leases, &time);
        calm().await;
        assert_eq!(one.views(), Some(start), "the next tenure");
        one.stop().await;
    }
    let dead = Worker::start("dead", &leases, &time);
    calm().await;
    dead.task.abort();
    time.forward(long);
    let live = Worker::start("live", &leases, &time);
    calm().await;
    assert_eq!(live.views(), Some(5));
    // None of them stands; one that is only released or run out would come back with its next number.
    for (worker, fence) in [("start 1", 1), ("start 3", 1), ("dead", 1), ("live", 1)] {
        let name = format!("worker/{worker}");
        let taken = leases.take(name, worker.to_owned(), Duration::from_secs(6)).await;
        assert_eq!(taken.unwrap(), Taken::Held { fence }, "{worker}");
    }
    pass(&time, Duration::from_secs(10), &[&live]).await;
    time.forward(long);
    calm().await;
    assert_eq!(live.views(), Some(6), "it was away for long, and comes back under the next number");
}

#[tokio::test]
async fn what_belongs_to_another_is_neither_renewed_nor_released() {
    let (time, leases) = scene();
    let term = Duration::from_secs(6);
    let take = |holder: &str| leases.take("a".to_owned(), holder.to_owned(), term);
    assert_eq!(take("one").await.unwrap(), Taken::Held { fence: 1 });
    time.forward(Duration::from_secs(4));
    assert_eq!(take("one").await.unwrap(), Taken::Held { fence: 1 });
    let Taken::ByAnother(lease) = take("two").await.unwrap() else { panic!("it was free") };
    assert_eq!((lease.holder.as_str(), lease.fence, lease.remaining), ("one", 1, term));
    leases.release("a".to_owned(), "two".to_owned()).await.unwrap();
    assert_eq!(leases.list().await.unwrap(), [lease]);
    time.forward(term);
    assert_eq!(leases.list().await.unwrap(), []);
    assert_eq!(take("two").await.unwrap(), Taken::Held { fence: 2 });
    leases.release("a".to_owned(), "two".to_owned()).await.unwrap();
    assert_eq!(take("one").await.unwrap(), Taken::Held { fence: 3 });
}

#[tokio::test]
async fn the_only_node_has_everything() {
    let leases = OnlyNode::new();
    for holder in ["one", "two"] {
        let taken = leases.take("a".to_owned(), holder.to_owned(), Duration::from_secs(6)).await;
        assert_eq!(taken.unwrap(), Taken::Held { fence: 1 });
    }
    assert_eq!(leases.list().await.unwrap()[0].holder, "two");
    leases.release("a".to_owned(), "two".to_owned()).await.unwrap();
    assert_eq!(leases.list().await.unwrap(), []);
}

/// Two workers, of which the first keeps the views.
async fn two(time: &HandTime, leases: &MemoryLeases) -> (Worker, Worker) {
    let one = Worker::start("one", leases, time);
    calm().await;
    let two = Worker::start("two", leases, time);
    pass(time, Duration::from_secs(5), &[&one, &two]).await;
    assert_eq!((one.views(), two.views()), (Some(1), None));
    (one, two)
}

#[tokio::test]
async fn one_who_does_not_get_on_leaves_its_shares_to_another_in_time() {
    let (time, leases) = scene();
    let (one, two) = two(&time, &leases).await;
    one.gets_on(false);
    pass(&time, TAKEN_OVER, &[&one, &two]).await;
    assert_eq!((one.held.borrow().len(), two.parts().len(), two.views()), (0, 8, Some(2)));
    one.gets_on(true);
    pass(&time, Duration::from_secs(5), &[&one, &two]).await;
    assert_eq!((one.parts().len(), two.parts().len()), (4, 4), "back at work");
    pass(&time, Duration::from_mins(2), &[&one, &two]).await;
    assert_eq!((one.views(), two.views()), (None, Some(2)), "nothing moves without need");
}

#[tokio::test]
async fn one_who_is_slow_keeps_the_views_as_long_as_it_moves() {
    let (time, leases) = scene();
    let (one, two) = two(&time, &leases).await;
    one.gets_on(false);
    for _ in 0..20 {
        let nearly = Terms::default().patience.saturating_sub(Duration::from_secs(1));
        pass(&time, nearly, &[&one, &two]).await;
        one.account.send_modify(Status::work);
    }
    assert_eq!((one.views(), one.parts().len()), (Some(1), 4));
}

#[tokio::test]
async fn nothing_moves_while_nobody_gets_on() {
    let (time, leases) = scene();
    let alone = Worker::start("one", &leases, &time);
    calm().await;
    alone.gets_on(false);
    pass(&time, Duration::from_mins(2), &[&alone]).await;
    assert_eq!((alone.views(), alone.parts().len()), (Some(1), 8), "nobody else is there");
    let (one, two) = (alone, Worker::start("two", &leases, &time));
    two.gets_on(false);
    two.account.send_modify(|status| status.trouble = Some("the log is away".to_owned()));
    pass(&time, Duration::from_secs(6), &[&one, &two]).await;
    let before = one.held.borrow().clone();
    pass(&time, Duration::from_mins(2), &[&one, &two]).await;
    assert_eq!((one.views(), two.views()), (Some(1), None), "the other cannot either");
    assert_eq!(*one.held.borrow(), before);
    two.gets_on(true);
    two.account.send_modify(|status| status.trouble = None);
    pass(&time, Duration::from_secs(5), &[&one, &two]).await;
    assert_eq!((one.views(), two.views()), (None, Some(2)), "now it can");
}

#[tokio::test]
async fn one_who_gave_the_views_back_is_no_candidate_for_a_while() {
    let (time, leases) = scene();
    let (one, two) = two(&time, &leases).await;
    one.gets_on(false);
    pass(&time, TAKEN_OVER, &[&one, &two]).await;
    one.gets_on(true);
    two.gets_on(false);
    pass(&time, TAKEN_OVER, &[&one, &two]).await;
    assert_eq!((one.views(), two.views()), (None, Some(2)), "it rests");
    pass(&time, Terms::default().rest, &[&one, &two]).await;
    assert_eq!((one.views(), two.views()), (Some(3), None));
}

#[tokio::test]
async fn one_of_an_older_release_leaves_the_views_alone_and_goes_on_with_its_parts() {
    let (time, leases) = scene();
    let (one, two) = two(&time, &leases).await;
    one.account.send_modify(|status| status.ahead = vec!["reservations version 9".to_owned()]);
    pass(&time, Duration::from_secs(5), &[&one, &two]).await;
    assert_eq!((one.views(), two.views()), (None, Some(2)));
    assert_eq!((one.parts().len(), two.parts().len()), (4, 4));
    two.account.send_modify(|status| status.ahead = vec!["reservations version 9".to_owned()]);
    pass(&time, Duration::from_mins(2), &[&one, &two]).await;
    assert_eq!(two.views(), Some(2), "all are older: one of them has them");
}
