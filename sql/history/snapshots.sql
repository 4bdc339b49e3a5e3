-- name: snapshots
-- about: The snapshots of one database, oldest first.
-- params: source
-- columns: snapshot_id text; environment text; origin text; taken_at timestamptz; tool_version text; postgres_version text; timescaledb_version text; database_bytes bytes
-- budget_ms: 50
SELECT snapshot_id::TEXT AS snapshot_id, environment, origin, taken_at, tool_version, postgres_version,
       timescaledb_version, database_bytes
FROM snapshot
WHERE source = $source
ORDER BY taken_at
