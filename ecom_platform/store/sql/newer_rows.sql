-- Rows that may replace stored ones (`on_conflict: update`). Sent through ADBC, so parameters are positional;
-- {columns} and the like are filled from the declaration of the feed (``feed_table``), never from input.
--
-- The order of two rows of one key: by the version, where one is declared, no version below every other; then by the
-- landing of their files, then by their lines. Of one line that was read twice the later reading counts. It is a
-- property of the rows alone, so whichever comes first, the same one is stored in the end. Columns of ours that stand
-- beside declared ones have a capital letter, which no declared one has.

-- name: take_turns
-- Units of the feed that have rows to compare do so one after the other: who waited for rows of another would have to
-- begin anew, again and again where the same keys are in all files.
SELECT pg_advisory_xact_lock(hashtextextended('ecom_platform newer rows of ' || current_schema() || '.' || {feed_text}, 0));

-- name: is_empty
SELECT NOT EXISTS (SELECT FROM {table}) AS empty;

-- name: create_ranked#
-- Rows whose key comes once have a number, by which they are paired with the stored row.
CREATE TEMPORARY TABLE single_keys ({key_definitions}, "Number" bigint) ON COMMIT DROP;
CREATE TEMPORARY TABLE single_rows ({definitions}, line_number bigint, file_id bigint, "Number" bigint) ON COMMIT DROP;
CREATE TEMPORARY TABLE stored_rows ({definitions}, line_number bigint, file_id bigint, "Place" tid, "Number" bigint)
ON COMMIT DROP;
CREATE TEMPORARY TABLE paired (
    "Number" bigint, file_id bigint, "Place" tid, "Stored" bigint, verdict text, "Replaces" boolean
) ON COMMIT DROP;
CREATE TEMPORARY TABLE ranked (
    {definitions}, line_number bigint, file_id bigint, "Place" tid, "Landed" timestamptz, "Landing" bigint,
    "Turn" bigint, "Strength" bigint
) ON COMMIT DROP;
CREATE TEMPORARY TABLE judged (file_id bigint, verdict text, rows bigint) ON COMMIT DROP;

-- name: empty_ranked#
TRUNCATE single_keys, single_rows, stored_rows, paired, ranked, judged;

-- name: lock_single!
-- The stored row of every key that comes once, found by the index one after the other: what is looked for is few beside
-- a table of years. In the order of the keys, in which they were sent.
INSERT INTO stored_rows ({columns}, line_number, file_id, "Place", "Number")
SELECT t.*, s."Number"
FROM single_keys AS s
CROSS JOIN LATERAL (
    SELECT {columns}, line_number, file_id, ctid FROM {table} AS e WHERE {same_key} FOR NO KEY UPDATE
) AS t;

-- name: known_numbers
SELECT "Number" FROM stored_rows;

-- name: pair!
-- What each row whose key comes once is beside the stored one.
INSERT INTO paired
WITH files AS MATERIALIZED (
    SELECT s.file_id AS "File", {landed} AS "Landed", {landing} AS "Landing"
    FROM (SELECT file_id FROM single_rows UNION SELECT file_id FROM stored_rows) AS s
    LEFT JOIN ingested_files AS o ON o.file_id = s.file_id
)
SELECT
    "Number", file_id, "Place", "Stored",
    CASE
        WHEN "Same" THEN CASE WHEN file_id = "Stored" THEN 'within' ELSE 'across' END
        WHEN "Later" THEN 'updated'
        ELSE 'stale'
    END,
    "Later" AND NOT ("Same" AND "Same place")
FROM (
    SELECT
        s."Number", s.file_id, t."Place", t.file_id AS "Stored",
        ROW({compared_s}) IS NOT DISTINCT FROM ROW({compared_t}) AS "Same",
        {is_later} AS "Later",
        ROW(s."Landed", s."Landing", s.line_number)
            IS NOT DISTINCT FROM ROW(t."Landed", t."Landing", coalesce(t.line_number, 0)) AS "Same place"
    FROM (SELECT r.*, f.* FROM single_rows AS r JOIN files AS f ON f."File" = r.file_id) AS s
    JOIN (SELECT r.*, f.* FROM stored_rows AS r JOIN files AS f ON f."File" = r.file_id) AS t
        ON t."Number" = s."Number"
) AS each;

-- name: replace_paired!
UPDATE {table} AS e
SET ({compared}line_number, file_id, ingested_at) = ROW({new_values}s.line_number, s.file_id, now())
FROM single_rows AS s JOIN paired AS p ON p."Number" = s."Number"
WHERE e.ctid = p."Place" AND p."Replaces";

-- name: note_paired!
INSERT INTO replaced_rows (file_id, by_file_id, rows)
SELECT "Stored", file_id, count(*) FROM paired WHERE "Replaces" AND "Stored" <> file_id GROUP BY 1, 2
ON CONFLICT (file_id, by_file_id) DO UPDATE SET rows = replaced_rows.rows + excluded.rows;

-- name: judge_paired!
INSERT INTO judged SELECT file_id, verdict, count(*) FROM paired GROUP BY file_id, verdict;

-- name: stage_paired!
-- All rows together, where PostgreSQL refuses some.
INSERT INTO staged ({columns}, line_number, file_id) SELECT {columns}, line_number, file_id FROM single_rows;

-- name: lock_stored!
-- The stored row of every staged key of which that is not known yet. Nobody replaces it until COMMIT. In the order of
-- the keys, as another unit does.
INSERT INTO stored_rows ({columns}, line_number, file_id, "Place")
SELECT t.*
FROM (
    SELECT DISTINCT {key} FROM staged AS s
    WHERE NOT EXISTS (SELECT FROM stored_rows AS t WHERE {same_key_t})
        AND NOT EXISTS (SELECT FROM fresh AS f WHERE {same_key_f})
    ORDER BY {key}
) AS s
CROSS JOIN LATERAL (
    SELECT {columns}, line_number, file_id, ctid FROM {table} AS e WHERE {same_key} FOR NO KEY UPDATE
) AS t;

-- name: empty_ranks#
TRUNCATE ranked;

-- name: rank!
-- Every row of a staged key: the how-manieth it comes, the stored one first, and the how-manieth it is in the order.
INSERT INTO ranked
SELECT
    {columns}, line_number, file_id, "Place", "Landed", "Landing",
    row_number() OVER (
        PARTITION BY {key} ORDER BY "Place" NULLS LAST, "Landed", "Landing", line_number, file_id
    ),
    row_number() OVER (PARTITION BY {key} ORDER BY {in_order}, file_id)
FROM (
    SELECT
        {columns_s}, s.line_number, s.file_id, "Place", {landed} AS "Landed", {landing} AS "Landing"
    FROM (
        SELECT {columns}, line_number, file_id, NULL::tid AS "Place" FROM staged
        UNION ALL
        SELECT {columns}, coalesce(line_number, 0), file_id, "Place" FROM stored_rows WHERE "Number" IS NULL
    ) AS s
    LEFT JOIN ingested_files AS o ON o.file_id = s.file_id
) AS ordered;

-- name: landed#
-- When the file of a row landed: of one that was brought back, when it did so first.
coalesce(o.ordered_at, o.landed_at, '-infinity')

-- name: landing#
coalesce(o.ordered_as, s.file_id)

-- name: in_order#
{by_version}"Landed", "Landing", line_number

-- name: insert_new!
-- Of each key that is not stored the last row in the order. Another unit may have stored it meanwhile.
WITH inserted AS (
    INSERT INTO {table} ({columns}, line_number, file_id)
    SELECT DISTINCT ON ({key}) {columns}, line_number, file_id
    FROM ranked AS s
    WHERE NOT EXISTS (SELECT FROM stored_rows AS t WHERE {same_key_t})
    ORDER BY {key}, "Strength" DESC
    ON CONFLICT ({key}) DO NOTHING
    RETURNING {key}
)
INSERT INTO fresh SELECT {key} FROM inserted;

-- name: all_known
-- Whether every staged key is locked as it is stored, or was inserted.
SELECT NOT EXISTS (
    SELECT FROM staged AS s
    WHERE NOT EXISTS (SELECT FROM stored_rows AS t WHERE {same_key_t})
        AND NOT EXISTS (SELECT FROM fresh AS f WHERE {same_key_f})
) AS known;

-- name: judge!
-- What each row is beside the last one in the order of those that came before it.
INSERT INTO judged
SELECT file_id, verdict, count(*)
FROM (
    SELECT
        s.file_id,
        CASE
            WHEN t."Turn" IS NULL THEN 'inserted'
            WHEN ROW({compared_s}) IS NOT DISTINCT FROM ROW({compared_t}) THEN
                CASE WHEN s.file_id = t.file_id THEN 'within' ELSE 'across' END
            WHEN s."Strength" > t."Strength" THEN 'updated'
            ELSE 'stale'
        END AS verdict
    FROM (
        SELECT
            *,
            max("Strength") OVER (
                PARTITION BY {key} ORDER BY "Turn" ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
            ) AS "Before"
        FROM ranked
    ) AS s
    LEFT JOIN ranked AS t ON {same_key_t} AND t."Strength" = s."Before"
    WHERE s."Place" IS NULL
) AS each
GROUP BY file_id, verdict;

-- name: replace!
-- Where the last row in the order is not the stored one. One of the same place and the same content, which a file that
-- was brought back has, changes nothing.
UPDATE {table} AS e
SET ({compared}line_number, file_id, ingested_at) = ROW({new_values}s.line_number, s.file_id, now())
FROM (SELECT DISTINCT ON ({key}) * FROM ranked ORDER BY {key}, "Strength" DESC) AS s
JOIN ranked AS t ON {same_key_t} AND t."Place" IS NOT NULL
WHERE e.ctid = t."Place"
    AND s."Place" IS NULL
    AND (
        ROW({compared_s}) IS DISTINCT FROM ROW({compared_t})
        OR ROW(s."Landed", s."Landing", s.line_number) IS DISTINCT FROM ROW(t."Landed", t."Landing", t.line_number)
    );

-- name: note_replaced!
-- By file that had the first row of a key and file that has its last one now: how many rows the table has of the one
-- more and of the other fewer than they brought.
INSERT INTO replaced_rows (file_id, by_file_id, rows)
SELECT t.file_id, s.file_id, count(*)
FROM (SELECT DISTINCT ON ({key}) * FROM ranked ORDER BY {key}, "Strength" DESC) AS s
JOIN ranked AS t ON {same_key_t} AND t."Turn" = 1
WHERE s.file_id <> t.file_id
    AND (
        t."Place" IS NULL
        OR ROW({compared_s}) IS DISTINCT FROM ROW({compared_t})
        OR ROW(s."Landed", s."Landing", s.line_number) IS DISTINCT FROM ROW(t."Landed", t."Landing", t.line_number)
    )
GROUP BY t.file_id, s.file_id
ON CONFLICT (file_id, by_file_id) DO UPDATE SET rows = replaced_rows.rows + excluded.rows;

-- name: verdicts
SELECT file_id, verdict, sum(rows)::bigint AS rows FROM judged GROUP BY file_id, verdict;

-- name: empty_tried#
TRUNCATE tried;

-- name: judge_each
-- The same a row at a time, in their order, where PostgreSQL refuses some: each that it takes has its effect. Conditions
-- as in _REFUSALS of the sink.
DO $$
DECLARE
    s record;
    t record;
    "Later" boolean;
    "Same" boolean;
    "Said" text;
    "Constraint" text;
    "Column" text;
BEGIN
    FOR s IN
        SELECT g.*, coalesce(o."Landed", '-infinity') AS "Landed", coalesce(o."Landing", g.file_id) AS "Landing"
        FROM staged AS g
        LEFT JOIN (
            SELECT file_id AS "File", coalesce(ordered_at, landed_at) AS "Landed", ordered_as AS "Landing"
            FROM ingested_files
        ) AS o ON o."File" = g.file_id
        ORDER BY {key}, coalesce(o."Landed", '-infinity'), coalesce(o."Landing", g.file_id), line_number, file_id
    LOOP
        BEGIN
            SELECT
                e.*, coalesce(o.ordered_at, o.landed_at, '-infinity') AS "Landed",
                coalesce(o.ordered_as, e.file_id) AS "Landing", e.ctid AS "Place"
            INTO t
            FROM {table} AS e LEFT JOIN ingested_files AS o ON o.file_id = e.file_id
            WHERE {same_key}
            FOR NO KEY UPDATE OF e;
            IF NOT FOUND THEN
                INSERT INTO {table} ({columns}, line_number, file_id) VALUES ({columns_s}, s.line_number, s.file_id)
                ON CONFLICT ({key}) DO NOTHING;
                IF NOT FOUND THEN
                    RAISE EXCEPTION 'another unit has stored the row' USING ERRCODE = 'serialization_failure';
                END IF;
                INSERT INTO judged VALUES (s.file_id, 'inserted', 1);
            ELSE
                "Later" := {is_later};
                "Same" := ROW({compared_s}) IS NOT DISTINCT FROM ROW({compared_t});
                IF "Later" AND NOT (
                    "Same" AND ROW(s."Landed", s."Landing", s.line_number)
                    IS NOT DISTINCT FROM ROW(t."Landed", t."Landing", t.line_number)
                ) THEN
                    UPDATE {table} AS e
                    SET ({compared}line_number, file_id, ingested_at)
                        = ROW({new_values}s.line_number, s.file_id, now())
                    WHERE e.ctid = t."Place";
                    IF s.file_id <> t.file_id THEN
                        INSERT INTO replaced_rows AS r (file_id, by_file_id, rows) VALUES (t.file_id, s.file_id, 1)
                        ON CONFLICT (file_id, by_file_id) DO UPDATE SET rows = r.rows + 1;
                    END IF;
                END IF;
                INSERT INTO judged VALUES (
                    s.file_id,
                    CASE
                        WHEN "Same" AND s.file_id = t.file_id THEN 'within'
                        WHEN "Same" THEN 'across'
                        WHEN "Later" THEN 'updated'
                        ELSE 'stale'
                    END,
                    1
                );
            END IF;
        EXCEPTION
            WHEN data_exception OR integrity_constraint_violation OR with_check_option_violation
                OR program_limit_exceeded OR raise_exception OR assert_failure OR datatype_mismatch
            THEN
                GET STACKED DIAGNOSTICS
                    "Said" = RETURNED_SQLSTATE, "Constraint" = CONSTRAINT_NAME, "Column" = COLUMN_NAME;
                INSERT INTO tried
                VALUES (s.file_id, s.line_number, "Said", nullif("Constraint", ''), nullif("Column", ''));
        END;
    END LOOP;
END
$$;
