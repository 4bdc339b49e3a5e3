-- name: journal_exists
-- about: Whether this database has a journal.
-- timescaledb: >=0.0
-- columns: found boolean
-- budget_ms: 20
SELECT to_regclass('ms5ops.schema_version') IS NOT NULL AS found
