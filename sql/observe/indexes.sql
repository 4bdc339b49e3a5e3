-- name: indexes
-- about: Indexes of every hypertable, of every aggregate's storage and of the named tables of a schema, one row per logical index, with sizes and usage summed over its chunk indexes.
-- timescaledb: >=2.11
-- params: schema, tables
-- columns: schema_name text; table_name text; index_name text; is_hypertable boolean; definition text; method text; columns text[]; is_unique boolean; is_primary boolean; is_partial boolean; is_constraint boolean; is_valid boolean; chunks int; indexed_chunks int; invalid_chunks int; size_bytes bytes; scans count; tuples_read count; tuples_fetched count; key_width_bytes bytes; entries rows; filled_chunks int
-- budget_ms: 250
WITH listed AS (
    SELECT hypertable_schema AS schema_name, hypertable_name AS table_name, true AS is_hypertable
    FROM timescaledb_information.hypertables
    UNION ALL
    SELECT materialization_hypertable_schema, materialization_hypertable_name, true
    FROM timescaledb_information.continuous_aggregates
    UNION ALL
    SELECT :schema, unnest(CAST(:tables AS name[])), false
),
parents AS MATERIALIZED (
    SELECT c.oid, n.nspname, c.relname, c.reltuples, bool_or(h.is_hypertable) AS is_hypertable,
        EXISTS (SELECT FROM pg_attribute t WHERE t.attrelid = c.oid AND t.attnum > 0 AND t.attisdropped) AS by_name
    FROM listed h
    JOIN pg_namespace n ON n.nspname = h.schema_name
    JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = h.table_name
    WHERE c.relkind IN ('r', 'p')
    GROUP BY c.oid, n.nspname, c.relname, c.reltuples
),
logical AS (
    SELECT p.oid AS table_oid, p.nspname, p.relname, p.reltuples, p.is_hypertable, p.by_name, x.*, k.relam,
        k.relname AS index_name, '_' || k.relname AS suffix,
        CASE WHEN p.by_name
            THEN (SELECT string_agg(t.attname, ',' ORDER BY t.attnum) FROM pg_attribute t WHERE t.attrelid = x.indexrelid)
            ELSE x.indkey::text END AS key,
        CASE WHEN x.indpred IS NOT NULL
            THEN regexp_replace(pg_get_expr(x.indpred, x.indrelid), '''|\:\:[a-z ]+|[() ]', '', 'g') END AS predicate
    FROM parents p
    JOIN pg_index x ON x.indrelid = p.oid
    JOIN pg_class k ON k.oid = x.indexrelid
),
members AS (
    -- A chunk's index belongs to the index of the same shape; where several have it, to the one whose name its own ends
    -- in (a long name is cut off), or whose predicate reads alike (a chunk's is kept with its constants folded).
    SELECT DISTINCT ON (x.indexrelid) l.indexrelid AS logical_oid, x.indexrelid, x.indrelid, x.indisvalid, q.reltuples,
        k.relam = (SELECT oid FROM pg_am WHERE amname = 'brin') AS has_map
    FROM parents p
    JOIN pg_inherits i ON i.inhparent = p.oid
    JOIN pg_class q ON q.oid = i.inhrelid
    JOIN pg_index x ON x.indrelid = i.inhrelid
    JOIN pg_class k ON k.oid = x.indexrelid
    JOIN logical l ON l.table_oid = p.oid AND l.relam = k.relam AND l.indisunique = x.indisunique
        AND l.indoption = x.indoption AND (l.indpred IS NULL) = (x.indpred IS NULL)
        AND (l.indexprs IS NULL) = (x.indexprs IS NULL)
        AND l.key = CASE WHEN p.by_name
            THEN (SELECT string_agg(t.attname, ',' ORDER BY t.attnum) FROM pg_attribute t WHERE t.attrelid = x.indexrelid)
            ELSE x.indkey::text END
    WHERE p.is_hypertable
    ORDER BY x.indexrelid, right(k.relname, length(l.suffix)) = l.suffix DESC,
        CASE WHEN x.indpred IS NOT NULL
            THEN regexp_replace(pg_get_expr(x.indpred, x.indrelid), '''|\:\:[a-z ]+|[() ]', '', 'g') = l.predicate END DESC,
        l.indexrelid
),
summed AS (
    -- What a session has counted reaches the shared statistics when it is idle. The embedded engine never gets there: its
    -- one backend keeps all it counts to itself, which pg_stat_get_xact_... shows. Elsewhere these add this query's own.
    SELECT logical_oid,
        count(*) AS indexed_chunks,
        count(*) FILTER (WHERE NOT indisvalid) AS invalid_chunks,
        sum(CASE WHEN has_map THEN pg_table_size(indexrelid) ELSE pg_relation_size(indexrelid) END) AS size_bytes,
        sum(pg_stat_get_numscans(indexrelid) + pg_stat_get_xact_numscans(indexrelid)) AS scans,
        sum(pg_stat_get_tuples_returned(indexrelid) + pg_stat_get_xact_tuples_returned(indexrelid)) AS tuples_read,
        sum(pg_stat_get_tuples_fetched(indexrelid) + pg_stat_get_xact_tuples_fetched(indexrelid)) AS tuples_fetched,
        sum(greatest(reltuples, 0)) AS entries,
        count(*) FILTER (WHERE reltuples > 0) AS filled_chunks
    FROM members
    GROUP BY logical_oid
),
chunked AS (
    SELECT i.inhparent AS table_oid, count(*) AS chunks
    FROM pg_inherits i
    WHERE i.inhparent IN (SELECT oid FROM parents)
    GROUP BY i.inhparent
)
SELECT
    l.nspname::text AS schema_name,
    l.relname::text AS table_name,
    l.index_name::text AS index_name,
    l.is_hypertable,
    pg_get_indexdef(l.indexrelid) AS definition,
    m.amname::text AS method,
    (SELECT array_agg(t.attname::text ORDER BY t.attnum) FROM pg_attribute t WHERE t.attrelid = l.indexrelid) AS columns,
    l.indisunique AS is_unique,
    l.indisprimary AS is_primary,
    l.indpred IS NOT NULL AS is_partial,
    EXISTS (SELECT FROM pg_constraint o WHERE o.conindid = l.indexrelid AND o.contype IN ('p', 'u', 'x')) AS is_constraint,
    l.indisvalid AS is_valid,
    coalesce(c.chunks, 0)::int AS chunks,
    coalesce(s.indexed_chunks, 0)::int AS indexed_chunks,
    coalesce(s.invalid_chunks, 0)::int AS invalid_chunks,
    (coalesce(s.size_bytes, 0) + coalesce(pg_table_size(l.indexrelid), 0))::bigint AS size_bytes,
    (coalesce(s.scans, 0) + coalesce(pg_stat_get_numscans(l.indexrelid)
        + pg_stat_get_xact_numscans(l.indexrelid), 0))::bigint AS scans,
    (coalesce(s.tuples_read, 0) + coalesce(pg_stat_get_tuples_returned(l.indexrelid)
        + pg_stat_get_xact_tuples_returned(l.indexrelid), 0))::bigint AS tuples_read,
    (coalesce(s.tuples_fetched, 0) + coalesce(pg_stat_get_tuples_fetched(l.indexrelid)
        + pg_stat_get_xact_tuples_fetched(l.indexrelid), 0))::bigint AS tuples_fetched,
    (
        SELECT sum(s.avg_width)
        FROM pg_attribute t
        JOIN pg_stats s ON s.attname = t.attname
        WHERE t.attrelid = l.table_oid AND t.attnum = ANY (l.indkey)
            AND s.schemaname = l.nspname AND s.tablename = l.relname AND s.inherited = l.is_hypertable
    )::int AS key_width_bytes,
    (CASE WHEN l.is_hypertable THEN coalesce(s.entries, 0) ELSE greatest(l.reltuples, 0) END)::bigint AS entries,
    coalesce(s.filled_chunks, 0)::int AS filled_chunks
FROM logical l
JOIN pg_am m ON m.oid = l.relam
LEFT JOIN chunked c ON c.table_oid = l.table_oid
LEFT JOIN summed s ON s.logical_oid = l.indexrelid
ORDER BY 1, 2, 3
