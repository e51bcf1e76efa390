-- What was finished lately, for the alerts about files, which ask every few seconds.
CREATE INDEX ingested_files_finished ON ingested_files (finished_at) WHERE state = 'loaded';
CREATE INDEX ingested_files_quarantined ON ingested_files (finished_at) WHERE state = 'quarantined';
