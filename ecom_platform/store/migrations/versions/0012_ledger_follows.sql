-- Looks that found the whole right before a later one was red are not kept any more (scope.sql): those of before
-- may be of that kind.
DELETE FROM whole_checks;

-- Prices are bounded, the number of events is not. With the scale as it was, PostgreSQL rewrites nothing.
ALTER TABLE hourly_sales ALTER COLUMN revenue TYPE numeric(38, 2);

-- The names of the columns in the order of the file, separated by commas: what a refused row of it is read by when
-- the file itself is gone. Null where it is not known.
ALTER TABLE ingested_files ADD COLUMN header text;

-- A row that was deleted from user_events, and the file that had stored it. If another file brings the id back, that
-- is where it counts from then on (table_matches_ledger, audit.py); if none does, it is missing.
CREATE TABLE lost_events (
    event_id uuid NOT NULL,
    file_id bigint NOT NULL,
    PRIMARY KEY (event_id, file_id)
);
CREATE FUNCTION note_lost_events() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    INSERT INTO lost_events (event_id, file_id) SELECT event_id, file_id FROM before ON CONFLICT DO NOTHING;
    RETURN NULL;
END
$$;
CREATE TRIGGER note_lost_events AFTER DELETE ON user_events
    REFERENCING OLD TABLE AS before FOR EACH STATEMENT EXECUTE FUNCTION note_lost_events();

-- The same for rows whose ids nobody knows any more. They are back when a file of the same bytes was loaded since:
-- every id of it is stored then.
CREATE TABLE lost_files (
    file_id bigint PRIMARY KEY REFERENCES ingested_files (file_id) ON DELETE CASCADE,
    rows bigint NOT NULL CHECK (rows > 0),
    lost_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE FUNCTION note_lost_files() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    DELETE FROM lost_events;
    INSERT INTO lost_files (file_id, rows)
    SELECT file_id, rows_inserted FROM ingested_files WHERE rows_inserted > 0
    ON CONFLICT (file_id) DO UPDATE SET rows = excluded.rows, lost_at = excluded.lost_at;
    RETURN NULL;
END
$$;
CREATE TRIGGER note_lost_files AFTER TRUNCATE ON user_events
    FOR EACH STATEMENT EXECUTE FUNCTION note_lost_files();

-- Until now a file that was dropped again counted with the first of its bytes: what it inserted had been deleted, and
-- both counted it. From here on each row counts once.
CREATE TEMPORARY TABLE stored_by_file ON COMMIT DROP AS
SELECT f.file_id, coalesce(f.same_bytes_as, f.file_id) AS first, f.rows_inserted, coalesce(e.rows, 0) AS rows
FROM ingested_files AS f
LEFT JOIN (SELECT file_id, count(*) AS rows FROM user_events GROUP BY file_id) AS e USING (file_id)
WHERE f.rows_inserted > 0;
UPDATE ingested_files AS f
SET rows_inserted = s.rows, rows_duplicate = f.rows_duplicate + s.rows_inserted - s.rows
FROM stored_by_file AS s
WHERE f.file_id = s.file_id AND s.rows < s.rows_inserted AND s.first IN (
    SELECT first
    FROM stored_by_file
    GROUP BY first
    HAVING count(*) > 1
        AND sum(rows) >= coalesce(sum(rows_inserted) FILTER (WHERE file_id = first), 0)
        AND bool_and(rows <= rows_inserted)
);
INSERT INTO lost_files (file_id, rows)
SELECT file_id, f.rows_inserted - s.rows
FROM ingested_files AS f JOIN stored_by_file AS s USING (file_id)
WHERE f.rows_inserted > s.rows;

-- Temporary tables come last, or a session could put one of its own in the place of a table.
DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['note_lost_events', 'note_lost_files'] LOOP
        EXECUTE 'ALTER FUNCTION ' || name || '() SET search_path = ' || quote_ident(current_schema()) || ', pg_temp';
    END LOOP;
END
$$;
