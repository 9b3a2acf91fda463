//! The writer's memory of stream heads, bounded: two generations, the older of which is forgotten
//! when the younger is full. Safe because this process is the only one that writes.

use std::collections::BTreeMap;

use holdfast_domain::log::{Head, StreamId};

const GENERATION: usize = 32_768;

/// A stream's row.
#[derive(Debug, Clone, Copy)]
pub(super) struct StreamRow {
    pub(super) id: i64,
    pub(super) head: Head,
}

/// What the writer remembers of streams.
#[derive(Debug, Default)]
pub(super) struct Heads {
    young: BTreeMap<StreamId, StreamRow>,
    old: BTreeMap<StreamId, StreamRow>,
}

impl Heads {
    /// The row, when it is remembered.
    pub(super) fn get(&mut self, stream: StreamId) -> Option<StreamRow> {
        if let Some(row) = self.young.get(&stream) {
            return Some(*row);
        }
        let row = self.old.remove(&stream)?;
        self.put(stream, row);
        Some(row)
    }

    /// Remembers a row as it was committed.
    pub(super) fn put(&mut self, stream: StreamId, row: StreamRow) {
        if self.young.len() >= GENERATION {
            self.old = std::mem::take(&mut self.young);
        }
        self.old.remove(&stream);
        self.young.insert(stream, row);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use holdfast_domain::log::{Category, Hash, Revision};

    fn stream(number: usize) -> StreamId {
        StreamId::new(Category::Payment, uuid::Uuid::from_u128(u128::try_from(number).unwrap()))
    }

    #[test]
    fn memory_is_bounded_and_never_answers_an_older_head() {
        let mut heads = Heads::default();
        let row = |revision| StreamRow {
            id: 1,
            head: Head { revision: Revision(revision), hash: Hash::ZERO },
        };
        heads.put(stream(0), row(0));
        for number in 1..4 * GENERATION {
            heads.put(stream(number), row(7));
            if number == GENERATION {
                heads.put(stream(0), row(1));
            }
            assert!(heads.young.len() + heads.old.len() <= 2 * GENERATION);
            if let Some(found) = heads.get(stream(0)) {
                assert_eq!(found.head.revision.0, u64::from(number >= GENERATION));
            }
        }
    }
}
