//! What a runner shows to those who read: the cache, how far it is, how it is, and what is active.

use std::sync::Arc;

use holdfast_domain::log::Position;
use tokio::sync::watch;

use crate::cache::Cache;
use crate::registry::Registry;
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
}
