-- {columns} and {placeholders} are filled from the declaration of the feed.

-- name: refuse_at_once#
SET CONSTRAINTS ALL IMMEDIATE;

-- name: insert_row!
INSERT INTO {table} ({columns}, file_id) VALUES ({placeholders}, %s)
ON CONFLICT ({key}) DO NOTHING;

-- name: insert_row_with_line!
-- Where a later row takes the place of the stored one: of this one the line is kept as well.
INSERT INTO {table} ({columns}, line_number, file_id) VALUES ({placeholders}, %s, %s)
ON CONFLICT ({key}) DO NOTHING;

-- name: lock_stored#
SELECT FROM {table} AS e WHERE {key_given} FOR NO KEY UPDATE;

-- name: beside_stored
-- Whose the stored row is, whether it has the same content, and whether the given one is behind it in the order of rows
-- (newer_rows.sql); nothing where none is stored.
SELECT
    t.file_id,
    ROW({compared_s}) IS NOT DISTINCT FROM ROW({compared_t}),
    {is_later}
FROM (
    SELECT v.*, o."Landed", o."Landing"
    FROM (VALUES ({typed_placeholders}, %s::bigint, %s::bigint)) AS v ({columns}, line_number, file_id)
    JOIN LATERAL (
        SELECT coalesce(f.ordered_at, f.landed_at) AS "Landed", coalesce(f.ordered_as, f.file_id) AS "Landing"
        FROM ingested_files AS f WHERE f.file_id = v.file_id
    ) AS o ON true
) AS s
JOIN LATERAL (
    SELECT
        e.*, coalesce(f.ordered_at, f.landed_at, '-infinity') AS "Landed",
        coalesce(f.ordered_as, e.file_id) AS "Landing"
    FROM {table} AS e LEFT JOIN ingested_files AS f ON f.file_id = e.file_id
    WHERE {same_key}
) AS t ON true;

-- name: replace_row!
UPDATE {table} AS e
SET ({columns}, line_number, file_id, ingested_at) = ROW({typed_placeholders}, %s::bigint, %s::bigint, now())
WHERE {key_given};

-- name: note_replaced!
INSERT INTO replaced_rows AS r (file_id, by_file_id, rows) VALUES (:file_id, :by_file_id, 1)
ON CONFLICT (file_id, by_file_id) DO UPDATE SET rows = r.rows + 1;

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

-- name: settle_lost_of_newer!
-- The same where rows take the place of others.
WITH back AS (
    DELETE FROM {lost_rows} AS l USING {table} AS e
    WHERE {key_given} AND {lost_feed} AND {lost_key} AND l.file_id = %s
    RETURNING l.file_id
)
INSERT INTO replaced_rows AS r (file_id, by_file_id, rows) SELECT file_id, 0, count(*) FROM back GROUP BY file_id
ON CONFLICT (file_id, by_file_id) DO UPDATE SET rows = r.rows + excluded.rows;
