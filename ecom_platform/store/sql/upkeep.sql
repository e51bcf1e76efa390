-- name: table_states
SELECT relname, n_live_tup, n_dead_tup, n_mod_since_analyze,
    coalesce(last_analyze, last_autoanalyze) IS NOT NULL
FROM pg_stat_user_tables
WHERE schemaname = current_schema()
ORDER BY relname;

-- name: vacuum#
VACUUM (ANALYZE) {table};

-- name: analyze#
ANALYZE {table};
