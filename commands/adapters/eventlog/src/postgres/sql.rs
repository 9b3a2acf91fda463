//! Every statement of the log, but for the one that writes: that is `log_append`, in the migration.

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

macro_rules! last_event {
    () => {
        "coalesce((SELECT position FROM event ORDER BY position DESC LIMIT 1), 0)"
    };
}

/// The newest event of the stream `s`: its head.
macro_rules! head {
    () => {
        "CROSS JOIN LATERAL (SELECT e.revision, e.hash FROM event e WHERE e.stream = s.id \
         ORDER BY e.revision DESC LIMIT 1) AS h"
    };
}

macro_rules! here {
    () => {
        "current_schema()::regnamespace::oid"
    };
}

/// One statement, one snapshot: where the page ends and what is on it. It ends with the append that
/// the last place asked for belongs to; or, should nothing be left up to there, with the next one.
pub(super) const PAGE: &str = concat!(
    "SELECT ",
    event_columns!(),
    " FROM event e JOIN stream s ON s.id = e.stream WHERE e.position > $1 AND e.position <= greatest(",
    "(SELECT append_end FROM event WHERE position <= least($1, 9007199254740991) + $2 ",
    "ORDER BY position DESC LIMIT 1), ",
    "(SELECT append_end FROM event WHERE position > $1 ORDER BY position LIMIT 1)",
    ") ORDER BY e.position"
);

pub(super) const STORED: &str = concat!(
    "SELECT ",
    event_columns!(),
    " FROM event e JOIN stream s ON s.id = e.stream WHERE e.position > $1 ",
    "ORDER BY e.position LIMIT $2"
);

pub(super) const STREAM: &str = concat!(
    "SELECT ",
    event_columns!(),
    " FROM stream s JOIN event e ON e.stream = s.id WHERE s.name = $1 AND e.revision >= $2 ",
    "ORDER BY e.revision LIMIT $3"
);

/// Several streams, each with its place in the list of those that were asked for.
pub(super) const STREAMS: &str = concat!(
    "SELECT ",
    event_columns!(),
    ", w.place FROM unnest($1::text[], $2::bigint[]) WITH ORDINALITY AS w (name, first, place) ",
    "JOIN stream s ON s.name = w.name ",
    "CROSS JOIN LATERAL (SELECT * FROM event WHERE stream = s.id AND revision >= w.first ",
    "ORDER BY revision) e"
);

pub(super) const HASH_AT: &str =
    "SELECT hash FROM event WHERE position <= $1 ORDER BY position DESC LIMIT 1";

/// Where the log ends, whichever of its tables knows, and in which life it is.
pub(super) const END: &str = concat!(
    "SELECT greatest(",
    last_event!(),
    ", coalesce((SELECT last FROM batch ORDER BY number DESC LIMIT 1), 0)), m.epoch FROM log_meta m"
);

/// Where the last commit ends, its number and hash; the last event, the life, and the channel of the
/// log's nodes. Several logs in one database are told apart by their schemas.
pub(super) const START: &str = concat!(
    "SELECT coalesce(t.last, 0), coalesce(t.number, 0), ",
    "coalesce(t.hash, decode(repeat('00', 32), 'hex')), ",
    last_event!(),
    ", m.epoch, 'holdfast_log_' || ",
    here!(),
    " FROM log_meta m LEFT JOIN LATERAL ",
    "(SELECT * FROM batch ORDER BY number DESC LIMIT 1) AS t ON true"
);

/// The first number says that it is about a log; the second, about which.
pub(super) const ENTER: &str =
    concat!("SELECT pg_try_advisory_lock_shared(1819238756, ", here!(), "::int)");

pub(super) const TAKE: &str =
    concat!("SELECT pg_try_advisory_lock(1819238756, ", here!(), "::int)");

pub(super) const NEW_EPOCH: &str = "UPDATE log_meta SET epoch = gen_random_uuid() RETURNING epoch";

pub(super) const BATCHES: &str =
    "SELECT number, first, last, hash FROM batch WHERE number > $1 ORDER BY number LIMIT $2";

pub(super) const ANSWERED: &str =
    concat!("SELECT ", answer_columns!(), " FROM command c WHERE c.id = $1");

/// The lock comes first; what is read after it is read by statements of their own.
pub(super) const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; \
     SELECT position, batch, hash FROM log_take_tail()";

/// Not the transaction's time: the moment at which it is looked at, in microseconds since 1970.
pub(super) const CLOCK: &str = "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint";

pub(super) const HEADS: &str = concat!(
    "SELECT s.name, h.revision, h.hash FROM unnest($1::text[]) AS wanted (name) ",
    "JOIN stream s ON s.name = wanted.name ",
    head!()
);

pub(super) const ANSWERS: &str = concat!(
    "SELECT ",
    answer_columns!(),
    " FROM unnest($1::uuid[]) AS wanted (id) JOIN command c ON c.id = wanted.id"
);

/// What stands in stretches of streams; by itself, so that only the stretch of a long one is read.
pub(super) const STOOD: &str = "SELECT s.name, e.revision, e.event_id, e.hash, e.position \
     FROM unnest($1::text[], $2::bigint[], $3::bigint[]) AS wanted (name, first, last) \
     JOIN stream s ON s.name = wanted.name \
     CROSS JOIN LATERAL (SELECT * FROM event WHERE stream = s.id \
     AND revision BETWEEN wanted.first AND wanted.last OFFSET 0) e";

pub(super) const APPEND: &str = "SELECT t.position, t.batch, t.hash FROM log_append($1, $2, $3, \
     $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21) AS t";

pub(super) const NOTIFY: &str = "SELECT pg_notify($1, $2)";
