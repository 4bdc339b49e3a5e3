-- name: hypertable
-- about: The time dimension of a hypertable; no row where the table is none.
-- timescaledb: >=2.11
-- params: schema, table, chunk_interval
-- columns: time_column text; chunk_interval interval; same_interval boolean
-- budget_ms: 40
SELECT d.column_name::text AS time_column, d.time_interval AS chunk_interval,
    d.time_interval = CAST(:chunk_interval AS interval) AS same_interval
FROM timescaledb_information.dimensions d
WHERE d.hypertable_schema = :schema AND d.hypertable_name = :table AND d.dimension_number = 1
