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
