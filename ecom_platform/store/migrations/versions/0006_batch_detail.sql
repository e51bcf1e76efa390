-- All of these are null where a micro-batch ended before they were recorded.
ALTER TABLE stream_batches
    -- Decoding, copying and COMMIT of the task that took longest: no batch is shorter, however many tasks ran.
    ADD COLUMN longest_task_ms double precision,
    -- Tasks that Spark could run at once, on whatever machines.
    ADD COLUMN slots bigint,
    -- The interval of the query's trigger; 0: a bounded run, which has none.
    ADD COLUMN trigger_ms double precision,
    -- Processor time of the tasks, as each says of itself; added up.
    ADD COLUMN worker_cpu_ms double precision;
