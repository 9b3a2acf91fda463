//! The views of a node, word for word, and the same views made anew from its log.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use holdfast_domain::log::{Feed, Position};
use holdfast_projections::dump::dump;
use holdfast_projections::ports::{ReadStore, StoreError};
use holdfast_projections::registry::GenerationState;
use holdfast_projections::runner::Options;
use holdfast_projections::{Projections, Runner};
use holdfast_readmodel::memory::MemoryReadStore;
use tokio_util::sync::CancellationToken;

/// Every line of every view, by its name.
pub type Dumps = BTreeMap<String, Vec<String>>;

/// What readers see of a store that stands still at `position`.
pub async fn dumps(store: &dyn ReadStore, position: Position) -> Dumps {
    loop {
        match try_dumps(store, position).await {
            Ok(dumps) => return dumps,
            Err(StoreError::Moved) => {}
            Err(why) => panic!("{why}"),
        }
    }
}

async fn try_dumps(store: &dyn ReadStore, position: Position) -> Result<Dumps, StoreError> {
    let registry = store.registry().await?;
    assert_eq!(registry.position(), position, "the views are elsewhere");
    let mut dumps = Dumps::new();
    for generation in &registry.generations {
        if generation.state != GenerationState::Active {
            continue;
        }
        let mut lines = Vec::new();
        let digest = dump(store, generation.id, |line| lines.push(line.to_owned())).await?;
        assert_eq!(digest.position, position);
        dumps.insert(generation.view.clone(), lines);
    }
    Ok(dumps)
}

/// The views of this log made anew, in memory, with pages of this size.
pub async fn rebuilt(feed: Arc<dyn Feed>, position: Position, page: usize) -> Dumps {
    let store: Arc<dyn ReadStore> = Arc::new(MemoryReadStore::new());
    let options = Options { page, ..Options::default() };
    let runner = Runner::new(feed, Arc::clone(&store), Projections::all(), options);
    let (reader, stop) = (runner.reader(), CancellationToken::new());
    let filled = async {
        let deadline = tokio::time::sleep(Duration::from_secs(30));
        reader.wait_for(position, deadline).await.unwrap();
        stop.cancel();
    };
    let (ran, ()) = futures_util::join!(runner.run(stop.clone()), filled);
    ran.unwrap();
    dumps(&*store, position).await
}
