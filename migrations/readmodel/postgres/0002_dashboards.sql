-- What dashboards and analysts may read: described in docs/operations/dashboards.md, and kept as it
-- is described. Each view shows the active generation only, and no parked key. Where a column comes
-- from "at", an index finds the rows of a span of time; all others are read from each document.

-- A NUL character is lawful in a JSON text and cannot stand in jsonb; here, and only here, it is
-- shown as U+FFFD. A backslash that is itself escaped begins no escape.
CREATE FUNCTION readable_document(document json) RETURNS jsonb
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT CASE
        WHEN strpos(document::text, '\u0000') = 0 THEN document::jsonb
        ELSE regexp_replace(document::text, '(?<!\\)((?:\\\\)*)\\u0000', '\1\\ufffd', 'g')::jsonb
    END
$$;

CREATE VIEW active_documents AS
SELECT g.view, d.key, d.position, d.at, d.until, d.document
FROM generations g
JOIN documents d ON d.generation = g.id
WHERE g.state = 'active'
  AND NOT EXISTS (SELECT FROM parked p WHERE p.generation = d.generation AND p.key = d.key);

CREATE VIEW reservations AS
SELECT r.id AS reservation_id, r.status, r.customer, r.provider, r.offering_id, r.resource_id,
       r.session_id, r.party_size, a.at AS starts_at, a.until AS ends_at,
       tstzrange(a.at, a.until) AS booked, r.zone,
       r.hold_expires_at,
       (r.quote -> 'total' ->> 'amount')::bigint            AS total_minor,
       r.quote -> 'total' ->> 'currency'                    AS currency,
       (r.payment ->> 'order_id')::uuid                     AS order_id,
       r.payment ->> 'status'                               AS payment_status,
       (r.payment -> 'captured' ->> 'amount')::bigint       AS captured_minor,
       (r.payment -> 'refunded' ->> 'amount')::bigint       AS refunded_minor,
       (r.payment -> 'refund_pending' ->> 'amount')::bigint AS refund_pending_minor,
       (r.payment -> 'refund_owed' ->> 'amount')::bigint    AS refund_owed_minor,
       r.payment -> 'captured' ->> 'currency'               AS captured_currency,
       r.payment ->> 'last_decline'                         AS last_decline,
       r.cancellation ->> 'by'                              AS cancelled_by,
       r.cancellation ->> 'reason'                          AS cancellation_reason,
       r.revision, a.position, j.document
FROM active_documents a
CROSS JOIN LATERAL (SELECT readable_document(a.document) AS document OFFSET 0) j
CROSS JOIN LATERAL jsonb_to_record(j.document) AS r (
    id uuid, status text, customer uuid, provider uuid, offering_id uuid, resource_id uuid,
    session_id uuid, party_size bigint, zone text, hold_expires_at timestamptz,
    quote jsonb, payment jsonb, cancellation jsonb, revision bigint)
WHERE a.view = 'reservations';

CREATE VIEW payments AS
SELECT p.order_id, p.reservation_id, p.customer, p.status,
       (p.amount ->> 'amount')::bigint         AS amount_minor,
       p.amount ->> 'currency'                 AS currency,
       (p.captured ->> 'amount')::bigint       AS captured_minor,
       (p.refunded ->> 'amount')::bigint       AS refunded_minor,
       (p.refund_pending ->> 'amount')::bigint AS refund_pending_minor,
       (p.refund_owed ->> 'amount')::bigint    AS refund_owed_minor,
       p.captured ->> 'currency'               AS captured_currency,
       jsonb_array_length(p.attempts)          AS attempts,
       p.attempts -> -1 ->> 'code'             AS last_code,
       (p.attempts -> -1 ->> 'next_try_at')::timestamptz AS next_try_at,
       (p.review -> 'observed' ->> 'amount')::bigint     AS observed_minor,
       p.review -> 'observed' ->> 'currency'             AS observed_currency,
       p.review ->> 'decision'                           AS review_decision,
       p.revision, a.position, j.document
FROM active_documents a
CROSS JOIN LATERAL (SELECT readable_document(a.document) AS document OFFSET 0) j
CROSS JOIN LATERAL jsonb_to_record(j.document) AS p (
    order_id uuid, reservation_id uuid, customer uuid, status text, amount jsonb, captured jsonb,
    refunded jsonb, refund_pending jsonb, refund_owed jsonb, attempts jsonb, review jsonb,
    revision bigint)
WHERE a.view = 'payments';

CREATE VIEW refunds AS
SELECT f.key::uuid AS refund_id, p.order_id, p.reservation_id, p.customer,
       f.value ->> 'status'                       AS status,
       f.value ->> 'reason'                       AS reason,
       (f.value -> 'amount' ->> 'amount')::bigint AS amount_minor,
       f.value -> 'amount' ->> 'currency'         AS currency,
       f.value ->> 'code'                         AS code,
       p.position
FROM payments p
CROSS JOIN LATERAL jsonb_each(p.document -> 'refunds') f;

CREATE VIEW calendar AS
SELECT c.resource_id, c.hold_id, c.reservation_id, c.session_id, c.status,
       tstzrange(c.starts_at, c.ends_at) AS booked,
       a.at AS blocked_from, a.until AS blocked_until, tstzrange(a.at, a.until) AS blocked,
       c.weight, c.expires_at, c.pinned_until,
       CASE c.status WHEN 'held' THEN now() < c.expires_at
                     WHEN 'pinned' THEN now() < c.pinned_until
                     ELSE true END                AS counts_now,
       a.position, j.document
FROM active_documents a
CROSS JOIN LATERAL (SELECT readable_document(a.document) AS document OFFSET 0) j
CROSS JOIN LATERAL jsonb_to_record(j.document) AS c (
    resource_id uuid, hold_id uuid, reservation_id uuid, session_id uuid, status text,
    starts_at timestamptz, ends_at timestamptz, weight bigint, expires_at timestamptz,
    pinned_until timestamptz)
WHERE a.view = 'calendar';

CREATE VIEW resources AS
SELECT r.id AS resource_id, r.owner, r.display_name, r.zone, r.capacity, r.schedule_version,
       r.schedule, r.revision, a.position, j.document
FROM active_documents a
CROSS JOIN LATERAL (SELECT readable_document(a.document) AS document OFFSET 0) j
CROSS JOIN LATERAL jsonb_to_record(j.document) AS r (
    id uuid, owner uuid, display_name text, zone text, capacity bigint, schedule_version bigint,
    schedule jsonb, revision bigint)
WHERE a.view = 'resources';

CREATE VIEW offerings AS
SELECT o.id AS offering_id, o.provider, o.resource_id, o.title, o.kind, o.status, o.version,
       o.duration_minutes,
       (o.price ->> 'amount')::bigint AS price_minor,
       o.price ->> 'currency'         AS currency,
       o.min_notice_minutes, o.booking_window_days, o.booking_deadline_minutes, o.hold_minutes,
       o.capacity, o.revision, a.position, j.document
FROM active_documents a
CROSS JOIN LATERAL (SELECT readable_document(a.document) AS document OFFSET 0) j
CROSS JOIN LATERAL jsonb_to_record(j.document) AS o (
    id uuid, provider uuid, resource_id uuid, title text, kind text, status text, version bigint,
    duration_minutes bigint, price jsonb, min_notice_minutes bigint, booking_window_days bigint,
    booking_deadline_minutes bigint, hold_minutes bigint, capacity bigint, revision bigint)
WHERE a.view = 'offerings';

CREATE VIEW sessions AS
SELECT s.id AS session_id, s.offering_id, s.resource_id,
       a.at AS starts_at, a.until AS ends_at, tstzrange(a.at, a.until) AS held, s.zone,
       s.booking_closes_at, s.capacity, s.min_capacity, s.seats_taken, s.seats_held, s.seats_left,
       s.revision, a.position, j.document
FROM active_documents a
CROSS JOIN LATERAL (SELECT readable_document(a.document) AS document OFFSET 0) j
CROSS JOIN LATERAL jsonb_to_record(j.document) AS s (
    id uuid, offering_id uuid, resource_id uuid, zone text, booking_closes_at timestamptz,
    capacity bigint, min_capacity bigint, seats_taken bigint, seats_held bigint, seats_left bigint, revision bigint)
-- The view keeps its claims as well, as session/hold.
WHERE a.view = 'sessions' AND strpos(a.key, '/') = 0;

CREATE VIEW due AS
SELECT a.key, d.reservation_id, a.at AS due_at, d.in_flight, d.open, a.position
FROM active_documents a
CROSS JOIN LATERAL (SELECT readable_document(a.document) AS document OFFSET 0) j
CROSS JOIN LATERAL jsonb_to_record(j.document) AS d (
    reservation_id uuid, in_flight boolean, open jsonb)
WHERE a.view = 'due';

CREATE VIEW projection_status AS
SELECT g.view, g.version, g.id AS generation, g.state,
       coalesce(CASE g.state WHEN 'active' THEN l.position ELSE g.position END, 0) AS position,
       CASE g.state WHEN 'active' THEN l.epoch ELSE g.epoch END                    AS epoch,
       (SELECT count(*) FROM parked p WHERE p.generation = g.id)                   AS parked,
       l.revision AS registry_revision
FROM generations g
CROSS JOIN live l;
