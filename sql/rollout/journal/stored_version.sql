-- name: stored_version
-- about: The version of the journal in this database; NULL where there is none. The table is named so that a database without it does not fail.
-- timescaledb: >=0.0
-- columns: version int
-- budget_ms: 20
SELECT CASE WHEN to_regclass('ms5ops.schema_version') IS NOT NULL THEN
    (xpath('/row/v/text()', query_to_xml('SELECT max(version) AS v FROM ms5ops.schema_version', false, true, '')))[1]::text::int
END AS version
