-- name: chunk_interval
-- about: The chunk interval of a hypertable's time dimension; no row for a plain table.
-- params: schema, table
-- columns: chunk_interval text
-- budget_ms: 50
SELECT time_interval::text AS chunk_interval
FROM timescaledb_information.dimensions
WHERE hypertable_schema = :schema AND hypertable_name = :table AND dimension_number = 1
