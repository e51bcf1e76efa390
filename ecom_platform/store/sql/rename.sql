-- A feed by another name, in all that knows it.

-- name: known_feeds
SELECT feed FROM feeds WHERE feed IN (:old, :new);

-- name: rename_feed!
UPDATE feeds SET feed = :new WHERE feed = :old;

-- name: rename_files!
-- A file's name begins with the folder of its feed.
UPDATE ingested_files SET feed = :new, name = :new || substr(name, length(:old) + 1) WHERE feed = :old;

-- name: rename_rejects!
UPDATE rejected_events SET feed = :new, file_name = :new || substr(file_name, length(:old) + 1) WHERE feed = :old;

-- name: rename_audits!
UPDATE duplicate_audit SET feed = :new WHERE feed = :old;

-- name: rename_file_alerts!
-- Problems of files stay open, as those of the same files.
UPDATE alerts SET asset = :new
WHERE source = :source AND asset = :old AND resolved_at IS NULL AND kind IN ('file_quarantined', 'rejects');

-- name: close_alerts!
-- Whatever else was wrong with the asset is found anew where it still is.
UPDATE alerts SET resolved_at = clock_timestamp(), resolution = :resolution
WHERE source = :source AND asset = :asset AND resolved_at IS NULL;

-- name: rename_notes!
UPDATE unchecked_files SET check_name = replace(check_name, ' of ' || :old, ' of ' || :new)
WHERE right(check_name, length(:old) + 4) = ' of ' || :old;

-- name: rename_whole_checks!
UPDATE whole_checks SET check_name = replace(check_name, ' of ' || :old, ' of ' || :new)
WHERE right(check_name, length(:old) + 4) = ' of ' || :old;

-- name: drop_triggers#
DROP TRIGGER IF EXISTS note_lost_rows ON {table};
DROP TRIGGER IF EXISTS note_lost_files ON {table};
DROP TRIGGER IF EXISTS note_unchecked_deleted ON {table};
DROP TRIGGER IF EXISTS note_unchecked_updated ON {table};
DROP TRIGGER IF EXISTS forget_what_was_checked ON {table};

-- name: forget_feed!
-- Of what a feed has, what is not its rows and not its files: the last of it.
DELETE FROM feeds WHERE feed = :feed;

-- name: forget_rejects!
DELETE FROM rejected_events WHERE feed = :feed;

-- name: forget_files!
DELETE FROM ingested_files WHERE feed = :feed;

-- name: forget_notes!
DELETE FROM unchecked_files WHERE right(check_name, length(:feed) + 4) = ' of ' || :feed;

-- name: forget_whole_checks!
DELETE FROM whole_checks WHERE right(check_name, length(:feed) + 4) = ' of ' || :feed;

-- name: holdings^
-- What the ledger has of a feed.
SELECT
    count(*), count(*) FILTER (WHERE state = 'claimed'), coalesce(sum(rows_inserted), 0)::bigint,
    (SELECT count(*) FROM rejected_events WHERE feed = :feed)
FROM ingested_files WHERE feed = :feed;

-- name: files_of_feed
SELECT file_id, name, state, reason, finished_at, sha256, size_bytes
FROM ingested_files WHERE feed = :feed ORDER BY file_id;
