-- name: record_exists
-- about: Whether the schema and the table of conversions are there.
-- timescaledb: >=2.11
-- columns: schema_there boolean; table_there boolean
-- budget_ms: 5
SELECT to_regnamespace('ms5ops') IS NOT NULL AS schema_there, to_regclass('ms5ops.conversion') IS NOT NULL AS table_there
