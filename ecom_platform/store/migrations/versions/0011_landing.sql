-- What a file was when it was claimed, beside its size: held against the file until it is put away. Null of files
-- that an earlier version has claimed. An inode above 2^63 is stored as a negative number.
ALTER TABLE ingested_files
    ADD COLUMN claimed_mtime_ns bigint,
    ADD COLUMN claimed_inode bigint,
    -- When it was found to have grown after it was loaded, and put back into the landing folder.
    ADD COLUMN landed_again_at timestamptz;
CREATE INDEX ingested_files_landed_again ON ingested_files (file_id) WHERE landed_again_at IS NOT NULL;

-- The one landing zone whose files this ledger is about, by the id in its marker.
CREATE TABLE landing_zone (
    only_one boolean PRIMARY KEY DEFAULT true CHECK (only_one),
    zone_id uuid NOT NULL,
    since timestamptz NOT NULL DEFAULT clock_timestamp()
);
