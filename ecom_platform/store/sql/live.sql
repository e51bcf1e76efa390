-- name: begin_live$
INSERT INTO live_status (run_id, host, pid) VALUES (:run_id, :host, :pid) RETURNING live_id;

-- name: beat!
UPDATE live_status
SET
    heartbeat_at = clock_timestamp(),
    backlog_files = :backlog_files,
    backlog_bytes = :backlog_bytes,
    batches = :batches,
    rows = :rows,
    stuck_seconds = :stuck_seconds,
    ready = :ready,
    problem = :problem,
    problem_since = CASE WHEN :problem::text IS NULL THEN NULL ELSE coalesce(problem_since, clock_timestamp()) END
WHERE live_id = :live_id;

-- name: end_live!
UPDATE live_status
SET stopped_at = clock_timestamp(), heartbeat_at = clock_timestamp()
WHERE live_id = :live_id;

-- name: withdraw_live!
DELETE FROM live_status WHERE live_id = :live_id;

-- name: newest_live^
-- Ages by the database's clock, the one that wrote the times.
SELECT
    run_id,
    host,
    pid,
    started_at,
    stopped_at,
    extract(epoch FROM clock_timestamp() - heartbeat_at)::double precision AS silent_seconds,
    backlog_files,
    backlog_bytes,
    batches,
    rows,
    problem,
    extract(epoch FROM clock_timestamp() - problem_since)::double precision AS problem_seconds,
    stuck_seconds,
    ready,
    -- Processes in a row, just before this one, that ended before they could load anything.
    (
        SELECT count(*)
        FROM live_status AS d
        WHERE
            d.live_id < live_status.live_id
            AND d.live_id > coalesce(
                (
                    SELECT max(g.live_id) FROM live_status AS g
                    WHERE g.live_id < live_status.live_id AND (g.ready OR g.stopped_at IS NOT NULL)
                ),
                0
            )
    ) AS stillborn
FROM live_status
ORDER BY live_id DESC
LIMIT 1;

-- name: recent_figures^
-- What the micro-batches that ended within the last seconds have loaded. A file's latency runs from its
-- landing to the end of its micro-batch, shortly after its COMMIT returned: rather too much than too little.
SELECT
    count(DISTINCT batch_id) AS batches,
    coalesce(sum(rows_read), 0)::bigint AS rows,
    min(latency) FILTER (WHERE cumulative >= 0.50 * total) AS p50,
    min(latency) FILTER (WHERE cumulative >= 0.95 * total) AS p95,
    min(latency) FILTER (WHERE cumulative >= 0.99 * total) AS p99
FROM (
    SELECT
        batch_id,
        rows_read,
        latency,
        sum(rows_read) OVER (ORDER BY latency) AS cumulative,
        sum(rows_read) OVER () AS total
    FROM (
        SELECT
            f.batch_id,
            f.rows_read,
            extract(epoch FROM b.finished_at - f.landed_at)::double precision AS latency
        FROM stream_batches AS b
        JOIN ingested_files AS f USING (batch_id)
        WHERE b.finished_at > clock_timestamp() - make_interval(secs => :seconds) AND f.rows_read > 0
    ) AS file
) AS weighted;
