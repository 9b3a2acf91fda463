//! Takes pages of the log through a set of projectors into the store: load, fold, commit. The same
//! steps serve the live views and a generation that is being built; only the target differs.

use std::collections::BTreeSet;
use std::sync::Arc;

use holdfast_domain::log::{Feed, Position, ReadError, Recorded};

use crate::cache::Cache;
use crate::document::{Document, Indexes, Key};
use crate::folding::{Binding, Folding, ParkedKeys, needed};
use crate::ports::{Found, Page, ReadStore, RowId, StoreError, Target};
use crate::registry::{Checkpoint, GenerationId};

/// Called at named points, so that tests can stop the process there.
pub type Failpoint = fn(&'static str);

/// A failpoint that does nothing.
pub fn no_failpoint(_name: &'static str) {}

/// Why a page was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FollowError {
    /// The log cannot be read.
    #[error(transparent)]
    Log(#[from] ReadError),
    /// The store did not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The log is not the one that the checkpoint is of.
    #[error("{0}")]
    AnotherLog(String),
    /// So many keys are parked that the build, not an event, must be wrong.
    #[error("{0} keys are parked, which is more than may be; the views stop here")]
    TooManyParked(usize),
    /// What is read here may have been built by a newer release, whose nodes could go on with it.
    #[error(
        "a newer release may have built {}: they are left to it for a while, and only then replaced \
         by those of this release",
        .0.join(", ")
    )]
    Ahead(Vec<String>),
}

impl FollowError {
    /// Whether trying again can help.
    pub const fn passes(&self) -> bool {
        match self {
            Self::Log(ReadError::Unavailable(_))
            | Self::Store(StoreError::Unavailable(_) | StoreError::Moved)
            | Self::Ahead(_) => true,
            Self::Log(ReadError::UnknownEvent { .. } | ReadError::Malformed { .. })
            | Self::Store(StoreError::Damaged(_) | StoreError::Refused(_))
            | Self::AnotherLog(_)
            | Self::TooManyParked(_) => false,
        }
    }
}

/// A document that a page changed.
pub type Touched = (GenerationId, Key, Option<Document>);

/// What a page did, for those who watch.
#[derive(Debug)]
pub struct Taken {
    /// The checkpoint after it.
    pub checkpoint: Checkpoint,
    /// The documents it changed, as they are now.
    pub documents: Vec<Touched>,
    /// The keys that are parked since, or missed more events.
    pub parked: Vec<RowId>,
    /// How far it was before.
    pub before: Position,
    /// The columns of documents that nodes share in a cache, as they were and as they are.
    pub shared: Vec<(GenerationId, Indexes)>,
    /// How many events it had.
    pub events: usize,
}

/// More parked keys than this, and the follower stops.
pub const PARKED_MAX: usize = 10_000;

/// Takes pages.
#[derive(Debug)]
pub struct Follower {
    /// The log.
    pub feed: Arc<dyn Feed>,
    /// Where the views are kept.
    pub store: Arc<dyn ReadStore>,
    /// What the pages belong to.
    pub target: Target,
    /// What folds into what.
    pub bindings: Vec<Binding>,
    /// The revision of the registry that it computes with.
    pub registry: u64,
    /// How far it is.
    pub checkpoint: Option<Checkpoint>,
    /// The parked keys of its generations.
    pub parked: ParkedKeys,
    /// Documents in memory, as its checkpoint has them.
    pub cache: Cache,
    /// Whether subscribers are told.
    pub announce: bool,
    /// Called at named points.
    pub failpoint: Failpoint,
}

impl Follower {
    /// How far it is.
    pub fn position(&self) -> Position {
        self.checkpoint.map_or(Position::START, |checkpoint| checkpoint.position)
    }

    /// Up to `limit` events after the checkpoint, but none after `until`.
    pub async fn read(
        &self,
        limit: usize,
        until: Option<Position>,
    ) -> Result<Vec<Recorded>, FollowError> {
        let mut events = self.feed.page(self.position(), limit).await?;
        if let Some(until) = until {
            events.retain(|event| event.position <= until);
        }
        Ok(events)
    }

    /// What a page starts from: out of memory what is there, and the rest by one question.
    ///
    /// What is in memory is what this follower committed, or what somebody read since; what is from
    /// beyond the checkpoint counts for nothing, as when a store has come back from an older copy. If
    /// another one has committed meanwhile, the page that follows from it is refused.
    async fn load(&self, places: BTreeSet<RowId>) -> Result<Vec<(RowId, Document)>, FollowError> {
        let (mut found, mut missing) = (Vec::new(), Vec::new());
        for place in places {
            let known = self.cache.get(place.0, &place.1);
            match known.filter(|(_, position)| *position <= self.position()) {
                Some((Found::Row(Some(document)), _)) => found.push((place, document)),
                Some((Found::Row(None), _)) => {}
                Some((Found::NoView | Found::Parked, _)) | None => missing.push(place),
            }
        }
        if !missing.is_empty() {
            found.extend(self.store.load(missing).await?);
        }
        Ok(found)
    }

    /// Notes in memory what a committed page did.
    fn keep(&self, taken: &Taken) {
        let position = taken.checkpoint.position;
        self.cache.committed(position, taken.documents.clone());
        for (generation, key) in &taken.parked {
            self.cache.parked(position, *generation, key.clone());
        }
    }

    /// Folds a page and commits it.
    pub async fn take(&mut self, events: &[Recorded]) -> Result<Option<Taken>, FollowError> {
        let Some(last) = events.last() else { return Ok(None) };
        let epoch = match self.checkpoint {
            Some(known) => known.epoch,
            None => self.feed.head().await?.epoch,
        };
        let next = Checkpoint { position: last.position, epoch, hash: last.hash };
        // A page that is not committed must leave nothing behind.
        let mut parked = self.parked.clone();
        let mut folding = Folding::new(&self.bindings, &mut parked, self.announce);
        folding.stored(self.load(needed(&self.bindings, events)).await?);
        (self.failpoint)("proj.apply");
        for event in events {
            folding.event(event);
        }
        let folded = folding.finish();
        if parked.len() > PARKED_MAX {
            return Err(FollowError::TooManyParked(parked.len()));
        }
        let documents = folded.writes.iter().map(|write| {
            let document = write.row.as_ref().map(|(document, _)| document.clone());
            (write.generation, write.key.clone(), document)
        });
        let documents = documents.collect();
        let newly_parked =
            folded.parked.iter().map(|parked| (parked.generation, parked.key.clone())).collect();
        let page = Page {
            target: self.target,
            registry: self.registry,
            expected: self.checkpoint,
            next,
            writes: folded.writes,
            changes: folded.changes,
            parked: folded.parked,
        };
        let (before, shared) = (self.position(), folded.shared);
        (self.failpoint)("proj.before_commit");
        self.store.commit(page).await?;
        (self.failpoint)("proj.after_commit");
        self.checkpoint = Some(next);
        self.parked = parked;
        let parked = newly_parked;
        let events = events.len();
        let taken = Taken { checkpoint: next, documents, parked, before, shared, events };
        self.keep(&taken);
        Ok(Some(taken))
    }
}
