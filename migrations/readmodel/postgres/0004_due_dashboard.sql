-- A row of this view is a deadline. The documents also remember which bookings were reinstated;
-- those that nothing is due about stand in no list.
CREATE OR REPLACE VIEW due AS
SELECT a.key, d.reservation_id, a.at AS due_at, d.in_flight, d.open, a.position
FROM active_documents a
CROSS JOIN LATERAL (SELECT readable_document(a.document) AS document OFFSET 0) j
CROSS JOIN LATERAL jsonb_to_record(j.document) AS d (
    reservation_id uuid, in_flight boolean, open jsonb)
WHERE a.view = 'due' AND a.at IS NOT NULL;
