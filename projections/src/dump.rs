//! A canonical dump of a generation: every document with its columns, by key, with sorted fields
//! and nothing of the clock, the store or the page size; and its digest. Two fillings of one
//! version of a view from the same log have the same dump.

use std::fmt::Write as _;

use holdfast_domain::log::{Hash, Position};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::document::{Document, Indexes, Key};
use crate::ports::{ReadStore, StoreError};
use crate::registry::GenerationId;

/// What a generation holds, in short.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Digest {
    /// How many documents.
    pub rows: u64,
    /// Over all of them.
    pub sha256: Hash,
    /// How far the generation is.
    pub position: Position,
}

const PAGE: u32 = 1_000;

/// Hands every line of the dump to `line`, and answers the digest. `Moved` when the generation is
/// not at rest.
pub async fn dump(
    store: &dyn ReadStore,
    generation: GenerationId,
    mut line: impl FnMut(&str) + Send,
) -> Result<Digest, StoreError> {
    let (mut hasher, mut rows) = (Sha256::new(), 0_u64);
    let (mut after, mut position): (Option<Key>, Option<Position>) = (None, None);
    loop {
        let page = store.scan(generation, after.take(), PAGE).await?;
        if position.is_some_and(|known| known != page.position) {
            return Err(StoreError::Moved);
        }
        position = Some(page.position);
        for (key, document, indexes) in &page.value {
            let text = row(key, document, indexes)?;
            hasher.update(text.as_bytes());
            line(&text);
            rows = rows.saturating_add(1);
        }
        match page.value.last() {
            Some((key, _, _)) => after = Some(key.clone()),
            None => break,
        }
    }
    let sha256 = Hash(hasher.finalize().into());
    Ok(Digest { rows, sha256, position: position.unwrap_or_default() })
}

/// One line of the dump, with its end.
fn row(key: &Key, document: &Document, indexes: &Indexes) -> Result<String, StoreError> {
    let damaged = |why: String| StoreError::Damaged(format!("document {key}: {why}"));
    let value: Value =
        serde_json::from_str(document.as_str()).map_err(|why| damaged(why.to_string()))?;
    let mut text = String::new();
    let name = Value::String(key.as_str().to_owned());
    write!(text, "{name} ").map_err(|why| damaged(why.to_string()))?;
    canonical(&value, &mut text);
    writeln!(text, " {indexes:?}").map_err(|why| damaged(why.to_string()))?;
    Ok(text)
}

/// JSON with sorted fields, whatever order its map keeps.
fn canonical(value: &Value, text: &mut String) {
    match value {
        Value::Object(fields) => {
            let mut names: Vec<_> = fields.iter().collect();
            names.sort_unstable_by_key(|(name, _)| *name);
            text.push('{');
            for (index, (name, field)) in names.into_iter().enumerate() {
                if index > 0 {
                    text.push(',');
                }
                text.push_str(&Value::String(name.clone()).to_string());
                text.push(':');
                canonical(field, text);
            }
            text.push('}');
        }
        Value::Array(items) => {
            text.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    text.push(',');
                }
                canonical(item, text);
            }
            text.push(']');
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            text.push_str(&value.to_string());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_of_fields_does_not_show_in_a_dump() {
        let row =
            |text: &str| row(&Key::new("a"), &Document::stored(text), &Indexes::default()).unwrap();
        assert_eq!(
            row(r#"{"b":[1,{"d":1,"c":2}],"a":0}"#),
            row(r#"{"a":0,"b":[1,{"c":2,"d":1}]}"#)
        );
        assert_ne!(row(r#"{"a":1}"#), row(r#"{"a":2}"#));
    }
}
