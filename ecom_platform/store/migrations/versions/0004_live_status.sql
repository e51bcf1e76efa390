-- One live process, `ecom stream`. A row without stopped_at is of one that ought to be running: it
-- did not say goodbye. Of several, the newest counts, since one lock keeps them one at a time.
CREATE TABLE live_status (
    live_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    run_id text NOT NULL UNIQUE,
    host text NOT NULL,
    pid bigint NOT NULL,
    started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    heartbeat_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    stopped_at timestamptz,
    -- Landed or claimed, and not in hand.
    backlog_files bigint NOT NULL DEFAULT 0,
    backlog_bytes bigint NOT NULL DEFAULT 0,
    batches bigint NOT NULL DEFAULT 0,
    rows bigint NOT NULL DEFAULT 0,
    -- What keeps it from loading, since when; both null when nothing does.
    problem text,
    problem_since timestamptz,
    CHECK ((problem IS NULL) = (problem_since IS NULL))
);

-- The micro-batches of the last minute, out of those of months.
CREATE INDEX stream_batches_finished ON stream_batches (finished_at);
