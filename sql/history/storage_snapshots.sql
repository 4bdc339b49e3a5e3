-- name: storage_snapshots
-- about: What each table of one database took at each snapshot, oldest first.
-- params: source
-- columns: taken_at timestamptz; origin text; table_name text; kind text; row_count count; chunks count; compressed_chunks count; size_bytes bytes; uncompressed_bytes bytes; backlog_chunks count; backlog_bytes bytes
-- budget_ms: 50
SELECT s.taken_at, s.origin, t.schema_name || '.' || t.table_name AS table_name, t.kind, t.row_count, t.chunks,
       t.compressed_chunks, t.size_bytes, t.uncompressed_bytes, t.backlog_chunks, t.backlog_bytes
FROM snapshot s
JOIN snapshot_table t USING (snapshot_id)
WHERE s.source = $source
ORDER BY s.taken_at, table_name
