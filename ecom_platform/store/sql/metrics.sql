-- name: forget_metrics!
DELETE FROM performance_metrics WHERE run_id = :run_id AND name = ANY(:names);

-- name: record_metrics!
INSERT INTO performance_metrics (run_id, name, part, unit, value, measured_at)
SELECT :run_id, m.name, m.part, m.unit, m.value, coalesce(m.measured_at, clock_timestamp())
FROM unnest(
    :names::text[], :parts::text[], :units::text[], :values::double precision[], :moments::timestamptz[]
) WITH ORDINALITY AS m (name, part, unit, value, measured_at, position)
ORDER BY m.position;

-- name: run_metrics
SELECT name, value, unit, part, measured_at FROM performance_metrics WHERE run_id = :run_id ORDER BY metric_id;

-- name: newest_metrics
-- The newest values of each of the names, one a run, the oldest of them first.
SELECT h.name, h.value
FROM unnest(:names::text[]) AS n (name)
CROSS JOIN LATERAL (
    SELECT m.name, m.value, m.metric_id
    FROM performance_metrics AS m
    WHERE m.name = n.name AND m.part = '' AND m.run_id <> :run_id
    ORDER BY m.metric_id DESC
    LIMIT :runs
) AS h
ORDER BY h.name, h.metric_id;

-- name: subject_run$
-- The run itself if it loaded something, else the last one that did.
SELECT run_id FROM stream_batches
WHERE finished_at IS NOT NULL
ORDER BY (run_id = :run_id) DESC, batch_id DESC
LIMIT 1;

-- name: run_batches
-- Of a run that streams for days, the newest; so do the two below.
SELECT
    query_batch_id, started_at, finished_at, files, rows, rows_rejected, coalesce(tasks, 1),
    duration_ms, coalesce(listing_ms, 0), coalesce(planning_ms, 0), coalesce(bookkeeping_ms, 0),
    decode_ms, store_ms, coalesce(commit_ms, 0),
    latency_p50_ms, latency_p95_ms, coalesce(worker_peak_bytes, 0),
    longest_task_ms, slots, trigger_ms, worker_cpu_ms
FROM stream_batches
WHERE run_id = :run_id AND finished_at IS NOT NULL
    AND batch_id > (SELECT max(batch_id) FROM stream_batches WHERE run_id = :run_id) - 2000
ORDER BY started_at;

-- name: run_files^
-- What a run brought to a final state in the micro-batches whose time is known: with the files of one that
-- failed half-way, its rows per second would be too many. Duplicates by cause, as in the duplicate audit.
SELECT
    count(*) FILTER (WHERE f.state = 'loaded') AS loaded,
    count(*) FILTER (WHERE f.state = 'quarantined') AS quarantined,
    coalesce(sum(f.size_bytes), 0)::bigint AS csv_bytes,
    coalesce(sum(f.rows_read), 0)::bigint AS rows_read,
    coalesce(sum(f.rows_inserted), 0)::bigint AS rows_inserted,
    coalesce(sum(f.rows_duplicate), 0)::bigint AS rows_duplicate,
    coalesce(sum(f.rows_rejected), 0)::bigint AS rows_rejected,
    coalesce(sum(f.rows_duplicate_within), 0)::bigint AS within_file,
    coalesce(
        sum(f.rows_duplicate - f.rows_duplicate_within) FILTER (WHERE f.same_bytes_as IS NULL), 0
    )::bigint AS across_files,
    coalesce(
        sum(f.rows_duplicate - f.rows_duplicate_within) FILTER (WHERE f.same_bytes_as IS NOT NULL), 0
    )::bigint AS redropped_file
FROM ingested_files AS f
JOIN stream_batches AS b USING (batch_id)
WHERE b.run_id = :run_id AND b.finished_at IS NOT NULL
    AND b.batch_id > (SELECT max(batch_id) FROM stream_batches WHERE run_id = :run_id) - 2000;

-- name: run_rejects
-- Of the same micro-batches. What was replayed is counted as inserted or duplicate by now.
SELECT r.reason, count(*) AS rows
FROM stream_batches AS b
JOIN ingested_files AS f USING (batch_id)
JOIN rejected_events AS r USING (file_id)
WHERE b.run_id = :run_id AND b.finished_at IS NOT NULL AND f.rows_rejected > 0 AND r.replayed_at IS NULL
    AND b.batch_id > (SELECT max(batch_id) FROM stream_batches WHERE run_id = :run_id) - 2000
GROUP BY r.reason
ORDER BY rows DESC, r.reason;

-- name: server_activity^
-- Counters of the server's own statistics since they were last reset. The log and the checkpoints are those of the
-- whole server, the blocks and temporary files those of this database.
SELECT w.wal_bytes::float8, w.wal_fpi, d.blks_read, d.blks_hit, d.temp_bytes, c.num_timed + c.num_requested
FROM pg_stat_wal AS w, pg_stat_database AS d, pg_stat_checkpointer AS c
WHERE d.datname = current_database();

-- name: server_activity_before_17^
SELECT w.wal_bytes::float8, w.wal_fpi, d.blks_read, d.blks_hit, d.temp_bytes, b.checkpoints_timed + b.checkpoints_req
FROM pg_stat_wal AS w, pg_stat_database AS d, pg_stat_bgwriter AS b
WHERE d.datname = current_database();

-- name: relation_sizes
-- The table with what belongs to it but its indexes; then its indexes; and whether it is one of the feeds.
SELECT c.relname, pg_table_size(c.oid), pg_indexes_size(c.oid), wanted.of_feed
FROM (
    SELECT to_regclass(name) AS oid, false AS of_feed FROM unnest(:names::text[]) AS name
    UNION ALL
    SELECT to_regclass(name), true FROM unnest(:feeds::text[]) AS name
) AS wanted
JOIN pg_class AS c ON c.oid = wanted.oid
ORDER BY pg_total_relation_size(c.oid) DESC;
