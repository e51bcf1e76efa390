-- What the rows of a file are like: rows without a value by column, rows by listed value. Null of files that were
-- loaded before, and of those that were not loaded.
ALTER TABLE ingested_files ADD COLUMN profile jsonb;
