-- The embedded event log. Facts are kept as the bytes that were hashed; see
-- docs/event-log-format.md. STRICT, so that a number is never kept as text.

-- The life of this log. A restored log gets another epoch.
CREATE TABLE log_meta (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    epoch    BLOB NOT NULL CHECK (length(epoch) = 16)
) STRICT;

INSERT INTO log_meta (only_row, epoch) VALUES (1, randomblob(16));

-- The head of each stream: what the next append is judged against.
CREATE TABLE stream (
    id       INTEGER PRIMARY KEY,
    name     TEXT    NOT NULL UNIQUE,
    revision INTEGER NOT NULL CHECK (revision >= 0),
    hash     BLOB    NOT NULL CHECK (length(hash) = 32)
) STRICT;

CREATE TABLE event (
    position       INTEGER PRIMARY KEY CHECK (position BETWEEN 1 AND 9007199254740991),
    stream         INTEGER NOT NULL REFERENCES stream (id) DEFERRABLE INITIALLY DEFERRED,
    revision       INTEGER NOT NULL CHECK (revision >= 0),
    append_end     INTEGER NOT NULL CHECK (append_end >= position),
    event_id       BLOB    NOT NULL UNIQUE CHECK (length(event_id) = 16),
    name           TEXT    NOT NULL,
    schema         INTEGER NOT NULL,
    accepted_at_us INTEGER NOT NULL,
    metadata       BLOB    NOT NULL,
    payload        BLOB    NOT NULL,
    hash           BLOB    NOT NULL CHECK (length(hash) = 32),
    UNIQUE (stream, revision)
) STRICT;

-- One row per commit: the global chain.
CREATE TABLE batch (
    number INTEGER PRIMARY KEY CHECK (number >= 1),
    first  INTEGER NOT NULL,
    last   INTEGER NOT NULL CHECK (last >= first),
    hash   BLOB    NOT NULL CHECK (length(hash) = 32)
) STRICT;

-- The remembered answers. A plain table with an index: its rows are large and its keys random,
-- so a table ordered by the key would touch a page per row.
CREATE TABLE command (
    id             BLOB    PRIMARY KEY NOT NULL CHECK (length(id) = 16),
    fingerprint    BLOB    NOT NULL CHECK (length(fingerprint) = 32),
    status         INTEGER NOT NULL,
    body           BLOB    NOT NULL,
    revision       INTEGER,
    position       INTEGER NOT NULL,
    accepted_at_us INTEGER NOT NULL
) STRICT;

-- Facts are only ever added. These stop a mistake, not an attacker: against him stand the hashes.
CREATE TRIGGER event_is_not_changed BEFORE UPDATE ON event
BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END;
CREATE TRIGGER event_is_not_deleted BEFORE DELETE ON event
BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END;
CREATE TRIGGER batch_is_not_changed BEFORE UPDATE ON batch
BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END;
CREATE TRIGGER batch_is_not_deleted BEFORE DELETE ON batch
BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END;
