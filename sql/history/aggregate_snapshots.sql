-- name: aggregate_snapshots
-- about: Size and lag of each continuous aggregate of one database at each snapshot, oldest first.
-- params: source
-- columns: taken_at timestamptz; origin text; aggregate_name text; size_bytes bytes; lag_seconds seconds
-- budget_ms: 50
SELECT s.taken_at, s.origin, a.schema_name || '.' || a.aggregate_name AS aggregate_name, a.size_bytes, a.lag_seconds
FROM snapshot s
JOIN snapshot_aggregate a USING (snapshot_id)
WHERE s.source = $source
ORDER BY s.taken_at, aggregate_name
