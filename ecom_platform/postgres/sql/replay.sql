-- {columns} and {placeholders} are filled from the declaration of the event.

-- name: refuse_at_once#
SET CONSTRAINTS ALL IMMEDIATE;

-- name: insert_event!
INSERT INTO user_events ({columns}, file_id) VALUES ({placeholders}, %s)
ON CONFLICT (event_id) DO NOTHING;

-- name: same_content
SELECT ROW({columns}) IS NOT DISTINCT FROM ROW({typed_placeholders}) FROM user_events WHERE event_id = %s;
