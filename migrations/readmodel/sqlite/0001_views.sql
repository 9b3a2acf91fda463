-- Derived state: everything here follows from the log and can be filled again from it.

-- One filling of one version of a view. The active ones share the checkpoint of "live".
CREATE TABLE generations (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    view     TEXT    NOT NULL,
    version  INTEGER NOT NULL,
    state    TEXT    NOT NULL CHECK (state IN ('building', 'active', 'retired')),
    position INTEGER,
    epoch    TEXT,
    hash     BLOB
) STRICT;

CREATE UNIQUE INDEX generations_active ON generations (view) WHERE state = 'active';

-- How far the active generations are, how often the registry changed, and from where on changes
-- are kept. One row, because one transaction moves all of it.
CREATE TABLE live (
    one             INTEGER PRIMARY KEY CHECK (one = 1),
    revision        INTEGER NOT NULL,
    position        INTEGER,
    epoch           TEXT,
    hash            BLOB,
    oldest_position INTEGER NOT NULL,
    oldest_ordinal  INTEGER NOT NULL
) STRICT;

INSERT INTO live VALUES (1, 0, NULL, NULL, NULL, 0, 0);

CREATE TABLE documents (
    generation INTEGER NOT NULL,
    key        TEXT    NOT NULL,
    position   INTEGER NOT NULL,
    document   TEXT    NOT NULL,
    owner      TEXT,
    provider   TEXT,
    status     TEXT,
    resource   TEXT,
    offering   TEXT,
    at         INTEGER,
    until      INTEGER,
    UNIQUE (generation, key)
) STRICT;

-- Partial, so that documents nobody lists cost nothing.
CREATE INDEX documents_at ON documents (generation, at, key) WHERE at IS NOT NULL;
CREATE INDEX documents_owner ON documents (generation, owner, at, key) WHERE owner IS NOT NULL;
CREATE INDEX documents_provider ON documents (generation, provider, at, key) WHERE provider IS NOT NULL;
CREATE INDEX documents_resource ON documents (generation, resource, at, key) WHERE resource IS NOT NULL;
CREATE INDEX documents_offering ON documents (generation, offering, at, key) WHERE offering IS NOT NULL;

-- Keys whose documents are known to be untrue.
CREATE TABLE parked (
    generation INTEGER NOT NULL,
    key        TEXT    NOT NULL,
    first      INTEGER NOT NULL,
    last       INTEGER NOT NULL,
    events     INTEGER NOT NULL,
    reason     TEXT    NOT NULL,
    PRIMARY KEY (generation, key)
) STRICT, WITHOUT ROWID;

-- News for subscribers, once each, and the topics under which they are found.
CREATE TABLE changes (
    position    INTEGER NOT NULL,
    ordinal     INTEGER NOT NULL,
    topics      TEXT    NOT NULL,
    view        TEXT    NOT NULL,
    key         TEXT    NOT NULL,
    data        TEXT,
    accepted_at INTEGER NOT NULL,
    UNIQUE (position, ordinal)
) STRICT;

CREATE TABLE change_topics (
    topic    TEXT    NOT NULL,
    position INTEGER NOT NULL,
    ordinal  INTEGER NOT NULL,
    PRIMARY KEY (topic, position, ordinal)
) STRICT, WITHOUT ROWID;
