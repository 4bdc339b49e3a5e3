-- name: oldest_row
-- about: The oldest time in one relation, usually the oldest chunk of a hypertable.
-- timescaledb: >=2.11
-- columns: oldest timestamptz
-- budget_ms: 200
SELECT min({column}) AS oldest FROM {relation}
