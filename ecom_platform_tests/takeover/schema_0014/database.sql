--
-- PostgreSQL database dump
--


-- Dumped from database version 18.6
-- Dumped by pg_dump version 18.6

SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;

--
-- Name: forget_all_events(); Type: FUNCTION; Schema: public; Owner: -
--

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


--
-- Name: forget_what_was_checked(); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.forget_what_was_checked() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
BEGIN
    -- Which files are gone is not known, so every check looks at everything.
    DELETE FROM whole_checks;
    DELETE FROM unchecked_files;
    RETURN NULL;
END
$$;


--
-- Name: note_changed_events(); Type: FUNCTION; Schema: public; Owner: -
--

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


--
-- Name: note_loaded_file(); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.note_loaded_file() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
BEGIN
    INSERT INTO pending_files (rollup, file_id) SELECT rollup, NEW.file_id FROM rollups ON CONFLICT DO NOTHING;
    RETURN NULL;
END
$$;


--
-- Name: note_lost_events(); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.note_lost_events() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
BEGIN
    INSERT INTO lost_events (event_id, file_id) SELECT event_id, file_id FROM before ON CONFLICT DO NOTHING;
    RETURN NULL;
END
$$;


--
-- Name: note_lost_files(); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.note_lost_files() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
BEGIN
    DELETE FROM lost_events;
    INSERT INTO lost_files (file_id, rows)
    SELECT file_id, rows_inserted FROM ingested_files WHERE rows_inserted > 0
    ON CONFLICT (file_id) DO UPDATE SET rows = excluded.rows, lost_at = excluded.lost_at;
    RETURN NULL;
END
$$;


--
-- Name: note_unchecked_files(); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.note_unchecked_files() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
BEGIN
    INSERT INTO unchecked_files (check_name, file_id)
    SELECT c.check_name, e.file_id
    FROM (SELECT DISTINCT file_id FROM before) AS e CROSS JOIN narrowed_checks AS c;
    IF TG_OP = 'UPDATE' THEN
        INSERT INTO unchecked_files (check_name, file_id)
        SELECT c.check_name, e.file_id
        FROM (SELECT DISTINCT file_id FROM after) AS e CROSS JOIN narrowed_checks AS c;
    END IF;
    RETURN NULL;
END
$$;


--
-- Name: note_unchecked_load(); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.note_unchecked_load() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
BEGIN
    INSERT INTO unchecked_files (check_name, file_id) SELECT check_name, NEW.file_id FROM narrowed_checks;
    RETURN NULL;
END
$$;


SET default_tablespace = '';

SET default_table_access_method = heap;

--
-- Name: alembic_version; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.alembic_version (
    version_num character varying(32) NOT NULL
);


--
-- Name: alert_deliveries; Type: TABLE; Schema: public; Owner: -
--

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


--
-- Name: alert_deliveries_delivery_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

ALTER TABLE public.alert_deliveries ALTER COLUMN delivery_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.alert_deliveries_delivery_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: alerts; Type: TABLE; Schema: public; Owner: -
--

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


--
-- Name: alerts_alert_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

ALTER TABLE public.alerts ALTER COLUMN alert_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.alerts_alert_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: conversion_funnel; Type: TABLE; Schema: public; Owner: -
--

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


--
-- Name: duplicate_audit; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.duplicate_audit (
    audit_id bigint NOT NULL,
    run_id text NOT NULL,
    audited_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    rows bigint NOT NULL,
    distinct_ids bigint NOT NULL,
    duplicates_within_file bigint NOT NULL,
    duplicates_across_files bigint NOT NULL,
    duplicates_redropped_file bigint NOT NULL,
    id_conflicts bigint NOT NULL
);


--
-- Name: duplicate_audit_audit_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

ALTER TABLE public.duplicate_audit ALTER COLUMN audit_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.duplicate_audit_audit_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: generations; Type: TABLE; Schema: public; Owner: -
--

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


--
-- Name: generations_generation_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

ALTER TABLE public.generations ALTER COLUMN generation_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.generations_generation_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: hourly_buyers; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.hourly_buyers (
    hour timestamp with time zone NOT NULL,
    category text NOT NULL,
    user_id bigint NOT NULL,
    purchases bigint NOT NULL
);


--
-- Name: hourly_sales; Type: TABLE; Schema: public; Owner: -
--

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


--
-- Name: ingested_files; Type: TABLE; Schema: public; Owner: -
--

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
    CONSTRAINT ingested_files_check CHECK ((rows_duplicate_within <= rows_duplicate)),
    CONSTRAINT ingested_files_check1 CHECK ((rows_conflicting <= rows_rejected)),
    CONSTRAINT ingested_files_check2 CHECK (((state = 'claimed'::text) = (finished_at IS NULL))),
    CONSTRAINT ingested_files_check3 CHECK (((state = 'loaded'::text) OR (rows_read = 0))),
    CONSTRAINT ingested_files_check4 CHECK (((state <> 'loaded'::text) OR (sha256 IS NOT NULL))),
    CONSTRAINT ingested_files_check5 CHECK (((state <> 'quarantined'::text) OR (reason IS NOT NULL))),
    CONSTRAINT ingested_files_sha256_check CHECK ((sha256 ~ '^[0-9a-f]{64}$'::text)),
    CONSTRAINT ingested_files_state_check CHECK ((state = ANY (ARRAY['claimed'::text, 'loaded'::text, 'quarantined'::text])))
);


--
-- Name: ingested_files_file_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

ALTER TABLE public.ingested_files ALTER COLUMN file_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.ingested_files_file_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: landing_zone; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.landing_zone (
    only_one boolean DEFAULT true NOT NULL,
    zone_id uuid NOT NULL,
    since timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT landing_zone_only_one_check CHECK (only_one)
);


--
-- Name: live_status; Type: TABLE; Schema: public; Owner: -
--

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


--
-- Name: live_status_live_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

ALTER TABLE public.live_status ALTER COLUMN live_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.live_status_live_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: lost_events; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.lost_events (
    event_id uuid NOT NULL,
    file_id bigint NOT NULL
);


--
-- Name: lost_files; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.lost_files (
    file_id bigint NOT NULL,
    rows bigint NOT NULL,
    lost_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT lost_files_rows_check CHECK ((rows > 0))
);


--
-- Name: narrowed_checks; Type: VIEW; Schema: public; Owner: -
--

CREATE VIEW public.narrowed_checks AS
 SELECT unnest(ARRAY['row_rules'::text, 'table_matches_ledger'::text]) AS check_name;


--
-- Name: pending_events; Type: TABLE; Schema: public; Owner: -
--

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


--
-- Name: pending_events_change_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

ALTER TABLE public.pending_events ALTER COLUMN change_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.pending_events_change_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: pending_files; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.pending_files (
    rollup text NOT NULL,
    file_id bigint NOT NULL
);


--
-- Name: performance_metrics; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.performance_metrics (
    metric_id bigint NOT NULL,
    run_id text NOT NULL,
    name text NOT NULL,
    part text DEFAULT ''::text NOT NULL,
    unit text NOT NULL,
    value double precision NOT NULL,
    measured_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL
);


--
-- Name: performance_metrics_metric_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

ALTER TABLE public.performance_metrics ALTER COLUMN metric_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.performance_metrics_metric_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: rejected_events; Type: TABLE; Schema: public; Owner: -
--

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
    CONSTRAINT rejected_events_line_number_check CHECK ((line_number > 1))
);


--
-- Name: rejected_events_reject_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

ALTER TABLE public.rejected_events ALTER COLUMN reject_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.rejected_events_reject_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: rollups; Type: VIEW; Schema: public; Owner: -
--

CREATE VIEW public.rollups AS
 SELECT unnest(ARRAY['hourly_sales'::text, 'conversion_funnel'::text]) AS rollup;


--
-- Name: stream_batches; Type: TABLE; Schema: public; Owner: -
--

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
    worker_cpu_ms double precision
);


--
-- Name: stream_batches_batch_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

ALTER TABLE public.stream_batches ALTER COLUMN batch_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.stream_batches_batch_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: unchecked_files; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.unchecked_files (
    note_id bigint NOT NULL,
    check_name text NOT NULL,
    file_id bigint NOT NULL
);


--
-- Name: unchecked_files_note_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

ALTER TABLE public.unchecked_files ALTER COLUMN note_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.unchecked_files_note_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: user_events; Type: TABLE; Schema: public; Owner: -
--

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


--
-- Name: whole_checks; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.whole_checks (
    check_name text NOT NULL,
    checked_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL
);


--
-- Data for Name: alembic_version; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.alembic_version VALUES ('0014');


--
-- Data for Name: alert_deliveries; Type: TABLE DATA; Schema: public; Owner: -
--



--
-- Data for Name: alerts; Type: TABLE DATA; Schema: public; Owner: -
--



--
-- Data for Name: conversion_funnel; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.conversion_funnel VALUES ('2026-01-02', 'Books', 'Mobile', 'DE', 0, 0, 3, DEFAULT, DEFAULT, DEFAULT);


--
-- Data for Name: duplicate_audit; Type: TABLE DATA; Schema: public; Owner: -
--



--
-- Data for Name: generations; Type: TABLE DATA; Schema: public; Owner: -
--



--
-- Data for Name: hourly_buyers; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.hourly_buyers VALUES ('2026-01-02 03:00:00+00', 'Books', 7, 3);


--
-- Data for Name: hourly_sales; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.hourly_sales VALUES ('2026-01-02 03:00:00+00', 'Books', 0, 0, 3, 59.97, 1);


--
-- Data for Name: ingested_files; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.ingested_files OVERRIDING SYSTEM VALUE VALUES (1, 'first.csv', 392, '254caa3ba282fd882c6df947a815c9d7328ce261317d5a576c99e07f1a257cdc', NULL, 'loaded', NULL, 4, 2, 1, 1, 1, 0, 1, '2026-11-26 12:08:07.083711+00', '2026-11-26 12:08:07.095895+00', '2026-11-26 12:08:07.669533+00', 1795694887083710716, 2506756, NULL, 'event_id,user_id,product_id,event_type,event_time,price,category,user_device,user_location');
INSERT INTO public.ingested_files OVERRIDING SYSTEM VALUE VALUES (2, 'broken.csv', 14, '04a799e0103006eea022f46d8048b3604bf3d3d778fa21ec1c22b0836d7a2305', NULL, 'quarantined', 'wrong_header: expected event_id,user_id,product_id,event_type,event_time,price,category,user_device,user_location in any order; the first line has 2 columns, and is no header by the look of it: is it missing? Correct the file and drop it again.', 0, 0, 0, 0, 0, 0, 1, '2026-11-26 12:08:07.684988+00', '2026-11-26 12:08:07.695119+00', '2026-11-26 12:08:07.711227+00', 1795694887684987732, 2506759, NULL, NULL);
INSERT INTO public.ingested_files OVERRIDING SYSTEM VALUE VALUES (3, 'second.csv', 388, '6990073aeae102256ff04eb4be9a3025e66970d2409c24321c6780d1969447ab', NULL, 'loaded', NULL, 3, 1, 1, 1, 0, 1, 1, '2026-11-26 12:08:07.684946+00', '2026-11-26 12:08:07.695347+00', '2026-11-26 12:08:07.711365+00', 1795694887684945983, 2506758, NULL, 'event_id,user_id,product_id,event_type,event_time,price,category,user_device,user_location');
INSERT INTO public.ingested_files OVERRIDING SYSTEM VALUE VALUES (4, 'halfway.csv', 289, NULL, NULL, 'claimed', NULL, 0, 0, 0, 0, 0, 0, NULL, '2026-11-26 12:08:07.784451+00', '2026-11-26 12:08:07.790977+00', NULL, 1795694887784451478, 2506760, NULL, NULL);


--
-- Data for Name: landing_zone; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.landing_zone VALUES (true, '1ea54dab-90d0-4a9a-a660-d1a23edaddb8', '2026-11-26 12:08:07.094198+00');


--
-- Data for Name: live_status; Type: TABLE DATA; Schema: public; Owner: -
--



--
-- Data for Name: lost_events; Type: TABLE DATA; Schema: public; Owner: -
--



--
-- Data for Name: lost_files; Type: TABLE DATA; Schema: public; Owner: -
--



--
-- Data for Name: pending_events; Type: TABLE DATA; Schema: public; Owner: -
--



--
-- Data for Name: pending_files; Type: TABLE DATA; Schema: public; Owner: -
--



--
-- Data for Name: performance_metrics; Type: TABLE DATA; Schema: public; Owner: -
--



--
-- Data for Name: rejected_events; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.rejected_events OVERRIDING SYSTEM VALUE VALUES (1, 1, 'first.csv', 5, '\x626164', 'missing_fields', NULL, '2026-11-26 12:08:07.64069+00', NULL, NULL);
INSERT INTO public.rejected_events OVERRIDING SYSTEM VALUE VALUES (2, 3, 'second.csv', 4, '\x30303030303030302d303030302d303030302d303030302d3030303030303030303030332c372c50524f44313030302c70757263686173652c323032362d30312d30322030333a30343a30352c32302e30302c426f6f6b732c4d6f62696c652c4445', 'id_conflict', 'event_id', '2026-11-26 12:08:07.696365+00', NULL, NULL);


--
-- Data for Name: stream_batches; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.stream_batches OVERRIDING SYSTEM VALUE VALUES (1, 'test', 0, 'test', 0, 0, 0, 0, 0, '2026-11-26 12:08:07.07959+00', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);


--
-- Data for Name: unchecked_files; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.unchecked_files OVERRIDING SYSTEM VALUE VALUES (1, 'row_rules', 1);
INSERT INTO public.unchecked_files OVERRIDING SYSTEM VALUE VALUES (2, 'table_matches_ledger', 1);
INSERT INTO public.unchecked_files OVERRIDING SYSTEM VALUE VALUES (3, 'row_rules', 3);
INSERT INTO public.unchecked_files OVERRIDING SYSTEM VALUE VALUES (4, 'table_matches_ledger', 3);


--
-- Data for Name: user_events; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.user_events VALUES ('00000000-0000-0000-0000-000000000001', 7, 'PROD1000', 'purchase', '2026-01-02 03:04:05+00', 19.99, 'Books', 'Mobile', 'DE', 1, '2026-11-26 12:08:07.64069+00');
INSERT INTO public.user_events VALUES ('00000000-0000-0000-0000-000000000002', 7, 'PROD1000', 'purchase', '2026-01-02 03:04:05+00', 19.99, 'Books', 'Mobile', 'DE', 1, '2026-11-26 12:08:07.64069+00');
INSERT INTO public.user_events VALUES ('00000000-0000-0000-0000-000000000003', 7, 'PROD1000', 'purchase', '2026-01-02 03:04:05+00', 19.99, 'Books', 'Mobile', 'DE', 3, '2026-11-26 12:08:07.696365+00');


--
-- Data for Name: whole_checks; Type: TABLE DATA; Schema: public; Owner: -
--



--
-- Name: alert_deliveries_delivery_id_seq; Type: SEQUENCE SET; Schema: public; Owner: -
--

SELECT pg_catalog.setval('public.alert_deliveries_delivery_id_seq', 1, false);


--
-- Name: alerts_alert_id_seq; Type: SEQUENCE SET; Schema: public; Owner: -
--

SELECT pg_catalog.setval('public.alerts_alert_id_seq', 1, false);


--
-- Name: duplicate_audit_audit_id_seq; Type: SEQUENCE SET; Schema: public; Owner: -
--

SELECT pg_catalog.setval('public.duplicate_audit_audit_id_seq', 1, false);


--
-- Name: generations_generation_id_seq; Type: SEQUENCE SET; Schema: public; Owner: -
--

SELECT pg_catalog.setval('public.generations_generation_id_seq', 1, false);


--
-- Name: ingested_files_file_id_seq; Type: SEQUENCE SET; Schema: public; Owner: -
--

SELECT pg_catalog.setval('public.ingested_files_file_id_seq', 4, true);


--
-- Name: live_status_live_id_seq; Type: SEQUENCE SET; Schema: public; Owner: -
--

SELECT pg_catalog.setval('public.live_status_live_id_seq', 1, false);


--
-- Name: pending_events_change_id_seq; Type: SEQUENCE SET; Schema: public; Owner: -
--

SELECT pg_catalog.setval('public.pending_events_change_id_seq', 1, false);


--
-- Name: performance_metrics_metric_id_seq; Type: SEQUENCE SET; Schema: public; Owner: -
--

SELECT pg_catalog.setval('public.performance_metrics_metric_id_seq', 1, false);


--
-- Name: rejected_events_reject_id_seq; Type: SEQUENCE SET; Schema: public; Owner: -
--

SELECT pg_catalog.setval('public.rejected_events_reject_id_seq', 2, true);


--
-- Name: stream_batches_batch_id_seq; Type: SEQUENCE SET; Schema: public; Owner: -
--

SELECT pg_catalog.setval('public.stream_batches_batch_id_seq', 1, true);


--
-- Name: unchecked_files_note_id_seq; Type: SEQUENCE SET; Schema: public; Owner: -
--

SELECT pg_catalog.setval('public.unchecked_files_note_id_seq', 4, true);


--
-- Name: alembic_version alembic_version_pkc; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.alembic_version
    ADD CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num);


--
-- Name: alert_deliveries alert_deliveries_alert_id_target_notice_key; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.alert_deliveries
    ADD CONSTRAINT alert_deliveries_alert_id_target_notice_key UNIQUE (alert_id, target, notice);


--
-- Name: alert_deliveries alert_deliveries_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.alert_deliveries
    ADD CONSTRAINT alert_deliveries_pkey PRIMARY KEY (delivery_id);


--
-- Name: alerts alerts_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.alerts
    ADD CONSTRAINT alerts_pkey PRIMARY KEY (alert_id);


--
-- Name: conversion_funnel conversion_funnel_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.conversion_funnel
    ADD CONSTRAINT conversion_funnel_pkey PRIMARY KEY (day, category, user_device, user_location);


--
-- Name: duplicate_audit duplicate_audit_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.duplicate_audit
    ADD CONSTRAINT duplicate_audit_pkey PRIMARY KEY (audit_id);


--
-- Name: generations generations_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.generations
    ADD CONSTRAINT generations_pkey PRIMARY KEY (generation_id);


--
-- Name: hourly_buyers hourly_buyers_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.hourly_buyers
    ADD CONSTRAINT hourly_buyers_pkey PRIMARY KEY (hour, category, user_id);


--
-- Name: hourly_sales hourly_sales_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.hourly_sales
    ADD CONSTRAINT hourly_sales_pkey PRIMARY KEY (hour, category);


--
-- Name: ingested_files ingested_files_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.ingested_files
    ADD CONSTRAINT ingested_files_pkey PRIMARY KEY (file_id);


--
-- Name: landing_zone landing_zone_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.landing_zone
    ADD CONSTRAINT landing_zone_pkey PRIMARY KEY (only_one);


--
-- Name: live_status live_status_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.live_status
    ADD CONSTRAINT live_status_pkey PRIMARY KEY (live_id);


--
-- Name: live_status live_status_run_id_key; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.live_status
    ADD CONSTRAINT live_status_run_id_key UNIQUE (run_id);


--
-- Name: lost_events lost_events_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.lost_events
    ADD CONSTRAINT lost_events_pkey PRIMARY KEY (event_id, file_id);


--
-- Name: lost_files lost_files_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.lost_files
    ADD CONSTRAINT lost_files_pkey PRIMARY KEY (file_id);


--
-- Name: pending_events pending_events_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.pending_events
    ADD CONSTRAINT pending_events_pkey PRIMARY KEY (change_id);


--
-- Name: pending_files pending_files_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.pending_files
    ADD CONSTRAINT pending_files_pkey PRIMARY KEY (rollup, file_id);


--
-- Name: performance_metrics performance_metrics_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.performance_metrics
    ADD CONSTRAINT performance_metrics_pkey PRIMARY KEY (metric_id);


--
-- Name: rejected_events rejected_events_file_id_line_number_key; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.rejected_events
    ADD CONSTRAINT rejected_events_file_id_line_number_key UNIQUE (file_id, line_number);


--
-- Name: rejected_events rejected_events_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.rejected_events
    ADD CONSTRAINT rejected_events_pkey PRIMARY KEY (reject_id);


--
-- Name: stream_batches stream_batches_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.stream_batches
    ADD CONSTRAINT stream_batches_pkey PRIMARY KEY (batch_id);


--
-- Name: unchecked_files unchecked_files_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.unchecked_files
    ADD CONSTRAINT unchecked_files_pkey PRIMARY KEY (note_id);


--
-- Name: user_events user_events_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.user_events
    ADD CONSTRAINT user_events_pkey PRIMARY KEY (event_id);


--
-- Name: whole_checks whole_checks_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.whole_checks
    ADD CONSTRAINT whole_checks_pkey PRIMARY KEY (check_name);


--
-- Name: alert_deliveries_due; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX alert_deliveries_due ON public.alert_deliveries USING btree (target, due_at) WHERE (state = 'pending'::text);


--
-- Name: alerts_key; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX alerts_key ON public.alerts USING btree (source, key, last_event_at);


--
-- Name: alerts_open; Type: INDEX; Schema: public; Owner: -
--

CREATE UNIQUE INDEX alerts_open ON public.alerts USING btree (source, key) WHERE (resolved_at IS NULL);


--
-- Name: alerts_unannounced; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX alerts_unannounced ON public.alerts USING btree (alert_id) WHERE ((announced_at IS NULL) OR ((resolved_at IS NOT NULL) AND (recovery_announced_at IS NULL)));


--
-- Name: generations_run; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX generations_run ON public.generations USING btree (run_id);


--
-- Name: ingested_files_batch; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ingested_files_batch ON public.ingested_files USING btree (batch_id);


--
-- Name: ingested_files_claimed; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ingested_files_claimed ON public.ingested_files USING btree (file_id) WHERE (state = 'claimed'::text);


--
-- Name: ingested_files_finished; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ingested_files_finished ON public.ingested_files USING btree (finished_at) WHERE (state = 'loaded'::text);


--
-- Name: ingested_files_landed_again; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ingested_files_landed_again ON public.ingested_files USING btree (file_id) WHERE (landed_again_at IS NOT NULL);


--
-- Name: ingested_files_name; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ingested_files_name ON public.ingested_files USING btree (name text_pattern_ops);


--
-- Name: ingested_files_quarantined; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ingested_files_quarantined ON public.ingested_files USING btree (finished_at) WHERE (state = 'quarantined'::text);


--
-- Name: ingested_files_sha256; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ingested_files_sha256 ON public.ingested_files USING btree (sha256) WHERE (state = 'loaded'::text);


--
-- Name: performance_metrics_name; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX performance_metrics_name ON public.performance_metrics USING btree (name, metric_id) WHERE (part = ''::text);


--
-- Name: performance_metrics_run; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX performance_metrics_run ON public.performance_metrics USING btree (run_id, name);


--
-- Name: rejected_events_id; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX rejected_events_id ON public.rejected_events USING btree ("substring"(lower(encode(raw, 'escape'::text)), '[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}'::text));


--
-- Name: rejected_events_reason; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX rejected_events_reason ON public.rejected_events USING btree (reason) WHERE (replayed_at IS NULL);


--
-- Name: stream_batches_finished; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX stream_batches_finished ON public.stream_batches USING btree (finished_at);


--
-- Name: stream_batches_run; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX stream_batches_run ON public.stream_batches USING btree (run_id);


--
-- Name: user_events_file; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX user_events_file ON public.user_events USING brin (file_id) WITH (pages_per_range='32', autosummarize='on');


--
-- Name: user_events_time; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX user_events_time ON public.user_events USING brin (event_time timestamptz_minmax_multi_ops) WITH (pages_per_range='32', autosummarize='on');


--
-- Name: user_events forget_all_events; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER forget_all_events AFTER TRUNCATE ON public.user_events FOR EACH STATEMENT EXECUTE FUNCTION public.forget_all_events();


--
-- Name: user_events forget_what_was_checked; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER forget_what_was_checked AFTER TRUNCATE ON public.user_events FOR EACH STATEMENT EXECUTE FUNCTION public.forget_what_was_checked();


--
-- Name: user_events note_deleted_events; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER note_deleted_events AFTER DELETE ON public.user_events REFERENCING OLD TABLE AS before FOR EACH STATEMENT EXECUTE FUNCTION public.note_changed_events();


--
-- Name: ingested_files note_loaded_file; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER note_loaded_file AFTER UPDATE OF state ON public.ingested_files FOR EACH ROW WHEN (((new.state = 'loaded'::text) AND (old.state <> 'loaded'::text) AND (new.rows_inserted > 0))) EXECUTE FUNCTION public.note_loaded_file();


--
-- Name: user_events note_lost_events; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER note_lost_events AFTER DELETE ON public.user_events REFERENCING OLD TABLE AS before FOR EACH STATEMENT EXECUTE FUNCTION public.note_lost_events();


--
-- Name: user_events note_lost_files; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER note_lost_files AFTER TRUNCATE ON public.user_events FOR EACH STATEMENT EXECUTE FUNCTION public.note_lost_files();


--
-- Name: user_events note_unchecked_deleted; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER note_unchecked_deleted AFTER DELETE ON public.user_events REFERENCING OLD TABLE AS before FOR EACH STATEMENT EXECUTE FUNCTION public.note_unchecked_files();


--
-- Name: ingested_files note_unchecked_load; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER note_unchecked_load AFTER UPDATE OF state ON public.ingested_files FOR EACH ROW WHEN (((new.state = 'loaded'::text) AND (old.state <> 'loaded'::text) AND (new.rows_inserted > 0))) EXECUTE FUNCTION public.note_unchecked_load();


--
-- Name: user_events note_unchecked_updated; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER note_unchecked_updated AFTER UPDATE ON public.user_events REFERENCING OLD TABLE AS before NEW TABLE AS after FOR EACH STATEMENT EXECUTE FUNCTION public.note_unchecked_files();


--
-- Name: user_events note_updated_events; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER note_updated_events AFTER UPDATE ON public.user_events REFERENCING OLD TABLE AS before NEW TABLE AS after FOR EACH STATEMENT EXECUTE FUNCTION public.note_changed_events();


--
-- Name: alert_deliveries alert_deliveries_alert_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.alert_deliveries
    ADD CONSTRAINT alert_deliveries_alert_id_fkey FOREIGN KEY (alert_id) REFERENCES public.alerts(alert_id) ON DELETE CASCADE;


--
-- Name: ingested_files ingested_files_batch_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.ingested_files
    ADD CONSTRAINT ingested_files_batch_id_fkey FOREIGN KEY (batch_id) REFERENCES public.stream_batches(batch_id) ON DELETE SET NULL;


--
-- Name: ingested_files ingested_files_same_bytes_as_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.ingested_files
    ADD CONSTRAINT ingested_files_same_bytes_as_fkey FOREIGN KEY (same_bytes_as) REFERENCES public.ingested_files(file_id);


--
-- Name: lost_files lost_files_file_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.lost_files
    ADD CONSTRAINT lost_files_file_id_fkey FOREIGN KEY (file_id) REFERENCES public.ingested_files(file_id) ON DELETE CASCADE;


--
-- Name: rejected_events rejected_events_file_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.rejected_events
    ADD CONSTRAINT rejected_events_file_id_fkey FOREIGN KEY (file_id) REFERENCES public.ingested_files(file_id);


--
-- PostgreSQL database dump complete
--


