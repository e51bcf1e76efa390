-- Rejects by the first id that stands in their bytes, however it is written: `ecom trace` asks for one.
-- The query has to say the same expression (sql/oncall.sql, event_rejects).
CREATE INDEX rejected_events_id ON rejected_events (
    (substring(lower(encode(raw, 'escape')) FROM '[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}'))
);
