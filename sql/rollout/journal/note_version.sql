-- name: note_version
-- about: Record that a version of the journal was made.
-- timescaledb: >=0.0
-- params: version, tool_version
-- columns: none
-- budget_ms: 20
INSERT INTO ms5ops.schema_version (version, tool_version) VALUES (:version, :tool_version)
