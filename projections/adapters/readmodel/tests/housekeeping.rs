//! Old changes are removed beside the views, which wait for none of it.
#![expect(
    clippy::arithmetic_side_effects,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

#[path = "support/behind.rs"]
mod behind;
#[path = "support/stage.rs"]
mod stage;

use std::sync::Arc;

use holdfast_domain::log::{Feed as _, Pending, Position};
use holdfast_projections::ports::{ReadStore, Retention, StoreError};
use holdfast_projections::runner::Options;
use holdfast_projections::topic::Cursor;
use holdfast_projections::{Projections, Reader, Runner};
use holdfast_readmodel::conformance::{MemoryFeed, history};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use behind::{Behind, Meddling};
use stage::{options, patience, run_to_head, stores};

const KEPT: Retention = Retention { positions: 50, age: None };

/// How a store that does not keep house behaves.
#[derive(Debug, Clone, Copy)]
enum Trouble {
    Fails,
    SweepsForEver,
}

#[derive(Debug)]
struct Untidy(Arc<dyn ReadStore>, Trouble);

fn no<'a, T: Send + 'a>() -> Pending<'a, Result<T, StoreError>> {
    Box::pin(std::future::ready(Err(StoreError::Unavailable("not today".to_owned()))))
}

impl Meddling for Untidy {
    fn inner(&self) -> &Arc<dyn ReadStore> {
        &self.0
    }

    fn trim(&self, retention: Retention) -> Pending<'_, Result<(), StoreError>> {
        match self.1 {
            Trouble::Fails => no(),
            Trouble::SweepsForEver => self.0.trim(retention),
        }
    }

    fn sweep(&self, _limit: u32) -> Pending<'_, Result<u64, StoreError>> {
        match self.1 {
            Trouble::Fails => no(),
            Trouble::SweepsForEver => Box::pin(std::future::pending()),
        }
    }
}

/// Counts what is swept, in small handfuls, and whether nothing was left at last.
#[derive(Debug)]
struct Swept(Arc<dyn ReadStore>, watch::Sender<(u64, bool)>);

impl Meddling for Swept {
    fn inner(&self) -> &Arc<dyn ReadStore> {
        &self.0
    }

    fn sweep(&self, limit: u32) -> Pending<'_, Result<u64, StoreError>> {
        Box::pin(async move {
            let swept = self.0.sweep(limit.min(30)).await?;
            self.1.send_modify(|(all, done)| (*all, *done) = (*all + swept, swept == 0));
            Ok(swept)
        })
    }
}

fn runner(feed: &MemoryFeed, store: impl ReadStore + 'static) -> Runner {
    let options = Options { retention: KEPT, ..options(16) };
    Runner::new(Arc::new(feed.clone()), Arc::new(store), Projections::all(), options)
}

/// Returns when the views show the head.
async fn at_head(reader: &Reader, feed: &MemoryFeed) -> Position {
    let head = feed.head().await.unwrap().position;
    reader.wait_for(head, patience()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_views_go_on_whatever_becomes_of_old_changes() {
    let (folder, events) = (tempfile::tempdir().unwrap(), history(71, 400));
    let (early, late) = events.split_at(300);
    for trouble in [Trouble::Fails, Trouble::SweepsForEver] {
        for store in stores(&folder).await {
            let feed = MemoryFeed::new(early.to_vec());
            // There is much to let go of from the start.
            run_to_head(&feed, &store, Projections::all(), 64).await;
            let runner = runner(&feed, Behind(Untidy(store, trouble)));
            let (reader, stop) = (runner.reader(), CancellationToken::new());
            let mut status = reader.watch_status();
            let work = async {
                at_head(&reader, &feed).await;
                feed.append(late);
                at_head(&reader, &feed).await;
                let caught_up = status.wait_for(|status| status.lag() == Some(0)).await.unwrap();
                assert!(caught_up.is_running() && caught_up.trouble.is_none(), "{caught_up:?}");
                drop(caught_up);
                stop.cancel();
            };
            let (ended, ()) = tokio::join!(runner.run(stop.clone()), work);
            ended.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_running_view_removes_what_it_let_go_of_by_the_handful() {
    let (folder, events) = (tempfile::tempdir().unwrap(), history(72, 400));
    let (early, late) = events.split_at(300);
    for store in stores(&folder).await {
        let feed = MemoryFeed::new(early.to_vec());
        run_to_head(&feed, &store, Projections::all(), 64).await;
        let counts = watch::Sender::new((0, false));
        let runner = runner(&feed, Behind(Swept(Arc::clone(&store), counts.clone())));
        let (reader, stop) = (runner.reader(), CancellationToken::new());
        let mut counted = counts.subscribe();
        let work = async {
            at_head(&reader, &feed).await;
            let first = counted.wait_for(|(all, done)| *all > 100 && *done).await.unwrap().0;
            feed.append(late);
            let head = at_head(&reader, &feed).await;
            // More comes as the views move on, until what is kept is the last of it.
            while oldest(&store).await.0 + 60 < head.0 {
                counted.changed().await.unwrap();
            }
            drop(counted.wait_for(|(all, done)| *all > first + 50 && *done).await.unwrap());
            stop.cancel();
        };
        let work = async {
            tokio::select! { () = work => {}, () = patience() => panic!("it is not removed") }
        };
        let (ended, ()) = tokio::join!(runner.run(stop.clone()), work);
        ended.unwrap();
    }
}

async fn oldest(store: &Arc<dyn ReadStore>) -> Position {
    store.changes(None, Cursor::START, 1).await.unwrap().oldest.position
}
