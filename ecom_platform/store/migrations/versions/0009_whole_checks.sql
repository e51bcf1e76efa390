-- When a check last held the whole table against what it should be, and found it right. Until the next time it
-- looks at what changed since alone, where the table is large.
CREATE TABLE whole_checks (
    check_name text PRIMARY KEY,
    checked_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- A file whose rows a check has not looked at since they came, went or changed. Each note is written in the
-- transaction of the change itself. The same file may be noted twice: a check deletes the notes that it saw, and
-- one that is written meanwhile must outlive it.
CREATE TABLE unchecked_files (
    note_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    check_name text NOT NULL,
    file_id bigint NOT NULL
);
CREATE VIEW narrowed_checks AS SELECT unnest(ARRAY['row_rules', 'table_matches_ledger']) AS check_name;

CREATE FUNCTION note_unchecked_load() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    INSERT INTO unchecked_files (check_name, file_id) SELECT check_name, NEW.file_id FROM narrowed_checks;
    RETURN NULL;
END
$$;
-- Once a file, as for the rollups.
CREATE TRIGGER note_unchecked_load AFTER UPDATE OF state ON ingested_files
    FOR EACH ROW WHEN (NEW.state = 'loaded' AND OLD.state <> 'loaded' AND NEW.rows_inserted > 0)
    EXECUTE FUNCTION note_unchecked_load();

CREATE FUNCTION note_unchecked_files() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    INSERT INTO unchecked_files (check_name, file_id)
    SELECT c.check_name, e.file_id
    FROM (SELECT DISTINCT file_id FROM before) AS e CROSS JOIN narrowed_checks AS c;
    IF TG_OP = 'UPDATE' THEN
        INSERT INTO unchecked_files (check_name, file_id)
        SELECT c.check_name, e.file_id
        FROM (SELECT DISTINCT file_id FROM after) AS e CROSS JOIN narrowed_checks AS c;
    END IF;
    RETURN NULL;
END
$$;
-- As for the rollups: none of these is called for an INSERT or a COPY.
CREATE TRIGGER note_unchecked_deleted AFTER DELETE ON user_events
    REFERENCING OLD TABLE AS before FOR EACH STATEMENT EXECUTE FUNCTION note_unchecked_files();
CREATE TRIGGER note_unchecked_updated AFTER UPDATE ON user_events
    REFERENCING OLD TABLE AS before NEW TABLE AS after FOR EACH STATEMENT EXECUTE FUNCTION note_unchecked_files();

CREATE FUNCTION forget_what_was_checked() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    -- Which files are gone is not known, so every check looks at everything.
    DELETE FROM whole_checks;
    DELETE FROM unchecked_files;
    RETURN NULL;
END
$$;
CREATE TRIGGER forget_what_was_checked AFTER TRUNCATE ON user_events
    FOR EACH STATEMENT EXECUTE FUNCTION forget_what_was_checked();
