ALTER TABLE live_status
    -- Seconds, as of the heartbeat, for which there has been work and no micro-batch was finished.
    ADD COLUMN stuck_seconds double precision NOT NULL DEFAULT 0,
    -- Whether its first query has begun: until then it may be waiting for the lock, or about to die.
    ADD COLUMN ready boolean NOT NULL DEFAULT false;
UPDATE live_status SET ready = true;
