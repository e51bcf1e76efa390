-- name: revenue_by_day
-- Of the last days that have events, the oldest first.
SELECT day, revenue, views, carts, purchases
FROM (
    SELECT
        (hour AT TIME ZONE 'UTC')::date AS day,
        sum(revenue) AS revenue,
        sum(views)::bigint AS views,
        sum(carts)::bigint AS carts,
        sum(purchases)::bigint AS purchases
    FROM hourly_sales
    GROUP BY 1
    ORDER BY 1 DESC
    LIMIT :days
) AS newest
ORDER BY day;

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
-- Loads by run, the newest first; a file that waits belongs to none.
SELECT
    b.run_id,
    max(f.finished_at) AS finished_at,
    count(*) FILTER (WHERE f.state = 'loaded') AS loaded,
    count(*) FILTER (WHERE f.state = 'quarantined') AS quarantined,
    sum(f.rows_inserted)::bigint AS rows_inserted,
    sum(f.rows_duplicate)::bigint AS rows_duplicate,
    sum(f.rows_rejected)::bigint AS rows_rejected
FROM (SELECT batch_id, run_id FROM stream_batches ORDER BY batch_id DESC LIMIT 2000) AS b
JOIN ingested_files AS f USING (batch_id)
GROUP BY b.run_id
ORDER BY finished_at DESC
LIMIT :limit;

-- name: waiting_files$
SELECT count(*) FROM ingested_files WHERE state = 'claimed';
