-- name: raise_alert^
-- A new row, or one more sighting of the open one; nothing if something newer is known of the key.
INSERT INTO alerts (
    source, key, kind, severity, title, asset, check_name, expected, found, run_id, link, details,
    occurred_at, last_event_at
)
SELECT
    :source, :key, :kind, :severity, :title, :asset, :check_name, :expected, :found, :run_id, :link,
    :details::jsonb, :at::timestamptz, :at::timestamptz
WHERE NOT EXISTS (SELECT FROM alerts WHERE source = :source AND key = :key AND last_event_at >= :at::timestamptz)
ON CONFLICT (source, key) WHERE resolved_at IS NULL DO UPDATE
SET
    last_event_at = excluded.last_event_at,
    times_seen = alerts.times_seen + 1,
    severity = excluded.severity,
    expected = excluded.expected,
    found = excluded.found,
    run_id = excluded.run_id,
    link = excluded.link,
    details = excluded.details
WHERE alerts.last_event_at < excluded.last_event_at
RETURNING alert_id, times_seen;

-- name: resolve_alert^
UPDATE alerts
SET resolved_at = clock_timestamp(), resolution = :resolution, last_event_at = :at
WHERE source = :source AND key = :key AND resolved_at IS NULL AND last_event_at < :at
RETURNING alert_id;

-- name: known_keys
-- The newest that is known of each key, and whether a problem of it is open.
SELECT key, max(last_event_at), bool_or(resolved_at IS NULL)
FROM alerts
WHERE source = :source AND key = ANY(:keys)
GROUP BY key;

-- name: open_keys
SELECT key FROM alerts WHERE source = :source AND kind = :kind AND resolved_at IS NULL ORDER BY alert_id;

-- name: announce_raised
-- Deliveries of new problems, one a target; returns the problems.
WITH announced AS (
    UPDATE alerts SET announced_at = clock_timestamp()
    WHERE source = :source AND announced_at IS NULL
    RETURNING alert_id, severity, title, expected, found, link
),
made_out AS (
    INSERT INTO alert_deliveries (alert_id, target, notice)
    SELECT a.alert_id, t.target, 'raised'
    FROM announced AS a CROSS JOIN unnest(:targets::text[]) AS t (target)
    ORDER BY a.alert_id
)
SELECT severity, title, expected, found, link FROM announced ORDER BY alert_id;

-- name: announce_recovered
-- Deliveries of what is over, to those that were told of it; returns the problems.
WITH announced AS (
    UPDATE alerts SET recovery_announced_at = clock_timestamp()
    WHERE
        source = :source AND announced_at IS NOT NULL
        AND resolved_at IS NOT NULL AND recovery_announced_at IS NULL
    RETURNING alert_id, title, resolution, link
),
made_out AS (
    INSERT INTO alert_deliveries (alert_id, target, notice)
    SELECT d.alert_id, d.target, 'recovered'
    FROM announced AS a
    JOIN alert_deliveries AS d USING (alert_id)
    WHERE d.notice = 'raised'
    ORDER BY d.alert_id
)
SELECT title, resolution, link FROM announced ORDER BY alert_id;

-- name: due_targets
SELECT t.target
FROM unnest(:targets::text[]) AS t (target)
WHERE EXISTS (
    SELECT
    FROM alert_deliveries AS d
    JOIN alerts AS a USING (alert_id)
    WHERE
        d.target = t.target AND d.state = 'pending' AND d.due_at <= clock_timestamp()
        AND a.source = :source
);

-- name: take_due
-- Up to limit notices for a target, ours for the lease. A recovery waits for its problem's notice.
WITH due AS (
    SELECT d.delivery_id
    FROM alert_deliveries AS d
    JOIN alerts AS a USING (alert_id)
    WHERE
        a.source = :source AND d.target = :target AND d.state = 'pending' AND d.due_at <= clock_timestamp()
        AND (
            d.notice = 'raised' OR NOT EXISTS (
                SELECT FROM alert_deliveries AS r
                WHERE
                    r.alert_id = d.alert_id AND r.target = d.target
                    AND r.notice = 'raised' AND r.state = 'pending'
            )
        )
    ORDER BY d.delivery_id
    LIMIT :limit
    FOR UPDATE OF d SKIP LOCKED
)
UPDATE alert_deliveries AS d
SET due_at = clock_timestamp() + make_interval(secs => :lease_seconds), attempts = d.attempts + 1
FROM due, alerts AS a
WHERE d.delivery_id = due.delivery_id AND a.alert_id = d.alert_id
RETURNING
    d.delivery_id, d.notice, d.attempts, a.key, a.kind, a.severity, a.title, a.asset, a.check_name, a.expected,
    a.found, a.run_id, a.link, a.details, a.occurred_at, a.resolved_at, a.resolution;

-- name: mark_delivered!
UPDATE alert_deliveries
SET state = 'delivered', delivered_at = clock_timestamp(), last_error = NULL
WHERE delivery_id = ANY(:delivery_ids);

-- name: mark_failed!
UPDATE alert_deliveries
SET
    due_at = clock_timestamp() + make_interval(secs => :delay_seconds),
    last_error = :error,
    state = CASE
        WHEN created_at < clock_timestamp() - make_interval(secs => :give_up_seconds) THEN 'given_up'
        ELSE 'pending'
    END
WHERE delivery_id = ANY(:delivery_ids) AND state = 'pending';

-- name: mark_untried!
UPDATE alert_deliveries
SET due_at = clock_timestamp(), attempts = greatest(attempts - 1, 0)
WHERE delivery_id = ANY(:delivery_ids) AND state = 'pending';

-- name: pending$
-- Notices that are still on their way to the given targets.
SELECT count(*)
FROM alert_deliveries AS d
JOIN alerts AS a USING (alert_id)
WHERE a.source = :source AND d.state = 'pending' AND d.target = ANY(:targets);

-- name: tables^
SELECT to_regclass('alerts') IS NOT NULL, to_regclass('alert_deliveries') IS NOT NULL;

-- name: open_problems
-- Of one asset, or of all.
SELECT key, occurred_at, last_event_at, details, asset, check_name
FROM alerts
WHERE source = :source AND kind = :kind AND resolved_at IS NULL AND (:asset::text IS NULL OR asset = :asset)
ORDER BY alert_id;

-- name: feeds_to_look_at
-- Feeds whose files were finished since, and those of which a problem is open.
SELECT feed FROM ingested_files
WHERE state IN ('loaded', 'quarantined') AND finished_at >= :since
UNION
SELECT asset FROM alerts
WHERE source = :source AND kind = ANY(:kinds) AND resolved_at IS NULL AND asset IS NOT NULL;

-- name: quarantined_files
-- Files that were quarantined since, of which no alert speaks yet. The live mode's run is its own, which
-- Dagster does not know: no run_id.
SELECT f.file_id, f.name, f.reason, CASE WHEN l.run_id IS NULL THEN b.run_id END AS run_id, f.finished_at
FROM ingested_files AS f
LEFT JOIN stream_batches AS b USING (batch_id)
LEFT JOIN live_status AS l ON l.run_id = b.run_id
WHERE
    f.state = 'quarantined' AND f.feed = :feed AND f.finished_at >= :since
    -- An alert that speaks of a file was heard of after the file was finished.
    AND f.file_id NOT IN (
        SELECT e.file_id::bigint
        FROM alerts AS a, jsonb_array_elements_text(a.details -> 'file_ids') AS e (file_id)
        WHERE a.source = :source AND a.kind = 'file_quarantined' AND a.last_event_at >= :since
    )
ORDER BY f.file_id;

-- name: not_loaded_since
-- Those of these quarantined files that have not been loaded under their names since.
SELECT q.file_id, q.name
FROM ingested_files AS q
WHERE
    q.file_id = ANY(:file_ids)
    AND NOT EXISTS (
        SELECT FROM ingested_files AS l
        WHERE l.name = q.name AND l.state = 'loaded' AND l.file_id > q.file_id
    )
ORDER BY q.file_id;

-- name: reject_shares
-- Rows read and rejected by each run and hour since, whether that is above the limit, as a whole or of one file,
-- and the last file of each, in order of time. No run_id where it is the live mode's.
SELECT
    CASE WHEN l.run_id IS NULL THEN b.run_id END AS run_id,
    date_trunc('hour', f.finished_at, 'UTC') AS hour,
    sum(f.rows_read)::bigint AS rows_read,
    sum(f.rows_rejected)::bigint AS rows_rejected,
    sum(f.rows_rejected) > :limit * sum(f.rows_read) OR bool_or(f.rows_rejected > :limit * f.rows_read) AS above,
    max(f.finished_at) AS finished_at
FROM ingested_files AS f
JOIN stream_batches AS b USING (batch_id)
LEFT JOIN live_status AS l ON l.run_id = b.run_id
WHERE f.state = 'loaded' AND f.feed = :feed AND f.finished_at >= :since AND f.rows_read > 0
GROUP BY b.run_id, l.run_id, hour
ORDER BY finished_at;

-- name: well_between$
-- Whether a run and hour that ended between the two times rejected no more than the limit allows.
WITH files AS (
    SELECT
        f.rows_read, f.rows_rejected, f.finished_at,
        coalesce(b.run_id, '') AS run_id, date_trunc('hour', f.finished_at, 'UTC') AS hour
    FROM ingested_files AS f
    LEFT JOIN stream_batches AS b USING (batch_id)
    WHERE
        f.state = 'loaded' AND f.feed = :feed AND f.rows_read > 0
        AND f.finished_at >= date_trunc('hour', :after::timestamptz, 'UTC') AND f.finished_at < :before
)
SELECT EXISTS (
    SELECT FROM files
    GROUP BY run_id, hour
    HAVING
        max(finished_at) > :after AND sum(rows_rejected) <= :limit * sum(rows_read)
        AND bool_and(rows_rejected <= :limit * rows_read)
);

-- name: refused_between^
-- Rows read and rejected by the runs and hours between the two times, as the ledger has it now; how many runs,
-- and how many of them rejected more than the limit allows.
WITH files AS (
    SELECT
        f.rows_read, f.rows_rejected, f.finished_at,
        coalesce(b.run_id, '') AS run_id, date_trunc('hour', f.finished_at, 'UTC') AS hour
    FROM ingested_files AS f
    LEFT JOIN stream_batches AS b USING (batch_id)
    WHERE f.state = 'loaded' AND f.feed = :feed AND f.rows_read > 0 AND f.finished_at BETWEEN :since AND :until
),
shares AS (
    SELECT
        run_id, sum(rows_read) AS rows_read, sum(rows_rejected) AS rows_rejected,
        bool_or(rows_rejected > :limit * rows_read) AS of_one_file
    FROM files
    GROUP BY run_id, hour
)
SELECT
    coalesce(sum(rows_read), 0)::bigint,
    coalesce(sum(rows_rejected), 0)::bigint,
    count(DISTINCT run_id),
    count(*) FILTER (WHERE rows_rejected > :limit * rows_read OR of_one_file)
FROM shares;

-- name: refused_files
-- The files between the two times with the most refused rows, and the commonest reasons of each, by column.
SELECT
    f.name, f.rows_read, f.rows_rejected,
    coalesce((
        SELECT string_agg(
            concat_ws(': ', r.column_name, r.reason) || ' (' || r.number || ')',
            ', ' ORDER BY r.number DESC, r.column_name, r.reason
        )
        FROM (
            SELECT column_name, reason, count(*) AS number
            FROM rejected_events
            WHERE file_id = f.file_id AND replayed_at IS NULL
            GROUP BY column_name, reason
            ORDER BY number DESC, column_name, reason
            LIMIT 3
        ) AS r
    ), '') AS reasons
FROM ingested_files AS f
WHERE f.state = 'loaded' AND f.feed = :feed AND f.rows_rejected > 0 AND f.finished_at BETWEEN :since AND :until
ORDER BY f.rows_rejected DESC, f.file_id
LIMIT :most;
