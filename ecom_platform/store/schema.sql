-- The whole schema as it is, after every migration. Generated: `make schema`. Nothing reads it but people and
-- the test that compares it with what the migrations make.

CREATE FUNCTION public.forget_all_events() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
BEGIN
    DELETE FROM pending_files;
    DELETE FROM pending_events;
    DELETE FROM hourly_sales;
    DELETE FROM hourly_buyers;
    DELETE FROM conversion_funnel;
    RETURN NULL;
END
$$;

CREATE FUNCTION public.forget_what_was_checked() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
DECLARE
    of_feed text := coalesce(TG_ARGV[0], 'user_events');
BEGIN
    -- Which files are gone is not known, so every check looks at everything.
    IF of_feed = 'user_events' THEN
        DELETE FROM whole_checks WHERE check_name NOT LIKE '% of %';
        DELETE FROM unchecked_files WHERE check_name NOT LIKE '% of %';
    ELSE
        DELETE FROM whole_checks WHERE check_name LIKE '% of ' || of_feed;
        DELETE FROM unchecked_files WHERE check_name LIKE '% of ' || of_feed;
    END IF;
    RETURN NULL;
END
$$;

CREATE FUNCTION public.note_changed_events() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
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

CREATE FUNCTION public.note_loaded_file() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
BEGIN
    INSERT INTO pending_files (rollup, file_id) SELECT rollup, NEW.file_id FROM rollups ON CONFLICT DO NOTHING;
    RETURN NULL;
END
$$;

CREATE FUNCTION public.note_lost_events() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
BEGIN
    INSERT INTO lost_events (event_id, file_id) SELECT event_id, file_id FROM before ON CONFLICT DO NOTHING;
    RETURN NULL;
END
$$;

CREATE FUNCTION public.note_lost_files() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
DECLARE
    of_feed text := coalesce(TG_ARGV[0], 'user_events');
BEGIN
    IF of_feed = 'user_events' THEN
        DELETE FROM lost_events;
    ELSE
        DELETE FROM lost_rows WHERE feed = of_feed;
    END IF;
    INSERT INTO lost_files (file_id, rows)
    SELECT l.file_id, l.rows FROM rows_by_the_ledger(of_feed) AS l WHERE l.rows > 0
    ON CONFLICT (file_id) DO UPDATE SET rows = excluded.rows, lost_at = excluded.lost_at;
    RETURN NULL;
END
$$;

CREATE FUNCTION public.note_lost_rows() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
BEGIN
    EXECUTE format(
        'INSERT INTO lost_rows (feed, row_key, file_id) SELECT %L, ROW(%s)::text, file_id FROM before '
        'ON CONFLICT DO NOTHING',
        TG_ARGV[0], TG_ARGV[1]
    );
    RETURN NULL;
END
$$;

CREATE FUNCTION public.note_unchecked_files() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
DECLARE
    of_feed text := coalesce(TG_ARGV[0], 'user_events');
BEGIN
    INSERT INTO unchecked_files (check_name, file_id)
    SELECT c.check_name, e.file_id
    FROM (SELECT DISTINCT file_id FROM before) AS e JOIN narrowed_checks AS c ON c.feed = of_feed;
    IF TG_OP = 'UPDATE' THEN
        INSERT INTO unchecked_files (check_name, file_id)
        SELECT c.check_name, e.file_id
        FROM (SELECT DISTINCT file_id FROM after) AS e JOIN narrowed_checks AS c ON c.feed = of_feed;
    END IF;
    RETURN NULL;
END
$$;

CREATE FUNCTION public.note_unchecked_load() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
BEGIN
    INSERT INTO unchecked_files (check_name, file_id)
    SELECT check_name, NEW.file_id FROM narrowed_checks WHERE feed = NEW.feed;
    RETURN NULL;
END
$$;

CREATE FUNCTION public.replayed_user_events(stored uuid) RETURNS void
    LANGUAGE sql
    SET search_path TO 'public', 'pg_temp'
    AS $$
    INSERT INTO pending_events (
        rollup, file_id, sign, user_id, event_type, event_time, price, category, user_device, user_location
    )
    SELECT
        r.rollup, e.file_id, 1, e.user_id, e.event_type, e.event_time, e.price, e.category, e.user_device,
        e.user_location
    FROM user_events AS e CROSS JOIN rollups AS r
    WHERE e.event_id = stored;
$$;

CREATE FUNCTION public.rows_by_the_ledger(of_feed text) RETURNS TABLE(file_id bigint, rows bigint)
    LANGUAGE sql STABLE
    SET search_path TO 'public', 'pg_temp'
    AS $$
    SELECT f.file_id, f.rows_inserted + coalesce(won.rows, 0) - coalesce(lost.rows, 0)
    FROM ingested_files AS f
    LEFT JOIN (SELECT r.by_file_id, sum(r.rows)::bigint AS rows FROM replaced_rows AS r GROUP BY 1) AS won
        ON won.by_file_id = f.file_id
    LEFT JOIN (SELECT r.file_id, sum(r.rows)::bigint AS rows FROM replaced_rows AS r GROUP BY 1) AS lost
        ON lost.file_id = f.file_id
    WHERE f.feed = of_feed
$$;

CREATE TABLE public.alembic_version (
    version_num character varying(32) NOT NULL
);

CREATE TABLE public.alert_deliveries (
    delivery_id bigint NOT NULL,
    alert_id bigint NOT NULL,
    target text NOT NULL,
    notice text NOT NULL,
    state text DEFAULT 'pending'::text NOT NULL,
    attempts bigint DEFAULT 0 NOT NULL,
    due_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    last_error text,
    created_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    delivered_at timestamp with time zone,
    CONSTRAINT alert_deliveries_check CHECK (((state = 'delivered'::text) = (delivered_at IS NOT NULL))),
    CONSTRAINT alert_deliveries_notice_check CHECK ((notice = ANY (ARRAY['raised'::text, 'recovered'::text]))),
    CONSTRAINT alert_deliveries_state_check CHECK ((state = ANY (ARRAY['pending'::text, 'delivered'::text, 'given_up'::text])))
);

ALTER TABLE public.alert_deliveries ALTER COLUMN delivery_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.alert_deliveries_delivery_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.alerts (
    alert_id bigint NOT NULL,
    source text NOT NULL,
    key text NOT NULL,
    kind text NOT NULL,
    severity text NOT NULL,
    title text NOT NULL,
    asset text,
    check_name text,
    expected text NOT NULL,
    found text NOT NULL,
    run_id text,
    link text,
    details jsonb DEFAULT '{}'::jsonb NOT NULL,
    occurred_at timestamp with time zone NOT NULL,
    last_event_at timestamp with time zone NOT NULL,
    times_seen bigint DEFAULT 1 NOT NULL,
    raised_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    resolved_at timestamp with time zone,
    resolution text,
    announced_at timestamp with time zone,
    recovery_announced_at timestamp with time zone,
    CONSTRAINT alerts_check CHECK ((last_event_at >= occurred_at)),
    CONSTRAINT alerts_check1 CHECK (((resolved_at IS NULL) = (resolution IS NULL))),
    CONSTRAINT alerts_severity_check CHECK ((severity = ANY (ARRAY['ERROR'::text, 'WARN'::text])))
);

ALTER TABLE public.alerts ALTER COLUMN alert_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.alerts_alert_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.claimed_objects (
    file_id bigint NOT NULL,
    key text NOT NULL,
    etag text NOT NULL,
    size_bytes bigint NOT NULL,
    tagged_at timestamp with time zone,
    CONSTRAINT claimed_objects_size_bytes_check CHECK ((size_bytes >= 0))
);

CREATE TABLE public.conversion_funnel (
    day date NOT NULL,
    category text NOT NULL,
    user_device text NOT NULL,
    user_location text NOT NULL,
    views bigint NOT NULL,
    carts bigint NOT NULL,
    purchases bigint NOT NULL,
    cart_rate double precision GENERATED ALWAYS AS (((carts)::double precision / (NULLIF(views, 0))::double precision)) STORED,
    purchase_rate double precision GENERATED ALWAYS AS (((purchases)::double precision / (NULLIF(carts, 0))::double precision)) STORED,
    conversion_rate double precision GENERATED ALWAYS AS (((purchases)::double precision / (NULLIF(views, 0))::double precision)) STORED
)
WITH (fillfactor='50');

CREATE TABLE public.duplicate_audit (
    audit_id bigint NOT NULL,
    run_id text NOT NULL,
    audited_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    rows bigint NOT NULL,
    distinct_ids bigint NOT NULL,
    duplicates_within_file bigint NOT NULL,
    duplicates_across_files bigint NOT NULL,
    duplicates_redropped_file bigint NOT NULL,
    id_conflicts bigint NOT NULL,
    feed text DEFAULT 'user_events'::text NOT NULL
);

ALTER TABLE public.duplicate_audit ALTER COLUMN audit_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.duplicate_audit_audit_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.feeds (
    feed text NOT NULL,
    table_schema text NOT NULL,
    table_name text NOT NULL,
    declaration jsonb NOT NULL,
    declaration_hash text NOT NULL,
    applied_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT feeds_declaration_hash_check CHECK ((declaration_hash ~ '^[0-9a-f]{64}$'::text))
);

CREATE TABLE public.generations (
    generation_id bigint NOT NULL,
    run_id text NOT NULL,
    seed bigint NOT NULL,
    as_of timestamp with time zone NOT NULL,
    events bigint NOT NULL,
    rows_per_file bigint NOT NULL,
    users bigint NOT NULL,
    days bigint NOT NULL,
    files bigint NOT NULL,
    file_names text[] NOT NULL,
    seconds double precision NOT NULL,
    generated_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT generations_days_check CHECK ((days > 0)),
    CONSTRAINT generations_events_check CHECK ((events > 0)),
    CONSTRAINT generations_files_check CHECK ((files > 0)),
    CONSTRAINT generations_rows_per_file_check CHECK ((rows_per_file > 0)),
    CONSTRAINT generations_users_check CHECK ((users > 0))
);

ALTER TABLE public.generations ALTER COLUMN generation_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.generations_generation_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.hourly_buyers (
    hour timestamp with time zone NOT NULL,
    category text NOT NULL,
    user_id bigint NOT NULL,
    purchases bigint NOT NULL
);

CREATE TABLE public.hourly_sales (
    hour timestamp with time zone NOT NULL,
    category text NOT NULL,
    views bigint NOT NULL,
    carts bigint NOT NULL,
    purchases bigint NOT NULL,
    revenue numeric(38,2) NOT NULL,
    buyers bigint NOT NULL
)
WITH (fillfactor='50');

CREATE TABLE public.ingested_files (
    file_id bigint NOT NULL,
    name text NOT NULL,
    size_bytes bigint,
    sha256 text,
    same_bytes_as bigint,
    state text DEFAULT 'claimed'::text NOT NULL,
    reason text,
    rows_read bigint DEFAULT 0 NOT NULL,
    rows_inserted bigint DEFAULT 0 NOT NULL,
    rows_duplicate bigint DEFAULT 0 NOT NULL,
    rows_rejected bigint DEFAULT 0 NOT NULL,
    rows_duplicate_within bigint DEFAULT 0 NOT NULL,
    rows_conflicting bigint DEFAULT 0 NOT NULL,
    batch_id bigint,
    landed_at timestamp with time zone NOT NULL,
    claimed_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    finished_at timestamp with time zone,
    claimed_mtime_ns bigint,
    claimed_inode bigint,
    landed_again_at timestamp with time zone,
    header text,
    feed text DEFAULT 'user_events'::text NOT NULL,
    declaration text,
    rows_updated bigint DEFAULT 0 NOT NULL,
    rows_stale bigint DEFAULT 0 NOT NULL,
    profile jsonb,
    ordered_at timestamp with time zone,
    ordered_as bigint,
    CONSTRAINT ingested_files_check CHECK ((rows_duplicate_within <= rows_duplicate)),
    CONSTRAINT ingested_files_check1 CHECK ((rows_conflicting <= rows_rejected)),
    CONSTRAINT ingested_files_check2 CHECK (((state = 'claimed'::text) = (finished_at IS NULL))),
    CONSTRAINT ingested_files_check3 CHECK (((state = 'loaded'::text) OR (rows_read = 0))),
    CONSTRAINT ingested_files_check4 CHECK (((state <> 'loaded'::text) OR (sha256 IS NOT NULL))),
    CONSTRAINT ingested_files_check5 CHECK (((state <> 'quarantined'::text) OR (reason IS NOT NULL))),
    CONSTRAINT ingested_files_sha256_check CHECK ((sha256 ~ '^[0-9a-f]{64}$'::text)),
    CONSTRAINT ingested_files_state_check CHECK ((state = ANY (ARRAY['claimed'::text, 'loaded'::text, 'quarantined'::text])))
);

ALTER TABLE public.ingested_files ALTER COLUMN file_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.ingested_files_file_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.landing_zone (
    only_one boolean DEFAULT true NOT NULL,
    zone_id uuid NOT NULL,
    since timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT landing_zone_only_one_check CHECK (only_one)
);

CREATE TABLE public.live_status (
    live_id bigint NOT NULL,
    run_id text NOT NULL,
    host text NOT NULL,
    pid bigint NOT NULL,
    started_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    heartbeat_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    stopped_at timestamp with time zone,
    backlog_files bigint DEFAULT 0 NOT NULL,
    backlog_bytes bigint DEFAULT 0 NOT NULL,
    batches bigint DEFAULT 0 NOT NULL,
    rows bigint DEFAULT 0 NOT NULL,
    problem text,
    problem_since timestamp with time zone,
    stuck_seconds double precision DEFAULT 0 NOT NULL,
    ready boolean DEFAULT false NOT NULL,
    CONSTRAINT live_status_check CHECK (((problem IS NULL) = (problem_since IS NULL)))
);

ALTER TABLE public.live_status ALTER COLUMN live_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.live_status_live_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.lost_events (
    event_id uuid NOT NULL,
    file_id bigint NOT NULL
);

CREATE TABLE public.lost_files (
    file_id bigint NOT NULL,
    rows bigint NOT NULL,
    lost_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT lost_files_rows_check CHECK ((rows > 0))
);

CREATE TABLE public.lost_rows (
    feed text NOT NULL,
    row_key text NOT NULL,
    file_id bigint NOT NULL
);

CREATE VIEW public.narrowed_checks AS
 SELECT c.check_name,
    'user_events'::text AS feed
   FROM unnest(ARRAY['row_rules'::text, 'table_matches_ledger'::text]) c(check_name)
UNION ALL
 SELECT ((c.check_name || ' of '::text) || f.feed) AS check_name,
    f.feed
   FROM (public.feeds f
     CROSS JOIN unnest(ARRAY['row_rules'::text, 'table_matches_ledger'::text]) c(check_name))
  WHERE (f.feed <> 'user_events'::text);

CREATE TABLE public.pending_events (
    change_id bigint NOT NULL,
    rollup text NOT NULL,
    file_id bigint NOT NULL,
    sign smallint NOT NULL,
    user_id bigint NOT NULL,
    event_type text NOT NULL,
    event_time timestamp with time zone NOT NULL,
    price numeric(10,2),
    category text NOT NULL,
    user_device text NOT NULL,
    user_location text NOT NULL,
    CONSTRAINT pending_events_sign_check CHECK ((sign = ANY (ARRAY['-1'::integer, 1])))
);

ALTER TABLE public.pending_events ALTER COLUMN change_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.pending_events_change_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.pending_files (
    rollup text NOT NULL,
    file_id bigint NOT NULL
);

CREATE TABLE public.performance_metrics (
    metric_id bigint NOT NULL,
    run_id text NOT NULL,
    name text NOT NULL,
    part text DEFAULT ''::text NOT NULL,
    unit text NOT NULL,
    value double precision NOT NULL,
    measured_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL
);

ALTER TABLE public.performance_metrics ALTER COLUMN metric_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.performance_metrics_metric_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.rejected_events (
    reject_id bigint NOT NULL,
    file_id bigint NOT NULL,
    file_name text NOT NULL,
    line_number bigint NOT NULL,
    raw bytea NOT NULL,
    reason text NOT NULL,
    column_name text,
    rejected_at timestamp with time zone DEFAULT now() NOT NULL,
    replayed_at timestamp with time zone,
    message text,
    feed text DEFAULT 'user_events'::text NOT NULL,
    element integer,
    place bigint GENERATED ALWAYS AS (
CASE
    WHEN (element IS NULL) THEN line_number
    ELSE ((line_number << 20) | (element)::bigint)
END) STORED,
    CONSTRAINT rejected_events_element_check CHECK ((element >= 0)),
    CONSTRAINT rejected_events_line_number_check CHECK ((line_number >= 1))
);

ALTER TABLE public.rejected_events ALTER COLUMN reject_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.rejected_events_reject_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.replaced_rows (
    file_id bigint NOT NULL,
    by_file_id bigint NOT NULL,
    rows bigint NOT NULL,
    CONSTRAINT replaced_rows_rows_check CHECK ((rows > 0))
);

CREATE TABLE public.returned_files (
    inode bigint NOT NULL,
    size_bytes bigint NOT NULL,
    mtime_ns bigint NOT NULL,
    ordered_at timestamp with time zone NOT NULL,
    ordered_as bigint NOT NULL,
    noted_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL
);

CREATE VIEW public.rollups AS
 SELECT unnest(ARRAY['hourly_sales'::text, 'conversion_funnel'::text]) AS rollup;

CREATE TABLE public.stream_batches (
    batch_id bigint NOT NULL,
    query text NOT NULL,
    query_batch_id bigint NOT NULL,
    run_id text NOT NULL,
    files bigint DEFAULT 0 NOT NULL,
    rows bigint DEFAULT 0 NOT NULL,
    rows_inserted bigint DEFAULT 0 NOT NULL,
    rows_duplicate bigint DEFAULT 0 NOT NULL,
    rows_rejected bigint DEFAULT 0 NOT NULL,
    started_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    finished_at timestamp with time zone,
    duration_ms double precision,
    decode_ms double precision,
    store_ms double precision,
    worker_peak_bytes bigint,
    latency_p50_ms double precision,
    latency_p95_ms double precision,
    latency_p99_ms double precision,
    listing_ms double precision,
    planning_ms double precision,
    bookkeeping_ms double precision,
    commit_ms double precision,
    tasks bigint,
    longest_task_ms double precision,
    slots bigint,
    trigger_ms double precision,
    worker_cpu_ms double precision,
    rows_updated bigint DEFAULT 0 NOT NULL,
    rows_stale bigint DEFAULT 0 NOT NULL
);

ALTER TABLE public.stream_batches ALTER COLUMN batch_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.stream_batches_batch_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.unchecked_files (
    note_id bigint NOT NULL,
    check_name text NOT NULL,
    file_id bigint NOT NULL
);

ALTER TABLE public.unchecked_files ALTER COLUMN note_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.unchecked_files_note_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.user_events (
    event_id uuid NOT NULL,
    user_id bigint NOT NULL,
    product_id text NOT NULL,
    event_type text NOT NULL,
    event_time timestamp with time zone NOT NULL,
    price numeric(10,2),
    category text NOT NULL,
    user_device text NOT NULL,
    user_location text NOT NULL,
    file_id bigint NOT NULL,
    ingested_at timestamp with time zone DEFAULT now() NOT NULL
);

CREATE TABLE public.whole_checks (
    check_name text NOT NULL,
    checked_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL
);

ALTER TABLE ONLY public.alembic_version
    ADD CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num);

ALTER TABLE ONLY public.alert_deliveries
    ADD CONSTRAINT alert_deliveries_alert_id_target_notice_key UNIQUE (alert_id, target, notice);

ALTER TABLE ONLY public.alert_deliveries
    ADD CONSTRAINT alert_deliveries_pkey PRIMARY KEY (delivery_id);

ALTER TABLE ONLY public.alerts
    ADD CONSTRAINT alerts_pkey PRIMARY KEY (alert_id);

ALTER TABLE ONLY public.claimed_objects
    ADD CONSTRAINT claimed_objects_key_key UNIQUE (key);

ALTER TABLE ONLY public.claimed_objects
    ADD CONSTRAINT claimed_objects_pkey PRIMARY KEY (file_id);

ALTER TABLE ONLY public.conversion_funnel
    ADD CONSTRAINT conversion_funnel_pkey PRIMARY KEY (day, category, user_device, user_location);

ALTER TABLE ONLY public.duplicate_audit
    ADD CONSTRAINT duplicate_audit_pkey PRIMARY KEY (audit_id);

ALTER TABLE ONLY public.feeds
    ADD CONSTRAINT feeds_pkey PRIMARY KEY (feed);

ALTER TABLE ONLY public.feeds
    ADD CONSTRAINT feeds_table_schema_table_name_key UNIQUE (table_schema, table_name);

ALTER TABLE ONLY public.generations
    ADD CONSTRAINT generations_pkey PRIMARY KEY (generation_id);

ALTER TABLE ONLY public.hourly_buyers
    ADD CONSTRAINT hourly_buyers_pkey PRIMARY KEY (hour, category, user_id);

ALTER TABLE ONLY public.hourly_sales
    ADD CONSTRAINT hourly_sales_pkey PRIMARY KEY (hour, category);

ALTER TABLE ONLY public.ingested_files
    ADD CONSTRAINT ingested_files_pkey PRIMARY KEY (file_id);

ALTER TABLE ONLY public.landing_zone
    ADD CONSTRAINT landing_zone_pkey PRIMARY KEY (only_one);

ALTER TABLE ONLY public.live_status
    ADD CONSTRAINT live_status_pkey PRIMARY KEY (live_id);

ALTER TABLE ONLY public.live_status
    ADD CONSTRAINT live_status_run_id_key UNIQUE (run_id);

ALTER TABLE ONLY public.lost_events
    ADD CONSTRAINT lost_events_pkey PRIMARY KEY (event_id, file_id);

ALTER TABLE ONLY public.lost_files
    ADD CONSTRAINT lost_files_pkey PRIMARY KEY (file_id);

ALTER TABLE ONLY public.lost_rows
    ADD CONSTRAINT lost_rows_pkey PRIMARY KEY (feed, row_key, file_id);

ALTER TABLE ONLY public.pending_events
    ADD CONSTRAINT pending_events_pkey PRIMARY KEY (change_id);

ALTER TABLE ONLY public.pending_files
    ADD CONSTRAINT pending_files_pkey PRIMARY KEY (rollup, file_id);

ALTER TABLE ONLY public.performance_metrics
    ADD CONSTRAINT performance_metrics_pkey PRIMARY KEY (metric_id);

ALTER TABLE ONLY public.rejected_events
    ADD CONSTRAINT rejected_events_file_id_place_key UNIQUE (file_id, place);

ALTER TABLE ONLY public.rejected_events
    ADD CONSTRAINT rejected_events_pkey PRIMARY KEY (reject_id);

ALTER TABLE ONLY public.replaced_rows
    ADD CONSTRAINT replaced_rows_pkey PRIMARY KEY (file_id, by_file_id);

ALTER TABLE ONLY public.returned_files
    ADD CONSTRAINT returned_files_pkey PRIMARY KEY (inode);

ALTER TABLE ONLY public.stream_batches
    ADD CONSTRAINT stream_batches_pkey PRIMARY KEY (batch_id);

ALTER TABLE ONLY public.unchecked_files
    ADD CONSTRAINT unchecked_files_pkey PRIMARY KEY (note_id);

ALTER TABLE ONLY public.user_events
    ADD CONSTRAINT user_events_pkey PRIMARY KEY (event_id);

ALTER TABLE ONLY public.whole_checks
    ADD CONSTRAINT whole_checks_pkey PRIMARY KEY (check_name);

CREATE INDEX alert_deliveries_due ON public.alert_deliveries USING btree (target, due_at) WHERE (state = 'pending'::text);

CREATE INDEX alerts_key ON public.alerts USING btree (source, key, last_event_at);

CREATE UNIQUE INDEX alerts_open ON public.alerts USING btree (source, key) WHERE (resolved_at IS NULL);

CREATE INDEX alerts_unannounced ON public.alerts USING btree (alert_id) WHERE ((announced_at IS NULL) OR ((resolved_at IS NOT NULL) AND (recovery_announced_at IS NULL)));

CREATE INDEX claimed_objects_untagged ON public.claimed_objects USING btree (file_id) WHERE (tagged_at IS NULL);

CREATE INDEX generations_run ON public.generations USING btree (run_id);

CREATE INDEX ingested_files_batch ON public.ingested_files USING btree (batch_id);

CREATE INDEX ingested_files_claimed ON public.ingested_files USING btree (file_id) WHERE (state = 'claimed'::text);

CREATE INDEX ingested_files_finished ON public.ingested_files USING btree (finished_at) WHERE (state = 'loaded'::text);

CREATE INDEX ingested_files_landed_again ON public.ingested_files USING btree (file_id) WHERE (landed_again_at IS NOT NULL);

CREATE INDEX ingested_files_name ON public.ingested_files USING btree (name text_pattern_ops);

CREATE INDEX ingested_files_quarantined ON public.ingested_files USING btree (finished_at) WHERE (state = 'quarantined'::text);

CREATE INDEX ingested_files_sha256 ON public.ingested_files USING btree (sha256) WHERE (state = 'loaded'::text);

CREATE INDEX performance_metrics_name ON public.performance_metrics USING btree (name, metric_id) WHERE (part = ''::text);

CREATE INDEX performance_metrics_run ON public.performance_metrics USING btree (run_id, name);

CREATE INDEX rejected_events_id ON public.rejected_events USING btree ("substring"(lower(encode(raw, 'escape'::text)), '[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}'::text));

CREATE INDEX rejected_events_reason ON public.rejected_events USING btree (reason) WHERE (replayed_at IS NULL);

CREATE INDEX replaced_rows_by_file_id_idx ON public.replaced_rows USING btree (by_file_id);

CREATE INDEX stream_batches_finished ON public.stream_batches USING btree (finished_at);

CREATE INDEX stream_batches_run ON public.stream_batches USING btree (run_id);

CREATE INDEX user_events_file ON public.user_events USING brin (file_id) WITH (pages_per_range='32', autosummarize='on');

CREATE INDEX user_events_time ON public.user_events USING brin (event_time timestamptz_minmax_multi_ops) WITH (pages_per_range='32', autosummarize='on');

CREATE TRIGGER forget_all_events AFTER TRUNCATE ON public.user_events FOR EACH STATEMENT EXECUTE FUNCTION public.forget_all_events();

CREATE TRIGGER forget_what_was_checked AFTER TRUNCATE ON public.user_events FOR EACH STATEMENT EXECUTE FUNCTION public.forget_what_was_checked();

CREATE TRIGGER note_deleted_events AFTER DELETE ON public.user_events REFERENCING OLD TABLE AS before FOR EACH STATEMENT EXECUTE FUNCTION public.note_changed_events();

CREATE TRIGGER note_loaded_file AFTER UPDATE OF state ON public.ingested_files FOR EACH ROW WHEN (((new.state = 'loaded'::text) AND (old.state <> 'loaded'::text) AND (new.rows_inserted > 0))) EXECUTE FUNCTION public.note_loaded_file();

CREATE TRIGGER note_lost_events AFTER DELETE ON public.user_events REFERENCING OLD TABLE AS before FOR EACH STATEMENT EXECUTE FUNCTION public.note_lost_events();

CREATE TRIGGER note_lost_files AFTER TRUNCATE ON public.user_events FOR EACH STATEMENT EXECUTE FUNCTION public.note_lost_files();

CREATE TRIGGER note_unchecked_deleted AFTER DELETE ON public.user_events REFERENCING OLD TABLE AS before FOR EACH STATEMENT EXECUTE FUNCTION public.note_unchecked_files();

CREATE TRIGGER note_unchecked_load AFTER UPDATE OF state ON public.ingested_files FOR EACH ROW WHEN (((new.state = 'loaded'::text) AND (old.state <> 'loaded'::text) AND (new.rows_inserted > 0))) EXECUTE FUNCTION public.note_unchecked_load();

CREATE TRIGGER note_unchecked_updated AFTER UPDATE ON public.user_events REFERENCING OLD TABLE AS before NEW TABLE AS after FOR EACH STATEMENT EXECUTE FUNCTION public.note_unchecked_files();

CREATE TRIGGER note_updated_events AFTER UPDATE ON public.user_events REFERENCING OLD TABLE AS before NEW TABLE AS after FOR EACH STATEMENT EXECUTE FUNCTION public.note_changed_events();

ALTER TABLE ONLY public.alert_deliveries
    ADD CONSTRAINT alert_deliveries_alert_id_fkey FOREIGN KEY (alert_id) REFERENCES public.alerts(alert_id) ON DELETE CASCADE;

ALTER TABLE ONLY public.claimed_objects
    ADD CONSTRAINT claimed_objects_file_id_fkey FOREIGN KEY (file_id) REFERENCES public.ingested_files(file_id) ON DELETE CASCADE;

ALTER TABLE ONLY public.ingested_files
    ADD CONSTRAINT ingested_files_batch_id_fkey FOREIGN KEY (batch_id) REFERENCES public.stream_batches(batch_id) ON DELETE SET NULL;

ALTER TABLE ONLY public.ingested_files
    ADD CONSTRAINT ingested_files_same_bytes_as_fkey FOREIGN KEY (same_bytes_as) REFERENCES public.ingested_files(file_id);

ALTER TABLE ONLY public.lost_files
    ADD CONSTRAINT lost_files_file_id_fkey FOREIGN KEY (file_id) REFERENCES public.ingested_files(file_id) ON DELETE CASCADE;

ALTER TABLE ONLY public.lost_rows
    ADD CONSTRAINT lost_rows_feed_fkey FOREIGN KEY (feed) REFERENCES public.feeds(feed) ON UPDATE CASCADE ON DELETE CASCADE;

ALTER TABLE ONLY public.rejected_events
    ADD CONSTRAINT rejected_events_file_id_fkey FOREIGN KEY (file_id) REFERENCES public.ingested_files(file_id);

ALTER TABLE ONLY public.replaced_rows
    ADD CONSTRAINT replaced_rows_file_id_fkey FOREIGN KEY (file_id) REFERENCES public.ingested_files(file_id) ON DELETE CASCADE;
