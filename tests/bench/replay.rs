//! A log from its beginning, as typed events.

use std::time::{Duration, Instant};

use holdfast_domain::log::{Feed, Position};

/// Reads all of it, in pages; answers how many there were and how long it took.
pub(crate) async fn replay(log: &dyn Feed) -> (u64, Duration) {
    let (mut after, mut count, began) = (Position::START, 0_u64, Instant::now());
    loop {
        let page = log.page(after, 1_000).await.unwrap();
        let Some(last) = page.last() else { break };
        after = last.position;
        count = count.saturating_add(u64::try_from(page.len()).unwrap());
    }
    (count, began.elapsed())
}
