-- What every session is told first, and what is asked of it.

-- name: begin^
-- Whatever the defaults of the role, the database or the environment are: how text, times and numbers are read and
-- written, where tables are looked up, and what a statement sees of others' changes. A machine that vanishes would
-- keep its transaction, and the ledger rows it has locked, for the two hours that TCP takes by default to notice.
SELECT
    current_setting('server_encoding') AS encoding,
    pg_backend_pid() AS backend,
    set_config('search_path', quote_ident($1), false),
    set_config('client_encoding', 'UTF8', false),
    set_config('TimeZone', 'UTC', false),
    set_config('DateStyle', 'ISO, MDY', false),
    set_config('IntervalStyle', 'postgres', false),
    set_config('extra_float_digits', '1', false),
    set_config('bytea_output', 'hex', false),
    set_config('standard_conforming_strings', 'on', false),
    set_config('default_transaction_isolation', 'read committed', false),
    set_config('tcp_keepalives_idle', '30', false),
    set_config('tcp_keepalives_interval', '10', false),
    set_config('tcp_keepalives_count', '3', false);
