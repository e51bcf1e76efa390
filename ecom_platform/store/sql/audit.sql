-- name: record_audit^
-- Duplicates that came in are counted by the ledger; duplicates that are stored would show as
-- fewer distinct ids than rows.
INSERT INTO duplicate_audit
    (run_id, feed, rows, distinct_ids, duplicates_within_file, duplicates_across_files,
     duplicates_redropped_file, id_conflicts)
SELECT
    :run_id,
    :feed,
    :rows,
    :distinct_ids,
    l.within,
    l.across,
    l.redropped,
    l.conflicts
FROM (
    SELECT
        coalesce(sum(rows_duplicate_within), 0) AS within,
        coalesce(sum(rows_duplicate - rows_duplicate_within) FILTER (WHERE same_bytes_as IS NULL), 0) AS across,
        coalesce(sum(rows_duplicate - rows_duplicate_within) FILTER (WHERE same_bytes_as IS NOT NULL), 0)
            AS redropped,
        coalesce(sum(rows_conflicting), 0) AS conflicts
    FROM ingested_files
    WHERE feed = :feed
) AS l
RETURNING
    rows, distinct_ids, duplicates_within_file, duplicates_across_files, duplicates_redropped_file, id_conflicts;

-- name: newest_audit^
SELECT rows, distinct_ids, audited_at FROM duplicate_audit WHERE feed = :feed ORDER BY audit_id DESC LIMIT 1;
