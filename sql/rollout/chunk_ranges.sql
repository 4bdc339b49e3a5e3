-- name: chunk_ranges
-- about: Chunks of the named hypertables (storage names), oldest first.
-- timescaledb: >=2.11
-- params: schemas, tables
-- columns: hypertable_schema text; hypertable_name text; chunk_schema text; chunk_name text; range_start timestamptz; range_end timestamptz; is_compressed boolean
-- budget_ms: 250
SELECT
    c.hypertable_schema::text AS hypertable_schema,
    c.hypertable_name::text AS hypertable_name,
    c.chunk_schema::text AS chunk_schema,
    c.chunk_name::text AS chunk_name,
    c.range_start,
    c.range_end,
    coalesce(c.is_compressed, false) AS is_compressed
FROM timescaledb_information.chunks c
JOIN unnest(CAST(:schemas AS text[]), CAST(:tables AS text[])) w (schema_name, table_name)
    ON w.schema_name = c.hypertable_schema AND w.table_name = c.hypertable_name
ORDER BY 1, 2, c.range_start
