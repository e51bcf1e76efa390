-- A column that was added to a feed's table, filled from what is there. Sent through ADBC: parameters are positional;
-- {columns} and the like are filled from the declaration. Columns of ours that stand beside declared ones have a capital
-- letter.

-- name: create_found#
CREATE TEMPORARY TABLE found ({key_definitions}, {added} {added_type}, line_number bigint, file_id bigint) ON COMMIT DROP;

-- name: empty_found#
TRUNCATE found;

-- name: fill
-- A row that is from that line of that file and has no value yet. Of a table whose rows have no line, the row of the key.
WITH filled AS (
    UPDATE {table} AS e SET {added} = f.{added}
    FROM found AS f
    WHERE {same_key_ef} AND e.file_id = f.file_id{same_line} AND e.{added} IS NULL AND f.{added} IS NOT NULL
    RETURNING 1
)
SELECT count(*) AS rows FROM filled;

-- name: kept_values
-- The texts that are kept of the column in the jsonb of rows that have no value yet, some at a time.
SELECT DISTINCT (e.extra ->> $1) COLLATE "C" AS value
FROM {table} AS e
WHERE e.extra ->> $1 COLLATE "C" > $2 AND e.{added} IS NULL
ORDER BY 1
LIMIT 100000;

-- name: create_read#
CREATE TEMPORARY TABLE read_values ("Text" text, {added} {added_type}) ON COMMIT DROP;

-- name: empty_read#
TRUNCATE read_values;

-- name: fill_from_kept
-- What was read is in its column from now on, and nowhere else. What stands for no value is no value.
WITH filled AS (
    UPDATE {table} AS e SET {added} = r.{added}, extra = e.extra - $1
    FROM read_values AS r
    WHERE e.extra ->> $1 = r."Text" AND e.{added} IS NULL
    RETURNING e.{added} IS NOT NULL AS has_value
)
SELECT count(*) FILTER (WHERE has_value) AS rows FROM filled;

-- name: still_kept
SELECT count(*) AS rows FROM {table} AS e WHERE e.extra ? $1;

-- name: loaded_files
-- Of a feed, with the names of their columns as far as they are known.
SELECT file_id, name, state, reason, finished_at, sha256, size_bytes, header
FROM ingested_files WHERE feed = $1 AND state = 'loaded' ORDER BY file_id;
