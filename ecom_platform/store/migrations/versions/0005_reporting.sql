-- Sales of an hour (UTC) in a category. Pages are half filled: a refresh changes many rows, whose new versions
-- then fit beside the old ones, need no new index entries, and leave their space to the next refresh.
CREATE TABLE hourly_sales (
    hour timestamptz NOT NULL,
    category text NOT NULL,
    views bigint NOT NULL,
    carts bigint NOT NULL,
    purchases bigint NOT NULL,
    revenue numeric(16, 2) NOT NULL,
    -- Distinct visitors who bought.
    buyers bigint NOT NULL,
    PRIMARY KEY (hour, category)
) WITH (fillfactor = 50);
-- Who bought how often: what a distinct count needs to be kept up to date without counting again.
CREATE TABLE hourly_buyers (
    hour timestamptz NOT NULL,
    category text NOT NULL,
    user_id bigint NOT NULL,
    purchases bigint NOT NULL,
    PRIMARY KEY (hour, category, user_id)
);

-- Steps of a day (UTC) by category, device and country. A rate is null where nothing came before.
CREATE TABLE conversion_funnel (
    day date NOT NULL,
    category text NOT NULL,
    user_device text NOT NULL,
    user_location text NOT NULL,
    views bigint NOT NULL,
    carts bigint NOT NULL,
    purchases bigint NOT NULL,
    cart_rate double precision GENERATED ALWAYS AS (carts::double precision / nullif(views, 0)) STORED,
    purchase_rate double precision GENERATED ALWAYS AS (purchases::double precision / nullif(carts, 0)) STORED,
    conversion_rate double precision GENERATED ALWAYS AS (purchases::double precision / nullif(views, 0)) STORED,
    PRIMARY KEY (day, category, user_device, user_location)
) WITH (fillfactor = 50);

-- What these two have not taken in yet. Each note is written in the transaction of the change itself, so
-- it is seen together with the change or not at all, in whatever order transactions commit.
-- A whole file whose rows are new.
CREATE TABLE pending_files (
    rollup text NOT NULL,
    file_id bigint NOT NULL,
    PRIMARY KEY (rollup, file_id)
);
-- A single row that came into (+1) or went from (-1) a file that had been loaded before.
CREATE TABLE pending_events (
    change_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    rollup text NOT NULL,
    file_id bigint NOT NULL,
    sign smallint NOT NULL CHECK (sign IN (-1, 1)),
    user_id bigint NOT NULL,
    event_type text NOT NULL,
    event_time timestamptz NOT NULL,
    price numeric(10, 2),
    category text NOT NULL,
    user_device text NOT NULL,
    user_location text NOT NULL
);
CREATE VIEW rollups AS SELECT unnest(ARRAY['hourly_sales', 'conversion_funnel']) AS rollup;

INSERT INTO pending_files (rollup, file_id)
SELECT r.rollup, f.file_id FROM ingested_files AS f CROSS JOIN rollups AS r
WHERE f.state = 'loaded' AND f.rows_inserted > 0;

-- The functions belong to the owner of the tables: whoever may write the one need not write the other.
CREATE FUNCTION note_loaded_file() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    INSERT INTO pending_files (rollup, file_id) SELECT rollup, NEW.file_id FROM rollups ON CONFLICT DO NOTHING;
    RETURN NULL;
END
$$;
-- Once a file, not once a row: the sink notices nothing of it.
CREATE TRIGGER note_loaded_file AFTER UPDATE OF state ON ingested_files
    FOR EACH ROW WHEN (NEW.state = 'loaded' AND OLD.state <> 'loaded' AND NEW.rows_inserted > 0)
    EXECUTE FUNCTION note_loaded_file();

CREATE FUNCTION note_changed_events() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    INSERT INTO pending_events (
        rollup, file_id, sign, user_id, event_type, event_time, price, category, user_device, user_location
    )
    SELECT
        r.rollup, e.file_id, -1, e.user_id, e.event_type, e.event_time, e.price, e.category, e.user_device,
        e.user_location
    FROM before AS e CROSS JOIN rollups AS r;
    IF TG_OP = 'UPDATE' THEN
        INSERT INTO pending_events (
            rollup, file_id, sign, user_id, event_type, event_time, price, category, user_device, user_location
        )
        SELECT
            r.rollup, e.file_id, 1, e.user_id, e.event_type, e.event_time, e.price, e.category, e.user_device,
            e.user_location
        FROM after AS e CROSS JOIN rollups AS r;
    END IF;
    RETURN NULL;
END
$$;
-- None of these is called for an INSERT or a COPY.
CREATE TRIGGER note_deleted_events AFTER DELETE ON user_events
    REFERENCING OLD TABLE AS before FOR EACH STATEMENT EXECUTE FUNCTION note_changed_events();
CREATE TRIGGER note_updated_events AFTER UPDATE ON user_events
    REFERENCING OLD TABLE AS before NEW TABLE AS after FOR EACH STATEMENT EXECUTE FUNCTION note_changed_events();

CREATE FUNCTION forget_all_events() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    DELETE FROM pending_files;
    DELETE FROM pending_events;
    DELETE FROM hourly_sales;
    DELETE FROM hourly_buyers;
    DELETE FROM conversion_funnel;
    RETURN NULL;
END
$$;
CREATE TRIGGER forget_all_events AFTER TRUNCATE ON user_events
    FOR EACH STATEMENT EXECUTE FUNCTION forget_all_events();

-- One measured figure of a run; `part` says of what: a process, a table, a reason, a percentile.
CREATE TABLE performance_metrics (
    metric_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    run_id text NOT NULL,
    name text NOT NULL,
    part text NOT NULL DEFAULT '',
    unit text NOT NULL,
    value double precision NOT NULL,
    measured_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX performance_metrics_run ON performance_metrics (run_id, name);
CREATE INDEX performance_metrics_name ON performance_metrics (name, metric_id) WHERE part = '';

-- Where the time of a micro-batch went, as far as Spark and the tasks say. Times of tasks that ran side by
-- side are added up.
ALTER TABLE stream_batches
    ADD COLUMN listing_ms double precision,
    ADD COLUMN planning_ms double precision,
    ADD COLUMN bookkeeping_ms double precision,
    ADD COLUMN commit_ms double precision,
    ADD COLUMN tasks bigint;
