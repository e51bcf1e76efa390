-- What the last runs brought in.

-- name: last_loads
-- Loads by run, the newest first; a file that waits belongs to none. A run that was interrupted before its
-- first COMMIT has no file, and the moment at which it began its micro-batch.
SELECT
    b.run_id,
    coalesce(max(f.finished_at), max(b.started_at)) AS moment,
    bool_or(b.finished_at IS NULL) AS unfinished,
    count(*) FILTER (WHERE f.state = 'loaded') AS loaded,
    count(*) FILTER (WHERE f.state = 'quarantined') AS quarantined,
    coalesce(sum(f.rows_inserted), 0)::bigint AS rows_inserted,
    coalesce(sum(f.rows_duplicate), 0)::bigint AS rows_duplicate,
    coalesce(sum(f.rows_rejected), 0)::bigint AS rows_rejected
FROM (
    SELECT batch_id, run_id, started_at, finished_at FROM stream_batches ORDER BY batch_id DESC LIMIT 2000
) AS b
LEFT JOIN ingested_files AS f USING (batch_id)
GROUP BY b.run_id
HAVING count(f.file_id) > 0 OR bool_or(b.finished_at IS NULL)
ORDER BY moment DESC
LIMIT :limit;

-- name: newest_run$
SELECT run_id FROM stream_batches ORDER BY batch_id DESC LIMIT 1;

-- name: waiting_files$
SELECT count(*) FROM ingested_files WHERE state = 'claimed';
