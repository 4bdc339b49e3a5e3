-- name: keys_chunks
-- about: The chunks of a hypertable in which keys of the present round would be, as names for a statement.
-- timescaledb: >=2.11
-- params: schema, table
-- columns: name text
-- budget_ms: 300
SELECT DISTINCT format('%I.%I', c.chunk_schema, c.chunk_name) AS name
FROM timescaledb_information.chunks c
JOIN pg_temp.ms5ops_keys k ON k.t >= c.range_start AND k.t < c.range_end
WHERE c.hypertable_schema = :schema AND c.hypertable_name = :table
ORDER BY 1
