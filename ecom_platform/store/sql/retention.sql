-- name: expire_rejects!
-- Replayed rejects are in the table of events; open ones stay for ever.
DELETE FROM rejected_events WHERE replayed_at < :before;

-- name: expire_batches!
-- The ledger keeps its rows: what was loaded remains known, only no longer in which micro-batch.
-- Those of the newest run stay, however old: the report is of them.
DELETE FROM stream_batches
WHERE started_at < :before
    AND run_id <> (SELECT run_id FROM stream_batches WHERE files > 0 ORDER BY batch_id DESC LIMIT 1);

-- name: expire_returned!
-- What was brought back and never claimed under what was noted of it.
DELETE FROM returned_files WHERE noted_at < :before;

-- name: expire_metrics!
DELETE FROM performance_metrics WHERE measured_at < :before;

-- name: expire_alerts!
-- With their deliveries, unless somebody has yet to be told.
DELETE FROM alerts AS a
WHERE a.resolved_at < :before
    AND NOT EXISTS (SELECT FROM alert_deliveries AS d WHERE d.alert_id = a.alert_id AND d.state = 'pending');
