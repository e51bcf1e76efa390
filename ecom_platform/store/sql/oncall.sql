-- name: is_there$
SELECT to_regclass(:name) IS NOT NULL;

-- name: row_by_key
-- Where a row is stored, and by whom.
SELECT e.file_id, f.name, f.batch_id, b.run_id, e.ingested_at
FROM {table} AS e
LEFT JOIN ingested_files AS f USING (file_id)
LEFT JOIN stream_batches AS b USING (batch_id)
WHERE {key_given};

-- name: rejects_with
-- Refused rows in which the id stands first, however it is written, by the index of this expression.
SELECT r.reject_id, r.file_id, r.file_name, r.line_number, r.reason, r.replayed_at
FROM rejected_events AS r
WHERE substring(lower(encode(r.raw, 'escape')) FROM '[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}')
    = :key
ORDER BY r.reject_id
LIMIT 20;

-- name: files_by_name
SELECT
    f.file_id, f.name, f.state, f.reason, f.finished_at, f.sha256, f.same_bytes_as,
    f.rows_read, f.rows_inserted, f.rows_updated, f.rows_stale, f.rows_duplicate, f.rows_rejected, f.batch_id, b.run_id,
    f.landed_at, f.claimed_at
FROM ingested_files AS f
LEFT JOIN stream_batches AS b USING (batch_id)
WHERE f.name = :name OR f.file_id = :file_id
ORDER BY f.file_id;

-- name: reject_reasons
SELECT reason, count(*) FROM rejected_events WHERE file_id = :file_id GROUP BY reason ORDER BY reason;

-- name: loaded_since
SELECT file_id, name, state, reason, finished_at, sha256, size_bytes
FROM ingested_files
WHERE state = 'loaded' AND finished_at >= :since
ORDER BY file_id;

-- name: reject_at
-- What was refused at a line of a file.
SELECT r.reject_id, r.file_id, r.file_name, r.line_number, r.reason, r.replayed_at
FROM rejected_events AS r
WHERE r.file_id = :file_id AND r.line_number = :line
ORDER BY r.reject_id;

-- name: feeds_with_rejects
SELECT feed, count(*) FROM rejected_events WHERE replayed_at IS NULL GROUP BY feed ORDER BY feed;

-- name: reject_groups
SELECT
    feed,
    reason,
    column_name,
    count(*) AS rows,
    (array_agg(file_name ORDER BY reject_id))[1] AS file_name,
    (array_agg(line_number ORDER BY reject_id))[1] AS line_number,
    (array_agg(raw ORDER BY reject_id))[1] AS raw,
    (array_agg(message ORDER BY reject_id))[1] AS message
FROM rejected_events
WHERE replayed_at IS NULL
GROUP BY feed, reason, column_name
ORDER BY rows DESC, feed, reason, column_name;

-- name: open_rejects
SELECT r.reject_id, r.file_id, r.file_name, r.line_number, r.element, r.raw, r.reason, f.header
FROM rejected_events AS r JOIN ingested_files AS f USING (file_id)
WHERE r.feed = :feed AND r.replayed_at IS NULL AND r.reject_id > :after
ORDER BY r.reject_id
LIMIT :limit;

-- name: lock_reject^
SELECT file_id, reason, place FROM rejected_events
WHERE reject_id = :reject_id AND replayed_at IS NULL
FOR UPDATE;

-- name: mark_replayed!
UPDATE rejected_events SET replayed_at = clock_timestamp() WHERE reject_id = :reject_id;

-- name: account_replayed!
-- One fewer rejected, one more inserted, updated, stale or duplicate: the sum stays.
UPDATE ingested_files
SET
    rows_rejected = rows_rejected - 1,
    rows_conflicting = rows_conflicting - :conflicting,
    rows_inserted = rows_inserted + (:verdict = 'inserted')::int,
    rows_updated = rows_updated + (:verdict = 'updated')::int,
    rows_stale = rows_stale + (:verdict = 'stale')::int,
    rows_duplicate = rows_duplicate + (:verdict = 'duplicate')::int
WHERE file_id = :file_id;

-- name: skip_file_ids$
-- New files get numbers above any that is on disk, so that names never collide.
SELECT setval(
    pg_get_serial_sequence('ingested_files', 'file_id'),
    greatest(:file_id, (SELECT coalesce(max(file_id), 0) FROM ingested_files), 1)
);
