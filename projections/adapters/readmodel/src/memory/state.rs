//! What the read model in memory holds, and what can be done to it while its lock is held.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use holdfast_domain::log::Position;
use holdfast_projections::document::{Document, Indexes, Key};
use holdfast_projections::ports::{
    Change, ChangePage, Comparison, Entry, Found, Page, Parked, Query, Retention, Rows, Snapshot,
    StoreError, Target,
};
use holdfast_projections::registry::{
    Alteration, Checkpoint, Generation, GenerationId, GenerationState, Registry,
};
use holdfast_projections::topic::{Cursor, Topic};

/// A document with its columns.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) document: Document,
    indexes: Indexes,
}

/// Everything.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) registry: Registry,
    pub(super) parked: BTreeMap<(GenerationId, Key), Parked>,
    rows: BTreeMap<GenerationId, BTreeMap<Key, Row>>,
    changes: BTreeMap<Cursor, Change>,
    oldest: Cursor,
    last_id: u64,
}

fn refused(why: &str) -> StoreError {
    StoreError::Refused(why.to_owned())
}

fn count(rows: Option<&BTreeMap<Key, Row>>) -> u64 {
    rows.map_or(0, |rows| u64::try_from(rows.len()).unwrap_or(u64::MAX))
}

fn size(limit: u32) -> usize {
    usize::try_from(limit).unwrap_or(usize::MAX)
}

impl State {
    pub(super) fn row(&self, generation: GenerationId, key: &Key) -> Option<&Row> {
        self.rows.get(&generation)?.get(key)
    }

    fn is_parked(&self, generation: GenerationId, key: &Key) -> bool {
        self.parked.contains_key(&(generation, key.clone()))
    }

    fn generation(&mut self, id: GenerationId) -> Result<&mut Generation, StoreError> {
        let known = self.registry.generations.iter_mut().find(|known| known.id == id);
        known.ok_or_else(|| refused("there is no such generation"))
    }

    /// How far a generation is, whoever advances it.
    fn checkpoint(&self, id: GenerationId) -> Result<Option<Checkpoint>, StoreError> {
        let known = self.registry.generation(id);
        let known = known.ok_or_else(|| refused("there is no such generation"))?;
        Ok(match known.state {
            GenerationState::Active => self.registry.live,
            GenerationState::Building | GenerationState::Retired => known.checkpoint,
        })
    }

    pub(super) fn alter(
        &mut self,
        revision: u64,
        alteration: &Alteration,
    ) -> Result<Registry, StoreError> {
        if self.registry.revision != revision {
            return Err(StoreError::Moved);
        }
        let live = self.registry.live;
        match alteration {
            Alteration::Build { view, version } => {
                self.last_id = self.last_id.saturating_add(1);
                self.registry.generations.push(Generation {
                    id: GenerationId(self.last_id),
                    view: view.clone(),
                    version: *version,
                    state: GenerationState::Building,
                    checkpoint: None,
                });
            }
            Alteration::Activate { generation, at } => {
                let next = self.generation(*generation)?;
                if next.state == GenerationState::Active {
                    return Err(refused("the generation is active already"));
                }
                if next.checkpoint != *at || live != *at {
                    return Err(StoreError::Moved);
                }
                let view = next.view.clone();
                (next.state, next.checkpoint) = (GenerationState::Active, None);
                for other in &mut self.registry.generations {
                    let replaced = other.view == view && other.state == GenerationState::Active;
                    if replaced && other.id != *generation {
                        (other.state, other.checkpoint) = (GenerationState::Retired, live);
                    }
                }
                if let Some(live) = live {
                    self.oldest = Cursor::after(live.position, revision.saturating_add(1));
                }
            }
            Alteration::Retire { generation } => {
                let known = self.generation(*generation)?;
                if known.state != GenerationState::Active {
                    return Err(refused("only an active generation can retire"));
                }
                (known.state, known.checkpoint) = (GenerationState::Retired, live);
            }
            Alteration::Drop { generation } => {
                if self.generation(*generation)?.state == GenerationState::Active {
                    return Err(refused("an active generation cannot be dropped"));
                }
                self.registry.generations.retain(|known| known.id != *generation);
                self.parked.retain(|(of, _), _| of != generation);
                self.rows.remove(generation);
            }
            Alteration::Clear => {
                *self = Self {
                    registry: Registry { revision, ..Registry::default() },
                    last_id: self.last_id,
                    ..Self::default()
                };
            }
        }
        self.registry.revision = revision.saturating_add(1);
        Ok(self.registry.clone())
    }

    pub(super) fn commit(&mut self, page: Page) -> Result<(), StoreError> {
        match page.target {
            Target::Live => {
                let same = self.registry.revision == page.registry;
                if !same || self.registry.live != page.expected {
                    return Err(StoreError::Moved);
                }
                self.registry.live = Some(page.next);
            }
            Target::Generation(id) => {
                let known = self.generation(id)?;
                if known.state == GenerationState::Active || known.checkpoint != page.expected {
                    return Err(StoreError::Moved);
                }
                known.checkpoint = Some(page.next);
            }
        }
        for write in page.writes {
            let rows = self.rows.entry(write.generation).or_default();
            match write.row {
                Some((document, indexes)) => {
                    rows.insert(write.key, Row { document, indexes });
                }
                None => {
                    rows.remove(&write.key);
                }
            }
        }
        self.changes.extend(page.changes.into_iter().map(|change| (change.cursor, change)));
        let parked = page.parked.into_iter();
        self.parked.extend(parked.map(|one| ((one.generation, one.key.clone()), one)));
        Ok(())
    }

    fn snapshot<T>(&self, generation: Option<GenerationId>, value: T) -> Snapshot<T> {
        Snapshot { position: self.registry.position(), generation, value }
    }

    pub(super) fn document(&self, view: &str, key: &Key) -> Snapshot<Found> {
        let Some(active) = self.registry.active(view).map(|active| active.id) else {
            return self.snapshot(None, Found::NoView);
        };
        let found = if self.is_parked(active, key) {
            Found::Parked
        } else {
            Found::Row(self.row(active, key).map(|row| row.document.clone()))
        };
        self.snapshot(Some(active), found)
    }

    pub(super) fn list(&self, view: &str, query: &Query) -> Snapshot<Vec<Entry>> {
        let Some(active) = self.registry.active(view).map(|active| active.id) else {
            return self.snapshot(None, vec![]);
        };
        let rows = self.rows.get(&active).into_iter().flatten();
        let mut entries: Vec<_> = rows
            .filter_map(|(key, row)| Some((row.indexes.at?, key, row)))
            .filter(|(at, key, row)| matches(query, *at, key, &row.indexes))
            .collect();
        entries.sort_unstable_by_key(|(at, key, _)| (*at, *key));
        let entries = entries.into_iter().take(size(query.limit)).map(|(at, key, row)| {
            let document = (!self.is_parked(active, key)).then(|| row.document.clone());
            Entry { key: key.clone(), at, document }
        });
        self.snapshot(Some(active), entries.collect())
    }

    pub(super) fn changes(
        &self,
        topics: Option<&[Topic]>,
        after: Cursor,
        limit: u32,
    ) -> ChangePage {
        let (oldest, revision) = (self.oldest, self.registry.revision);
        let now = Cursor::after(self.registry.position(), revision);
        let wanted = |change: &Change| -> Option<Change> {
            let Some(asked) = topics else { return Some(change.clone()) };
            let topics: Vec<_> =
                change.topics.iter().filter(|topic| asked.contains(topic)).copied().collect();
            (!topics.is_empty()).then(|| Change { topics, ..change.clone() })
        };
        if after < oldest {
            return ChangePage { changes: vec![], oldest, now };
        }
        let newer = self.changes.range((Bound::Excluded(after), Bound::Unbounded));
        let changes = newer.filter_map(|(_, change)| wanted(change)).take(size(limit)).collect();
        ChangePage { changes, oldest, now }
    }

    pub(super) fn trim(&mut self, retention: Retention) {
        let newest = self.changes.last_key_value().map(|(_, change)| change.accepted_at);
        let behind = self.registry.position().0.saturating_sub(retention.positions);
        let since = newest.zip(retention.age).map(|(newest, age)| newest.minus(age));
        let too_old = since.and_then(|since| {
            // Clocks differ: whatever stands after the first that is young enough is kept.
            let young = self.changes.iter().find(|(_, change)| change.accepted_at >= since);
            young.map(|(cursor, _)| cursor.position.0.saturating_sub(1))
        });
        let cut = Position(behind.max(too_old.unwrap_or(0)));
        if cut > Position::START {
            self.oldest = self.oldest.max(Cursor::after(cut, 0));
        }
    }

    pub(super) fn sweep(&mut self, limit: u32) -> u64 {
        let mut swept = 0;
        while swept < u64::from(limit)
            && let Some(first) = self.changes.first_entry()
            && first.key().position <= self.oldest.position
        {
            first.remove();
            swept = swept.saturating_add(1);
        }
        swept
    }

    pub(super) fn scan(
        &self,
        generation: GenerationId,
        after: Option<&Key>,
        limit: u32,
    ) -> Result<Snapshot<Rows>, StoreError> {
        let checkpoint = self.checkpoint(generation)?;
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let rows = self.rows.get(&generation).into_iter();
        let rows = rows.flat_map(|rows| rows.range::<Key, _>((from, Bound::Unbounded)));
        let value = rows
            .take(size(limit))
            .map(|(key, row)| (key.clone(), row.document.clone(), row.indexes.clone()))
            .collect();
        let position = checkpoint.map_or(Position::START, |known| known.position);
        Ok(Snapshot { position, generation: Some(generation), value })
    }

    pub(super) fn compare(
        &self,
        left: GenerationId,
        right: GenerationId,
    ) -> Result<Comparison, StoreError> {
        let (one, other) = (self.rows.get(&left), self.rows.get(&right));
        let keys: BTreeSet<&Key> =
            one.into_iter().chain(other).flat_map(|rows| rows.keys()).collect();
        let document = |side: GenerationId, key| self.row(side, key).map(|row| &row.document);
        let different: Vec<_> =
            keys.into_iter().filter(|key| document(left, key) != document(right, key)).collect();
        Ok(Comparison {
            left: self.checkpoint(left)?,
            right: self.checkpoint(right)?,
            left_rows: count(one),
            right_rows: count(other),
            different: u64::try_from(different.len()).unwrap_or(u64::MAX),
            examples: different.into_iter().take(10).cloned().collect(),
        })
    }
}

fn matches(query: &Query, at: i64, key: &Key, indexes: &Indexes) -> bool {
    let same = |wanted: &Option<String>, is: &Option<String>| wanted.is_none() || wanted == is;
    let party =
        query.party.is_none() || query.party == indexes.owner || query.party == indexes.provider;
    let later = query.after.as_ref().is_none_or(|(than, after)| (at, key) > (*than, after));
    let until = query.ends_after.is_none_or(|end| indexes.until.is_some_and(|until| until > end));
    same(&query.owner, &indexes.owner)
        && same(&query.provider, &indexes.provider)
        && party
        && same(&query.status, &indexes.status)
        && same(&query.resource, &indexes.resource)
        && same(&query.offering, &indexes.offering)
        && query.from.is_none_or(|from| at >= from)
        && query.to.is_none_or(|to| at < to)
        && later
        && until
}
