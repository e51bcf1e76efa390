-- What this role finds in the database, and what it may do there.

-- name: standing^
-- Of a schema that is missing, whether it could be made.
SELECT
    n.oid IS NOT NULL AS there,
    coalesce(has_schema_privilege(n.oid, 'USAGE'), false) AS usable,
    CASE
        WHEN n.oid IS NULL THEN has_database_privilege(current_database(), 'CREATE')
        ELSE has_schema_privilege(n.oid, 'CREATE')
    END AS extensible,
    pg_is_in_recovery() AS replica,
    current_setting('transaction_read_only')::bool AS read_only,
    current_user AS role
FROM (VALUES (:schema)) AS wanted (name)
LEFT JOIN pg_namespace AS n ON n.nspname = wanted.name;

-- name: missing_privileges
-- What a load does and this role may not.
SELECT needed.privilege || ' on ' || needed.name
FROM (
    VALUES
        (:feed, 'SELECT'), (:feed, 'INSERT'),
        ('ingested_files', 'SELECT'), ('ingested_files', 'INSERT'),
        ('ingested_files', 'UPDATE'), ('ingested_files', 'DELETE'),
        ('rejected_events', 'SELECT'), ('rejected_events', 'INSERT'),
        ('stream_batches', 'SELECT'), ('stream_batches', 'INSERT'), ('stream_batches', 'UPDATE'),
        ('landing_zone', 'SELECT'), ('landing_zone', 'INSERT'),
        ('duplicate_audit', 'INSERT'), ('alerts', 'INSERT')
) AS needed (name, privilege)
JOIN pg_class AS c ON c.relname = needed.name AND c.relnamespace = to_regnamespace(quote_ident(:schema))
WHERE NOT has_table_privilege(c.oid, needed.privilege)
UNION ALL
SELECT 'TEMPORARY on database ' || current_database()
WHERE NOT has_database_privilege(current_database(), 'TEMPORARY');

-- name: default_home$
-- The schema, other than ours, in which the search path of this role and database finds the ledger.
SELECT n.nspname FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.oid = to_regclass('ingested_files') AND n.nspname <> :schema;
