//! A decision in stored bytes, with its size and its faults known before it waits for the writer.
//! Done in the caller's task, so that the one writer has less to do.

use std::collections::BTreeSet;

use holdfast_domain::log::{Batch, CommandRecord, Expected, Guard, StreamId};

use crate::codec::{Encoded, encode};

/// The most events in one batch, and in one commit unless a single batch or group is larger.
pub(crate) const EVENTS_MAX: usize = 1_024;
/// The most bytes in one batch. A commit takes less, unless a single batch is larger.
pub(crate) const BYTES_MAX: usize = 16 << 20;

/// The events for one stream, in stored bytes.
#[derive(Debug)]
pub(crate) struct PreparedWrite {
    pub(crate) stream: StreamId,
    pub(crate) expected: Expected,
    pub(crate) events: Vec<Encoded>,
}

/// A decision in stored bytes.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) writes: Vec<PreparedWrite>,
    pub(crate) guards: Vec<Guard>,
    pub(crate) command: Option<CommandRecord>,
    pub(crate) events: usize,
    pub(crate) bytes: usize,
    /// Why no store can take it.
    pub(crate) fault: Option<String>,
}

/// Encodes a decision.
pub(crate) fn prepare(batch: Batch) -> Prepared {
    let mut streams = BTreeSet::new();
    let mut fault = None;
    let mut writes = Vec::with_capacity(batch.writes.len());
    for write in batch.writes {
        if write.events.is_empty() {
            fault.get_or_insert_with(|| format!("nothing is written to {}", write.stream));
        }
        if !streams.insert(write.stream) {
            fault.get_or_insert_with(|| format!("{} is written twice in a batch", write.stream));
        }
        let events: Result<Vec<_>, _> = write.events.iter().map(encode).collect();
        let events = events.unwrap_or_else(|why| {
            fault.get_or_insert_with(|| format!("an event cannot be encoded: {why}"));
            Vec::new()
        });
        writes.push(PreparedWrite { stream: write.stream, expected: write.expected, events });
    }
    let all = || writes.iter().flat_map(|write| &write.events);
    let events = all().count();
    let body = batch.command.as_ref().map_or(0, |record| record.body.len());
    let bytes = all().fold(body, |sum, event| sum.saturating_add(event.size()));
    if events > EVENTS_MAX || bytes > BYTES_MAX {
        fault.get_or_insert_with(|| {
            format!("a batch has at most {EVENTS_MAX} events and {BYTES_MAX} bytes")
        });
    }
    Prepared { writes, guards: batch.guards, command: batch.command, events, bytes, fault }
}
