-- The tables of feeds: what is there, and making one.

-- name: lock_feeds^
-- One program at a time makes tables of this schema's feeds.
SELECT pg_advisory_xact_lock(hashtextextended('ecom_platform feeds ' || current_schema(), 0));

-- name: applied^
SELECT table_schema, table_name, declaration, declaration_hash FROM feeds WHERE feed = :feed;

-- name: applied_feeds
SELECT feed, declaration FROM feeds ORDER BY feed;

-- name: owner_of_table$
-- Another feed whose table this is.
SELECT feed FROM feeds WHERE table_schema = :schema AND table_name = :name AND feed <> :feed;

-- name: is_unused#
-- Whether no file of the feed was ever claimed, and nobody has written a row.
SELECT
    NOT EXISTS (SELECT FROM ingested_files WHERE feed = {feed_text}) AND NOT EXISTS (SELECT FROM {table});

-- name: drop_table#
DROP TABLE {table};

-- name: table_there$
SELECT EXISTS (
    SELECT FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE n.nspname = :schema AND c.relname = :name
);

-- name: schema_there$
SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = :schema);

-- name: columns
-- What the table has: names, types, whether a load has to give a value, and whether it may not be null.
SELECT
    a.attname,
    format_type(a.atttypid, a.atttypmod),
    a.attnotnull AND NOT a.atthasdef AND a.attidentity = '' AND a.attgenerated = '',
    a.attnotnull
FROM pg_attribute AS a
JOIN pg_class AS c ON c.oid = a.attrelid
JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname = :schema AND c.relname = :name AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attnum;

-- name: key
-- The columns of the primary key, in its order.
SELECT a.attname
FROM pg_index AS i
JOIN pg_class AS c ON c.oid = i.indrelid
JOIN pg_namespace AS n ON n.oid = c.relnamespace
CROSS JOIN unnest(i.indkey) WITH ORDINALITY AS k (attnum, place)
JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
WHERE n.nspname = :schema AND c.relname = :name AND i.indisprimary
ORDER BY k.place;

-- name: record_applied!
INSERT INTO feeds (feed, table_schema, table_name, declaration, declaration_hash)
VALUES (:feed, :schema, :name, :declaration, :hash)
ON CONFLICT (feed) DO UPDATE
SET table_schema = excluded.table_schema, table_name = excluded.table_name, declaration = excluded.declaration,
    declaration_hash = excluded.declaration_hash, applied_at = clock_timestamp();

-- name: create_table#
CREATE TABLE {table} (
    {definition}
);

-- name: create_indexes#
-- The rows of a file lie together, and those of a time about so.
CREATE INDEX ON {table} USING brin (file_id) WITH (pages_per_range = 32, autosummarize = on);

-- name: create_time_index#
CREATE INDEX ON {table} USING brin ({time}) WITH (pages_per_range = 32, autosummarize = on);

-- name: create_triggers#
CREATE TRIGGER note_lost_rows AFTER DELETE ON {table} REFERENCING OLD TABLE AS before
    FOR EACH STATEMENT EXECUTE FUNCTION note_lost_rows({feed_text}, {key_text});
CREATE TRIGGER note_lost_files AFTER TRUNCATE ON {table}
    FOR EACH STATEMENT EXECUTE FUNCTION note_lost_files({feed_text});
CREATE TRIGGER note_unchecked_deleted AFTER DELETE ON {table} REFERENCING OLD TABLE AS before
    FOR EACH STATEMENT EXECUTE FUNCTION note_unchecked_files({feed_text});
CREATE TRIGGER note_unchecked_updated AFTER UPDATE ON {table} REFERENCING OLD TABLE AS before NEW TABLE AS after
    FOR EACH STATEMENT EXECUTE FUNCTION note_unchecked_files({feed_text});
CREATE TRIGGER forget_what_was_checked AFTER TRUNCATE ON {table}
    FOR EACH STATEMENT EXECUTE FUNCTION forget_what_was_checked({feed_text});

-- name: missing_privileges
-- What a load does with the table and this role may not.
SELECT needed.privilege
FROM (VALUES ('SELECT'), ('INSERT'), ('UPDATE')) AS needed (privilege)
WHERE (needed.privilege <> 'UPDATE' OR :updates) AND NOT has_table_privilege(quote_ident(:schema) || '.' || quote_ident(:name), needed.privilege);

-- name: is_indexed$
-- Whether a valid index begins with the column.
SELECT EXISTS (
    SELECT FROM pg_index AS i
    JOIN pg_class AS c ON c.oid = i.indrelid
    JOIN pg_namespace AS n ON n.oid = c.relnamespace
    JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = i.indkey[0]
    WHERE n.nspname = :schema AND c.relname = :name AND a.attname = :column AND i.indisvalid
);

-- name: grants_of_ledger
-- What the table is missing to be for those for whom the ledger is: statements. Where the default privileges of its
-- maker have given it to them already, there is nothing to say.
SELECT format(
    'GRANT %s ON TABLE %s TO %s',
    string_agg(asked.privilege, ', ' ORDER BY asked.privilege),
    {table_text},
    CASE asked.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(asked.grantee)) END
)
FROM (
    SELECT acl.grantee, acl.privilege_type AS privilege
    FROM pg_class AS ledger, aclexplode(ledger.relacl) AS acl
    WHERE ledger.oid = 'ingested_files'::regclass
    UNION
    SELECT ledger.relowner, p.privilege
    FROM pg_class AS ledger, unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) AS p (privilege)
    WHERE ledger.oid = 'ingested_files'::regclass
) AS asked
JOIN pg_class AS t ON t.oid = {table_text}::regclass
WHERE asked.privilege IN ('SELECT', 'INSERT', 'UPDATE', 'DELETE')
    AND asked.grantee <> t.relowner
    AND NOT EXISTS (
        SELECT FROM aclexplode(t.relacl) AS has
        WHERE has.grantee = asked.grantee AND has.privilege_type = asked.privilege
    )
GROUP BY asked.grantee;

-- name: index_names
-- Of the table, those that PostgreSQL has named after it.
SELECT c.relname
FROM pg_index AS i
JOIN pg_class AS c ON c.oid = i.indexrelid
JOIN pg_class AS t ON t.oid = i.indrelid
JOIN pg_namespace AS n ON n.oid = t.relnamespace
WHERE n.nspname = :schema AND t.relname = :name AND starts_with(c.relname, :before || '_')
ORDER BY 1;

-- name: set_schema#
ALTER TABLE {old} SET SCHEMA {new};

-- name: rename_table#
ALTER TABLE {old} RENAME TO {new};

-- name: rename_index#
ALTER INDEX {old} RENAME TO {new};
