-- Whose a file is, what was declared of it when it was loaded, and what became of rows that may replace others. Constant
-- defaults rewrite no table.
ALTER TABLE ingested_files
    ADD COLUMN feed text NOT NULL DEFAULT 'user_events',
    ADD COLUMN declaration text,
    ADD COLUMN rows_updated bigint NOT NULL DEFAULT 0,
    ADD COLUMN rows_stale bigint NOT NULL DEFAULT 0;
ALTER TABLE rejected_events
    ADD COLUMN feed text NOT NULL DEFAULT 'user_events',
    -- A file without a header begins with a row.
    DROP CONSTRAINT rejected_events_line_number_check,
    ADD CONSTRAINT rejected_events_line_number_check CHECK (line_number >= 1);
ALTER TABLE duplicate_audit ADD COLUMN feed text NOT NULL DEFAULT 'user_events';

-- The feeds that have a table here, and the declaration that it was made from. That of user_events is made by the
-- migrations.
CREATE TABLE feeds (
    feed text PRIMARY KEY,
    table_schema text NOT NULL,
    table_name text NOT NULL,
    declaration jsonb NOT NULL,
    declaration_hash text NOT NULL CHECK (declaration_hash ~ '^[0-9a-f]{64}$'),
    applied_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (table_schema, table_name)
);

-- Checks that look at what changed, each with the feed that it is about. That of a feed is called by its name as well.
CREATE OR REPLACE VIEW narrowed_checks AS
SELECT c.check_name, 'user_events' AS feed FROM unnest(ARRAY['row_rules', 'table_matches_ledger']) AS c (check_name)
UNION ALL
SELECT c.check_name || ' of ' || f.feed, f.feed
FROM feeds AS f CROSS JOIN unnest(ARRAY['row_rules', 'table_matches_ledger']) AS c (check_name)
WHERE f.feed <> 'user_events';

CREATE OR REPLACE FUNCTION note_unchecked_load() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    INSERT INTO unchecked_files (check_name, file_id)
    SELECT check_name, NEW.file_id FROM narrowed_checks WHERE feed = NEW.feed;
    RETURN NULL;
END
$$;

-- The first argument is the feed; that of user_events has none.
CREATE OR REPLACE FUNCTION note_unchecked_files() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    of_feed text := coalesce(TG_ARGV[0], 'user_events');
BEGIN
    INSERT INTO unchecked_files (check_name, file_id)
    SELECT c.check_name, e.file_id
    FROM (SELECT DISTINCT file_id FROM before) AS e JOIN narrowed_checks AS c ON c.feed = of_feed;
    IF TG_OP = 'UPDATE' THEN
        INSERT INTO unchecked_files (check_name, file_id)
        SELECT c.check_name, e.file_id
        FROM (SELECT DISTINCT file_id FROM after) AS e JOIN narrowed_checks AS c ON c.feed = of_feed;
    END IF;
    RETURN NULL;
END
$$;

CREATE OR REPLACE FUNCTION forget_what_was_checked() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    of_feed text := coalesce(TG_ARGV[0], 'user_events');
BEGIN
    -- Which files are gone is not known, so every check looks at everything.
    IF of_feed = 'user_events' THEN
        DELETE FROM whole_checks WHERE check_name NOT LIKE '% of %';
        DELETE FROM unchecked_files WHERE check_name NOT LIKE '% of %';
    ELSE
        DELETE FROM whole_checks WHERE check_name LIKE '% of ' || of_feed;
        DELETE FROM unchecked_files WHERE check_name LIKE '% of ' || of_feed;
    END IF;
    RETURN NULL;
END
$$;

-- A row that was deleted from the table of a feed, by its key as text, and the file that had stored it: as lost_events
-- for user_events.
CREATE TABLE lost_rows (
    feed text NOT NULL REFERENCES feeds (feed) ON DELETE CASCADE ON UPDATE CASCADE,
    row_key text NOT NULL,
    file_id bigint NOT NULL,
    PRIMARY KEY (feed, row_key, file_id)
);
-- The arguments: the feed, and the columns of its key as SQL writes them.
CREATE FUNCTION note_lost_rows() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    EXECUTE format(
        'INSERT INTO lost_rows (feed, row_key, file_id) SELECT %L, ROW(%s)::text, file_id FROM before '
        'ON CONFLICT DO NOTHING',
        TG_ARGV[0], TG_ARGV[1]
    );
    RETURN NULL;
END
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
    SELECT file_id, rows_inserted FROM ingested_files WHERE rows_inserted > 0 AND feed = of_feed
    ON CONFLICT (file_id) DO UPDATE SET rows = excluded.rows, lost_at = excluded.lost_at;
    RETURN NULL;
END
$$;

-- Temporary tables come last, or a session could put one of its own in the place of a table.
DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY[
        'note_unchecked_load', 'note_unchecked_files', 'forget_what_was_checked', 'note_lost_rows', 'note_lost_files'
    ] LOOP
        EXECUTE 'ALTER FUNCTION ' || name || '() SET search_path = ' || quote_ident(current_schema()) || ', pg_temp';
    END LOOP;
END
$$;
