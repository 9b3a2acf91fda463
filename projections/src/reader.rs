//! The reads that the edge asks for: wait until a position is visible, a document by its key, a
//! list, the changes since a cursor. Who may see what is the edge's business.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use holdfast_domain::log::Position;
use serde::de::DeserializeOwned;
use tokio::sync::watch;

use crate::document::{Document, Key};
use crate::ports::{ChangePage, Entry, Found, Query, ReadStore, StoreError};
use crate::published::{Footing, Published};
use crate::registry::{GenerationId, GenerationState};
use crate::shared::{self, Place};
use crate::status::Status;
use crate::topic::{Cursor, Topic};

/// Why a read has no answer. None of these says that anything failed for good.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadFailure {
    /// The views have not come to the position asked for.
    #[error("the views are at position {at}, and {wanted} was asked for")]
    Behind {
        /// Where they are.
        at: Position,
        /// What was asked for.
        wanted: Position,
    },
    /// What is stored under the key is known to be untrue.
    #[error("the document {0} cannot be shown until an operator has looked at it")]
    Parked(Key),
    /// What is stored follows another log, or nobody could find out yet whether it does.
    #[error("the views are not known to be those of this log")]
    Unrecognised,
    /// The view is being filled, or what is there is of another version.
    #[error("the view {0} is being built")]
    Building(&'static str),
    /// The store cannot be read now.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What was read, and the position up to which it is true.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct At<T> {
    /// Up to here.
    pub position: Position,
    /// This.
    pub value: T,
}

/// News for subscribers, or the word that they have to read again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// The changes after the cursor.
    Changes(ChangePage),
    /// The cursor is older than what is kept, or the views were switched since: read again, then go
    /// on from `now`.
    Resync {
        /// Where one stands who has read everything.
        now: Cursor,
    },
}

/// A list that was read may be ahead of the cache by one page; it waits at most this long.
const SETTLE: Duration = Duration::from_millis(250);

/// How long a read waits until it is known whose views the store holds: a node that has just started
/// finds out with its first look.
const FIRST_LOOK: Duration = Duration::from_secs(1);

/// Reads the live views.
#[derive(Debug, Clone)]
pub struct Reader {
    store: Arc<dyn ReadStore>,
    published: Arc<Published>,
}

impl Reader {
    /// Over a store and what its runner publishes.
    pub fn new(store: Arc<dyn ReadStore>, published: Arc<Published>) -> Self {
        Self { store, published }
    }

    /// How far the live views are.
    pub fn position(&self) -> Position {
        *self.published.position.borrow()
    }

    /// The position as it moves. It is sent after each commit and each switch: a hint to look for
    /// changes.
    pub fn watch(&self) -> watch::Receiver<Position> {
        self.published.position.subscribe()
    }

    /// How the runner is.
    pub fn status(&self) -> Status {
        self.published.status.borrow().clone()
    }

    /// The runner's account of itself as it changes.
    pub fn watch_status(&self) -> watch::Receiver<Status> {
        self.published.status.subscribe()
    }

    /// Returns when the live views are at `wanted` or beyond, or `deadline` is over.
    pub async fn wait_for(
        &self,
        wanted: Position,
        deadline: impl Future<Output = ()> + Send,
    ) -> Result<Position, ReadFailure> {
        let at = self.position();
        if at >= wanted {
            return Ok(at);
        }
        let _waiting = self.published.wait();
        let mut positions = self.watch();
        let reached = async move {
            positions.wait_for(|position| *position >= wanted).await.map(|position| *position)
        };
        tokio::select! {
            biased;
            Ok(position) = reached => Ok(position),
            () = deadline => Err(ReadFailure::Behind { at: self.position(), wanted }),
        }
    }

    /// The document under a key, from memory or from the store.
    pub async fn document(
        &self,
        view: &'static str,
        key: Key,
    ) -> Result<At<Option<Document>>, ReadFailure> {
        self.recognised().await?;
        // The position first: what the cache holds afterwards is true at least up to it.
        let position = self.position();
        let registry = self.published.registry.borrow().clone();
        let active = registry.and_then(|known| known.active(view).map(|active| active.id));
        if let Some((found, since)) =
            active.and_then(|generation| self.published.cache.get(generation, &key))
        {
            return shown(view, key, found, position.max(since));
        }
        let shared = self.published.shared(view);
        let shared = shared.map(|(cache, registry, id)| {
            let place = Place::document(id, &key);
            (cache, registry, id, place)
        });
        if let Some((cache, _registry, generation, place)) = &shared
            && let Some((kept, at)) = cache.get(place.clone(), position).await
            && let Some(document) = shared::document(&kept)
        {
            let found = Found::Row(document);
            self.published.cache.read(*generation, &key, found.clone(), at);
            self.settle(at).await;
            return shown(view, key, found, at);
        }
        let read = self.store.document(view, key.clone()).await?;
        if let Some((cache, registry, generation, place)) = shared
            && let Found::Row(document) = &read.value
            && read.generation == Some(generation)
        {
            cache.put(registry, place, shared::kept(document.as_ref()), read.position).await;
        }
        if let Some(generation) = read.generation {
            if !self.reads(generation).await? {
                return Err(ReadFailure::Building(view));
            }
            self.published.cache.read(generation, &key, read.value.clone(), read.position);
        }
        self.settle(read.position).await;
        shown(view, key, read.value, read.position)
    }

    /// The value under a key.
    pub async fn value<T: DeserializeOwned>(
        &self,
        view: &'static str,
        key: Key,
    ) -> Result<At<Option<T>>, ReadFailure> {
        let At { position, value } = self.document(view, key).await?;
        let value = value.map(|document| document.read::<T>()).transpose();
        let value = value.map_err(|why| StoreError::Damaged(why.to_string()))?;
        Ok(At { position, value })
    }

    /// A page of a list. An entry without a document is parked: it cannot be shown.
    pub async fn list(
        &self,
        view: &'static str,
        query: Query,
    ) -> Result<At<Vec<Entry>>, ReadFailure> {
        self.recognised().await?;
        let position = self.position();
        let shared = self.published.shared(view).and_then(|(cache, registry, generation)| {
            Some((cache, registry, generation, Place::list(generation, &query)?))
        });
        if let Some((cache, _registry, _generation, place)) = &shared
            && let Some((kept, at)) = cache.get(place.clone(), position).await
            && let Some(value) = shared::list(&kept)
        {
            self.settle(at).await;
            return Ok(At { position: at, value });
        }
        let read = self.store.list(view, query).await?;
        if let Some((cache, registry, generation, place)) = shared
            && read.generation == Some(generation)
            && let Some(kept) = shared::kept_list(&read.value)
        {
            cache.put(registry, place, kept, read.position).await;
        }
        let readable = match read.generation {
            Some(generation) => self.reads(generation).await?,
            None => false,
        };
        if !readable {
            return Err(ReadFailure::Building(view));
        }
        self.settle(read.position).await;
        Ok(At { position: read.position, value: read.value })
    }

    /// Up to `limit` changes after a cursor; of these topics, or of all.
    pub async fn changes(
        &self,
        topics: Option<Vec<Topic>>,
        after: Cursor,
        limit: u32,
    ) -> Result<News, ReadFailure> {
        self.recognised().await?;
        let page = self.store.changes(topics, after, limit).await?;
        self.settle(page.now.position).await;
        // News of another version cannot be told, and is overtaken by the switch to this one.
        let untold = !page.changes.is_empty() && !self.reads_all().await?;
        if after < page.oldest || untold {
            return Ok(News::Resync { now: page.now });
        }
        Ok(News::Changes(page))
    }

    /// Where a new subscriber starts. Take it before reading what is there already: what changes in
    /// between then comes twice rather than never.
    pub async fn now(&self) -> Result<Cursor, ReadFailure> {
        self.recognised().await?;
        let now = self.store.changes(Some(vec![]), Cursor::START, 0).await?.now;
        // What memory shows next must not be older than what the subscriber will be told from here.
        self.settle(now.position).await;
        Ok(now)
    }

    /// Refuses to read what follows another log.
    async fn recognised(&self) -> Result<(), ReadFailure> {
        let footing = *self.published.footing.borrow();
        let footing = match footing {
            Footing::ThisLog | Footing::AnotherLog => footing,
            Footing::Unknown => {
                let mut footings = self.published.footing.subscribe();
                let known = footings.wait_for(|footing| *footing != Footing::Unknown);
                let known = tokio::time::timeout(FIRST_LOOK, known).await;
                known.map_or(footing, |known| known.map_or(footing, |known| *known))
            }
        };
        match footing {
            Footing::ThisLog => Ok(()),
            Footing::Unknown | Footing::AnotherLog => Err(ReadFailure::Unrecognised),
        }
    }

    /// Whether a generation is one that this build can read: where the version of a view changed,
    /// the one before it stays active until the new one is filled.
    async fn reads(&self, generation: GenerationId) -> Result<bool, ReadFailure> {
        let published = self.published.registry.borrow().clone();
        let published = published.as_ref().and_then(|known| known.generation(generation));
        if let Some(known) = published {
            return Ok(self.published.reads(known));
        }
        let stored = self.store.registry().await?;
        Ok(stored.generation(generation).is_some_and(|known| self.published.reads(known)))
    }

    /// Whether this build can read every active generation of its views. (Of views that only
    /// another release has, nobody can be a subscriber here.)
    async fn reads_all(&self) -> Result<bool, ReadFailure> {
        let published = self.published.registry.borrow().clone();
        let known = match published {
            Some(known) => known,
            None => Arc::new(self.store.registry().await?),
        };
        let mut ours = known.generations.iter().filter(|one| {
            one.state == GenerationState::Active
                && self.published.versions.contains_key(one.view.as_str())
        });
        Ok(ours.all(|one| self.published.reads(one)))
    }

    /// Waits until memory is not older than what was just read, so that one reader never sees a
    /// document go back. The runner is between its commit and its publication: this is short.
    async fn settle(&self, position: Position) {
        if self.position() < position && self.published.registry.borrow().is_some() {
            let deadline = tokio::time::sleep(SETTLE);
            drop(self.wait_for(position, deadline).await);
        }
    }
}

fn shown(
    view: &'static str,
    key: Key,
    found: Found,
    position: Position,
) -> Result<At<Option<Document>>, ReadFailure> {
    match found {
        Found::NoView => Err(ReadFailure::Building(view)),
        Found::Parked => Err(ReadFailure::Parked(key)),
        Found::Row(value) => Ok(At { position, value }),
    }
}
