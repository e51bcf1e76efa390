-- What a check looks at: the whole of a feed's table, or the files whose rows changed since it last did.

-- name: lock_check^
-- For the session, since a transaction that waited for it would have taken its snapshot before.
SELECT pg_advisory_lock(hashtextextended(
    'ecom_platform check ' || CASE current_schema() WHEN 'public' THEN '' ELSE current_schema() || '.' END || :check, 0
));

-- name: newest_whole^
-- When the check last found the whole table right, and how many seconds ago that was.
SELECT checked_at, extract(epoch FROM clock_timestamp() - checked_at)::float8
FROM whole_checks WHERE check_name = :check;

-- name: rows_by_the_ledger$
-- Of one feed, or of all.
SELECT coalesce(sum(rows_inserted), 0)::bigint FROM ingested_files WHERE :feed::text IS NULL OR feed = :feed;

-- name: stored_rows$
SELECT count(*) FROM {table};

-- name: look_at_all#
CREATE TEMPORARY VIEW looked_at AS SELECT * FROM {table};
CREATE TEMPORARY VIEW looked_at_files AS SELECT * FROM ingested_files WHERE feed = {feed_text};

-- name: create_changed_files#
CREATE TEMPORARY TABLE changed_files (file_id bigint PRIMARY KEY) ON COMMIT DROP;

-- name: fill_changed_files!
INSERT INTO changed_files SELECT DISTINCT file_id FROM unchecked_files WHERE check_name = :check;

-- name: look_at_changed#
-- The rows of a file lie together: through the block-range index, a span of files at a time. OFFSET 0 keeps it so.
CREATE TEMPORARY VIEW looked_at AS
SELECT e.*
FROM (
    SELECT min(file_id) AS first, max(file_id) AS last
    FROM (SELECT file_id, file_id - row_number() OVER (ORDER BY file_id) AS island FROM changed_files) AS numbered
    GROUP BY island
) AS span
CROSS JOIN LATERAL (
    SELECT * FROM {table} AS u WHERE u.file_id BETWEEN span.first AND span.last OFFSET 0
) AS e;
CREATE TEMPORARY VIEW looked_at_files AS
SELECT * FROM ingested_files JOIN changed_files USING (file_id) WHERE feed = {feed_text};
SET LOCAL enable_seqscan = off;

-- name: forget_notes!
-- Those that this snapshot sees; what changed meanwhile stays noted.
DELETE FROM unchecked_files WHERE check_name = :check;

-- name: record_whole!
INSERT INTO whole_checks (check_name) VALUES (:check)
ON CONFLICT (check_name) DO UPDATE SET checked_at = clock_timestamp();

-- name: forget_whole!
-- A check that was not right looks at the whole until that is right. Of one with notes, a look at what changed keeps
-- those that it saw: the next look is at the same rows.
DELETE FROM whole_checks
WHERE check_name = :check AND (:whole OR :check NOT IN (SELECT n.check_name FROM narrowed_checks AS n));

-- name: only_read#
-- Until the end of a savepoint.
SET LOCAL transaction_read_only = on;
SET LOCAL statement_timeout = '60s';
