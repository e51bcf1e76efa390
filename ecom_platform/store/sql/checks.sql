-- name: row_rules^
-- One pass over the rows that are looked at (scope.sql): how many there are, and how many break each rule about a
-- single row, which follow from the declaration (row_conditions).
SELECT count(*) AS rows{broken_rules}
FROM looked_at;

-- name: declared_check^
-- How many rows are looked at, and for how many the declaration's SQL about one row is false.
SELECT count(*), count(*) FILTER (WHERE NOT ({expression})) FROM looked_at

-- name: unique_index$
-- Whether a valid unique index on the key alone, over every row, promises uniqueness.
SELECT EXISTS (
    SELECT
    FROM pg_index AS i
    WHERE i.indrelid = {table_text}::regclass
        AND i.indisunique AND i.indisvalid AND i.indpred IS NULL
        AND (
            SELECT array_agg(a.attname::text ORDER BY a.attname)
            FROM unnest(i.indkey::smallint[]) WITH ORDINALITY AS k (number, place)
            JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = k.number
            WHERE k.place <= i.indnkeyatts
        ) = {key_array}
);

-- name: id_counts^
SELECT count(*), count(DISTINCT ({key})) FROM {table};

-- name: unbalanced_files
-- Files whose counts do not add up; of one feed, or of all.
SELECT file_id, name, rows_read, rows_inserted + rows_updated + rows_stale + rows_duplicate + rows_rejected AS accounted
FROM ingested_files
WHERE rows_read <> rows_inserted + rows_updated + rows_stale + rows_duplicate + rows_rejected
    AND (:feed::text IS NULL OR feed = :feed)
ORDER BY file_id;

-- name: ledger_sums^
SELECT
    count(*) AS files,
    coalesce(sum(rows_read), 0)::bigint AS read,
    coalesce(sum(rows_inserted + rows_updated + rows_stale), 0)::bigint AS inserted,
    coalesce(sum(rows_duplicate), 0)::bigint AS duplicate,
    coalesce(sum(rows_rejected), 0)::bigint AS rejected,
    (SELECT count(*) FROM rejected_events WHERE :feed::text IS NULL OR feed = :feed)::bigint AS reject_rows
FROM ingested_files
WHERE :feed::text IS NULL OR feed = :feed;

-- name: half_read_conflicts#
-- Part of the next two: conflicts of a file that had grown since it was read, with what was stored of it before. It is
-- the same inode. Replayed or gone, they are over.
FROM ingested_files AS half
JOIN ingested_files AS again
    ON again.claimed_inode = half.claimed_inode AND again.file_id > half.file_id AND again.feed = {feed_text}
JOIN rejected_events AS r
    ON r.file_id = again.file_id AND r.reason = 'id_conflict' AND r.replayed_at IS NULL
        AND half.landed_again_at IS NOT NULL

-- name: half_read_rows
-- Where the key is one UUID, it is found in the bytes of the reject, and with it the row.
SELECT again.file_id, again.name, r.line_number, e.{key}::text
{half_read_conflicts}
JOIN {table} AS e ON e.file_id = half.file_id AND e.{key} = substring(
    lower(encode(r.raw, 'escape')) FROM '[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}'
)::uuid
ORDER BY again.file_id, r.line_number;

-- name: half_read_lines
-- Of any other key the files alone are known.
SELECT again.file_id, again.name, r.line_number, NULL
{half_read_conflicts}
ORDER BY again.file_id, r.line_number;

-- name: any_lost$
-- Whether rows were deleted of which it is not known that they came back.
SELECT EXISTS ({lost}) OR EXISTS (SELECT FROM lost_files);

-- name: lost#
-- Part of the others: what was deleted of this feed, by its key.
SELECT FROM {lost_rows} AS l WHERE {lost_feed}

-- name: what_came_back#
-- Part of the next two: by file, rows that it lost and that are there again.
rows_back AS (
    DELETE FROM {lost_rows} AS l
    USING looked_at AS e
    WHERE {lost_feed} AND {lost_key}
    RETURNING l.file_id, l.file_id <> e.file_id AS moved
),
files_back AS (
    DELETE FROM lost_files AS l
    USING ingested_files AS f
    WHERE f.file_id = l.file_id AND f.feed = {feed_text} AND EXISTS (
        SELECT FROM ingested_files AS twin
        WHERE twin.feed = f.feed AND twin.sha256 = f.sha256 AND twin.state = 'loaded' AND twin.file_id <> f.file_id
            AND twin.finished_at > l.lost_at
    )
    RETURNING l.file_id, l.rows
),
back AS (
    SELECT file_id, sum(rows)::bigint AS rows
    FROM (
        SELECT file_id, 1 AS rows FROM rows_back WHERE moved
        UNION ALL
        SELECT file_id, rows FROM files_back
    ) AS either
    GROUP BY file_id
)

-- name: files_short#
-- Part of them, too: no more than a file is short of.
FROM back AS b
    JOIN looked_at_files AS f USING (file_id)
    LEFT JOIN (
        SELECT file_id, count(*) AS rows FROM looked_at WHERE file_id IN (SELECT file_id FROM back) GROUP BY file_id
    ) AS e USING (file_id)

-- name: follow_lost!
-- Rows that a file lost and another one brought back count where they are now; the first file had them, too, so there
-- they are duplicates. No more than a file is short of: a row that was added and deleted by hand never counted. Back
-- in the file that lost it, a row was restored by hand, and counts as it did. Where the ids of what was lost are not
-- known, a file of the same bytes that was loaded since has brought all of them back, or found them.
WITH {what_came_back},
short AS (
    SELECT b.file_id, least(b.rows, f.rows_inserted - coalesce(e.rows, 0)) AS rows
    {files_short}
)
UPDATE ingested_files AS f
SET rows_inserted = f.rows_inserted - s.rows, rows_duplicate = f.rows_duplicate + s.rows
FROM short AS s
WHERE f.file_id = s.file_id AND s.rows > 0;

-- name: follow_lost_of_newer!
-- The same where rows take the place of others, and a file may have lost a row that it did not insert.
WITH {what_came_back},
short AS (
    SELECT b.file_id, least(b.rows, {ledger_rows} - coalesce(e.rows, 0)) AS rows
    {files_short}
)
INSERT INTO replaced_rows AS r (file_id, by_file_id, rows)
SELECT file_id, 0, rows FROM short WHERE rows > 0
ON CONFLICT (file_id, by_file_id) DO UPDATE SET rows = r.rows + excluded.rows;

-- name: files_that_differ
-- Of the files that are looked at (scope.sql), those of which the table holds another number of rows than the
-- ledger says it has of them.
SELECT
    coalesce(l.file_id, t.file_id) AS file_id,
    coalesce(l.name, '(not in the ledger)') AS name,
    coalesce(l.rows, 0) AS expected,
    coalesce(t.rows, 0) AS found
FROM (SELECT f.file_id, f.name, {ledger_rows} AS rows FROM looked_at_files AS f) AS l
FULL JOIN (SELECT file_id, count(*) AS rows FROM looked_at GROUP BY file_id) AS t USING (file_id)
WHERE coalesce(l.rows, 0) <> coalesce(t.rows, 0)
ORDER BY 1;

-- name: rejects_that_differ
-- The same for rows that were rejected.
SELECT
    coalesce(l.file_id, r.file_id) AS file_id,
    coalesce(l.name, '(not in the ledger)') AS name,
    coalesce(l.rows_rejected, 0) AS expected,
    coalesce(r.rows, 0) AS found
FROM (
    SELECT file_id, name, rows_rejected FROM ingested_files WHERE rows_rejected > 0 AND feed = {feed_text}
) AS l
FULL JOIN (
    SELECT file_id, count(*) AS rows
    FROM rejected_events
    WHERE replayed_at IS NULL AND feed = {feed_text}
    GROUP BY file_id
) AS r USING (file_id)
WHERE coalesce(l.rows_rejected, 0) <> coalesce(r.rows, 0)
ORDER BY 1;

-- name: newest_load$
SELECT max(finished_at) FROM ingested_files WHERE state = 'loaded' AND (:feed::text IS NULL OR feed = :feed);

-- name: newest_rejects
-- Rows read and rejected by the newest run that loaded anything, of one feed or of all, as they stand now: replays
-- count. One row a file of which too large a share is rejected, the worst first; before them, file_id null, the sums
-- of all.
SELECT
    f.file_id,
    max(f.name) AS name,
    coalesce(sum(f.rows_read), 0)::bigint AS rows_read,
    coalesce(sum(f.rows_rejected), 0)::bigint AS rejected
FROM ingested_files AS f
JOIN stream_batches AS b USING (batch_id)
WHERE f.state = 'loaded' AND (:feed::text IS NULL OR f.feed = :feed) AND b.run_id = (
    SELECT newest.run_id
    FROM stream_batches AS newest
    WHERE :feed::text IS NULL OR EXISTS (
        SELECT FROM ingested_files AS of_feed WHERE of_feed.batch_id = newest.batch_id AND of_feed.feed = :feed
    )
    ORDER BY newest.batch_id DESC
    LIMIT 1
)
GROUP BY GROUPING SETS ((), (f.file_id))
HAVING f.file_id IS NULL OR sum(f.rows_rejected) > :limit::float8 * sum(f.rows_read)
ORDER BY f.file_id IS NOT NULL, rejected DESC, f.file_id;

-- name: files_to_compare
-- The newest files of a feed, newest first, with what is known of each, and whether the newest run that loaded any
-- of them has loaded it within the day up to the newest: the live mode is one run for weeks. Files with the bytes of
-- another say nothing new and are left out.
SELECT
    f.file_id,
    f.name,
    f.landed_at,
    f.rows_read,
    f.rows_duplicate,
    f.rows_rejected,
    f.profile,
    b.run_id = first_value(b.run_id) OVER newest_first
    AND f.finished_at > first_value(f.finished_at) OVER newest_first - interval '1 day' AS of_newest_run
FROM ingested_files AS f
JOIN stream_batches AS b USING (batch_id)
WHERE f.state = 'loaded' AND f.feed = :feed AND f.same_bytes_as IS NULL
WINDOW newest_first AS (ORDER BY f.file_id DESC)
ORDER BY f.file_id DESC
LIMIT :files;

-- name: files_around
-- The files of a feed that landed nearest to a moment, of those before a file, in the order in which they came. That
-- of finished_at has an index, and a file is loaded within a day of its landing, or it says little about that hour.
SELECT near.*
FROM (
    SELECT f.file_id, f.name, f.landed_at, f.rows_read, f.rows_duplicate, f.rows_rejected, f.profile
    FROM ingested_files AS f
    WHERE f.state = 'loaded' AND f.feed = :feed AND f.same_bytes_as IS NULL AND f.file_id < :before
        AND f.landed_at BETWEEN :moment::timestamptz - :reach::interval AND :moment::timestamptz + :reach::interval
        AND f.finished_at BETWEEN :moment::timestamptz - :reach::interval
        AND :moment::timestamptz + :reach::interval + interval '1 day'
    ORDER BY abs(extract(epoch FROM f.landed_at - :moment::timestamptz)), f.file_id
    LIMIT :files
) AS near
ORDER BY near.file_id;
