-- The shop's figures follow a row that was stored by a replay: the engine calls a function of this name, if there is
-- one, with the row's key.
CREATE FUNCTION replayed_user_events(stored uuid) RETURNS void
LANGUAGE sql
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

-- As the other functions: found whatever the session's search path is, and nothing of its own before.
DO $$
BEGIN
    EXECUTE 'ALTER FUNCTION replayed_user_events(uuid) SET search_path = ' || quote_ident(current_schema())
        || ', pg_temp';
END
$$;
