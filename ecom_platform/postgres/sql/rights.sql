-- name: rights^
-- What this user may do where the tables are, or would be made.
SELECT
    current_user,
    current_schema(),
    pg_is_in_recovery() OR current_setting('transaction_read_only')::boolean,
    current_schema() IS NOT NULL AND has_schema_privilege(current_schema(), 'CREATE'),
    -- Of tables that are there: whether they may be used.
    NOT EXISTS (
        SELECT
        FROM unnest(ARRAY['alembic_version', 'user_events', 'ingested_files']) AS t (name)
        WHERE to_regclass(t.name) IS NOT NULL AND NOT (
            has_table_privilege(t.name, 'SELECT')
            AND (t.name = 'alembic_version' OR has_table_privilege(t.name, 'INSERT'))
        )
    );
