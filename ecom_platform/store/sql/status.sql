-- name: last_loaded^
SELECT name, rows_inserted, rows_updated, rows_stale, rows_duplicate, rows_rejected, finished_at
FROM ingested_files
WHERE state = 'loaded'
ORDER BY finished_at DESC
LIMIT 1;

-- name: claimed^
-- Files that were taken up and not finished, and when the oldest of them landed.
SELECT count(*), coalesce(sum(size_bytes), 0)::bigint, min(landed_at) FROM ingested_files WHERE state = 'claimed';

-- name: open_rejects$
SELECT count(*) FROM rejected_events WHERE replayed_at IS NULL;

-- name: open_alerts
-- Each with the reason for which some target was not told of it yet, if there is one.
SELECT
    a.severity, a.title, a.expected, a.found, a.occurred_at,
    (
        SELECT d.target || ': ' || coalesce(d.last_error, 'not tried yet')
        FROM alert_deliveries AS d
        WHERE d.alert_id = a.alert_id AND d.state <> 'delivered' AND d.attempts > 0
        ORDER BY d.delivery_id
        LIMIT 1
    )
FROM alerts AS a
WHERE a.resolved_at IS NULL
ORDER BY a.severity, a.alert_id;
