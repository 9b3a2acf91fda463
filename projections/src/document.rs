//! What a view keeps: JSON documents under keys, and the few columns by which they are found.
//!
//! A document is the text that its view's struct serialises to. Fields stand in the order in which
//! the struct declares them, maps are ordered, and nothing is added, so the same facts always give
//! the same bytes.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use holdfast_domain::time::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The name of a document within its view.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(Arc<str>);

impl Key {
    /// The key with this text.
    pub fn new(text: impl fmt::Display) -> Self {
        Self(text.to_string().into())
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a document does not follow from an event. The key is parked; the other keys go on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FoldError {
    /// The event speaks of a document that no earlier event made.
    #[error("there is no document {0} that this event could change")]
    Missing(Key),
    /// The stored text does not have the shape that the view keeps.
    #[error("the document cannot be read or written: {0}")]
    Shape(String),
    /// Amounts that do not add up.
    #[error("the amounts of the event do not fit those of the document")]
    Amounts,
}

impl From<holdfast_domain::money::MoneyError> for FoldError {
    fn from(_why: holdfast_domain::money::MoneyError) -> Self {
        Self::Amounts
    }
}

/// JSON text in the one spelling that its view gives it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document(Arc<str>);

impl Document {
    /// The document of a value.
    pub fn of<T: Serialize>(value: &T) -> Result<Self, FoldError> {
        serde_json::to_string(value)
            .map(|text| Self(text.into()))
            .map_err(|why| FoldError::Shape(why.to_string()))
    }

    /// The text as a store gave it back.
    pub fn stored(text: impl Into<Arc<str>>) -> Self {
        Self(text.into())
    }

    /// The value it stands for.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, FoldError> {
        serde_json::from_str(&self.0).map_err(|why| FoldError::Shape(why.to_string()))
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The columns by which documents are found. A document without any is only ever read by its key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Indexes {
    /// Whose it is: a customer, or the owner of a resource.
    pub owner: Option<String>,
    /// Who provides the service.
    pub provider: Option<String>,
    /// Where it stands, as a word.
    pub status: Option<String>,
    /// On which resource.
    pub resource: Option<String>,
    /// Of which offering.
    pub offering: Option<String>,
    /// When it starts, or falls due, in microseconds since 1970. Lists are ordered by it; a
    /// document without it is in no list.
    pub at: Option<i64>,
    /// When it ends, in microseconds since 1970.
    pub until: Option<i64>,
}

impl Indexes {
    /// Ordered by `at`, found by nothing else yet.
    pub fn at(at: Timestamp) -> Self {
        Self { at: Some(at.micros()), ..Self::default() }
    }
}

/// The documents that one event touches in one view; `None` is "not there".
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Documents(BTreeMap<Key, Option<Document>>);

impl Documents {
    /// These documents.
    pub fn new(documents: impl IntoIterator<Item = (Key, Option<Document>)>) -> Self {
        Self(documents.into_iter().collect())
    }

    /// The document under `key`.
    pub fn get(&self, key: &Key) -> Option<&Document> {
        self.0.get(key).and_then(Option::as_ref)
    }

    /// The value under `key`, when there is one.
    pub fn find<T: DeserializeOwned>(&self, key: &Key) -> Result<Option<T>, FoldError> {
        self.get(key).map(Document::read).transpose()
    }

    /// The value under `key`, which an earlier event must have made.
    pub fn read<T: DeserializeOwned>(&self, key: &Key) -> Result<T, FoldError> {
        self.find(key)?.ok_or_else(|| FoldError::Missing(key.clone()))
    }

    /// Puts a value under `key`.
    pub fn put<T: Serialize>(&mut self, key: &Key, value: &T) -> Result<(), FoldError> {
        self.set(key, Some(Document::of(value)?));
        Ok(())
    }

    /// Puts a document under `key`, or takes it away.
    pub fn set(&mut self, key: &Key, document: Option<Document>) {
        drop(self.0.insert(key.clone(), document));
    }

    /// Takes the document under `key` away.
    pub fn remove(&mut self, key: &Key) {
        self.set(key, None);
    }

    /// Every key with its document, by key.
    pub fn iter(&self) -> impl Iterator<Item = (&Key, Option<&Document>)> {
        self.0.iter().map(|(key, document)| (key, document.as_ref()))
    }
}
