-- Statements of the unit of work. They are sent through ADBC, so parameters are positional;
-- {columns} and the like are filled from the declaration of the feed (``feed_table``), never from input. What stands
-- beside declared columns, or could be taken for one, has a capital letter, which no declared column has.

-- name: lock_shared
-- Each schema has a key of its own, since advisory locks are the whole database's.
SELECT pg_advisory_xact_lock_shared(CASE current_schema() WHEN 'public' THEN $1 ELSE hashtextextended(current_schema(), $1) END);

-- name: lock_exclusive
SELECT pg_advisory_xact_lock(CASE current_schema() WHEN 'public' THEN $1 ELSE hashtextextended(current_schema(), $1) END);

-- name: lock_files
-- In order, so that two units never wait for each other's ledger rows.
SELECT file_id
FROM ingested_files
WHERE file_id = ANY($1::text::bigint[]) AND state = 'claimed'
ORDER BY file_id
FOR UPDATE;

-- name: binary_fits
-- Whether COPY may send our binary values: not into a column that somebody gave another type of fixed length, where
-- the bytes of a number would be taken for another's.
SELECT bool_and(t.typlen < 0 OR t.oid = d.type) AS fits
FROM (VALUES {declared_types}) AS d (name, type)
JOIN pg_attribute AS a ON a.attrelid = {table_text}::regclass AND a.attname = d.name
JOIN pg_type AS c ON c.oid = a.atttypid
JOIN pg_type AS t ON t.oid = coalesce(nullif(c.typbasetype, 0), c.oid);

-- name: refuse_at_once#
-- Constraints that would wait for COMMIT speak up where the row is known. None of ours waits.
SET CONSTRAINTS ALL IMMEDIATE;

-- name: create_staged#
CREATE TEMPORARY TABLE staged ({definitions}, line_number bigint, file_id bigint) ON COMMIT DROP;

-- name: create_unseen#
CREATE TEMPORARY TABLE unseen ({key_definitions}) ON COMMIT DROP;

-- name: create_fresh#
CREATE TEMPORARY TABLE fresh ({key_definitions}, PRIMARY KEY ({key})) ON COMMIT DROP;

-- name: sort_in_memory#
-- A buffer takes about 40 MB; the default would sort it on disk.
SET LOCAL work_mem = '64MB';

-- name: empty_staged#
TRUNCATE staged, unseen, fresh;

-- name: by_file_and_verdict
-- Part of the next ones: how many rows of a file came to which verdict, and which are in conflict.
SELECT
    file_id,
    verdict,
    count(*) AS rows,
    array_agg(line_number) FILTER (WHERE verdict = 'conflict') AS lines

-- name: classify_known
-- Every staged row whose id is stored, compared with the row that is stored under it. Ids that are not are
-- noted in the same statement: what one snapshot did not find is exactly what is left to do.
WITH looked_up AS MATERIALIZED (
    SELECT
        {key_s},
        s.file_id,
        s.line_number,
        {verdict} AS "Verdict"
    FROM staged AS s
    {stored}
),
noted AS (
    INSERT INTO unseen SELECT DISTINCT {key} FROM looked_up WHERE "Verdict" = 'missing'
)
{by_file_and_verdict}
FROM (SELECT file_id, line_number, "Verdict" AS verdict FROM looked_up) AS known
GROUP BY file_id, verdict;

-- name: insert_unseen!
-- The first copy of each id, in the order of the index that has to find its place. Another unit may have
-- stored the id meanwhile.
WITH inserted AS (
    INSERT INTO {table} ({columns}, file_id)
    SELECT DISTINCT ON ({key}) {columns}, file_id
    FROM staged JOIN unseen USING ({key})
    ORDER BY {key}, file_id, line_number
    ON CONFLICT ({key}) DO NOTHING
    RETURNING {key}
)
INSERT INTO fresh SELECT {key} FROM inserted;

-- name: classify_unseen
-- Every row of an unseen id that was not inserted after all, compared as above. What kept it out may have been
-- deleted since.
{by_file_and_verdict}
FROM (
    SELECT
        s.file_id,
        {verdict} AS verdict,
        s.line_number
    FROM (
        SELECT staged.*, row_number() OVER (PARTITION BY {key} ORDER BY file_id, line_number) AS "Copy"
        FROM staged JOIN unseen USING ({key})
    ) AS s
    {stored}
    WHERE s."Copy" > 1 OR NOT EXISTS (SELECT FROM fresh AS f WHERE {same_key_f})
) AS leftover
GROUP BY file_id, verdict;

-- name: create_trial#
CREATE TEMPORARY TABLE trial ("Number" bigint PRIMARY KEY, {definitions}, line_number bigint, file_id bigint)
ON COMMIT DROP;

-- name: create_tried#
-- Rows that were inserted, and with an SQLSTATE those that were refused.
CREATE TEMPORARY TABLE tried (
    file_id bigint, line_number bigint, sqlstate text, constraint_name text, column_name text
) ON COMMIT DROP;

-- name: empty_trial#
TRUNCATE trial, tried;

-- name: fill_trial!
INSERT INTO trial
SELECT row_number() OVER (ORDER BY {key}, file_id, line_number), {columns}, line_number, file_id
FROM staged JOIN unseen USING ({key});

-- name: try_each
-- insert_unseen where PostgreSQL refuses rows: in ever smaller pieces until the refused ones are alone. Of an id's
-- copies the first that is not refused is stored. Conditions as in _REFUSALS of the sink.
DO $$
DECLARE
    "Place" bigint := 1;
    "Size" bigint := 1024;
    "Last" bigint := (SELECT max("Number") FROM trial);
    "Said" text;
    "Constraint" text;
    "Column" text;
BEGIN
    WHILE "Place" <= "Last" LOOP
        BEGIN
            WITH piece AS MATERIALIZED (
                SELECT *, row_number() OVER (PARTITION BY {key} ORDER BY "Number") AS "Copy"
                FROM trial WHERE "Number" >= "Place" AND "Number" < "Place" + "Size"
            ),
            inserted AS (
                INSERT INTO {table} ({columns}, file_id)
                SELECT {columns}, file_id FROM piece ORDER BY "Number"
                ON CONFLICT ({key}) DO NOTHING
                RETURNING {key}
            )
            INSERT INTO tried (file_id, line_number)
            SELECT p.file_id, p.line_number FROM piece AS p JOIN inserted USING ({key}) WHERE p."Copy" = 1;
            "Place" := "Place" + "Size";
            "Size" := least("Size" * 4, 1024);
        EXCEPTION
            WHEN data_exception OR integrity_constraint_violation OR with_check_option_violation
                OR program_limit_exceeded OR raise_exception OR assert_failure OR datatype_mismatch
            THEN
                IF "Size" > 1 THEN
                    "Size" := "Size" / 4;
                ELSE
                    GET STACKED DIAGNOSTICS
                        "Said" = RETURNED_SQLSTATE, "Constraint" = CONSTRAINT_NAME, "Column" = COLUMN_NAME;
                    INSERT INTO tried
                    SELECT file_id, line_number, "Said", nullif("Constraint", ''), nullif("Column", '')
                    FROM trial WHERE "Number" = "Place";
                    "Place" := "Place" + 1;
                END IF;
        END;
    END LOOP;
END
$$;

-- name: refused_rows
SELECT file_id, line_number, sqlstate, constraint_name, column_name FROM tried WHERE sqlstate IS NOT NULL;

-- name: classify_tried
-- As classify_unseen: every row of the trial that was neither inserted nor refused.
{by_file_and_verdict}
FROM (
    SELECT
        s.file_id,
        {verdict} AS verdict,
        s.line_number
    FROM trial AS s
    {stored}
    WHERE NOT EXISTS (
        SELECT FROM tried AS d WHERE d.file_id = s.file_id AND d.line_number = s.line_number
    )
) AS leftover
GROUP BY file_id, verdict;

-- name: create_outcomes#
CREATE TEMPORARY TABLE outcomes (
    file_id bigint,
    state text,
    reason text,
    size_bytes bigint,
    sha256 text,
    rows_read bigint,
    rows_inserted bigint,
    rows_updated bigint,
    rows_stale bigint,
    rows_duplicate bigint,
    rows_rejected bigint,
    rows_duplicate_within bigint,
    rows_conflicting bigint,
    header text,
    declaration text,
    profile text
) ON COMMIT DROP;

-- name: settle_files!
UPDATE ingested_files AS f
SET
    state = o.state,
    reason = o.reason,
    size_bytes = coalesce(o.size_bytes, f.size_bytes),
    sha256 = o.sha256,
    same_bytes_as = (
        SELECT min(twin.file_id)
        FROM (
            SELECT l.file_id
            FROM ingested_files AS l
            WHERE l.sha256 = o.sha256 AND l.state = 'loaded' AND l.feed = f.feed
            UNION ALL
            SELECT p.file_id FROM outcomes AS p
            WHERE p.sha256 = o.sha256 AND p.state = 'loaded' AND p.file_id < o.file_id
        ) AS twin
        WHERE twin.file_id <> o.file_id AND o.state = 'loaded'
    ),
    rows_read = o.rows_read,
    rows_inserted = o.rows_inserted,
    rows_updated = o.rows_updated,
    rows_stale = o.rows_stale,
    rows_duplicate = o.rows_duplicate,
    rows_rejected = o.rows_rejected,
    rows_duplicate_within = o.rows_duplicate_within,
    rows_conflicting = o.rows_conflicting,
    header = o.header,
    declaration = o.declaration,
    profile = o.profile::jsonb,
    batch_id = $1,
    finished_at = clock_timestamp()
FROM outcomes AS o
WHERE f.file_id = o.file_id;

-- name: hand_statistics_in
-- A connection that is kept would do so up to ten seconds later: what a load did is to show in its run's figures, and
-- autovacuum is to see it.
SELECT pg_stat_force_next_flush();

-- name: read_outcomes
SELECT
    file_id, name, state, reason, rows_read, rows_inserted, rows_updated, rows_stale, rows_duplicate, rows_rejected,
    landed_at, finished_at
FROM ingested_files
WHERE file_id = ANY($1::text::bigint[])
ORDER BY file_id;
