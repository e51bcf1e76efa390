-- One landed file. The ledger is the platform's only memory of what has been loaded: an
-- interrupted run, a lost checkpoint and a repeated micro-batch are all answered by it.
CREATE TABLE ingested_files (
    file_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL,
    size_bytes bigint,
    sha256 text CHECK (sha256 ~ '^[0-9a-f]{64}$'),
    same_bytes_as bigint REFERENCES ingested_files (file_id),
    state text NOT NULL DEFAULT 'claimed' CHECK (state IN ('claimed', 'loaded', 'quarantined')),
    reason text,
    rows_read bigint NOT NULL DEFAULT 0,
    rows_inserted bigint NOT NULL DEFAULT 0,
    rows_duplicate bigint NOT NULL DEFAULT 0,
    rows_rejected bigint NOT NULL DEFAULT 0,
    -- Of rows_duplicate, those whose first copy stands in the same file.
    rows_duplicate_within bigint NOT NULL DEFAULT 0,
    -- Of rows_rejected, those with a known event_id and other content.
    rows_conflicting bigint NOT NULL DEFAULT 0,
    batch_id bigint,
    landed_at timestamptz NOT NULL,
    claimed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    finished_at timestamptz,
    CHECK (rows_duplicate_within <= rows_duplicate),
    CHECK (rows_conflicting <= rows_rejected),
    CHECK ((state = 'claimed') = (finished_at IS NULL)),
    CHECK (state = 'loaded' OR rows_read = 0),
    CHECK (state <> 'loaded' OR sha256 IS NOT NULL),
    CHECK (state <> 'quarantined' OR reason IS NOT NULL)
);
-- Unfinished files: few, whatever the number of finished ones.
CREATE INDEX ingested_files_claimed ON ingested_files (file_id) WHERE state = 'claimed';
CREATE INDEX ingested_files_sha256 ON ingested_files (sha256) WHERE state = 'loaded';
CREATE INDEX ingested_files_name ON ingested_files (name text_pattern_ops);
CREATE INDEX ingested_files_batch ON ingested_files (batch_id);

-- One micro-batch of a streaming query.
CREATE TABLE stream_batches (
    batch_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    query text NOT NULL,
    query_batch_id bigint NOT NULL,
    run_id text NOT NULL,
    files bigint NOT NULL DEFAULT 0,
    rows bigint NOT NULL DEFAULT 0,
    rows_inserted bigint NOT NULL DEFAULT 0,
    rows_duplicate bigint NOT NULL DEFAULT 0,
    rows_rejected bigint NOT NULL DEFAULT 0,
    started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    finished_at timestamptz,
    duration_ms double precision,
    decode_ms double precision,
    store_ms double precision,
    -- Largest resident set of a Python worker that took part.
    worker_peak_bytes bigint,
    latency_p50_ms double precision,
    latency_p95_ms double precision,
    latency_p99_ms double precision
);
CREATE INDEX stream_batches_run ON stream_batches (run_id);
ALTER TABLE ingested_files
    ADD FOREIGN KEY (batch_id) REFERENCES stream_batches (batch_id) ON DELETE SET NULL;

-- One event, stored at most once whatever its time.
CREATE TABLE user_events (
    event_id uuid PRIMARY KEY,
    user_id bigint NOT NULL,
    product_id text NOT NULL,
    event_type text NOT NULL,
    event_time timestamptz NOT NULL,
    price numeric(10, 2),
    category text NOT NULL,
    user_device text NOT NULL,
    user_location text NOT NULL,
    -- No foreign key: it would be looked up once a row. A check compares the two tables instead.
    file_id bigint NOT NULL,
    ingested_at timestamptz NOT NULL DEFAULT now()
);
-- Rows of a file lie together, so a block-range index finds them at next to no cost to a load.
CREATE INDEX user_events_file ON user_events USING brin (file_id) WITH (pages_per_range = 32, autosummarize = on);

-- One row that could not be loaded.
CREATE TABLE rejected_events (
    reject_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    file_id bigint NOT NULL REFERENCES ingested_files (file_id),
    file_name text NOT NULL,
    line_number bigint NOT NULL CHECK (line_number > 1),
    raw bytea NOT NULL,
    reason text NOT NULL,
    column_name text,
    rejected_at timestamptz NOT NULL DEFAULT now(),
    replayed_at timestamptz,
    UNIQUE (file_id, line_number)
);
CREATE INDEX rejected_events_reason ON rejected_events (reason) WHERE replayed_at IS NULL;

-- One run of the generator. The columns are all it takes to draw the same events again.
CREATE TABLE generations (
    generation_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    run_id text NOT NULL,
    seed bigint NOT NULL,
    as_of timestamptz NOT NULL,
    events bigint NOT NULL CHECK (events > 0),
    rows_per_file bigint NOT NULL CHECK (rows_per_file > 0),
    users bigint NOT NULL CHECK (users > 0),
    days bigint NOT NULL CHECK (days > 0),
    files bigint NOT NULL CHECK (files > 0),
    file_names text[] NOT NULL,
    seconds double precision NOT NULL,
    generated_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX generations_run ON generations (run_id);

-- One audit of the whole table and ledger.
CREATE TABLE duplicate_audit (
    audit_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    run_id text NOT NULL,
    audited_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    rows bigint NOT NULL,
    distinct_ids bigint NOT NULL,
    duplicates_within_file bigint NOT NULL,
    duplicates_across_files bigint NOT NULL,
    duplicates_redropped_file bigint NOT NULL,
    id_conflicts bigint NOT NULL
);
