-- {columns} and {placeholders} are filled from the declaration of the feed.

-- name: refuse_at_once#
SET CONSTRAINTS ALL IMMEDIATE;

-- name: insert_row!
INSERT INTO {table} ({columns}, file_id) VALUES ({placeholders}, %s)
ON CONFLICT ({key}) DO NOTHING;

-- name: same_content
SELECT ROW({columns}) IS NOT DISTINCT FROM ROW({typed_placeholders}) FROM {table} AS e WHERE {key_given};

-- name: note_unchecked!
-- A row that was stored on behalf of a file that had been loaded before: for the checks that look at what changed.
INSERT INTO unchecked_files (check_name, file_id)
SELECT c.check_name, :file_id FROM narrowed_checks AS c WHERE c.feed = :feed;

-- name: is_there$
-- Whether somebody wants to know of rows of a feed that are stored by a replay: a function of the row's key.
SELECT EXISTS (
    SELECT FROM pg_proc AS p
    WHERE p.proname = :name AND p.pronamespace = ANY (current_schemas(false)::regnamespace[])
);

-- name: tell_of_replay
SELECT {told_of_replays}({key_placeholders});

-- name: file_of_key
SELECT e.file_id FROM {table} AS e WHERE {key_given};

-- name: settle_lost!
-- The file lost this row before, and counts it anew with the reject.
WITH back AS (
    DELETE FROM {lost_rows} AS l USING {table} AS e
    WHERE {key_given} AND {lost_feed} AND {lost_key} AND l.file_id = %s
    RETURNING l.file_id
)
UPDATE ingested_files AS f
SET rows_inserted = f.rows_inserted - 1, rows_duplicate = f.rows_duplicate + 1
FROM back AS b
WHERE f.file_id = b.file_id;
