-- What every session is told first, and what is asked of it.

-- name: begin^
-- Whatever the defaults of the role, the database or the environment are: how text, times and numbers are read and
-- written, where tables are looked up, and what a statement sees of others' changes. A machine that vanishes would
-- keep its transaction, and the ledger rows it has locked, for the two hours that TCP takes by default to notice.
SELECT
    current_setting('server_encoding') AS encoding,
    pg_backend_pid() AS backend,
    (
        current_setting('statement_timeout'),
        current_setting('lock_timeout'),
        current_setting('idle_in_transaction_session_timeout'),
        -- These two not every version has.
        coalesce(current_setting('idle_session_timeout', true), '0'),
        coalesce(current_setting('transaction_timeout', true), '0')
    ) <> ('0', '0', '0', '0', '0') OR current_setting('synchronous_commit') = 'off' AS limited,
    set_config('search_path', quote_ident($1), false),
    set_config('client_encoding', 'UTF8', false),
    set_config('TimeZone', 'UTC', false),
    set_config('DateStyle', 'ISO, MDY', false),
    set_config('IntervalStyle', 'postgres', false),
    set_config('extra_float_digits', '1', false),
    set_config('bytea_output', 'hex', false),
    set_config('standard_conforming_strings', 'on', false),
    set_config('array_nulls', 'on', false),
    set_config('default_transaction_isolation', 'read committed', false),
    set_config('tcp_keepalives_idle', '30', false),
    set_config('tcp_keepalives_interval', '10', false),
    set_config('tcp_keepalives_count', '3', false);

-- name: lift_limits^
-- Limits that a role or a database has for its sessions: the lock of an ingest is held by a session that does nothing
-- else, and a unit of work may decode a large file in mid-transaction. And a COMMIT that has returned is stored, since
-- the file is put away then. What somebody asked for in this connection's own options stays.
SELECT count(set_config(name, CASE name WHEN 'synchronous_commit' THEN 'on' ELSE '0' END, false))
FROM pg_settings
WHERE source <> 'client' AND (
    name IN (
        'statement_timeout', 'lock_timeout', 'idle_session_timeout', 'idle_in_transaction_session_timeout',
        'transaction_timeout'
    )
    OR name = 'synchronous_commit' AND setting = 'off'
);
