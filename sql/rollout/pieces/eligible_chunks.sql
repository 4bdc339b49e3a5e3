-- name: eligible_chunks
-- about: Uncompressed chunks of a hypertable that are wholly older than an interval, newest first.
-- timescaledb: >=2.11
-- params: schema, table, older_than
-- columns: chunk text; range_start timestamptz; size_bytes bytes
-- budget_ms: 200
SELECT format('%I.%I', chunk_schema, chunk_name) AS chunk, range_start,
    pg_total_relation_size(format('%I.%I', chunk_schema, chunk_name)::regclass) AS size_bytes
FROM timescaledb_information.chunks
WHERE hypertable_schema = :schema AND hypertable_name = :table AND NOT is_compressed
    AND range_end <= now() - CAST(:older_than AS interval)
ORDER BY range_end DESC
