-- The ingest lock.

-- name: try_take$
SELECT pg_try_advisory_lock(:key);

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
    AND ((l.classid::bigint << 32) | l.objid::bigint) = :key;
