-- Generated events held against the table.

-- name: create_expected_ids#
CREATE TEMPORARY TABLE expected_ids (event_id uuid NOT NULL, file_number integer NOT NULL) ON COMMIT DROP;

-- name: analyze_expected_ids#
ANALYZE expected_ids;

-- name: expected_by_file
-- One row a file whose events are not each stored once; file_number null: the sums of all.
SELECT
    e.file_number,
    (SELECT count(*) FROM expected_ids AS x WHERE e.file_number IS NULL OR x.file_number = e.file_number)
        AS expected,
    count(u.event_id) AS found
FROM expected_ids AS e
LEFT JOIN user_events AS u USING (event_id)
GROUP BY GROUPING SETS ((), (e.file_number))
HAVING e.file_number IS NULL OR count(*) <> count(u.event_id)
ORDER BY e.file_number NULLS FIRST;
