//! The one shape of a view: which documents an event touches, what becomes of them, by which
//! columns they are found, and who is to be told. Pure: no clock, no store, no other view.

use std::fmt;

use holdfast_domain::log::Recorded;

use crate::document::{Document, Documents, FoldError, Indexes, Key};
use crate::topic::Topic;

/// News for subscribers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Announcement {
    /// The topics it belongs to.
    pub topics: Vec<Topic>,
    /// What changed, in the words of the topic.
    pub key: Key,
    /// What it is now; `None` when it left the topics.
    pub data: Option<Document>,
}

/// A view of the log. Its identity is (name, version): a projector whose fold changes gets a new
/// version, and is rebuilt beside the old one.
pub trait Projector: Send + Sync + fmt::Debug {
    /// The view's name.
    fn name(&self) -> &'static str;

    /// The version of its documents.
    fn version(&self) -> u32;

    /// Its place among the views when several have news of one event. It never changes and is not
    /// given to another view, so that cursors stay the same when views come and go.
    fn lane(&self) -> u16;

    /// Whether the same documents and lists are read by many: then nodes share them in a cache.
    fn is_shared(&self) -> bool {
        false
    }

    /// The documents that the event reads or changes; empty when it is nothing to this view. They
    /// follow from the event alone.
    fn keys(&self, event: &Recorded) -> Vec<Key>;

    /// What becomes of them. `documents` holds exactly the keys named for the event.
    fn fold(&self, event: &Recorded, documents: &mut Documents) -> Result<(), FoldError>;

    /// The columns by which a document is found.
    fn indexes(&self, key: &Key, document: &Document) -> Result<Indexes, FoldError>;

    /// Who is to be told what, in a fixed order.
    fn announce(
        &self,
        event: &Recorded,
        before: &Documents,
        after: &Documents,
    ) -> Result<Vec<Announcement>, FoldError>;
}
