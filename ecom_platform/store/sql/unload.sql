-- What some files brought, taken out of their feed's table and its ledger. Sent through ADBC: parameters are
-- positional, files are an array of their ids as text; {columns} and the like are filled from the declaration.

-- name: create_unloaded#
CREATE TEMPORARY TABLE unloaded (LIKE {table}) ON COMMIT DROP;

-- name: fill_unloaded!
INSERT INTO unloaded SELECT * FROM {table} WHERE file_id = ANY ($1::text::bigint[]);

-- name: index_unloaded#
ALTER TABLE unloaded ADD PRIMARY KEY ({key});

-- name: delete_rows!
DELETE FROM {table} WHERE file_id = ANY ($1::text::bigint[]);

-- name: counted
SELECT
    (SELECT count(*) FROM unloaded) AS rows,
    count(*) AS rejects,
    count(*) FILTER (WHERE replayed_at IS NOT NULL) AS replayed
FROM rejected_events WHERE file_id = ANY ($1::text::bigint[]);

-- name: create_contested#
-- Rows of other files that have the key of one that is gone, and what they were beside it.
CREATE TEMPORARY TABLE contested ({definitions}, line_number bigint, file_id bigint, "Conflict" boolean) ON COMMIT DROP;

-- name: fill_contested!
-- A line that was refused for another reason stays refused, and one that was corrected is another row.
INSERT INTO contested
SELECT s.*, r.reject_id IS NOT NULL
FROM staged AS s
JOIN unloaded AS t ON {same_key_t}
LEFT JOIN rejected_events AS r ON r.file_id = s.file_id AND r.place = s.line_number
WHERE r.reject_id IS NULL
    OR (r.replayed_at IS NULL AND r.reason = 'id_conflict')
    OR (r.replayed_at IS NOT NULL AND ROW({compared_s}) IS NOT DISTINCT FROM ROW({compared_t}));

-- name: forget_replayed!
-- One that was replayed as it stands is a duplicate like any other.
UPDATE contested AS c SET "Conflict" = false
FROM rejected_events AS r
WHERE r.file_id = c.file_id AND r.place = c.line_number AND r.replayed_at IS NOT NULL;

-- name: insert_contested!
-- Of each key the first row by file and line, as if the files had been loaded without the one that is gone.
WITH inserted AS (
    INSERT INTO {table} ({columns}, file_id)
    SELECT DISTINCT ON ({key}) {columns}, file_id FROM contested ORDER BY {key}, file_id, line_number
    ON CONFLICT ({key}) DO NOTHING
    RETURNING {key}
)
INSERT INTO fresh SELECT {key} FROM inserted;

-- name: create_verdicts#
CREATE TEMPORARY TABLE verdicts ON COMMIT DROP AS
SELECT
    s.file_id,
    s.line_number,
    s."Conflict",
    CASE WHEN s."Copy" = 1 AND f.fresh THEN 'inserted' ELSE {verdict} END AS verdict
FROM (
    SELECT contested.*, row_number() OVER (PARTITION BY {key} ORDER BY file_id, line_number) AS "Copy" FROM contested
) AS s
LEFT JOIN LATERAL (SELECT true AS fresh FROM fresh AS f WHERE {same_key_f}) AS f ON true
{stored};

-- name: account!
UPDATE ingested_files AS f
SET
    rows_inserted = f.rows_inserted + v.inserted,
    rows_duplicate = f.rows_duplicate + v.duplicate,
    rows_duplicate_within = f.rows_duplicate_within + v.within,
    rows_rejected = f.rows_rejected + v.conflicting,
    rows_conflicting = f.rows_conflicting + v.conflicting
FROM (
    SELECT
        file_id,
        count(*) FILTER (WHERE verdict = 'inserted') AS inserted,
        count(*) FILTER (WHERE verdict IN ('within', 'across')) - count(*) FILTER (WHERE NOT "Conflict") AS duplicate,
        count(*) FILTER (WHERE verdict = 'within') AS within,
        count(*) FILTER (WHERE verdict = 'conflict') - count(*) FILTER (WHERE "Conflict") AS conflicting
    FROM verdicts GROUP BY file_id
) AS v
WHERE f.file_id = v.file_id;

-- name: forget_conflicts!
DELETE FROM rejected_events AS r
USING verdicts AS v
WHERE r.file_id = v.file_id AND r.place = v.line_number AND r.replayed_at IS NULL
    AND v."Conflict" AND v.verdict <> 'conflict';

-- name: new_conflicts
SELECT file_id, line_number FROM verdicts WHERE verdict = 'conflict' AND NOT "Conflict" ORDER BY 1, 2;

-- name: add_conflict!
INSERT INTO rejected_events (file_id, file_name, line_number, element, raw, reason, column_name, feed)
VALUES ($1, $2, $3, nullif($4, -1), $5, 'id_conflict', $6, $7)
ON CONFLICT (file_id, place) DO NOTHING;

-- name: brought_back
SELECT v.file_id, f.name, count(*) AS rows
FROM verdicts AS v JOIN ingested_files AS f USING (file_id)
WHERE v.verdict = 'inserted' GROUP BY v.file_id, f.name ORDER BY v.file_id;

-- name: note_unchecked!
INSERT INTO unchecked_files (check_name, file_id)
SELECT c.check_name, v.file_id
FROM (SELECT DISTINCT file_id FROM verdicts WHERE verdict = 'inserted') AS v
JOIN narrowed_checks AS c ON c.feed = {feed_text};

-- name: is_told$
SELECT EXISTS (
    SELECT FROM pg_proc AS p
    WHERE p.proname = $1 AND p.pronamespace = ANY (current_schemas(false)::regnamespace[])
) AS told;

-- name: tell_of_rows
-- As of rows that a replay stores.
SELECT count({told_of_replays}({key_f})) FROM fresh AS f;

-- name: settle_lost!
-- Rows that were deleted from the file that has them again count there as they did.
WITH back AS (
    DELETE FROM {lost_rows} AS l
    USING {table} AS e, fresh AS f
    WHERE {same_key_ef} AND {lost_feed} AND {lost_key} AND l.file_id = e.file_id
    RETURNING l.file_id
)
UPDATE ingested_files AS i
SET rows_inserted = i.rows_inserted - b.rows, rows_duplicate = i.rows_duplicate + b.rows
FROM (SELECT file_id, count(*) AS rows FROM back GROUP BY file_id) AS b
WHERE i.file_id = b.file_id;

-- name: forget_lost!
-- The triggers of the table have noted what was deleted here.
DELETE FROM {lost_rows} AS l WHERE {lost_feed} AND l.file_id = ANY ($1::text::bigint[]);

-- name: forget_rejects!
DELETE FROM rejected_events WHERE file_id = ANY ($1::text::bigint[]);

-- name: forget_twins!
UPDATE ingested_files AS f
SET same_bytes_as = (
    SELECT min(t.file_id) FROM ingested_files AS t
    WHERE t.sha256 = f.sha256 AND t.state = 'loaded' AND t.feed = f.feed AND t.file_id < f.file_id
        AND t.file_id <> ALL ($1::text::bigint[])
)
WHERE f.same_bytes_as = ANY ($1::text::bigint[]);

-- name: forget_files!
DELETE FROM ingested_files WHERE file_id = ANY ($1::text::bigint[]);

-- name: may_hold_others
-- Loaded files of the feed of which rows were held against rows of other files.
SELECT file_id, name, state, reason, finished_at, sha256, size_bytes
FROM ingested_files
WHERE feed = $1 AND state = 'loaded' AND file_id <> ALL ($2::text::bigint[])
    AND (rows_duplicate > rows_duplicate_within OR rows_conflicting > 0)
ORDER BY file_id;
