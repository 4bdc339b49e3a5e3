-- name: chunks_to_make
-- about: Template: how many chunks of an interval the rows of a small plain table span; it reads the whole table.
-- timescaledb: >=2.11
-- params: interval
-- columns: chunks bigint
-- budget_ms: 1000
SELECT coalesce(ceil(extract(epoch FROM max({time})::timestamptz - min({time})::timestamptz)
    / extract(epoch FROM CAST(:interval AS interval))), 0)::bigint + 1 AS chunks
FROM {table}
