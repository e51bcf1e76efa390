-- The ingest lock. Advisory locks are the whole database's, so each schema has a key of its own.

-- name: try_take$
SELECT pg_try_advisory_lock(CASE current_schema() WHEN 'public' THEN :key ELSE hashtextextended(current_schema(), :key) END);

-- name: call_it$
-- What pg_stat_activity calls this session.
SELECT set_config('application_name', :name, false);

-- name: holder^
SELECT l.pid, a.application_name, a.backend_start
FROM pg_locks AS l
LEFT JOIN pg_stat_activity AS a USING (pid)
WHERE l.locktype = 'advisory'
    AND l.granted
    AND l.objsubid = 1
    AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND ((l.classid::bigint << 32) | l.objid::bigint) =
        CASE current_schema() WHEN 'public' THEN :key ELSE hashtextextended(current_schema(), :key) END;

-- name: take_claims^
SELECT pg_advisory_lock(CASE current_schema() WHEN 'public' THEN :key ELSE hashtextextended(current_schema(), :key) END);

-- name: wait_at_most^
-- For each lock on a table or a row, until the transaction ends.
SELECT set_config('lock_timeout', :wait, true);
