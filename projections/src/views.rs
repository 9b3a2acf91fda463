//! Every view there is. A new one gets a file here, a line in [`Projections::all`], and a lane that
//! no other view ever had.

pub mod calendar;
pub mod due;
pub mod offerings;
pub mod payments;
pub mod reservations;
pub mod resources;
pub mod schema;
pub mod sessions;
pub mod slots;

use std::sync::Arc;

use crate::projector::Projector;
use crate::typed::Typed;

/// The views of this build.
#[derive(Debug, Clone, Copy)]
pub struct Projections;

impl Projections {
    /// Every projector, in the order of the lanes.
    pub fn all() -> Vec<Arc<dyn Projector>> {
        vec![
            Arc::new(Typed(reservations::Reservations)),
            Arc::new(Typed(payments::Payments)),
            Arc::new(Typed(calendar::Calendar)),
            Arc::new(Typed(resources::Resources)),
            Arc::new(Typed(offerings::Offerings)),
            Arc::new(sessions::Sessions),
            Arc::new(slots::Slots),
            Arc::new(due::DueView),
        ]
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn lanes_and_names_belong_to_one_view_each() {
        let all = Projections::all();
        let lanes: BTreeSet<_> = all.iter().map(|view| view.lane()).collect();
        let names: BTreeSet<_> = all.iter().map(|view| view.name()).collect();
        assert_eq!((lanes.len(), names.len()), (all.len(), all.len()));
        assert!(all.iter().map(|view| view.lane()).is_sorted());
    }
}
