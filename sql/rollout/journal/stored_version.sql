-- name: stored_version
-- about: The version of the journal in this database.
-- timescaledb: >=0.0
-- columns: version int
-- budget_ms: 20
SELECT max(version) AS version FROM ms5ops.schema_version
