//! How far a filling has come, shown while it goes on.

use std::sync::{Mutex, PoisonError};

use holdfast_projections::projector::Projector;
use holdfast_projections::rebuild::Progress as Filling;
use holdfast_projections::registry::Registry;

use crate::cli::progress::{Progress, ProgressMode};

/// Shows it.
#[derive(Debug)]
pub struct Shown(Mutex<Progress>);

impl Shown {
    /// Of a view, up to where the live views are.
    pub fn new(mode: ProgressMode, projector: &dyn Projector, registry: &Registry) -> Self {
        Self(Mutex::new(Progress::new(mode, projector.name(), registry.position().0)))
    }

    /// It has come so far.
    pub fn at(&self, filling: Filling) {
        let mut shown = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        shown.at(filling.position.0, filling.target.0);
    }

    /// It is done, or given up.
    pub fn clear(self) {
        self.0.into_inner().unwrap_or_else(PoisonError::into_inner).clear();
    }
}
