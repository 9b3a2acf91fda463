//! What a runner shows to those who read: the cache, how far it is, how it is, and what is active.

use std::collections::BTreeMap;
use std::sync::Arc;

use holdfast_domain::log::Position;
use tokio::sync::watch;

use crate::cache::Cache;
use crate::registry::{Generation, Registry};
use crate::status::Status;

/// What a runner shows to readers.
#[derive(Debug)]
pub struct Published {
    /// Documents in memory.
    pub cache: Cache,
    /// How far the live views are. Sent after each commit and each switch: look for changes then.
    pub position: watch::Sender<Position>,
    /// Its account of itself.
    pub status: watch::Sender<Status>,
    /// The generations that are read; none before it knows them.
    pub registry: watch::Sender<Option<Arc<Registry>>>,
    /// The views of this build, with the versions of their documents.
    pub versions: BTreeMap<&'static str, u32>,
}

impl Published {
    /// Whether a generation holds documents in the version of this build.
    pub fn reads(&self, generation: &Generation) -> bool {
        self.versions.get(generation.view.as_str()) == Some(&generation.version)
    }
}
