-- name: hypertable_named
-- about: Whether a relation is a hypertable.
-- timescaledb: >=2.11
-- params: table
-- columns: schema_name text; table_name text
-- budget_ms: 50
SELECT hypertable_schema AS schema_name, hypertable_name AS table_name FROM timescaledb_information.hypertables
WHERE format('%I.%I', hypertable_schema, hypertable_name)::regclass = to_regclass(:table)
