-- The claimed folder of a landing zone in a bucket: a row from the claim of an object until it is put away, finished or
-- not. One claim at a time for each key, so of any number of claimers one wins. The ETag is that of the claim: what is
-- read, copied and deleted is that object or none.
CREATE TABLE claimed_objects (
    file_id bigint PRIMARY KEY REFERENCES ingested_files (file_id) ON DELETE CASCADE,
    key text NOT NULL UNIQUE,
    etag text NOT NULL,
    size_bytes bigint NOT NULL CHECK (size_bytes >= 0)
);
