//! A walk over a whole log in the order in which it verifies: the events of a commit, then the
//! commit. Over the feed's port, page by page, up to where the log ended when the walk began.

use std::ops::ControlFlow;

use holdfast_domain::log::{Feed, Position, ReadError, StoredBatch};

use crate::export::Line;
use crate::verify::{Checkpoint, Report, Verifier};

const PAGE: usize = 512;

/// Shows every event and commit to `visit`.
pub async fn walk(feed: &dyn Feed, mut visit: impl FnMut(Line) + Send) -> Result<(), ReadError> {
    let visit = |line| {
        visit(line);
        ControlFlow::Continue(())
    };
    walk_after(feed, None, visit).await
}

/// The same, from the events that follow a commit, until `visit` has seen enough.
pub async fn walk_after(
    feed: &dyn Feed,
    after: Option<StoredBatch>,
    mut visit: impl FnMut(Line) -> ControlFlow<()> + Send,
) -> Result<(), ReadError> {
    let end = feed.head().await?.position;
    let (mut number, mut at) =
        after.map_or((0, Position::START), |batch| (batch.number, batch.last));
    loop {
        let batches = feed.batches(number, PAGE).await?;
        let Some(last) = batches.last() else { break };
        number = last.number;
        for batch in batches.into_iter().take_while(|batch| batch.last <= end) {
            at = match events(feed, at, batch.last, &mut visit).await? {
                ControlFlow::Continue(at) => at,
                ControlFlow::Break(()) => return Ok(()),
            };
            if visit(Line::Batch(batch)).is_break() {
                return Ok(());
            }
        }
    }
    // Events that no commit covers are shown too: the verifier has to see them.
    let _seen = events(feed, at, end, &mut visit).await?;
    Ok(())
}

/// Shows the events in `(after, last]`; answers the position of the last one shown.
async fn events(
    feed: &dyn Feed,
    after: Position,
    last: Position,
    visit: &mut (impl FnMut(Line) -> ControlFlow<()> + Send),
) -> Result<ControlFlow<(), Position>, ReadError> {
    let mut at = after;
    while at < last {
        let wanted = usize::try_from(last.0.saturating_sub(at.0)).unwrap_or(PAGE).min(PAGE);
        let page = feed.stored(at, wanted).await?;
        let before = at;
        for event in page.into_iter().take_while(|event| event.position <= last) {
            at = event.position;
            if visit(Line::Event(event)).is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        if at == before {
            break;
        }
    }
    Ok(ControlFlow::Continue(at))
}

/// Verifies a live log.
pub async fn verify_feed(
    feed: &dyn Feed,
    checkpoint: Option<Checkpoint>,
) -> Result<Report, ReadError> {
    let mut verifier = checkpoint.map_or_else(Verifier::new, Verifier::with_checkpoint);
    walk(feed, |line| match line {
        Line::Event(event) => verifier.event(&event),
        Line::Batch(batch) => verifier.batch(&batch),
    })
    .await?;
    Ok(verifier.finish())
}

/// Verifies a live log on a store that keeps no chain over it: its streams, each by itself.
pub async fn verify_streams(feed: &dyn Feed) -> Result<Report, ReadError> {
    let mut verifier = Verifier::of_streams();
    walk(feed, |line| match line {
        Line::Event(event) => verifier.event(&event),
        Line::Batch(batch) => verifier.batch(&batch),
    })
    .await?;
    Ok(verifier.finish())
}
