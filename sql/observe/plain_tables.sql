-- name: plain_tables
-- about: Those of the named tables of a schema that exist, whatever they are, with their own size (of a hypertable: its empty root).
-- timescaledb: >=2.11
-- params: schema, tables
-- columns: schema_name text; table_name text; size_bytes bytes; index_bytes bytes; rows rows; analyzed_at timestamptz
-- budget_ms: 20
SELECT
    n.nspname::text AS schema_name,
    c.relname::text AS table_name,
    pg_total_relation_size(c.oid) AS size_bytes,
    pg_indexes_size(c.oid) AS index_bytes,
    CASE WHEN c.reltuples >= 0 AND c.relpages > 0 THEN c.reltuples::bigint ELSE s.n_live_tup END AS rows,
    greatest(s.last_analyze, s.last_autoanalyze) AS analyzed_at
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_stat_user_tables s ON s.relid = c.oid
WHERE n.nspname = :schema AND c.relname = ANY (CAST(:tables AS text[])) AND c.relkind IN ('r', 'p')
ORDER BY 2
