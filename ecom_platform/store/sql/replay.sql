-- {columns} and {placeholders} are filled from the declaration of the event.

-- name: refuse_at_once#
SET CONSTRAINTS ALL IMMEDIATE;

-- name: insert_event!
INSERT INTO user_events ({columns}, file_id) VALUES ({placeholders}, %s)
ON CONFLICT (event_id) DO NOTHING;

-- name: same_content
SELECT ROW({columns}) IS NOT DISTINCT FROM ROW({typed_placeholders}) FROM user_events WHERE event_id = %s;

-- name: note_event!
-- A row that was stored on behalf of a file that had been loaded before: for what follows from the events, and for the checks
-- that look at what changed.
WITH unchecked AS (
    INSERT INTO unchecked_files (check_name, file_id)
    SELECT c.check_name, e.file_id
    FROM user_events AS e CROSS JOIN narrowed_checks AS c
    WHERE e.event_id = :event_id
)
INSERT INTO pending_events (
    rollup, file_id, sign, user_id, event_type, event_time, price, category, user_device, user_location
)
SELECT
    r.rollup, e.file_id, 1, e.user_id, e.event_type, e.event_time, e.price, e.category, e.user_device,
    e.user_location
FROM user_events AS e CROSS JOIN rollups AS r
WHERE e.event_id = :event_id;
