-- Invented events, and what was written down of them.

-- name: record$
INSERT INTO generations
    (run_id, seed, as_of, events, rows_per_file, users, days, files, file_names, seconds)
VALUES
    (:run_id, :seed, :as_of, :events, :rows_per_file, :users, :days, :files, :file_names, :seconds)
RETURNING generation_id;

-- name: latest^
SELECT generation_id, run_id, seed, as_of, events, rows_per_file, users, days, files, file_names, seconds
FROM generations
ORDER BY (run_id = :run_id) DESC, generation_id DESC
LIMIT 1;

-- name: has_generations$
SELECT EXISTS (SELECT FROM generations);

-- name: file_names
SELECT DISTINCT unnest(file_names) FROM generations;

-- name: file_ids
-- The first that landed under a generated name, and the first of them that was loaded; further ones, whatever their
-- name, if they have the bytes of such a one. Under the name alone, somebody may have dropped something else later.
WITH first AS (
    SELECT DISTINCT ON (f.name, f.state = 'loaded') f.file_id, f.sha256, f.state
    FROM ingested_files AS f
    JOIN (SELECT DISTINCT unnest(file_names) AS name FROM generations) AS g USING (name)
    ORDER BY f.name, f.state = 'loaded', f.file_id
)
SELECT file_id FROM first
UNION
SELECT f.file_id
FROM ingested_files AS f
WHERE f.state = 'loaded' AND f.sha256 IN (SELECT sha256 FROM first WHERE state = 'loaded')
ORDER BY 1;

-- name: count_rows^
SELECT
    (SELECT count(*) FROM generations)::bigint AS generations,
    cardinality(:file_ids::bigint[])::bigint AS files,
    (SELECT count(*) FROM user_events WHERE file_id = ANY(:file_ids::bigint[]))::bigint AS events,
    (SELECT count(*) FROM rejected_events WHERE file_id = ANY(:file_ids::bigint[]))::bigint AS rejects;

-- name: remove_events!
DELETE FROM user_events WHERE file_id = ANY(:file_ids::bigint[]);

-- name: forget_lost!
-- Nobody is to look for them.
DELETE FROM lost_events WHERE file_id = ANY(:file_ids::bigint[]);

-- name: remove_rejects!
DELETE FROM rejected_events WHERE file_id = ANY(:file_ids::bigint[]);

-- name: release_twins!
UPDATE ingested_files SET same_bytes_as = NULL
WHERE same_bytes_as = ANY(:file_ids::bigint[]) AND file_id <> ALL(:file_ids::bigint[]);

-- name: remove_files!
DELETE FROM ingested_files WHERE file_id = ANY(:file_ids::bigint[]);

-- name: remove_generations!
DELETE FROM generations;
