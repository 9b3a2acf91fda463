-- Derived state: everything here follows from the log and can be filled again from it.

-- One filling of one version of a view. The active ones share the checkpoint of "live".
CREATE TABLE generations (
    id       bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    view     text   NOT NULL,
    version  bigint NOT NULL,
    state    text   NOT NULL CHECK (state IN ('building', 'active', 'retired')),
    position bigint CHECK (position BETWEEN 0 AND 9007199254740991),
    epoch    uuid,
    hash     bytea  CHECK (octet_length(hash) = 32),
    CHECK (num_nulls(position, epoch, hash) IN (0, 3))
);

CREATE UNIQUE INDEX generations_active ON generations (view) WHERE state = 'active';

-- How far the active generations are, how often the registry changed, and from where on changes
-- are kept. One row, because one transaction moves all of it.
CREATE TABLE live (
    one             boolean PRIMARY KEY DEFAULT true CHECK (one),
    revision        bigint  NOT NULL DEFAULT 0,
    position        bigint  CHECK (position BETWEEN 0 AND 9007199254740991),
    epoch           uuid,
    hash            bytea   CHECK (octet_length(hash) = 32),
    oldest_position bigint  NOT NULL DEFAULT 0,
    oldest_ordinal  bigint  NOT NULL DEFAULT 0,
    CHECK (num_nulls(position, epoch, hash) IN (0, 3))
);

INSERT INTO live DEFAULT VALUES;

-- "json" keeps the text as it was written, which "jsonb" does not: the same facts give the same
-- bytes in every store. Keys are ordered by their bytes, whatever the database's locale is. Most
-- changes move no column of an index, and find room on the same page.
CREATE TABLE documents (
    generation bigint NOT NULL,
    key        text   COLLATE "C" NOT NULL,
    position   bigint NOT NULL,
    document   json   NOT NULL,
    owner      text,
    provider   text,
    status     text,
    resource   text,
    offering   text,
    at         timestamptz,
    until      timestamptz,
    PRIMARY KEY (generation, key)
) WITH (fillfactor = 80);

-- Partial, so that documents nobody lists cost nothing.
CREATE INDEX documents_at ON documents (generation, at, key) WHERE at IS NOT NULL;
CREATE INDEX documents_owner ON documents (generation, owner, at, key) WHERE owner IS NOT NULL;
CREATE INDEX documents_provider ON documents (generation, provider, at, key) WHERE provider IS NOT NULL;
CREATE INDEX documents_resource ON documents (generation, resource, at, key) WHERE resource IS NOT NULL;
CREATE INDEX documents_offering ON documents (generation, offering, at, key) WHERE offering IS NOT NULL;

-- Keys whose documents are known to be untrue.
CREATE TABLE parked (
    generation bigint NOT NULL,
    key        text   COLLATE "C" NOT NULL,
    first      bigint NOT NULL,
    last       bigint NOT NULL,
    events     bigint NOT NULL,
    reason     text   NOT NULL,
    PRIMARY KEY (generation, key)
);

-- News for subscribers, once each, and the topics under which they are found.
CREATE TABLE changes (
    position    bigint      NOT NULL,
    ordinal     bigint      NOT NULL,
    topics      text[]      NOT NULL,
    view        text        NOT NULL,
    key         text        COLLATE "C" NOT NULL,
    data        json,
    accepted_at timestamptz NOT NULL,
    PRIMARY KEY (position, ordinal)
);

CREATE TABLE change_topics (
    topic    text   COLLATE "C" NOT NULL,
    position bigint NOT NULL,
    ordinal  bigint NOT NULL,
    PRIMARY KEY (topic, position, ordinal)
);
