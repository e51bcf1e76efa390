-- Where objects stay and get a tag when they are finished (ECOM_LANDING_DONE=tag): when that was. Null until then.
ALTER TABLE claimed_objects ADD COLUMN tagged_at timestamptz;
CREATE INDEX claimed_objects_untagged ON claimed_objects (file_id) WHERE tagged_at IS NULL;
