-- Time-range queries. Events arrive roughly in the order of their time, so blocks of the table have
-- narrow ranges of it: the index is a few kilobytes and costs a load next to nothing, where a B-tree
-- would cost every row a second descent. Several intervals a range, because one late event would
-- stretch a single one over everything.
CREATE INDEX user_events_time ON user_events
    USING brin (event_time timestamptz_minmax_multi_ops) WITH (pages_per_range = 32, autosummarize = on);
