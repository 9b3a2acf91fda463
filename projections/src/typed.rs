//! The usual kind of view: one document per key, each the text of one struct. [`Typed`] makes a
//! [`Projector`] of it, so that a view's file holds only what is its own.

use std::fmt;

use holdfast_domain::log::Recorded;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::document::{Document, Documents, FoldError, Indexes, Key};
use crate::projector::{Announcement, Projector};
use crate::topic::Topic;

/// A view whose documents are all of one type, each folded by itself.
pub trait View: Send + Sync + fmt::Debug {
    /// What is kept under a key.
    type Document: Serialize + DeserializeOwned;
    /// See [`Projector::name`].
    const NAME: &'static str;
    /// See [`Projector::version`].
    const VERSION: u32;
    /// See [`Projector::lane`].
    const LANE: u16;
    /// See [`Projector::is_shared`].
    const SHARED: bool = false;

    /// The key of the one document that the event touches, if any.
    fn key(&self, event: &Recorded) -> Option<Key>;

    /// What becomes of it.
    fn fold(
        &self,
        key: &Key,
        document: Option<Self::Document>,
        event: &Recorded,
    ) -> Result<Option<Self::Document>, FoldError>;

    /// The columns by which it is found.
    fn indexes(&self, document: &Self::Document) -> Indexes;

    /// The topics it belongs to.
    fn topics(&self, document: &Self::Document) -> Vec<Topic>;
}

/// A [`View`] as a [`Projector`].
#[derive(Debug, Clone, Copy)]
pub struct Typed<V>(pub V);

impl<V: View> Typed<V> {
    fn topics(&self, document: Option<&Document>) -> Result<Vec<Topic>, FoldError> {
        document.map_or(Ok(vec![]), |document| Ok(self.0.topics(&document.read()?)))
    }
}

impl<V: View> Projector for Typed<V> {
    fn name(&self) -> &'static str {
        V::NAME
    }

    fn version(&self) -> u32 {
        V::VERSION
    }

    fn lane(&self) -> u16 {
        V::LANE
    }

    fn is_shared(&self) -> bool {
        V::SHARED
    }

    fn keys(&self, event: &Recorded) -> Vec<Key> {
        self.0.key(event).into_iter().collect()
    }

    fn fold(&self, event: &Recorded, documents: &mut Documents) -> Result<(), FoldError> {
        let Some(key) = self.0.key(event) else { return Ok(()) };
        let document = self.0.fold(&key, documents.find(&key)?, event)?;
        documents.set(&key, document.as_ref().map(Document::of).transpose()?);
        Ok(())
    }

    fn indexes(&self, _key: &Key, document: &Document) -> Result<Indexes, FoldError> {
        Ok(self.0.indexes(&document.read()?))
    }

    fn announce(
        &self,
        _event: &Recorded,
        before: &Documents,
        after: &Documents,
    ) -> Result<Vec<Announcement>, FoldError> {
        let mut news = Vec::new();
        for (key, now) in after.iter() {
            let was = before.get(key);
            if was == now {
                continue;
            }
            let (old, new) = (self.topics(was)?, self.topics(now)?);
            let left: Vec<_> = old.into_iter().filter(|topic| !new.contains(topic)).collect();
            if !left.is_empty() {
                news.push(Announcement { topics: left, key: key.clone(), data: None });
            }
            if !new.is_empty() {
                news.push(Announcement { topics: new, key: key.clone(), data: now.cloned() });
            }
        }
        Ok(news)
    }
}
