-- Each of these was given the search path of the session that made it, which may have led through other schemas
-- first. Temporary tables come last, or a session could put one of its own in the place of a table.
DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY[
        'note_loaded_file', 'note_changed_events', 'forget_all_events',
        'note_unchecked_load', 'note_unchecked_files', 'forget_what_was_checked'
    ] LOOP
        EXECUTE 'ALTER FUNCTION ' || name || '() SET search_path = ' || quote_ident(current_schema()) || ', pg_temp';
    END LOOP;
END
$$;
