//! Folds a page of events through projectors, over the documents that are there. Pure: what goes in
//! decides what comes out, whatever the size of the page.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use holdfast_domain::log::{Position, Recorded};

use crate::document::{Document, Documents, FoldError, Indexes, Key};
use crate::ports::{Change, Parked, RowId, RowWrite};
use crate::projector::Projector;
use crate::registry::GenerationId;
use crate::topic::Cursor;

/// A projector and the generation that it fills.
#[derive(Debug, Clone)]
pub struct Binding {
    /// What folds.
    pub projector: Arc<dyn Projector>,
    /// What it fills.
    pub generation: GenerationId,
}

/// The keys that are parked, per generation.
pub type ParkedKeys = BTreeMap<RowId, Parked>;

/// What a page does.
#[derive(Debug, Default)]
pub struct Folded {
    /// The documents that changed.
    pub writes: Vec<RowWrite>,
    /// The news, in order.
    pub changes: Vec<Change>,
    /// The parked keys that are new, or missed more events.
    pub parked: Vec<Parked>,
    /// The columns of documents that nodes share in a cache, as they were and as they are.
    pub shared: Vec<(GenerationId, Indexes)>,
}

/// Where the documents are that a page needs.
pub fn needed(bindings: &[Binding], events: &[Recorded]) -> BTreeSet<RowId> {
    let places = |binding: &Binding| -> Vec<RowId> {
        let keys = events.iter().flat_map(|event| binding.projector.keys(event));
        keys.map(|key| (binding.generation, key)).collect()
    };
    bindings.iter().flat_map(places).collect()
}

/// One document while the page is folded.
#[derive(Debug, Default)]
struct Slot {
    was_stored: bool,
    now: Option<Document>,
    /// Its columns and the event that changed it; none while it is as it was stored.
    changed: Option<(Indexes, Position)>,
}

/// The fold of one page.
#[derive(Debug)]
pub struct Folding<'a> {
    bindings: &'a [Binding],
    parked: &'a mut ParkedKeys,
    newly_parked: BTreeSet<RowId>,
    slots: BTreeMap<RowId, Slot>,
    changes: Vec<Change>,
    shared: Vec<(GenerationId, Indexes)>,
    announce: bool,
}

impl<'a> Folding<'a> {
    /// A fold that starts from what is stored. `announce` says whether anybody is to be told.
    pub fn new(bindings: &'a [Binding], parked: &'a mut ParkedKeys, announce: bool) -> Self {
        let (newly_parked, slots) = (BTreeSet::new(), BTreeMap::new());
        let (changes, shared) = (vec![], vec![]);
        Self { bindings, parked, newly_parked, slots, changes, shared, announce }
    }

    /// Puts in what is stored.
    pub fn stored(&mut self, documents: Vec<(RowId, Document)>) {
        for (place, document) in documents {
            let slot = Slot { was_stored: true, now: Some(document), changed: None };
            drop(self.slots.insert(place, slot));
        }
    }

    /// Folds one event through every projector, in the order of their lanes.
    pub fn event(&mut self, event: &Recorded) {
        let bindings = self.bindings;
        for binding in bindings {
            let keys = binding.projector.keys(event);
            if keys.is_empty() {
                continue;
            }
            if let Some(reason) = self.parked_already(binding.generation, &keys) {
                self.park(binding.generation, keys, event, &reason);
            } else if let Err(why) = self.apply(binding, &keys, event) {
                tracing::error!(
                    view = binding.projector.name(),
                    position = event.position.0,
                    event = event.event.name(),
                    %why,
                    "an event does not fold: its keys are parked"
                );
                self.park(binding.generation, keys, event, &why.to_string());
            }
        }
    }

    /// A key that missed one event can take none after it, and what is folded together with a
    /// parked key would not be true either.
    fn parked_already(&self, generation: GenerationId, keys: &[Key]) -> Option<String> {
        if self.parked.is_empty() {
            return None;
        }
        keys.iter().find_map(|key| {
            self.parked.get(&(generation, key.clone())).map(|parked| parked.reason.clone())
        })
    }

    fn park(&mut self, generation: GenerationId, keys: Vec<Key>, event: &Recorded, why: &str) {
        for key in keys {
            let id = (generation, key.clone());
            let position = event.position;
            let entry = self.parked.entry(id.clone()).or_insert_with(|| Parked {
                generation,
                key,
                first: position,
                last: position,
                events: 0,
                reason: why.to_owned(),
            });
            entry.last = position;
            entry.events = entry.events.saturating_add(1);
            self.newly_parked.insert(id);
        }
    }

    fn apply(
        &mut self,
        binding: &Binding,
        keys: &[Key],
        event: &Recorded,
    ) -> Result<(), FoldError> {
        let generation = binding.generation;
        let before = Documents::new(keys.iter().map(|key| {
            let slot = self.slots.get(&(generation, key.clone()));
            (key.clone(), slot.and_then(|slot| slot.now.clone()))
        }));
        let mut after = before.clone();
        binding.projector.fold(event, &mut after)?;
        // Columns and news are computed before anything is kept: an event counts whole or not.
        let mut changed = Vec::new();
        for (key, document) in after.iter().filter(|(key, now)| before.get(key) != *now) {
            let indexes = document.map(|document| binding.projector.indexes(key, document));
            changed.push((key, document, indexes.transpose()?.unwrap_or_default()));
        }
        let mut left = Vec::new();
        if binding.projector.is_shared() {
            for (key, _now, _columns) in &changed {
                let was = before.get(key).map(|was| binding.projector.indexes(key, was));
                left.extend(was.transpose()?);
            }
        }
        if self.announce {
            let news = binding.projector.announce(event, &before, &after)?;
            let accepted_at = event.metadata.accepted_at;
            let view = binding.projector.name();
            self.changes.extend(news.into_iter().zip(0_u32..).map(|(news, count)| Change {
                cursor: Cursor::of(event.position, binding.projector.lane(), count),
                topics: news.topics,
                view: view.to_owned(),
                key: news.key,
                data: news.data,
                accepted_at,
            }));
        }
        if binding.projector.is_shared() {
            let now = changed.iter().map(|(_key, _now, columns)| columns.clone());
            self.shared.extend(left.into_iter().chain(now).map(|columns| (generation, columns)));
        }
        for (key, document, indexes) in changed {
            let slot = self.slots.entry((generation, key.clone())).or_default();
            slot.now = document.cloned();
            slot.changed = Some((indexes, event.position));
        }
        Ok(())
    }

    /// What the page does.
    pub fn finish(self) -> Folded {
        let writes = self.slots.into_iter().filter_map(|((generation, key), slot)| {
            let (indexes, position) = slot.changed?;
            // What came and went within the page was never stored.
            let anything = slot.was_stored || slot.now.is_some();
            let row = slot.now.map(|document| (document, indexes));
            anything.then_some(RowWrite { generation, key, position, row })
        });
        let parked = self.newly_parked.iter().filter_map(|id| self.parked.get(id).cloned());
        Folded {
            writes: writes.collect(),
            changes: self.changes,
            parked: parked.collect(),
            shared: self.shared,
        }
    }
}
