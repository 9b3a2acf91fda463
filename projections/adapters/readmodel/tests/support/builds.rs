//! Views of other builds than this one.

use std::sync::Arc;

use holdfast_domain::log::Recorded;
use holdfast_projections::Projections;
use holdfast_projections::document::{Document, Documents, FoldError, Indexes, Key};
use holdfast_projections::projector::{Announcement, Projector};

/// A view of another build: in another version, or with a defect that folds no later event.
#[derive(Debug)]
struct Other {
    view: Arc<dyn Projector>,
    version: u32,
    defective: bool,
}

impl Projector for Other {
    fn name(&self) -> &'static str {
        self.view.name()
    }
    fn version(&self) -> u32 {
        self.version
    }
    fn lane(&self) -> u16 {
        self.view.lane()
    }
    fn keys(&self, event: &Recorded) -> Vec<Key> {
        self.view.keys(event)
    }
    fn fold(&self, event: &Recorded, documents: &mut Documents) -> Result<(), FoldError> {
        if self.defective && event.revision.0 > 0 {
            return Err(FoldError::Amounts);
        }
        self.view.fold(event, documents)
    }
    fn indexes(&self, key: &Key, document: &Document) -> Result<Indexes, FoldError> {
        self.view.indexes(key, document)
    }
    fn announce(
        &self,
        event: &Recorded,
        before: &Documents,
        after: &Documents,
    ) -> Result<Vec<Announcement>, FoldError> {
        self.view.announce(event, before, after)
    }
}

/// The views of a build in which the reservations have this version.
pub(crate) fn build(version: u32, defective: bool) -> Vec<Arc<dyn Projector>> {
    let views = Projections::all().into_iter().map(|view| -> Arc<dyn Projector> {
        if view.name() == "reservations" {
            Arc::new(Other { view, version, defective })
        } else {
            view
        }
    });
    views.collect()
}
