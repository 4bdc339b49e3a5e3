-- name: chunk_tables
-- about: The chunks of a hypertable, as names for a statement.
-- timescaledb: >=2.11
-- params: schema, table
-- columns: name text
-- budget_ms: 300
SELECT format('%I.%I', c.chunk_schema, c.chunk_name) AS name
FROM timescaledb_information.chunks c
WHERE c.hypertable_schema = :schema AND c.hypertable_name = :table
ORDER BY c.range_start
