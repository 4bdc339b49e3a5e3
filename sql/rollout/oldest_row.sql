-- name: oldest_row
-- about: The oldest time in a hypertable, below the end of its first chunk, so that no other chunk is read.
-- timescaledb: >=2.11
-- params: until
-- columns: oldest timestamptz
-- budget_ms: 200
SELECT min({column}) AS oldest FROM {relation} WHERE {column} < :until
