//! Every statement of the log. Lists come in as one JSON array, and rows go in many at a time:
//! each statement is a visit to the connection's thread, and a commit should make few of them.
//! `CROSS JOIN` keeps SQLite from turning a loop inside out.

use std::sync::LazyLock;

use holdfast_sqlite::insert::Insert;

macro_rules! event_columns {
    () => {
        "s.name, e.revision, e.position, e.append_end, e.name, e.schema, e.accepted_at_us, \
         e.metadata, e.payload, e.hash"
    };
}

macro_rules! answer_columns {
    () => {
        "c.id, c.fingerprint, c.status, c.body, c.revision, c.position, c.accepted_at_us"
    };
}

/// One statement, one snapshot: where the page ends and what is on it.
pub(super) const PAGE: &str = concat!(
    "SELECT ",
    event_columns!(),
    " FROM event e CROSS JOIN stream s ON s.id = e.stream WHERE e.position > ?1 AND e.position <= (",
    "SELECT max(append_end) FROM (",
    "SELECT append_end FROM event WHERE position > ?1 ORDER BY position LIMIT ?2)",
    ") ORDER BY e.position"
);

pub(super) const STORED: &str = concat!(
    "SELECT ",
    event_columns!(),
    " FROM event e CROSS JOIN stream s ON s.id = e.stream WHERE e.position > ?1 ",
    "ORDER BY e.position LIMIT ?2"
);

pub(super) const STREAM: &str = concat!(
    "SELECT ",
    event_columns!(),
    " FROM stream s CROSS JOIN event e ON e.stream = s.id WHERE s.name = ?1 AND e.revision >= ?2 ",
    "ORDER BY e.revision LIMIT ?3"
);

pub(super) const HASH_AT: &str =
    "SELECT hash FROM event WHERE position <= ?1 ORDER BY position DESC LIMIT 1";

pub(super) const END: &str = "SELECT max(coalesce((SELECT max(position) FROM event), 0), \
     coalesce((SELECT last FROM batch ORDER BY number DESC LIMIT 1), 0))";

pub(super) const BATCHES: &str =
    "SELECT number, first, last, hash FROM batch WHERE number > ?1 ORDER BY number LIMIT ?2";

pub(super) const ANSWERED: &str =
    concat!("SELECT ", answer_columns!(), " FROM command c WHERE c.id = ?1");

/// Begins a commit and reads the remembered answers of an array of ids in hexadecimal.
pub(super) const BEGIN_AND_ANSWERED: &str = concat!(
    "BEGIN IMMEDIATE; SELECT ",
    answer_columns!(),
    " FROM json_each(?) wanted CROSS JOIN command c ON c.id = unhex(wanted.value)"
);

/// The heads of an array of names.
pub(super) const HEADS: &str = "SELECT s.id, s.name, s.revision, s.hash \
     FROM json_each(?1) wanted CROSS JOIN stream s ON s.name = wanted.value";

/// What stands in an array of `[name, from, to]`.
pub(super) const STOOD: &str = "SELECT s.name, e.revision, e.event_id, e.hash, e.position \
     FROM json_each(?1) wanted \
     CROSS JOIN stream s ON s.name = wanted.value ->> 0 \
     CROSS JOIN event e ON e.stream = s.id \
     AND e.revision BETWEEN wanted.value ->> 1 AND wanted.value ->> 2";

// A row that cannot stand rolls the commit back; only to undo a part of it SQLite would have to copy
// every page that the statement touches.

const EVENTS: &str = "INSERT OR ROLLBACK INTO event (position, stream, revision, append_end, event_id, name, \
     schema, accepted_at_us, metadata, payload, hash)";

pub(super) static INSERT_EVENTS: LazyLock<Insert> =
    LazyLock::new(|| Insert::new("", EVENTS, 11, ""));

/// The commit's link comes in with its first events: one visit less.
pub(super) static INSERT_BATCH_AND_EVENTS: LazyLock<Insert> = LazyLock::new(|| {
    let batch = "INSERT INTO batch (number, first, last, hash) VALUES (?, ?, ?, ?); ";
    Insert::new(batch, EVENTS, 11, "")
});

pub(super) static INSERT_ANSWERS: LazyLock<Insert> = LazyLock::new(|| {
    let into = "INSERT OR ROLLBACK INTO command (id, fingerprint, status, body, revision, position, accepted_at_us)";
    Insert::new("", into, 7, "")
});

pub(super) static UPSERT_STREAMS: LazyLock<Insert> = LazyLock::new(|| {
    let conflict =
        " ON CONFLICT (id) DO UPDATE SET revision = excluded.revision, hash = excluded.hash";
    Insert::new("", "INSERT OR ROLLBACK INTO stream (id, name, revision, hash)", 4, conflict)
});
