-- Parts of statements in several files, each called by its name in braces.

-- name: verdict#
-- What a staged row is beside the stored one of its id.
CASE
    WHEN t.file_id IS NULL THEN 'missing'
    WHEN ROW({compared_s}) IS DISTINCT FROM ROW({compared_t}) THEN 'conflict'
    WHEN s.file_id = t.file_id THEN 'within'
    ELSE 'across'
END

-- name: ledger_rows#
-- How many rows a table has of the file ``f``.
f.rows_inserted{replaced_rows}

-- name: replaced_sums#
-- Part of it where rows take the place of others.
 + coalesce((SELECT sum(r.rows) FROM replaced_rows AS r WHERE r.by_file_id = f.file_id), 0)::bigint
 - coalesce((SELECT sum(r.rows) FROM replaced_rows AS r WHERE r.file_id = f.file_id), 0)::bigint

-- name: stored#
-- The stored row. OFFSET 0 keeps this an index look-up per row, whatever the size of the table.
LEFT JOIN LATERAL (
    SELECT {stored_columns} FROM {table} AS e WHERE {same_key} OFFSET 0
) AS t ON true
