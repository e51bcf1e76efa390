-- Of a file that was brought back: when it landed first, and the number that it had then. Null of every other, whose
-- place in the order of landings is its own.
ALTER TABLE ingested_files
    ADD COLUMN ordered_at timestamptz,
    ADD COLUMN ordered_as bigint;

-- Rows of one file in whose place those of another are by now: the table has as many fewer of the one, and more of the
-- other. by_file_id is 0 of rows that were deleted from a table and brought back by a file that counts them itself.
CREATE TABLE replaced_rows (
    file_id bigint NOT NULL REFERENCES ingested_files (file_id) ON DELETE CASCADE,
    by_file_id bigint NOT NULL,
    rows bigint NOT NULL CHECK (rows > 0),
    PRIMARY KEY (file_id, by_file_id)
);
CREATE INDEX ON replaced_rows (by_file_id);

-- Files that are on their way back into the landing folder, by what the next claim sees of them, and the landing that
-- they keep. Another file under the same inode has another size or time.
CREATE TABLE returned_files (
    inode bigint PRIMARY KEY,
    size_bytes bigint NOT NULL,
    mtime_ns bigint NOT NULL,
    ordered_at timestamptz NOT NULL,
    ordered_as bigint NOT NULL,
    noted_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- A micro-batch counts them as well.
ALTER TABLE stream_batches
    ADD COLUMN rows_updated bigint NOT NULL DEFAULT 0,
    ADD COLUMN rows_stale bigint NOT NULL DEFAULT 0;

-- What each file of a feed has in its table: what it brought, and what it replaced or had replaced.
CREATE FUNCTION rows_by_the_ledger(of_feed text) RETURNS TABLE (file_id bigint, rows bigint)
LANGUAGE sql STABLE AS $$
    SELECT f.file_id, f.rows_inserted + coalesce(won.rows, 0) - coalesce(lost.rows, 0)
    FROM ingested_files AS f
    LEFT JOIN (SELECT r.by_file_id, sum(r.rows)::bigint AS rows FROM replaced_rows AS r GROUP BY 1) AS won
        ON won.by_file_id = f.file_id
    LEFT JOIN (SELECT r.file_id, sum(r.rows)::bigint AS rows FROM replaced_rows AS r GROUP BY 1) AS lost
        ON lost.file_id = f.file_id
    WHERE f.feed = of_feed
$$;

CREATE OR REPLACE FUNCTION note_lost_files() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    of_feed text := coalesce(TG_ARGV[0], 'user_events');
BEGIN
    IF of_feed = 'user_events' THEN
        DELETE FROM lost_events;
    ELSE
        DELETE FROM lost_rows WHERE feed = of_feed;
    END IF;
    INSERT INTO lost_files (file_id, rows)
    SELECT l.file_id, l.rows FROM rows_by_the_ledger(of_feed) AS l WHERE l.rows > 0
    ON CONFLICT (file_id) DO UPDATE SET rows = excluded.rows, lost_at = excluded.lost_at;
    RETURN NULL;
END
$$;

-- Temporary tables come last, or a session could put one of its own in the place of a table.
DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['note_lost_files()', 'rows_by_the_ledger(text)'] LOOP
        EXECUTE 'ALTER FUNCTION ' || name || ' SET search_path = ' || quote_ident(current_schema()) || ', pg_temp';
    END LOOP;
END
$$;
