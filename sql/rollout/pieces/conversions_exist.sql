-- name: conversions_exist
-- about: Whether an online conversion was ever begun in this database.
-- timescaledb: >=2.11
-- columns: found boolean
-- budget_ms: 20
SELECT to_regclass('ms5ops.conversion') IS NOT NULL AS found
