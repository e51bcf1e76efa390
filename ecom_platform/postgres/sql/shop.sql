-- name: revenue_by_day
-- Of the calendar days up to the last that has events, the oldest first; none before the first that has any.
WITH known AS (
    SELECT
        (min(hour) AT TIME ZONE 'UTC')::date AS first,
        (max(hour) AT TIME ZONE 'UTC')::date AS last
    FROM hourly_sales
),
calendar AS (
    SELECT greatest(first, last - :days::int + 1) + number AS day
    FROM known, generate_series(0, least(last - first, :days::int - 1)) AS number
    WHERE first IS NOT NULL
)
SELECT
    c.day,
    coalesce(sum(s.revenue), 0) AS revenue,
    coalesce(sum(s.views), 0)::bigint AS views,
    coalesce(sum(s.carts), 0)::bigint AS carts,
    coalesce(sum(s.purchases), 0)::bigint AS purchases
FROM calendar AS c
LEFT JOIN hourly_sales AS s
    ON s.hour >= c.day::timestamp AT TIME ZONE 'UTC' AND s.hour < (c.day + 1)::timestamp AT TIME ZONE 'UTC'
GROUP BY c.day
ORDER BY c.day;

-- name: funnel_by
-- Steps by one of the funnel's columns, over the days from :first on; the most viewed first.
SELECT
    CASE :dimension WHEN 'category' THEN category WHEN 'user_device' THEN user_device ELSE user_location END,
    sum(views)::bigint AS views,
    sum(carts)::bigint AS carts,
    sum(purchases)::bigint AS purchases
FROM conversion_funnel
WHERE day >= :first
GROUP BY 1
ORDER BY views DESC, 1
LIMIT :limit;

-- name: revenue_by_category
SELECT category, sum(revenue) AS revenue
FROM hourly_sales
WHERE hour >= :since
GROUP BY category
ORDER BY revenue DESC, category;

-- name: top_products
SELECT product_id, max(category), count(*) AS purchases, sum(price) AS revenue
FROM user_events
WHERE event_time >= :since AND event_type = 'purchase'
GROUP BY product_id
ORDER BY revenue DESC, product_id
LIMIT :limit;

-- name: last_loads
-- Loads by run, the newest first; a file that waits belongs to none. A run that was interrupted before its
-- first COMMIT has no file, and the moment at which it began its micro-batch.
SELECT
    b.run_id,
    coalesce(max(f.finished_at), max(b.started_at)) AS moment,
    bool_or(b.finished_at IS NULL) AS unfinished,
    count(*) FILTER (WHERE f.state = 'loaded') AS loaded,
    count(*) FILTER (WHERE f.state = 'quarantined') AS quarantined,
    coalesce(sum(f.rows_inserted), 0)::bigint AS rows_inserted,
    coalesce(sum(f.rows_duplicate), 0)::bigint AS rows_duplicate,
    coalesce(sum(f.rows_rejected), 0)::bigint AS rows_rejected
FROM (
    SELECT batch_id, run_id, started_at, finished_at FROM stream_batches ORDER BY batch_id DESC LIMIT 2000
) AS b
LEFT JOIN ingested_files AS f USING (batch_id)
GROUP BY b.run_id
HAVING count(f.file_id) > 0 OR bool_or(b.finished_at IS NULL)
ORDER BY moment DESC
LIMIT :limit;

-- name: newest_run$
SELECT run_id FROM stream_batches ORDER BY batch_id DESC LIMIT 1;

-- name: waiting_files$
SELECT count(*) FROM ingested_files WHERE state = 'claimed';
