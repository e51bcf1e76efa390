-- hourly_sales and conversion_funnel, kept up to date by what changed (docs/decisions/0006-rollups.md).

-- name: lock_hourly_sales#
-- Before the first query of the transaction, so that its one snapshot is taken when the locks are held.
-- First the table that TRUNCATE locks first.
LOCK TABLE user_events IN ACCESS SHARE MODE;
LOCK TABLE hourly_sales IN SHARE ROW EXCLUSIVE MODE;

-- name: lock_conversion_funnel#
LOCK TABLE user_events IN ACCESS SHARE MODE;
LOCK TABLE conversion_funnel IN SHARE ROW EXCLUSIVE MODE;

-- name: summarize_files#
SET lock_timeout = '200ms';
SELECT brin_summarize_new_values('user_events_file'::regclass);

-- name: create_changed_events#
CREATE TEMPORARY TABLE changed_events (
    sign bigint NOT NULL,
    user_id bigint NOT NULL,
    event_type text NOT NULL,
    event_time timestamptz NOT NULL,
    price numeric(10, 2),
    category text NOT NULL,
    user_device text NOT NULL,
    user_location text NOT NULL
) ON COMMIT DROP;

-- name: look_up_files#
-- The planner does not know that the rows of a file lie together until the table is analyzed.
SET LOCAL enable_seqscan = off;
-- Nor does it know how few groups they make, and would sort them all; the default memory holds too few.
SET LOCAL enable_sort = off;
SET LOCAL work_mem = '128MB';

-- name: plan_freely#
SET LOCAL enable_seqscan = on;
SET LOCAL enable_sort = on;

-- name: fill_changed_events!
-- What changed and is not taken in yet. Of a file that is pending as a whole, the rows as they are now
-- say everything: notes about single ones of them are passed over.
-- OFFSET 0 keeps the look-up of each span of files one through the index.
-- Of each event only what the rollup tells apart is kept, and events that are then alike become one row
-- whose sign counts them: millions of events are thousands of rows. What came and what went stay apart.
INSERT INTO changed_events
SELECT sum(sign), user_id, event_type, event_time, price, category, user_device, user_location
FROM (
    SELECT
        sign,
        CASE WHEN :rollup = 'hourly_sales' AND event_type = 'purchase' THEN user_id ELSE 0 END AS user_id,
        event_type,
        -- date_bin, since its hours and days are those of UTC and date_trunc takes three times as long.
        date_bin(
            CASE WHEN :rollup = 'hourly_sales' THEN interval '1 hour' ELSE interval '1 day' END,
            event_time, '2000-01-01Z'
        ) AS event_time,
        CASE WHEN :rollup = 'hourly_sales' AND event_type = 'purchase' THEN price END AS price,
        category,
        CASE WHEN :rollup = 'hourly_sales' THEN '' ELSE user_device END AS user_device,
        CASE WHEN :rollup = 'hourly_sales' THEN '' ELSE user_location END AS user_location
    FROM (
        SELECT
            p.sign, p.user_id, p.event_type, p.event_time, p.price, p.category, p.user_device, p.user_location
        FROM pending_events AS p
        WHERE p.rollup = :rollup
            AND NOT EXISTS (SELECT FROM pending_files AS f WHERE f.rollup = :rollup AND f.file_id = p.file_id)
        UNION ALL
        SELECT
            1, e.user_id, e.event_type, e.event_time, e.price, e.category, e.user_device, e.user_location
        FROM (
            SELECT min(file_id) AS first, max(file_id) AS last
            FROM (
                SELECT file_id, file_id - row_number() OVER (ORDER BY file_id) AS island
                FROM pending_files WHERE rollup = :rollup
            ) AS numbered
            GROUP BY island
        ) AS span
        CROSS JOIN LATERAL (
            SELECT * FROM user_events AS u WHERE u.file_id BETWEEN span.first AND span.last OFFSET 0
        ) AS e
    ) AS change
) AS reduced
GROUP BY sign > 0, user_id, event_type, event_time, price, category, user_device, user_location;

-- name: changed_events$
-- How many events these rows stand for.
SELECT coalesce(sum(abs(sign)), 0)::bigint FROM changed_events;

-- name: fill_with_range!
-- Every row of a range of time, as if all of it were new.
INSERT INTO changed_events
SELECT 1, user_id, event_type, event_time, price, category, user_device, user_location
FROM user_events
WHERE event_time >= :first AND event_time < :after;

-- name: empty_changed_events#
TRUNCATE changed_events;

-- name: analyze_changed_events#
ANALYZE changed_events;

-- name: settle_files!
DELETE FROM pending_files WHERE rollup = :rollup;

-- name: settle_events!
DELETE FROM pending_events WHERE rollup = :rollup;

-- name: apply_hourly_sales!
-- A visitor counts as a buyer when the first purchase comes, and no more when the last one goes. Only
-- purchases are grouped by visitor: they are few, where all events make a group nearly each.
-- OFFSET 0 keeps the look-up one through the index, whatever the size of the table. Who is new is known
-- from it, under the lock of the rollup, so what is new needs no ON CONFLICT.
WITH per_buyer AS MATERIALIZED (
    SELECT p.hour, p.category, p.user_id, b.purchases AS before, coalesce(b.purchases, 0) + p.purchases AS after
    FROM (
        SELECT
            date_bin('1 hour', event_time, '2000-01-01Z') AS hour, category, user_id,
            sum(sign)::bigint AS purchases
        FROM changed_events
        WHERE event_type = 'purchase'
        GROUP BY 1, 2, 3
        HAVING sum(sign) <> 0
        ORDER BY 1, 2, 3
    ) AS p
    LEFT JOIN LATERAL (
        SELECT k.purchases FROM hourly_buyers AS k
        WHERE k.hour = p.hour AND k.category = p.category AND k.user_id = p.user_id
        OFFSET 0
    ) AS b ON true
),
counted AS (
    SELECT
        date_bin('1 hour', event_time, '2000-01-01Z') AS hour,
        category,
        coalesce(sum(sign) FILTER (WHERE event_type = 'view'), 0) AS views,
        coalesce(sum(sign) FILTER (WHERE event_type = 'add_to_cart'), 0) AS carts,
        coalesce(sum(sign) FILTER (WHERE event_type = 'purchase'), 0) AS purchases,
        coalesce(sum(sign * price) FILTER (WHERE event_type = 'purchase'), 0) AS revenue
    FROM changed_events
    GROUP BY 1, 2
),
changed_buyers AS (
    SELECT hour, category, sum((after > 0)::int - (coalesce(before, 0) > 0)::int) AS buyers
    FROM per_buyer
    GROUP BY hour, category
),
sales AS (
    INSERT INTO hourly_sales AS s (hour, category, views, carts, purchases, revenue, buyers)
    SELECT hour, category, c.views, c.carts, c.purchases, c.revenue, coalesce(b.buyers, 0)
    FROM counted AS c
    LEFT JOIN changed_buyers AS b USING (hour, category)
    ORDER BY hour, category
    ON CONFLICT (hour, category) DO UPDATE SET
        views = s.views + excluded.views,
        carts = s.carts + excluded.carts,
        purchases = s.purchases + excluded.purchases,
        revenue = s.revenue + excluded.revenue,
        buyers = s.buyers + excluded.buyers
),
known AS (
    UPDATE hourly_buyers AS k SET purchases = p.after
    FROM per_buyer AS p
    WHERE p.before IS NOT NULL AND k.hour = p.hour AND k.category = p.category AND k.user_id = p.user_id
)
INSERT INTO hourly_buyers (hour, category, user_id, purchases)
SELECT hour, category, user_id, after
FROM per_buyer
WHERE before IS NULL;

-- name: prune_hourly_sales#
-- Hours of which nothing is left. Only what went can leave nothing behind.
DELETE FROM hourly_buyers AS k
USING (
    SELECT DISTINCT date_bin('1 hour', event_time, '2000-01-01Z') AS hour, category, user_id
    FROM changed_events WHERE sign < 0
) AS gone
WHERE k.hour = gone.hour AND k.category = gone.category AND k.user_id = gone.user_id AND k.purchases = 0;
DELETE FROM hourly_sales AS s
USING (
    SELECT DISTINCT date_bin('1 hour', event_time, '2000-01-01Z') AS hour, category
    FROM changed_events WHERE sign < 0
) AS gone
WHERE s.hour = gone.hour AND s.category = gone.category AND (s.views, s.carts, s.purchases) = (0, 0, 0);

-- name: clear_hourly_sales!
WITH sales AS (DELETE FROM hourly_sales WHERE hour >= :first AND hour < :after)
DELETE FROM hourly_buyers WHERE hour >= :first AND hour < :after;

-- name: apply_conversion_funnel!
INSERT INTO conversion_funnel AS f (day, category, user_device, user_location, views, carts, purchases)
SELECT
    (event_time AT TIME ZONE 'UTC')::date AS day,
    category,
    user_device,
    user_location,
    coalesce(sum(sign) FILTER (WHERE event_type = 'view'), 0),
    coalesce(sum(sign) FILTER (WHERE event_type = 'add_to_cart'), 0),
    coalesce(sum(sign) FILTER (WHERE event_type = 'purchase'), 0)
FROM changed_events
GROUP BY 1, 2, 3, 4
ORDER BY 1, 2, 3, 4
ON CONFLICT (day, category, user_device, user_location) DO UPDATE SET
    views = f.views + excluded.views,
    carts = f.carts + excluded.carts,
    purchases = f.purchases + excluded.purchases;

-- name: prune_conversion_funnel#
DELETE FROM conversion_funnel AS f
USING (
    SELECT DISTINCT (event_time AT TIME ZONE 'UTC')::date AS day, category, user_device, user_location
    FROM changed_events WHERE sign < 0
) AS gone
WHERE (f.day, f.category, f.user_device, f.user_location)
    = (gone.day, gone.category, gone.user_device, gone.user_location)
    AND (f.views, f.carts, f.purchases) = (0, 0, 0);

-- name: clear_conversion_funnel!
DELETE FROM conversion_funnel
WHERE day >= (:first AT TIME ZONE 'UTC')::date AND day < (:after AT TIME ZONE 'UTC')::date;

-- name: hourly_sales_totals^
SELECT
    (SELECT coalesce(sum(price) FILTER (WHERE event_type = 'purchase'), 0) FROM user_events) AS expected,
    (SELECT coalesce(sum(revenue), 0) FROM hourly_sales)
        + (SELECT coalesce(sum(sign * price) FILTER (WHERE event_type = 'purchase'), 0) FROM changed_events)
        AS found;

-- name: conversion_funnel_totals^
SELECT
    (SELECT count(*) FROM user_events) AS expected,
    (SELECT coalesce(sum(views + carts + purchases), 0)::bigint FROM conversion_funnel)
        + (SELECT coalesce(sum(sign), 0)::bigint FROM changed_events) AS found;

-- name: days_that_differ_in_hourly_sales
-- What the rollup holds and has yet to take in less what the events say, by hour and category, where it is not
-- zero. Buyers are distinct, so they can only be compared where nothing is yet to be taken in.
SELECT
    (date_bin('1 day', hour, '2000-01-01Z') AT TIME ZONE 'UTC')::date AS day,
    count(*) || ' hours and categories: revenue off by ' || sum(revenue) || ', views by ' || sum(views)
        || ', carts by ' || sum(carts) || ', purchases by ' || sum(purchases)
        || CASE WHEN bool_or(pending) THEN '' ELSE ', buyers by ' || sum(buyers) END
FROM (
    SELECT
        hour, category, -sum(views) AS views, -sum(carts) AS carts, -sum(purchases) AS purchases,
        -sum(revenue) AS revenue, -sum(buyers) AS buyers, bool_or(pending) AS pending
    FROM (
        SELECT
            date_bin('1 hour', event_time, '2000-01-01Z') AS hour,
            category,
            count(*) FILTER (WHERE event_type = 'view') AS views,
            count(*) FILTER (WHERE event_type = 'add_to_cart') AS carts,
            count(*) FILTER (WHERE event_type = 'purchase') AS purchases,
            coalesce(sum(price) FILTER (WHERE event_type = 'purchase'), 0) AS revenue,
            0 AS buyers,
            false AS pending
        FROM user_events GROUP BY 1, 2
        UNION ALL
        SELECT hour, category, 0, 0, 0, 0, count(*), false
        FROM (
            SELECT DISTINCT date_bin('1 hour', event_time, '2000-01-01Z') AS hour, category, user_id
            FROM user_events WHERE event_type = 'purchase'
        ) AS buyer
        GROUP BY 1, 2
        UNION ALL
        SELECT hour, category, -views, -carts, -purchases, -revenue, -buyers, false FROM hourly_sales
        UNION ALL
        SELECT
            date_bin('1 hour', event_time, '2000-01-01Z'),
            category,
            -coalesce(sum(sign) FILTER (WHERE event_type = 'view'), 0),
            -coalesce(sum(sign) FILTER (WHERE event_type = 'add_to_cart'), 0),
            -coalesce(sum(sign) FILTER (WHERE event_type = 'purchase'), 0),
            -coalesce(sum(sign * price) FILTER (WHERE event_type = 'purchase'), 0),
            0,
            true
        FROM changed_events GROUP BY 1, 2
    ) AS side
    GROUP BY hour, category
    HAVING (sum(views), sum(carts), sum(purchases), sum(revenue)) <> (0, 0, 0, 0)
        OR (sum(buyers) <> 0 AND NOT bool_or(pending))
) AS differing
GROUP BY 1
ORDER BY 1;

-- name: days_that_differ_in_conversion_funnel
-- By day and category: with device and country there are so many groups that it would take twice as long.
SELECT
    (day AT TIME ZONE 'UTC')::date,
    string_agg(event_type || ' of ' || category || ' by ' || -events, ', ' ORDER BY category, event_type)
FROM (
    SELECT day, category, event_type, sum(events) AS events
    FROM (
        SELECT date_bin('1 day', event_time, '2000-01-01Z') AS day, category, event_type, count(*) AS events
        FROM user_events GROUP BY 1, 2, 3
        UNION ALL
        SELECT f.day::timestamp AT TIME ZONE 'UTC', f.category, step.event_type, -sum(step.events)
        FROM conversion_funnel AS f
        CROSS JOIN LATERAL (
            VALUES ('view', f.views), ('add_to_cart', f.carts), ('purchase', f.purchases)
        ) AS step (event_type, events)
        GROUP BY 1, 2, 3
        UNION ALL
        SELECT date_bin('1 day', event_time, '2000-01-01Z'), category, event_type, -sum(sign)
        FROM changed_events GROUP BY 1, 2, 3
    ) AS side
    GROUP BY day, category, event_type
    HAVING sum(events) <> 0
) AS differing
GROUP BY day
ORDER BY day;

-- name: first_day$
SELECT (min(hour) AT TIME ZONE 'UTC')::date FROM hourly_sales;

-- name: drop_changed_events#
DROP TABLE changed_events;

-- name: create_steps#
CREATE TEMPORARY TABLE steps (
    rollup text NOT NULL,
    day date NOT NULL,
    category text NOT NULL,
    event_type text NOT NULL,
    events bigint NOT NULL
) ON COMMIT DROP;

-- name: add_steps_of_hourly_sales!
-- What the rollup holds, and what it has yet to take in.
INSERT INTO steps
SELECT 'hourly_sales', (s.hour AT TIME ZONE 'UTC')::date, s.category, step.event_type, step.events
FROM hourly_sales AS s
CROSS JOIN LATERAL (
    VALUES ('view', s.views), ('add_to_cart', s.carts), ('purchase', s.purchases)
) AS step (event_type, events)
UNION ALL
SELECT 'hourly_sales', (event_time AT TIME ZONE 'UTC')::date, category, event_type, sign FROM changed_events;

-- name: add_steps_of_conversion_funnel!
INSERT INTO steps
SELECT 'conversion_funnel', f.day, f.category, step.event_type, step.events
FROM conversion_funnel AS f
CROSS JOIN LATERAL (
    VALUES ('view', f.views), ('add_to_cart', f.carts), ('purchase', f.purchases)
) AS step (event_type, events)
UNION ALL
SELECT 'conversion_funnel', (event_time AT TIME ZONE 'UTC')::date, category, event_type, sign FROM changed_events;

-- name: step_totals^
-- Of the other rollup, and of this one.
SELECT
    coalesce(sum(events) FILTER (WHERE rollup <> :rollup), 0)::bigint AS expected,
    coalesce(sum(events) FILTER (WHERE rollup = :rollup), 0)::bigint AS found
FROM steps;

-- name: steps_that_disagree
SELECT day, string_agg(event_type || ' of ' || category || ' by ' || events, ', ' ORDER BY category, event_type)
FROM (
    SELECT day, category, event_type, sum(CASE WHEN rollup = :rollup THEN events ELSE -events END) AS events
    FROM steps
    GROUP BY day, category, event_type
    HAVING sum(CASE WHEN rollup = :rollup THEN events ELSE -events END) <> 0
) AS differing
GROUP BY day
ORDER BY day;
