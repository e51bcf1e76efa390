-- A reason says what kind of fault it is; the column is said beside it. Those that named a column of user_events are
-- called as they are for every feed.
UPDATE rejected_events AS r
SET reason = CASE
    WHEN r.reason = 'invalid_number' AND r.column_name = 'price' THEN 'not_a_number'
    ELSE n.kind
END
FROM (
    VALUES
        ('invalid_uuid', 'not_a_uuid'),
        ('invalid_number', 'not_an_integer'),
        ('user_id_out_of_range', 'out_of_range'),
        ('unknown_event_type', 'not_in_list'),
        ('unparsable_time', 'not_a_time'),
        ('implausible_time', 'out_of_range'),
        ('price_nan', 'not_finite'),
        ('price_infinite', 'not_finite'),
        ('price_not_positive', 'out_of_range'),
        ('price_too_many_decimals', 'too_many_decimals'),
        ('price_overflow', 'out_of_range'),
        ('unknown_category', 'not_in_list'),
        ('unknown_device', 'not_in_list'),
        ('unknown_country', 'not_in_list'),
        ('price_on_view', 'must_be_absent'),
        ('price_missing', 'required')
) AS n (reason, kind)
WHERE r.reason = n.reason;
