-- IF NOT EXISTS throughout: projects that use the alerts alone run this file without the others.

-- One problem, from when it was noticed until it was over.
CREATE TABLE IF NOT EXISTS alerts (
    alert_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- Whose problem it is, where several projects share the database.
    source text NOT NULL,
    key text NOT NULL,
    kind text NOT NULL,
    severity text NOT NULL CHECK (severity IN ('ERROR', 'WARN')),
    title text NOT NULL,
    asset text,
    check_name text,
    expected text NOT NULL,
    found text NOT NULL,
    run_id text,
    link text,
    details jsonb NOT NULL DEFAULT '{}',
    -- The event that raised it, and the newest one that was heard of it; times_seen counts them.
    occurred_at timestamptz NOT NULL,
    last_event_at timestamptz NOT NULL,
    times_seen bigint NOT NULL DEFAULT 1,
    raised_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    resolved_at timestamptz,
    resolution text,
    -- When its deliveries were made out: to all targets of that moment, or to none.
    announced_at timestamptz,
    recovery_announced_at timestamptz,
    CHECK (last_event_at >= occurred_at),
    CHECK ((resolved_at IS NULL) = (resolution IS NULL))
);
-- Once per problem: a second one of the key can only be raised when the first is over.
CREATE UNIQUE INDEX IF NOT EXISTS alerts_open ON alerts (source, key) WHERE resolved_at IS NULL;
CREATE INDEX IF NOT EXISTS alerts_key ON alerts (source, key, last_event_at);
CREATE INDEX IF NOT EXISTS alerts_unannounced ON alerts (alert_id)
    WHERE announced_at IS NULL OR (resolved_at IS NOT NULL AND recovery_announced_at IS NULL);

-- One notice of a problem on its way to one target. The target is named without anything secret.
CREATE TABLE IF NOT EXISTS alert_deliveries (
    delivery_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    alert_id bigint NOT NULL REFERENCES alerts (alert_id) ON DELETE CASCADE,
    target text NOT NULL,
    notice text NOT NULL CHECK (notice IN ('raised', 'recovered')),
    state text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'delivered', 'given_up')),
    attempts bigint NOT NULL DEFAULT 0,
    -- When it may be tried next; whoever takes it moves this ahead, so that nobody else does.
    due_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    last_error text,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    delivered_at timestamptz,
    UNIQUE (alert_id, target, notice),
    CHECK ((state = 'delivered') = (delivered_at IS NOT NULL))
);
CREATE INDEX IF NOT EXISTS alert_deliveries_due ON alert_deliveries (target, due_at) WHERE state = 'pending';
