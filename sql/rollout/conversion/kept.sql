-- name: kept
-- about: What conversions have kept of the tables that they replaced, largest first; only what is still there.
-- timescaledb: >=2.11
-- columns: id bigint; schema_name text; table_name text; direction text; kept_schema text; kept_table text; since timestamptz; size_bytes bytes
-- budget_ms: 300
WITH newest AS (  -- a name may have been kept, dropped by hand and kept again
    SELECT DISTINCT ON (kept_schema, kept_table) *
    FROM ms5ops.conversion
    WHERE status = 'done'
    ORDER BY kept_schema, kept_table, id DESC
)
SELECT k.id, k.schema_name, k.table_name, k.direction, k.kept_schema, k.kept_table, k.finished_at AS since,
    CASE WHEN h.hypertable_name IS NULL THEN pg_total_relation_size(c.oid) ELSE hypertable_size(c.oid::regclass) END AS size_bytes
FROM newest k
JOIN pg_namespace n ON n.nspname = k.kept_schema
JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = k.kept_table AND c.relkind = 'r'
LEFT JOIN timescaledb_information.hypertables h ON h.hypertable_schema = k.kept_schema AND h.hypertable_name = k.kept_table
WHERE k.kept_dropped_at IS NULL
ORDER BY size_bytes DESC, k.id
