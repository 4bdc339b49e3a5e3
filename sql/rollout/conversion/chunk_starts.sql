-- name: chunk_starts
-- about: Where the chunks of a hypertable of one time dimension begin, oldest first, as text in UTC.
-- timescaledb: >=2.11
-- params: schema, table
-- columns: range_start timestamptz; start text
-- budget_ms: 300
SELECT DISTINCT c.range_start, c.range_start::text AS start
FROM timescaledb_information.chunks c
WHERE c.hypertable_schema = :schema AND c.hypertable_name = :table
ORDER BY c.range_start
