-- A line of JSON whose list is exploded has a row for each element. element: the how-manieth, from 1, and 0 for the
-- line as a whole; null where lines are not exploded. place: the same number as chunks of rows have (files.chunks), by
-- which a row that was read is held against what was refused.
ALTER TABLE rejected_events
    ADD COLUMN element integer CHECK (element >= 0),
    ADD COLUMN place bigint GENERATED ALWAYS AS (
        CASE WHEN element IS NULL THEN line_number ELSE line_number << 20 | element END
    ) STORED;
ALTER TABLE rejected_events DROP CONSTRAINT rejected_events_file_id_line_number_key;
ALTER TABLE rejected_events ADD CONSTRAINT rejected_events_file_id_place_key UNIQUE (file_id, place);
