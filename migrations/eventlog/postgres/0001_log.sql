-- The event log of several nodes. Facts are kept as the bytes that were hashed, never as jsonb,
-- which would write them anew; see docs/event-log-format.md.

-- The life of this log. A restored log gets another epoch.
CREATE TABLE log_meta (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    epoch    uuid    NOT NULL
);

INSERT INTO log_meta (epoch) VALUES (gen_random_uuid());

-- The name of each stream. Its number is the position of its first event, which no other stream has.
-- Where a stream ends, its last event says: a row that each append rewrites would leave a version for
-- each as long as anybody, a back-up perhaps, has an older snapshot open, and every append would walk
-- past them.
CREATE TABLE stream (
    id   bigint PRIMARY KEY,
    name text   COLLATE "C" NOT NULL UNIQUE
);

-- No foreign key to the stream: it would be looked up for each row, and only `log_append` writes.
CREATE TABLE event (
    position       bigint  PRIMARY KEY CHECK (position BETWEEN 1 AND 9007199254740991),
    stream         bigint  NOT NULL,
    revision       bigint  NOT NULL CHECK (revision >= 0),
    append_end     bigint  NOT NULL CHECK (append_end >= position),
    accepted_at_us bigint  NOT NULL,
    event_id       uuid    NOT NULL UNIQUE,
    schema         integer NOT NULL,
    name           text    COLLATE "C" NOT NULL,
    metadata       bytea   NOT NULL,
    payload        bytea   NOT NULL,
    hash           bytea   NOT NULL CHECK (octet_length(hash) = 32),
    UNIQUE (stream, revision)
);

-- One row per commit: the global chain, and, in the last one, where the log ends.
CREATE TABLE batch (
    number bigint PRIMARY KEY CHECK (number >= 1),
    first  bigint NOT NULL,
    last   bigint NOT NULL CHECK (last >= first),
    hash   bytea  NOT NULL CHECK (octet_length(hash) = 32)
);

-- The remembered answers.
CREATE TABLE command (
    id             uuid     PRIMARY KEY,
    revision       bigint,
    position       bigint   NOT NULL,
    accepted_at_us bigint   NOT NULL,
    status         smallint NOT NULL,
    fingerprint    bytea    NOT NULL CHECK (octet_length(fingerprint) = 32),
    body           bytea    NOT NULL
);

CREATE TYPE log_tail AS (position bigint, batch bigint, hash bytea);

-- Where the log ends. Whoever writes takes this log's lock first and holds it to its commit, so the
-- order of positions is the order of commits, and a sequence, which is neither, is not needed. The lock
-- has a number that says what it is, and the schema, which says of which log.
CREATE FUNCTION log_take_tail() RETURNS log_tail LANGUAGE plpgsql AS $$
DECLARE
    tail log_tail;
BEGIN
    PERFORM pg_advisory_xact_lock(1819238757, current_schema()::regnamespace::oid::int);
    -- By a statement of its own: it sees what was committed before the lock was granted.
    SELECT last, number, hash INTO tail FROM batch ORDER BY number DESC LIMIT 1;
    IF NOT FOUND THEN
        tail := (0, 0, decode(repeat('00', 32), 'hex'));
    END IF;
    RETURN tail;
END
$$;

-- Facts are only ever added. These stop a mistake, not an attacker: against him stand the hashes.
CREATE FUNCTION log_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the log is append-only';
END
$$;

CREATE TRIGGER event_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON event
    FOR EACH STATEMENT EXECUTE FUNCTION log_is_append_only();
CREATE TRIGGER stream_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON stream
    FOR EACH STATEMENT EXECUTE FUNCTION log_is_append_only();
CREATE TRIGGER batch_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON batch
    FOR EACH STATEMENT EXECUTE FUNCTION log_is_append_only();

-- Writes one commit in one visit, if every stream is as its writer believes and none of the commands
-- was answered; answers the tail after it. Otherwise it writes nothing and answers null: the writer
-- has to look.
--
-- streams:  what is believed to be there (null: nothing), and which of the commit's events is its
--           first (null: it is only guarded)
-- events:   each with the number of its stream in the lists above, and where its append ends,
--           counted from the tail
-- commands: the answers to remember, each with the place that it answers, counted from the tail
--
-- Every statement of it sees what was committed before the tail's lock was granted, because each
-- takes a snapshot of its own (READ COMMITTED).
CREATE FUNCTION log_append(
    stream_names text[], stream_revisions_before bigint[], stream_hashes_before bytea[],
    stream_first_events integer[],
    event_streams integer[], event_revisions bigint[], event_append_ends integer[],
    event_accepted_at_us bigint[], event_ids uuid[], event_schemas integer[], event_names text[],
    event_metadata bytea[], event_payloads bytea[], event_hashes bytea[],
    command_ids uuid[], command_revisions bigint[], command_places integer[],
    command_accepted_at_us bigint[], command_statuses smallint[], command_fingerprints bytea[],
    command_bodies bytea[]
) RETURNS log_tail LANGUAGE plpgsql AS $$
DECLARE
    tail        log_tail;
    events      bigint := cardinality(event_ids);
    numbers     bigint[];
    as_believed boolean;
    taken       text;
BEGIN
    tail := log_take_tail();

    -- A stream that is new is not looked for, and neither is an answer: their names are unique.
    SELECT array_agg(CASE WHEN b.is_new THEN tail.position + b.first_event ELSE s.id END
                     ORDER BY b.place),
           coalesce(bool_and(h.revision IS NOT DISTINCT FROM b.revision
                             AND h.hash IS NOT DISTINCT FROM b.hash), true)
      INTO STRICT numbers, as_believed
      FROM (SELECT *, revision IS NULL AND first_event IS NOT NULL AS is_new
              FROM unnest(stream_names, stream_revisions_before, stream_hashes_before,
                          stream_first_events)
                   WITH ORDINALITY AS s (name, revision, hash, first_event, place)) AS b
      LEFT JOIN stream s ON s.name = CASE WHEN NOT b.is_new THEN b.name END
      LEFT JOIN LATERAL (
          SELECT e.revision, e.hash FROM event e WHERE e.stream = s.id ORDER BY e.revision DESC LIMIT 1
      ) h ON true;
    IF NOT as_believed THEN
        RETURN NULL;
    END IF;

    BEGIN
        -- The answers first: a command that was answered may name its facts as it did before.
        INSERT INTO command (id, revision, position, accepted_at_us, status, fingerprint, body)
        SELECT a.id, a.revision, tail.position + a.place, a.accepted_at_us, a.status, a.fingerprint,
               a.body
          FROM unnest(command_ids, command_revisions, command_places, command_accepted_at_us,
                      command_statuses, command_fingerprints, command_bodies)
               AS a (id, revision, place, accepted_at_us, status, fingerprint, body);

        INSERT INTO stream (id, name)
        SELECT numbers[b.place], b.name
          FROM unnest(stream_names, stream_revisions_before, stream_first_events)
               WITH ORDINALITY AS b (name, before, first_event, place)
         WHERE b.before IS NULL AND b.first_event IS NOT NULL;

        INSERT INTO event (position, stream, revision, append_end, accepted_at_us, event_id, schema,
                           name, metadata, payload, hash)
        SELECT tail.position + e.place, numbers[e.stream], e.revision, tail.position + e.append_end,
               e.accepted_at_us, e.event_id, e.schema, e.name, e.metadata, e.payload, e.hash
          FROM unnest(event_streams, event_revisions, event_append_ends, event_accepted_at_us,
                      event_ids, event_schemas, event_names, event_metadata, event_payloads,
                      event_hashes)
               WITH ORDINALITY AS e (stream, revision, append_end, accepted_at_us, event_id, schema,
                                     name, metadata, payload, hash, place);
    EXCEPTION WHEN unique_violation THEN
        GET STACKED DIAGNOSTICS taken = CONSTRAINT_NAME;
        IF taken IN ('stream_name_key', 'command_pkey') THEN
            -- What was written here is taken back with the block.
            RETURN NULL;
        END IF;
        RAISE;
    END;

    IF events > 0 THEN
        -- The link of the global chain, byte for byte as docs/event-log-format.md has it.
        SELECT sha256('\x01'::bytea || tail.hash || int8send(tail.batch + 1)
                      || int8send(tail.position + 1) || int8send(tail.position + events)
                      || string_agg(int8send(tail.position + e.place)
                                    || int8send(tail.position + e.append_end) || e.hash,
                                    ''::bytea ORDER BY e.place))
          INTO STRICT tail.hash
          FROM unnest(event_append_ends, event_hashes)
               WITH ORDINALITY AS e (append_end, hash, place);
        INSERT INTO batch (number, first, last, hash)
        VALUES (tail.batch + 1, tail.position + 1, tail.position + events, tail.hash);
        tail.batch := tail.batch + 1;
        tail.position := tail.position + events;
    END IF;
    RETURN tail;
END
$$;

-- Facts for analysts: who was what, when, as JSON. Nothing in the engine reads it.
CREATE VIEW event_json AS
SELECT e.position,
       e.append_end,
       s.name                                                                 AS stream,
       split_part(s.name, '-', 1)                                             AS category,
       e.revision,
       e.event_id,
       e.name,
       e.schema,
       timestamptz 'epoch' + e.accepted_at_us * interval '1 microsecond'      AS accepted_at,
       convert_from(e.metadata, 'UTF8')::jsonb                                AS metadata,
       convert_from(e.payload, 'UTF8')::jsonb                                 AS payload,
       encode(e.hash, 'hex')                                                  AS hash
  FROM event e
  JOIN stream s ON s.id = e.stream;

COMMENT ON VIEW event_json IS 'Every fact in the order in which it was committed, as JSON. The bytes that were hashed stand in the table event.';
COMMENT ON COLUMN event_json.position IS 'Its place in the whole log; there may be gaps.';
COMMENT ON COLUMN event_json.append_end IS 'The position of the last fact that was written together with it.';
COMMENT ON COLUMN event_json.stream IS 'The aggregate that it happened to, as category-uuid.';
COMMENT ON COLUMN event_json.category IS 'The kind of aggregate.';
COMMENT ON COLUMN event_json.revision IS 'Its number in the stream, from 0, without gaps.';
COMMENT ON COLUMN event_json.event_id IS 'Its id, the same on each retry of its command.';
COMMENT ON COLUMN event_json.name IS 'What happened, as aggregate.event.';
COMMENT ON COLUMN event_json.schema IS 'The version of the payload''s shape.';
COMMENT ON COLUMN event_json.accepted_at IS 'When its command was accepted.';
COMMENT ON COLUMN event_json.metadata IS 'Who, because of what: command, causes, actor.';
COMMENT ON COLUMN event_json.payload IS 'The fact.';
COMMENT ON COLUMN event_json.hash IS 'Its link in the stream''s chain, in hexadecimal.';
