//! What a runner committed it has in memory, and does not ask the store for.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/behind.rs"]
mod behind;
#[path = "support/stage.rs"]
mod stage;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use holdfast_domain::log::Pending;
use holdfast_projections::Projections;
use holdfast_projections::document::Document;
use holdfast_projections::ports::{Page, ReadStore, RowId, StoreError};
use holdfast_readmodel::conformance::{MemoryFeed, history};

use behind::{Behind, Meddling};
use stage::{everything, run_to_head, stores};

/// What was asked for and what was written.
#[derive(Debug, Default)]
struct Seen {
    written: BTreeSet<RowId>,
    asked_again: Vec<RowId>,
    questions: usize,
    pages: usize,
}

#[derive(Debug)]
struct Watched(Arc<dyn ReadStore>, Arc<Mutex<Seen>>);

impl Meddling for Watched {
    fn inner(&self) -> &Arc<dyn ReadStore> {
        &self.0
    }

    fn commit(&self, page: Page) -> Pending<'_, Result<(), StoreError>> {
        let mut seen = self.1.lock().unwrap();
        seen.pages = seen.pages.saturating_add(1);
        let written = page.writes.iter().map(|write| (write.generation, write.key.clone()));
        seen.written.extend(written);
        self.0.commit(page)
    }

    fn load(&self, places: Vec<RowId>) -> Pending<'_, Result<Vec<(RowId, Document)>, StoreError>> {
        let mut seen = self.1.lock().unwrap();
        seen.questions = seen.questions.saturating_add(1);
        let again: Vec<_> = places.iter().filter(|it| seen.written.contains(it)).cloned().collect();
        seen.asked_again.extend(again);
        self.0.load(places)
    }
}

#[tokio::test]
async fn what_a_page_wrote_is_not_asked_for_and_the_rest_by_one_question() {
    let (folder, feed) = (tempfile::tempdir().unwrap(), MemoryFeed::new(history(31, 500)));
    for store in stores(&folder).await {
        let seen = Arc::default();
        let watched: Arc<dyn ReadStore> =
            Arc::new(Behind(Watched(Arc::clone(&store), Arc::clone(&seen))));
        run_to_head(&feed, &watched, Projections::all(), 8).await;
        {
            let seen = seen.lock().unwrap();
            assert_eq!(seen.asked_again, vec![]);
            assert!(seen.pages > 5 && seen.questions <= seen.pages, "{seen:?}");
        }
        // The same as from a store alone that is asked for everything, page by page anew.
        let [other, ..] = &stores(&folder).await[..] else { panic!("no store") };
        for part in [100, 250, 500] {
            let part = MemoryFeed::new(history(31, 500).into_iter().take(part).collect());
            run_to_head(&part, other, Projections::all(), 64).await;
        }
        run_to_head(&feed, other, Projections::all(), 64).await;
        assert_eq!(everything(&store).await, everything(other).await);
    }
}
