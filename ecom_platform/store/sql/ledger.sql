-- name: register_files
-- One that was brought back keeps the landing that it had.
INSERT INTO ingested_files (
    name, feed, size_bytes, landed_at, claimed_mtime_ns, claimed_inode, ordered_at, ordered_as
)
SELECT f.name, f.feed, f.size_bytes, f.landed_at, f.mtime_ns, f.inode, r.ordered_at, r.ordered_as
FROM unnest(
    :names::text[], :feeds::text[], :sizes::bigint[], :landed_at::timestamptz[], :mtimes_ns::bigint[], :inodes::bigint[]
) WITH ORDINALITY AS f (name, feed, size_bytes, landed_at, mtime_ns, inode, position)
LEFT JOIN returned_files AS r
    ON r.inode = f.inode AND r.size_bytes = f.size_bytes AND r.mtime_ns = f.mtime_ns
ORDER BY f.position
RETURNING file_id, name;

-- name: note_returned!
-- A file that is about to land once more, and has landed before: as the file of the ledger, or as that was noted.
INSERT INTO returned_files (inode, size_bytes, mtime_ns, ordered_at, ordered_as)
SELECT :inode, :size, :mtime_ns, coalesce(f.ordered_at, f.landed_at), coalesce(f.ordered_as, f.file_id)
FROM ingested_files AS f WHERE f.file_id = :file_id
ON CONFLICT (inode) DO UPDATE
SET size_bytes = excluded.size_bytes, mtime_ns = excluded.mtime_ns, ordered_at = excluded.ordered_at,
    ordered_as = excluded.ordered_as, noted_at = excluded.noted_at;

-- name: note_returned_unknown!
-- The same of one that the ledger does not know.
INSERT INTO returned_files (inode, size_bytes, mtime_ns, ordered_at, ordered_as)
VALUES (:inode, :size, :mtime_ns, :ordered_at, :ordered_as)
ON CONFLICT (inode) DO UPDATE
SET size_bytes = excluded.size_bytes, mtime_ns = excluded.mtime_ns, ordered_at = excluded.ordered_at,
    ordered_as = excluded.ordered_as, noted_at = excluded.noted_at;

-- name: note_moved!
-- The same of one that was noted under another inode, as that was noted.
INSERT INTO returned_files (inode, size_bytes, mtime_ns, ordered_at, ordered_as)
SELECT :inode, :size, :mtime_ns, ordered_at, ordered_as FROM returned_files WHERE inode = :former_inode
ON CONFLICT (inode) DO UPDATE
SET size_bytes = excluded.size_bytes, mtime_ns = excluded.mtime_ns, ordered_at = excluded.ordered_at,
    ordered_as = excluded.ordered_as, noted_at = excluded.noted_at;

-- name: noted_returns
SELECT inode, mtime_ns FROM returned_files WHERE inode = ANY(:inodes::bigint[]);

-- name: stamp_file!
UPDATE ingested_files
SET size_bytes = :size, claimed_mtime_ns = :mtime_ns, claimed_inode = :inode
WHERE file_id = :file_id AND state = 'claimed';

-- name: claimed_files
SELECT f.file_id, f.name, f.size_bytes, f.landed_at, o.key, o.etag
FROM ingested_files AS f
LEFT JOIN claimed_objects AS o USING (file_id)
WHERE f.state = 'claimed'
ORDER BY f.file_id;

-- name: leftovers
SELECT name, size_bytes, landed_at
FROM ingested_files
WHERE state = 'claimed' AND file_id = ANY(:file_ids)
ORDER BY file_id;

-- name: file_states
SELECT file_id, name, state, reason, finished_at, sha256, size_bytes, claimed_mtime_ns, claimed_inode
FROM ingested_files
WHERE file_id = ANY(:file_ids);

-- name: lock_file^
SELECT file_id, name, state, reason, finished_at, sha256, size_bytes, claimed_mtime_ns, claimed_inode
FROM ingested_files
WHERE file_id = :file_id
FOR UPDATE;

-- name: zone_id$
SELECT zone_id FROM landing_zone;

-- name: set_zone_id!
INSERT INTO landing_zone (zone_id) VALUES (:zone_id)
ON CONFLICT (only_one) DO UPDATE SET zone_id = excluded.zone_id, since = excluded.since;

-- name: has_files$
SELECT EXISTS (SELECT FROM ingested_files);

-- name: newest_by_name
SELECT DISTINCT ON (name) file_id, name, state, reason, finished_at, sha256, size_bytes
FROM ingested_files
WHERE name = ANY(:names)
ORDER BY name, file_id DESC;

-- name: landed_files
SELECT file_id, name, landed_at
FROM ingested_files
WHERE name = ANY(:names)
ORDER BY file_id;

-- name: quarantined_for
SELECT file_id, name
FROM ingested_files
WHERE state = 'quarantined' AND feed = :feed AND split_part(reason, ':', 1) = ANY(:reasons)
ORDER BY file_id;

-- name: finished_since
(
    SELECT file_id, name, state, reason, finished_at, sha256, size_bytes, claimed_mtime_ns, claimed_inode
    FROM ingested_files
    WHERE state = 'loaded' AND finished_at >= :since
    ORDER BY finished_at DESC
    LIMIT :limit
)
UNION ALL
(
    SELECT file_id, name, state, reason, finished_at, sha256, size_bytes, claimed_mtime_ns, claimed_inode
    FROM ingested_files
    WHERE state = 'quarantined' AND finished_at >= :since
    ORDER BY finished_at DESC
    LIMIT :limit
);

-- name: loaded_files
SELECT file_id, name, state, reason, finished_at, sha256, size_bytes
FROM ingested_files
WHERE state = 'loaded' AND (:since::timestamptz IS NULL OR finished_at >= :since);

-- name: loaded_count$
SELECT count(*) FROM ingested_files WHERE state = 'loaded';

-- name: note_touched!
UPDATE ingested_files SET claimed_mtime_ns = :mtime_ns WHERE file_id = :file_id;

-- name: note_landed_again!
UPDATE ingested_files SET landed_again_at = clock_timestamp() WHERE file_id = :file_id;

-- name: claim_objects
-- Of each key that nobody has claimed; a claim that is under way elsewhere is waited for.
INSERT INTO claimed_objects (file_id, key, etag, size_bytes)
SELECT file_id, key, etag, size_bytes
FROM unnest(:file_ids::bigint[], :keys::text[], :etags::text[], :sizes::bigint[]) AS o (file_id, key, etag, size_bytes)
ORDER BY key
ON CONFLICT (key) DO NOTHING
RETURNING file_id;

-- name: claim_versions
-- The same where objects stay: of each key whose version is another than the one that was loaded last.
INSERT INTO claimed_objects (file_id, key, etag, size_bytes)
SELECT file_id, key, etag, size_bytes
FROM unnest(:file_ids::bigint[], :keys::text[], :etags::text[], :sizes::bigint[]) AS o (file_id, key, etag, size_bytes)
ORDER BY key
ON CONFLICT (key) DO UPDATE
SET file_id = excluded.file_id, etag = excluded.etag, size_bytes = excluded.size_bytes, tagged_at = NULL
WHERE claimed_objects.etag <> excluded.etag
    AND EXISTS (
        SELECT FROM ingested_files AS f WHERE f.file_id = claimed_objects.file_id AND f.state <> 'claimed'
    )
RETURNING file_id;

-- name: forget_files!
DELETE FROM ingested_files WHERE file_id = ANY(:file_ids) AND state = 'claimed';

-- name: claimed_objects
-- All, or those of some files.
SELECT file_id, key, etag, size_bytes
FROM claimed_objects
WHERE :file_ids::bigint[] IS NULL OR file_id = ANY(:file_ids)
ORDER BY file_id;

-- name: untagged_objects
-- Of finished files, all or some of them, those that have no tag yet, and what became of the file.
SELECT o.file_id, o.key, o.etag, o.size_bytes, f.state
FROM claimed_objects AS o
JOIN ingested_files AS f USING (file_id)
WHERE o.tagged_at IS NULL AND f.state <> 'claimed' AND (:file_ids::bigint[] IS NULL OR o.file_id = ANY(:file_ids))
ORDER BY o.file_id;

-- name: note_tagged!
UPDATE claimed_objects SET tagged_at = clock_timestamp() WHERE file_id = ANY(:file_ids);

-- name: release_objects!
DELETE FROM claimed_objects WHERE file_id = ANY(:file_ids);

-- name: highest_file_id$
SELECT coalesce(pg_sequence_last_value(pg_get_serial_sequence('ingested_files', 'file_id')::regclass), 0);

-- name: quarantine_file!
UPDATE ingested_files
SET state = 'quarantined', reason = :reason, finished_at = clock_timestamp()
WHERE file_id = :file_id AND state = 'claimed';

-- name: forget_file!
DELETE FROM ingested_files WHERE file_id = :file_id AND state = 'claimed';

-- name: totals
-- Sums over some files, by feed.
SELECT
    feed,
    count(*) AS files,
    count(*) FILTER (WHERE state = 'loaded') AS loaded,
    count(*) FILTER (WHERE state = 'quarantined') AS quarantined,
    coalesce(sum(rows_read), 0)::bigint AS rows_read,
    coalesce(sum(rows_inserted), 0)::bigint AS rows_inserted,
    coalesce(sum(rows_updated), 0)::bigint AS rows_updated,
    coalesce(sum(rows_stale), 0)::bigint AS rows_stale,
    coalesce(sum(rows_duplicate), 0)::bigint AS rows_duplicate,
    coalesce(sum(rows_rejected), 0)::bigint AS rows_rejected
FROM ingested_files
WHERE file_id = ANY(:file_ids)
GROUP BY feed
ORDER BY feed;

-- name: refused_files
-- Which of some files were quarantined, and why.
SELECT file_id, name, reason FROM ingested_files
WHERE file_id = ANY(:file_ids) AND state = 'quarantined'
ORDER BY file_id;

-- name: start_batch$
INSERT INTO stream_batches (query, query_batch_id, run_id)
VALUES (:query, :query_batch_id, :run_id)
RETURNING batch_id;

-- name: finish_batch!
UPDATE stream_batches
SET
    files = :files,
    rows = :rows,
    rows_inserted = :rows_inserted,
    rows_updated = :rows_updated,
    rows_stale = :rows_stale,
    rows_duplicate = :rows_duplicate,
    rows_rejected = :rows_rejected,
    finished_at = clock_timestamp(),
    duration_ms = :duration_ms,
    decode_ms = :decode_ms,
    store_ms = :store_ms,
    commit_ms = :commit_ms,
    tasks = :tasks,
    longest_task_ms = :longest_task_ms,
    slots = :slots,
    trigger_ms = :trigger_ms,
    worker_cpu_ms = :worker_cpu_ms,
    worker_peak_bytes = :worker_peak_bytes,
    latency_p50_ms = :latency_p50_ms,
    latency_p95_ms = :latency_p95_ms,
    latency_p99_ms = :latency_p99_ms
WHERE batch_id = :batch_id;

-- name: record_progress!
UPDATE stream_batches AS b
SET listing_ms = p.listing_ms, planning_ms = p.planning_ms, bookkeeping_ms = p.bookkeeping_ms
FROM unnest(
    :query_batch_ids::bigint[],
    :listing_ms::double precision[],
    :planning_ms::double precision[],
    :bookkeeping_ms::double precision[]
) AS p (query_batch_id, listing_ms, planning_ms, bookkeeping_ms)
WHERE b.run_id = :run_id AND b.query_batch_id = p.query_batch_id;

-- name: run_progress^
-- What waits to be loaded and what a run has committed so far, and in how many seconds: from the start of its
-- first micro-batch to the end of its last, or to the newest commit of one that is under way.
SELECT
    (SELECT count(*) FROM ingested_files WHERE state = 'claimed') AS claimed_files,
    coalesce(sum(f.rows_read), 0)::bigint AS rows_read,
    coalesce(
        extract(epoch FROM greatest(max(b.finished_at), max(f.finished_at)) - min(b.started_at)), 0
    )::double precision AS seconds
FROM ingested_files AS f
JOIN stream_batches AS b USING (batch_id)
WHERE b.run_id = :run_id;
