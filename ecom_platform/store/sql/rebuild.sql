-- A feed's table made anew beside the old one, in a schema of its own, and put in its place.
-- {shadow} is that schema, {main} that of the ledger, {old} the table as it is; all quoted.

-- name: spelled$
SELECT quote_ident(:schema) || '.' || quote_ident(:name);

-- name: shadow_comment$
-- What a rebuilding that was begun is about; nothing where none was.
SELECT obj_description(oid, 'pg_namespace') FROM pg_namespace WHERE nspname = :shadow;

-- name: drop_shadow#
DROP SCHEMA IF EXISTS {shadow} CASCADE;

-- name: create_shadow#
CREATE SCHEMA {shadow};
SET LOCAL search_path TO {shadow}, {main};
CREATE TABLE {shadow}.ingested_files (LIKE {main}.ingested_files INCLUDING ALL);
CREATE TABLE {shadow}.rejected_events (LIKE {main}.rejected_events INCLUDING ALL);
CREATE TABLE {shadow}.replaced_rows (LIKE {main}.replaced_rows INCLUDING ALL);

-- name: create_like_old#
-- Of a table that the migrations make.
CREATE TABLE {shadow}.{name} (LIKE {old} INCLUDING ALL EXCLUDING INDEXES);

-- name: fill_shadow_ledger#
INSERT INTO {shadow}.ingested_files (
    file_id, name, size_bytes, landed_at, claimed_at, feed, ordered_at, ordered_as
)
OVERRIDING SYSTEM VALUE
SELECT file_id, name, size_bytes, landed_at, claimed_at, feed, ordered_at, ordered_as FROM {main}.ingested_files WHERE file_id = ANY (%s);

-- name: primary_key_of
-- The primary key as ALTER TABLE is told it, under its name.
SELECT format('ALTER TABLE {shadow}.{name} ADD CONSTRAINT %%I %%s', conname, pg_get_constraintdef(oid))
FROM pg_constraint WHERE conrelid = {old_text}::regclass AND contype = 'p';

-- name: carried
-- What else the old table has and the new one does not, as statements for the new one, and what each is: constraints
-- and indexes of its owner, triggers, grants, comments, storage parameters. Not the index of a role that is another now.
WITH old AS (SELECT {old_text}::regclass AS oid),
new AS (SELECT {new_text}::regclass AS oid)
SELECT 'constraint ' || c.conname, format('ALTER TABLE {shadow}.{name} ADD CONSTRAINT %%I %%s', c.conname, pg_get_constraintdef(c.oid))
FROM pg_constraint AS c, old, new
WHERE c.conrelid = old.oid AND c.contype IN ('c', 'u', 'x', 'f')
    AND NOT EXISTS (SELECT FROM pg_constraint AS n WHERE n.conrelid = new.oid AND n.conname = c.conname)
UNION ALL
SELECT 'index ' || x.relname, replace(pg_get_indexdef(i.indexrelid), ' ON {old} ', ' ON {shadow}.{name} ')
FROM pg_index AS i JOIN pg_class AS x ON x.oid = i.indexrelid JOIN pg_am AS am ON am.oid = x.relam, old, new
WHERE i.indrelid = old.oid
    AND NOT EXISTS (SELECT FROM pg_constraint AS c WHERE c.conindid = i.indexrelid AND c.conrelid = old.oid)
    AND NOT EXISTS (
        SELECT FROM pg_index AS n JOIN pg_class AS nx ON nx.oid = n.indexrelid
        WHERE n.indrelid = new.oid AND nx.relname = x.relname
    )
    AND NOT (am.amname = 'brin' AND i.indnatts = 1 AND pg_get_indexdef(i.indexrelid, 1, false) = coalesce(quote_ident(%(time)s), ''))
UNION ALL
SELECT 'trigger ' || t.tgname, replace(pg_get_triggerdef(t.oid), ' ON {old} ', ' ON {shadow}.{name} ')
FROM pg_trigger AS t, old, new
WHERE t.tgrelid = old.oid AND NOT t.tgisinternal
    AND NOT EXISTS (SELECT FROM pg_trigger AS n WHERE n.tgrelid = new.oid AND n.tgname = t.tgname)
UNION ALL
SELECT
    'a grant',
    format(
        'GRANT %%s ON TABLE {shadow}.{name} TO %%s%%s', acl.privilege_type,
        CASE acl.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(acl.grantee)) END,
        CASE WHEN acl.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END
    )
FROM pg_class AS t, old, aclexplode(t.relacl) AS acl
WHERE t.oid = old.oid AND acl.grantee <> t.relowner
UNION ALL
SELECT
    'a grant on a column',
    format(
        'GRANT %%s (%%I) ON TABLE {shadow}.{name} TO %%s', acl.privilege_type, a.attname,
        CASE acl.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(acl.grantee)) END
    )
FROM pg_attribute AS a, old, aclexplode(a.attacl) AS acl
WHERE a.attrelid = old.oid AND NOT a.attisdropped
UNION ALL
SELECT 'its comment', format('COMMENT ON TABLE {shadow}.{name} IS %%L', obj_description(old.oid, 'pg_class'))
FROM old WHERE obj_description(old.oid, 'pg_class') IS NOT NULL
UNION ALL
SELECT
    'a comment',
    format('COMMENT ON COLUMN {shadow}.{name}.%%I IS %%L', a.attname, col_description(old.oid, a.attnum))
FROM pg_attribute AS a, old, new
WHERE a.attrelid = old.oid AND NOT a.attisdropped AND col_description(old.oid, a.attnum) IS NOT NULL
    AND EXISTS (SELECT FROM pg_attribute AS n WHERE n.attrelid = new.oid AND n.attname = a.attname)
UNION ALL
SELECT 'its parameters', format('ALTER TABLE {shadow}.{name} SET (%%s)', array_to_string(t.reloptions, ', '))
FROM pg_class AS t, old WHERE t.oid = old.oid AND t.reloptions IS NOT NULL;

-- name: not_carried
-- What would go with the old table and cannot be made for another.
SELECT 'the policy ' || p.polname FROM pg_policy AS p WHERE p.polrelid = {old_text}::regclass
UNION ALL
SELECT 'the publication ' || p.pubname
FROM pg_publication_rel AS r JOIN pg_publication AS p ON p.oid = r.prpubid WHERE r.prrelid = {old_text}::regclass
UNION ALL
SELECT 'the rule ' || r.rulename FROM pg_rewrite AS r WHERE r.ev_class = {old_text}::regclass AND r.rulename <> '_RETURN'
UNION ALL
SELECT 'the statistics ' || s.stxname FROM pg_statistic_ext AS s WHERE s.stxrelid = {old_text}::regclass
UNION ALL
SELECT 'the table it inherits from, ' || i.inhparent::regclass FROM pg_inherits AS i WHERE i.inhrelid = {old_text}::regclass
UNION ALL
SELECT 'the column ' || a.attname || ' that no declaration has'
FROM pg_attribute AS a
WHERE a.attrelid = {old_text}::regclass AND a.attnum > 0 AND NOT a.attisdropped AND a.attname <> ALL (%s);

-- name: drop_old#
DROP TABLE {old};

-- name: lock_old#
LOCK TABLE {old} IN ACCESS EXCLUSIVE MODE;

-- name: owner_of_old
SELECT quote_ident(pg_get_userbyid(relowner)) FROM pg_class WHERE oid = {old_text}::regclass;

-- name: unit_lock^
SELECT pg_advisory_xact_lock(CASE current_schema() WHEN 'public' THEN :key ELSE hashtextextended(current_schema(), :key) END);

-- name: loaded_of_feed
SELECT file_id, name, state, reason, finished_at, sha256, size_bytes
FROM ingested_files WHERE feed = :feed AND state = 'loaded' ORDER BY file_id;

-- name: replays_of_feed^
-- Changes with every replay.
SELECT count(*), max(replayed_at) FROM rejected_events WHERE feed = :feed AND replayed_at IS NOT NULL;

-- name: shadow_files
SELECT file_id, name, state, reason, finished_at, sha256, size_bytes FROM {shadow}.ingested_files ORDER BY file_id;

-- name: reopened
-- Rows that were loaded by a replay and are refused as they stand in their files.
SELECT r.file_id, r.file_name, r.line_number
FROM {main}.rejected_events AS r
JOIN {shadow}.rejected_events AS s USING (file_id, place)
WHERE r.replayed_at IS NOT NULL AND r.feed = {feed_text}
ORDER BY r.file_id, r.place;

-- name: corrected_rows
-- Of these files, rows that the new table lacks.
SELECT o.file_id, count(*) FROM {old} AS o
WHERE o.file_id = ANY (%s) AND NOT EXISTS (SELECT FROM {shadow}.{name} AS n WHERE {same_key})
GROUP BY o.file_id;

-- name: carry_rows#
INSERT INTO {shadow}.{name} ({columns}, file_id, ingested_at)
SELECT {columns}, file_id, ingested_at FROM {old} AS o
WHERE o.file_id = ANY (%s) AND NOT EXISTS (SELECT FROM {shadow}.{name} AS n WHERE {same_key});

-- name: carry_rejects#
UPDATE {shadow}.rejected_events AS s SET replayed_at = r.replayed_at
FROM {main}.rejected_events AS r
WHERE r.file_id = s.file_id AND r.place = s.place AND r.replayed_at IS NOT NULL AND s.file_id = ANY (%s);

-- name: carry_counts#
UPDATE {shadow}.ingested_files AS f
SET rows_inserted = f.rows_inserted + c.rows, rows_rejected = f.rows_rejected - c.rows,
    rows_conflicting = f.rows_conflicting - c.conflicting
FROM (
    SELECT file_id, count(*) AS rows, count(*) FILTER (WHERE reason = 'id_conflict') AS conflicting
    FROM {shadow}.rejected_events WHERE replayed_at IS NOT NULL GROUP BY file_id
) AS c
WHERE f.file_id = c.file_id;

-- name: columns_of_old
SELECT attname FROM pg_attribute WHERE attrelid = {old_text}::regclass AND attnum > 0 AND NOT attisdropped;

-- name: strange_rows
-- Rows of files that are not loaded by the ledger's word.
SELECT count(*) FROM {old} AS t
WHERE NOT EXISTS (
    SELECT FROM {main}.ingested_files AS f WHERE f.file_id = t.file_id AND f.state = 'loaded' AND f.feed = {feed_text}
);

-- name: keep_left_out#
-- What the new table does not have: of files that were left out, of none, and of files with corrected rows.
CREATE TABLE {kept} AS
SELECT t.* FROM {old} AS t
WHERE NOT EXISTS (SELECT FROM {shadow}.ingested_files AS f WHERE f.file_id = t.file_id AND f.state = 'loaded')
    OR t.file_id = ANY (%s);

-- name: kept_any
SELECT EXISTS (SELECT FROM {kept});

-- name: empty_old#
-- For its triggers: whoever keeps notes or figures of its rows learns that they are gone.
TRUNCATE {old};

-- name: put_in_place#
ALTER TABLE {shadow}.{name} SET SCHEMA {target};

-- name: remember_ends#
CREATE TEMPORARY TABLE ended ON COMMIT DROP AS
SELECT file_id, finished_at FROM {main}.ingested_files WHERE feed = {feed_text} AND state = 'loaded';

-- name: unsettle_files#
-- For the triggers of the ledger: what follows is a load as any other.
UPDATE {main}.ingested_files AS f
SET state = 'claimed', finished_at = NULL, same_bytes_as = NULL, rows_read = 0, rows_inserted = 0, rows_updated = 0,
    rows_stale = 0, rows_duplicate = 0, rows_rejected = 0, rows_duplicate_within = 0, rows_conflicting = 0,
    profile = NULL
FROM ended AS e WHERE e.file_id = f.file_id;

-- name: settle_rebuilt#
UPDATE {main}.ingested_files AS f
SET state = s.state, reason = s.reason, finished_at = e.finished_at, same_bytes_as = s.same_bytes_as,
    rows_read = s.rows_read, rows_inserted = s.rows_inserted, rows_updated = s.rows_updated, rows_stale = s.rows_stale,
    rows_duplicate = s.rows_duplicate, rows_rejected = s.rows_rejected,
    rows_duplicate_within = s.rows_duplicate_within, rows_conflicting = s.rows_conflicting,
    profile = s.profile, header = s.header, declaration = CASE WHEN s.declaration IS NOT NULL THEN {hash_text} END
FROM {shadow}.ingested_files AS s JOIN ended AS e USING (file_id)
WHERE f.file_id = s.file_id AND s.state <> 'claimed';

-- name: renew_replaced#
DELETE FROM {main}.replaced_rows AS r
USING {main}.ingested_files AS f WHERE f.file_id = r.file_id AND f.feed = {feed_text};
INSERT INTO {main}.replaced_rows (file_id, by_file_id, rows) SELECT file_id, by_file_id, rows FROM {shadow}.replaced_rows;

-- name: settle_left_out#
UPDATE {main}.ingested_files AS f
SET state = 'quarantined', finished_at = e.finished_at, reason = 'left out when its table was rebuilt: ' || o.reason
FROM unnest(%s::bigint[], %s::text[]) AS o (file_id, reason) JOIN ended AS e USING (file_id)
WHERE f.file_id = o.file_id;

-- name: renew_rejects#
DELETE FROM {main}.rejected_events WHERE feed = {feed_text};
INSERT INTO {main}.rejected_events (
    file_id, file_name, line_number, element, raw, reason, column_name, message, feed, replayed_at
)
SELECT file_id, file_name, line_number, element, raw, reason, column_name, message, feed, replayed_at
FROM {shadow}.rejected_events ORDER BY file_id, place;

-- name: forget_lost#
-- The triggers of the old table have noted as lost what is there again.
DELETE FROM {main}.lost_files AS l
USING {main}.ingested_files AS f WHERE f.file_id = l.file_id AND f.feed = {feed_text};

-- name: totals_of_feed^
SELECT
    count(*), coalesce(sum(rows_read), 0)::bigint, coalesce(sum(rows_inserted), 0)::bigint,
    coalesce(sum(rows_updated), 0)::bigint, coalesce(sum(rows_stale), 0)::bigint,
    coalesce(sum(rows_duplicate), 0)::bigint, coalesce(sum(rows_rejected), 0)::bigint
FROM ingested_files WHERE feed = :feed AND state = 'loaded';
